"""Prompts: versioned files of this package, read once, and rendered by one substitution."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import accumulate
from typing import Final

from orchestrator.domain.errors import Misconfigured
from orchestrator.domain.workspaces import Prompting
from orchestrator.ports.language import Message

TASKS: Final = {
    "answer": frozenset({"boundary", "passages", "question"}),
    "standalone": frozenset({"boundary", "history", "question"}),
    "paraphrase": frozenset({"boundary", "count", "question"}),
    "imagine": frozenset({"boundary", "question"}),
    "summarise": frozenset({"boundary", "history"}),
}
"""What each task's message is made of; a prompt's name is its task, or `TASK-variant`."""
DEFAULT_LANGUAGE: Final = "en"

_FILE: Final = re.compile(r"v([1-9]\d{0,5})\.([a-z]{2,3})\.md")
_HEADING: Final = re.compile(r"^# (system|user|refusal)$", re.MULTILINE)
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version in one language: the constant message, and the one that each request fills in.

    `refusal` is what an answer says, word for word, where the passages do not answer.
    """

    name: str
    version: int
    language: str
    system: str
    user: str
    refusal: str = ""

    def __str__(self) -> str:
        return f"{self.name}/v{self.version}.{self.language}"

    def messages(self, **values: str) -> tuple[Message, ...]:
        """What is said to the model: first what is always the same, last what is asked.

        Values are put in at once, so none of them is searched for placeholders.
        """
        user = _PLACEHOLDER.sub(lambda found: values[found[1]], self.user)
        return Message("system", self.system), Message("user", user)


class Prompts:
    """All prompts; `digest` is another one where any of their texts is."""

    def __init__(self, prompts: Iterable[Prompt]) -> None:
        self._prompts = {str(one): one for one in prompts}
        shown = repr(sorted(self._prompts.items()))
        self.digest = hashlib.sha256(shown.encode()).hexdigest()[:16]

    def __iter__(self) -> Iterator[Prompt]:
        return iter(sorted(self._prompts.values(), key=str))

    def chosen(self, how: Prompting, question: str) -> Prompt:
        """The prompt for an answer; where versions are split, the question's text decides."""
        version = _drawn(how.split, question) if how.split else how.version
        return self._prompts[f"{how.name}/v{version}.{how.language}"]

    def newest(self, task: str, language: str) -> Prompt:
        """The newest version for a task, in the default language if there is none in this."""
        for tried in (language, DEFAULT_LANGUAGE):
            known = [one for one in self if (one.name, one.language) == (task, tried)]
            if known:
                return max(known, key=lambda one: one.version)
        raise Misconfigured(f"there is no prompt '{task}' in {DEFAULT_LANGUAGE!r}")

    def missing(self, how: Prompting) -> Sequence[str]:
        """What is chosen, for answers, and not there."""
        versions = [version for version, _ in how.split] or [how.version]
        names = [f"{how.name}/v{version}.{how.language}" for version in versions]
        return [name for name in names if name not in self._prompts or not _answers(how.name)]


@cache
def prompts() -> Prompts:
    """Those of the package.

    Raises:
        Misconfigured: naming the file that is no prompt, and why.
    """
    return read_prompts(files("orchestrator") / "prompts")


def read_prompts(folder: Traversable) -> Prompts:
    """Those of a folder, as `NAME/vN.LANGUAGE.md`; raises what `prompts` does."""
    return Prompts(
        _read(named.name, file)
        for named in folder.iterdir()
        if named.is_dir() and not named.name.startswith("__")
        for file in named.iterdir()
    )


def _read(name: str, file: Traversable) -> Prompt:
    where, task = f"prompt '{name}/{file.name}'", name.partition("-")[0]
    found = _FILE.fullmatch(file.name)
    if task not in TASKS or not found:
        raise Misconfigured(f"{where} is not TASK/vN.LANGUAGE.md, of {', '.join(TASKS)}")
    before, *rest = _HEADING.split(file.read_text(encoding="utf-8"))
    sections = {head: text.strip() for head, text in zip(rest[::2], rest[1::2], strict=True)}
    wanted = {"system", "user", "refusal"} if _answers(name) else {"system", "user"}
    if before.strip() or set(sections) != wanted or not all(sections.values()):
        raise Misconfigured(f"{where} must have these parts and no others: {_told(wanted)}")
    prompt = Prompt(name, int(found[1]), found[2], **_filled(sections, where))
    _check(prompt, TASKS[task], where)
    return prompt


def _filled(sections: Mapping[str, str], where: str) -> dict[str, str]:
    """With the refusal in the constant message, which knows no other placeholder."""
    refusal = {"refusal": sections["refusal"]} if "refusal" in sections else {}
    strange = set(_PLACEHOLDER.findall(sections["system"])) - set(refusal)
    if strange:
        raise Misconfigured(f"{where}: its system message is constant, without {_told(strange)}")
    system = _PLACEHOLDER.sub(lambda found: refusal[found[1]], sections["system"])
    return {**sections, "system": system}


def _check(prompt: Prompt, wanted: frozenset[str], where: str) -> None:
    held = _PLACEHOLDER.findall(prompt.user)
    if set(held) != wanted:
        raise Misconfigured(f"{where}: its user message must hold exactly {_told(wanted)}")
    if "question" in held and not prompt.user.endswith("{question}"):
        raise Misconfigured(f"{where}: the question comes last, so that what is before it can stay")
    if prompt.refusal and prompt.refusal not in prompt.system:
        raise Misconfigured(f"{where}: its system message must hold {{refusal}}")
    if not all(f"<{tag} " in prompt.system for tag in _delimited(wanted)):
        raise Misconfigured(f"{where}: its system message must show each delimiter")


def _delimited(wanted: frozenset[str]) -> Sequence[str]:
    tags = {"passages": "passage", "question": "question", "history": "history"}
    return [tag for name, tag in tags.items() if name in wanted]


def _answers(name: str) -> bool:
    return name.partition("-")[0] == "answer"


def _told(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _drawn(split: Sequence[tuple[int, float]], question: str) -> int:
    digest = hashlib.blake2b(question.casefold().encode(), digest_size=8).digest()
    point = int.from_bytes(digest) / 2**64 * sum(weight for _, weight in split)
    bounds = accumulate(weight for _, weight in split)
    return next(
        (version for (version, _), bound in zip(split, bounds, strict=True) if point < bound),
        split[-1][0],
    )
