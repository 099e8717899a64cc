"""The sections that headings make of a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.domain.documents import Heading, ParsedDocument


def paths(headings: Sequence[Heading], title: str) -> list[str | None]:
    """Each heading below those it belongs to, without the document's title."""
    found, path = [], list[tuple[int, str]]()
    for heading in headings:
        path = [(level, name) for level, name in path if level < heading.level]
        path.append((heading.level, heading.text))
        names = [name for level, name in path if (level, name) != (1, title)]
        found.append(" > ".join(names) or None)
    return found


def sections(parsed: ParsedDocument, title: str) -> Iterator[tuple[str | None, int, int]]:
    """The path and the span of every section; a heading is text only where nothing is below it."""
    text, headings = parsed.text, parsed.headings
    if not headings or headings[0].start > 0:
        yield None, 0, headings[0].start if headings else len(text)
    after = [*headings[1:], None]
    for path, heading, following in zip(paths(headings, title), headings, after, strict=False):
        end = following.start if following else len(text)
        body = heading.start + len(heading.text)
        if text[body:end].strip():
            yield path, body, end
        elif following is None or following.level <= heading.level:  # nothing repeats its words
            yield path, heading.start, end
