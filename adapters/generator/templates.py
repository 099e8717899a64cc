"""What was said so far as one text, for servers that know nothing of messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from adapters.generator.chat import harmless
from orchestrator.ports.language import Completion, Role

Template: TypeAlias = Literal["plain", "chatml", "llama-3", "mistral", "gemma"]
_HEADING: Final = re.compile(r"^(?=(?:System|User|Assistant):)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Form:
    """What stands before and after what each says; `opening` is where the answer begins."""

    around: Mapping[Role, tuple[str, str]]
    opening: str


def _alike(before: str, after: str, **names: str) -> _Form:
    called = {"system": "system", "user": "user", "assistant": "assistant", **names}
    return _Form(
        {
            "system": (before.format(called["system"]), after),
            "user": (before.format(called["user"]), after),
            "assistant": (before.format(called["assistant"]), after),
        },
        opening=before.format(called["assistant"]),
    )


_FORMS: Final[Mapping[Template, _Form]] = {
    "plain": _alike("{}:\n", "\n\n", system="System", user="User", assistant="Assistant"),
    "chatml": _alike("<|im_start|>{}\n", "<|im_end|>\n"),
    "llama-3": _alike("<|start_header_id|>{}<|end_header_id|>\n\n", "<|eot_id|>"),
    "gemma": _alike("<start_of_turn>{}\n", "<end_of_turn>\n", system="user", assistant="model"),
    "mistral": _Form(
        {
            "system": ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
            "user": ("[INST]", "[/INST]"),
            "assistant": ("", "</s>"),
        },
        opening="",
    ),
}


def prompt(asked: Completion, template: Template) -> str:
    """The messages, one after the other; what they say cannot pass for one of the others."""
    form = _FORMS[template]
    told = ""
    for message in asked.messages:
        before, after = form.around[message.role]
        told += before + _HEADING.sub(" ", harmless(message.text)) + after
    return told + form.opening
