"""Why a passage is there, in sentences: what each stage found, by which words, with what effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

from orchestrator.domain.passages import Passage, Retrieval, Share, StageScore
from orchestrator.domain.understanding import Understood

Words: TypeAlias = Callable[[Sequence[str], Sequence[int]], Awaitable[Mapping[int, Sequence[str]]]]
"""Of each chunk, by id, those of the words that keyword search finds it by."""

MEASURES: Final = {"dense": "cosine", "keyword": "BM25"}
LONGEST: Final = 64
"""So many words of a question are looked for in its passages."""


async def explained(
    found: Retrieval, passages: Sequence[Passage], text: str, words_of: Words
) -> Mapping[int, Sequence[str]]:
    """Of each passage, by its chunk's id, why it is there."""
    asked = asked_words(text, found.understood)
    words = await words_of(list(asked)[:LONGEST], [one.chunk.id for one in passages])
    return {
        one.chunk.id: reasons(one, [asked[word] for word in words.get(one.chunk.id, ())], found)
        for one in passages
    }


def asked_words(text: str, understood: Understood | None) -> Mapping[str, str]:
    """The words that were searched for, each as an explanation shows it."""
    if understood is None:
        return {word: f"'{word}'" for word in _words(text)}
    shown = {word: f"'{word}'" for word in _words(understood.text_searched)}
    for one in understood.corrections:
        shown[one.read_as] = f"'{one.read_as}' (read for '{one.word}')"
    for name in understood.synonyms:
        for word in _words(name):
            shown.setdefault(word, f"'{word}' (of the synonym '{name}')")
    return shown


def reasons(passage: Passage, words: Sequence[str], found: Retrieval) -> Sequence[str]:
    """A sentence for each stage that had a say."""
    told = [_stage(name, one, words) for name, one in passage.stages.items()]
    if passage.shares and found.fusion:
        parts = ", ".join(_share(name, one) for name, one in passage.shares.items())
        told.append(f"fusion ({found.fusion.method}): {parts}")
    return told


def _stage(name: str, one: StageScore, words: Sequence[str]) -> str:
    match name.split():
        case ["neighbour"]:
            return f"neighbour: stands beside the hit that was {_nth(one.rank)} before"
        case ["document"]:
            return f"document: its document is {_nth(one.rank)} of all"
        case ["part" | "paraphrase" | "imagined", *_]:
            return f"{name}: {_nth(one.rank)} where that is searched for, with {one.score:.3f}"
    by = f", by {', '.join(words)}" if name == "keyword" and words else ""
    return f"{name}: {_nth(one.rank)}, with {MEASURES.get(name, 'score')} {one.score:.3f}{by}"


def _share(name: str, one: Share) -> str:
    missed = "" if one.found else ", where it is not found"
    return f"{name} gives {one.weight:.2f} × {one.value:.2f}{missed}"


def _nth(rank: int) -> str:
    return f"number {rank}"


def _words(text: str) -> Sequence[str]:
    return [word for raw in text.split() if (word := raw.strip(".,;:!?\"'()[]«»“”"))]
