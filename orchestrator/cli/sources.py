"""Where `rag ingest` finds documents: files, folders, globs, archives and manifests."""

from __future__ import annotations

import glob
import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.cli.manifests import read_manifest
from orchestrator.cli.outcomes import Summary, shown
from orchestrator.domain.errors import Rejected, Unsupported
from orchestrator.domain.filters import Metadata
from orchestrator.domain.identity import EVERYONE
from orchestrator.http.forms import MAX_NAME, PlaceItem
from orchestrator.ports.archives import Archives

READ: Final = frozenset(
    """.md .markdown .txt .text .html .htm .xhtml .csv .tsv .json .jsonl .ndjson .pdf .docx .docm
    .dotx .pptx .pptm .ppsx .potx .xlsx .xlsm .xltx .zip""".split()
)


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a document, beside what it holds."""

    title: str | None = None
    metadata: Metadata = field(default_factory=dict)
    acl: frozenset[str] = frozenset({EVERYONE})

    def of(self, item: PlaceItem) -> Said:
        """The same for an item of a manifest, whose own word counts more."""
        return Said(
            item.title,
            {**self.metadata, **item.metadata},
            frozenset(item.acl) if "acl" in item.model_fields_set else self.acl,
        )


@dataclass(frozen=True, slots=True)
class Source:
    """A document to come: a file, or the `entry` of that path in an archive."""

    source_id: str
    path: Path
    size: int
    said: Said
    entry: str | None = None

    @property
    def filename(self) -> str:
        """The name that tells relatives apart."""
        return PurePosixPath(self.entry).name if self.entry else self.path.name

    def agrees(self, other: Source) -> bool:
        """Whether both are the same bytes, and the same is said of them."""
        if (self.entry, self.said) != (other.entry, other.said):
            return False
        return self.path == other.path or self.path.samefile(other.path)


class Gathering:
    """Every document that a call names, by source id; what is none goes to the summary.

    `archives` are what is read entry by entry where it is given by name.
    """

    def __init__(self, summary: Summary, archives: Sequence[Archives], said: Said) -> None:
        self.sources: dict[str, Source] = {}
        self._summary = summary
        self._archives = archives
        self._said = said

    def place(self, place: Path) -> None:
        """What a path or a glob names.

        Raises:
            Rejected: when that is nothing, or one document would replace another.
        """
        pattern = str(place)
        if reason := _hindrance(place):
            raise Rejected(f"'{shown(pattern)}': {reason}")
        if place.is_file():
            self._given(place)
        elif place.is_dir():
            self._folder(place)
        elif os.path.lexists(place):
            raise Rejected(f"'{shown(pattern)}' is neither a file nor a folder")
        elif glob.has_magic(pattern):
            self._glob(pattern)
        else:
            raise Rejected(f"'{shown(pattern)}' does not exist")

    def manifest(self, manifest: Path) -> None:
        """Every file that a manifest names, relative to its folder.

        Raises:
            Rejected: when it is none, or one document would replace another.
        """
        for item in read_manifest(manifest):
            path = manifest.parent / (item.path or "")
            source_id = item.source_id or item.path or ""
            if reason := _hindrance(path):
                self._summary.fail(shown(source_id), reason)
            elif path.is_file():
                self._file(source_id, path, self._said.of(item))
            else:
                reason = "it is a folder" if path.is_dir() else "there is no such file"
                self._summary.fail(source_id, reason)

    def _glob(self, pattern: str) -> None:
        """Its files; by what the pattern leaves open, only those of a kind that is read."""
        ending = Path(pattern).suffix
        anything = not ending or glob.has_magic(ending)
        found = False
        for path in map(Path, sorted(glob.iglob(pattern, recursive=True))):  # noqa: PTH207  # relative ones too
            if not path.is_file():
                continue
            found = True
            if not anything or self._is_read(path.as_posix(), _size(path)):
                self._given(path)
        if not found:
            raise Rejected(f"'{shown(pattern)}' matches no file")

    def _given(self, path: Path) -> None:
        name = Path(os.path.normpath(path)).as_posix()
        if archives := reader_of(path, self._archives):
            self._archive(name, path, archives)
        else:
            self._file(name, path, self._said)

    def _folder(self, root: Path) -> None:
        for path in _below(root, self._summary):
            inside = path.relative_to(root).as_posix()
            if reason := _hindrance(path):
                self._summary.fail(shown(inside), reason)
            elif not path.is_file():
                self._summary.skip(shown(inside), "it is no file")
            elif self._is_read(inside, _size(path)):
                self._file(inside, path, self._said)

    def _archive(self, name: str, path: Path, archives: Archives) -> None:
        """Its entries, if it can be walked to its end."""
        seen: set[str] = set()
        try:
            entries = [_Found(one.path, one.size, one.refusal) for one in archives.walk(path)]
        except Unsupported as error:
            self._summary.fail(shown(name), error.detail, _size(path))
            return
        except OSError as error:
            self._summary.fail(shown(name), error.strerror or str(error), _size(path))
            return
        for entry in entries:
            self._entry(name, path, entry, seen)

    def _entry(self, name: str, path: Path, entry: _Found, seen: set[str]) -> None:
        inside = posixpath.normpath(entry.path)
        source_id = f"{name}/{inside}"
        if _hidden(inside) or not self._is_read(source_id, entry.size):
            return
        if entry.refusal:
            self._summary.fail(shown(source_id), entry.refusal, entry.size)
        elif inside in seen:
            reason = "the archive holds another by this path, which is taken"
            self._summary.fail(f"{shown(source_id)} (again)", reason, entry.size)
        else:
            seen.add(inside)
            self._add(Source(source_id, path, entry.size, self._said, entry.path))

    def _is_read(self, name: str, size: int) -> bool:
        ending = PurePosixPath(name).suffix
        if ending.casefold() in READ:
            return True
        self._summary.skip(shown(name), f"no parser reads '{shown(ending)}' files", size)
        return False

    def _file(self, source_id: str, path: Path, said: Said) -> None:
        self._add(Source(source_id, path, _size(path), said))

    def _add(self, source: Source) -> None:
        """Count the same document once.

        Raises:
            Rejected: when it would replace another.
        """
        name = shown(source.source_id)
        if name != source.source_id:
            self._summary.fail(name, "its name is not UTF-8", source.size)
            return
        if len(name) > MAX_NAME:
            reason = f"its name is longer than {MAX_NAME} characters"
            self._summary.fail(name, reason, source.size)
            return
        other = self.sources.setdefault(name, source)
        if other is source or other.agrees(source):
            return
        raise Rejected(
            f"'{other.path}' and '{source.path}' would both be '{name}': ingest a folder above "
            "both, or use two workspaces"
            if other.path != source.path
            else f"two different things are said of '{name}'"
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """What is remembered of an entry when the walk goes on."""

    path: str
    size: int
    refusal: str | None


def reader_of(path: Path, archives: Sequence[Archives]) -> Archives | None:
    """What reads a file entry by entry, if anything does."""
    name = path.name.casefold()
    return next((one for one in archives if name.endswith(one.endings)), None)


def _below(root: Path, summary: Summary) -> Iterator[Path]:
    """Every file below a folder that is not hidden, in order."""

    def unreadable(error: OSError) -> None:
        inside = Path(error.filename).relative_to(root).as_posix()
        summary.fail(shown(f"{inside}/"), f"the folder cannot be read: {error.strerror}")

    for folder, folders, files in os.walk(root, onerror=unreadable):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for one in folders:
            if (link := Path(folder, one)).is_symlink():
                inside = link.relative_to(root).as_posix()
                summary.skip(shown(f"{inside}/"), "a link to a folder is not followed")
        yield from (Path(folder, one) for one in sorted(files) if not one.startswith("."))


def _hidden(path: str) -> bool:
    return any(part.startswith(".") and part.strip(".") for part in path.split("/"))


def _hindrance(path: Path) -> str:
    """Why it cannot even be said what a path is, if so."""
    try:
        path.is_file()
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it will be told when it is opened
        return 0
