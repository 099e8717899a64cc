"""What a backup says of itself, beside the parts that it consists of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.domain.errors import NotFound, Rejected

FORMAT: Final = 1
NAME: Final = "manifest.json"
CATALOG: Final = "catalog.db"
PIECE_BYTES: Final = 1 << 20
_PART: Final = re.compile(r"catalog\.db|(blobs|quarantine)-[0-9]{5}\.tar")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a backup."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`files` are the original files in it, `revisions` are by the names of workspaces."""

    format: int
    product: str
    schema: str
    created_at: str
    revisions: Mapping[str, int]
    rows: Mapping[str, int]
    files: int
    quarantined: int
    parts: Sequence[Part]

    @property
    def bytes(self) -> int:
        """The size of all parts."""
        return sum(part.bytes for part in self.parts)

    def parts_of(self, kind: str) -> Sequence[str]:
        """The names of the parts that hold files of a kind."""
        return [part.name for part in self.parts if part.name.startswith(f"{kind}-")]

    def write(self, folder: Path) -> None:
        """Write it with a checksum of its own."""
        said = asdict(self)
        whole = {"backup": said, "sha256": _digest(said)}
        (folder / NAME).write_text(json.dumps(whole, indent=2), encoding="utf-8")


def read(folder: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        NotFound: when there is no backup.
        Rejected: when it is damaged, or of a format that this version does not know.
    """
    try:
        whole = json.loads((folder / NAME).read_bytes())
        said = whole["backup"]
        damaged = whole["sha256"] != _digest(said)
        form = said["format"]
    except OSError as error:
        raise NotFound(f"'{folder}' is not a backup: it has no readable {NAME}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Rejected(f"the backup's {NAME} is damaged") from error
    if damaged:
        raise Rejected(f"the backup's {NAME} is damaged: its checksum is another")
    if form != FORMAT:
        raise Rejected(f"the backup is of format {form}; this version reads format {FORMAT}")
    return _manifest(said)


def verify(folder: Path, manifest: Manifest) -> None:
    """Read every part of a backup; blocking.

    Raises:
        Rejected: naming the first part that is missing, or is not as it was written.
    """
    for part in manifest.parts:
        path = folder / part.name
        if path.is_symlink() or not path.is_file():
            raise Rejected(f"the backup is incomplete: {part.name} is missing")
        size = path.stat().st_size
        if size != part.bytes:
            raise Rejected(
                f"the backup is damaged: {part.name} has {size} bytes instead of {part.bytes}"
            )
        if digest_of(path) != part.sha256:
            raise Rejected(f"the backup is damaged: the checksum of {part.name} is another")


def digest_of(path: Path) -> str:
    """The SHA-256 of a file; blocking."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(said: Mapping[str, Any]) -> Manifest:
    try:
        parts = [Part(**part) for part in said["parts"]]
        manifest = Manifest(**{**said, "parts": parts})
        strange = [part.name for part in parts if not _PART.fullmatch(part.name)]
    except (TypeError, KeyError) as error:
        raise Rejected(f"the backup's {NAME} cannot be understood: {error}") from error
    names = [part.name for part in parts]
    if strange or len(set(names)) < len(names) or CATALOG not in names:
        raise Rejected(f"the backup's {NAME} names parts that no backup has: {strange or names}")
    return manifest


def _digest(said: object) -> str:
    written = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()
