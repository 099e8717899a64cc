"""Validation errors of the settings as sentences that help."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.settings import generators, options, stores


def explain(error: ValidationError) -> str:
    """Every error in a sentence of its own, joined."""
    return "; ".join(dict.fromkeys(_sentence(detail) for detail in error.errors()))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`: did you mean 'x'?`, or the list of what there is where nothing comes close."""
    choices = sorted(known)
    if close := get_close_matches(word, choices, n=1, cutoff=0.6):
        return f": did you mean '{close[0]}'?"
    return f": there are {', '.join(repr(one) for one in choices)}"


def _sentence(detail: ErrorDetails) -> str:
    place = [str(part) for part in detail["loc"]]
    context: dict[str, Any] = detail.get("ctx", {})
    match detail["type"]:
        case "union_tag_invalid":
            expected = re.findall(r"'([^']*)'", str(context["expected_tags"]))
            wanted = str(context["tag"])
            return f"unknown {_stage(place)} '{wanted}'{did_you_mean(wanted, expected)}"
        case "literal_error" if place[-1] == "kind":
            expected = re.findall(r"'([^']*)'", str(context["expected"]))
            wanted = str(detail["input"])
            return f"unknown {_stage(place[:-1])} '{wanted}'{did_you_mean(wanted, expected)}"
        case "union_tag_not_found":
            return f"{_stage(place)} needs a 'kind'"
        case "extra_forbidden" | "unexpected_keyword_argument":
            return _stray(place)
        case "missing":
            return f"{'.'.join(place)} is missing"
    return f"{'.'.join(place)}: {detail['msg'].removeprefix('Value error, ')}"


def _stray(place: list[str]) -> str:
    if len(place) == 1:
        return f"unknown setting '{place[0]}'"
    *where, stray = place
    kind = where[-1]
    known = _options_of(where[0], kind)
    hint = did_you_mean(stray, known) if known else ""
    return f"unknown option '{stray}' of {_stage(where[:-1]) or 'section'} '{kind}'{hint}"


def _stage(place: list[str]) -> str:
    return ".".join(place)


def _options_of(stage: str, kind: str) -> list[str]:
    for model in (vars(options) | vars(generators) | vars(stores)).values():
        if (
            isinstance(model, type)
            and issubclass(model, BaseModel)
            and "kind" in model.model_fields
        ):
            annotation = model.model_fields["kind"].annotation
            prefix = stage.removesuffix("s").removesuffix("_store").capitalize()[:5]
            if kind in getattr(annotation, "__args__", ()) and prefix in model.__name__:
                return [name for name in model.model_fields if name != "kind"]
    return []
