"""A data folder that is kept after a run, so that the next need not embed anything again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from orchestrator.domain.errors import Rejected
from orchestrator.evaluation.running import Indexed

NAME: Final = "evaluation.json"
"""The file that says what a folder is of: one without it is nobody's to write into."""


class Kept:
    """What a folder holds: the documents of one file, indexed in one way."""

    def __init__(self, folder: Path, corpus: Path, ways: Sequence[object]) -> None:
        self._folder = folder
        self._note = folder / NAME
        self._of = [_digest(corpus), *(str(way) for way in ways)]

    def known(self) -> Indexed | None:
        """What was indexed here before; None where nothing was, or not all of it.

        Raises:
            Rejected: when the folder is of something else.
        """
        if not self._note.exists():
            if self._folder.is_dir() and any(self._folder.iterdir()):
                raise Rejected(f"'{self._folder}' is no folder of 'rag eval': name an empty one")
            return None
        try:
            note = json.loads(self._note.read_text())
            of, found = note["of"], note["indexed"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Rejected(f"'{self._note}' cannot be read: {error}") from error
        if of != self._of:
            raise Rejected(
                f"'{self._folder}' holds other documents, or cut or embedded otherwise: "
                "name an empty folder"
            )
        return Indexed(**found) if found else None

    def note(self, indexed: Indexed | None) -> None:
        """Say what the folder is of, and once all of it is indexed, what came of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        found = indexed and asdict(indexed)
        self._note.write_text(json.dumps({"of": self._of, "indexed": found}))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
