"""Model folders of the hub's form, on this machine: nothing is ever downloaded to serve."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from orchestrator.domain.errors import Misconfigured


def folder_of(model: str, revision: str | None) -> Path:
    """The folder itself, or that of a hub's name in the cache of this machine.

    Raises:
        Misconfigured: when it is neither, with the command that fetches it.
    """
    if Path(model).is_dir():
        return Path(model)
    try:
        return Path(snapshot_download(model, revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        at = f" --revision {revision}" if revision else ""
        raise Misconfigured(
            f"the model '{model}' is neither a folder nor in this machine's cache: "
            f"fetch it with `hf download {model}{at}`"
        ) from error


def digest_of(folder: Path) -> str:
    """A SHA-256 over the files that make the model; one that has not changed is read once."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _counts(path.relative_to(folder)):
            stat = path.stat()
            content = _sha256(path, stat.st_size, stat.st_mtime_ns)
            digest.update(f"{path.relative_to(folder)}\0{content}\n".encode())
    return digest.hexdigest()


def _counts(path: Path) -> bool:
    return path.suffix != ".md" and not any(part.startswith(".") for part in path.parts)


@lru_cache(maxsize=256)
def _sha256(path: Path, _size: int, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
