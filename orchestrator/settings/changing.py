"""A workspace's search settings: the part of its configuration that needs nothing indexed anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from inspect import cleandoc
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.domain.errors import Rejected
from orchestrator.domain.workspaces import Fusion, Reach, Reranking, Understanding, WorkspaceConfig
from orchestrator.settings.explain import did_you_mean

MEANINGS: Final = {
    "retriever": "The retriever that searches, by its name in the settings.",
    "fusion": cleandoc(Fusion.__doc__ or ""),
    "depth": "How many hits each side gives to the fusion, 1 to 1000.",
    "understanding": cleandoc(Understanding.__doc__ or ""),
    "reach": cleandoc(Reach.__doc__ or ""),
    "reranker": "The reranker that looks closer, by its name in the settings.",
    "reranking": cleandoc(Reranking.__doc__ or ""),
}
SEARCH: Final = tuple(MEANINGS)
_CONFIG: Final = TypeAdapter(WorkspaceConfig)


def search_settings(config: WorkspaceConfig) -> dict[str, Any]:
    """The search settings of a configuration."""
    return {name: getattr(config, name) for name in SEARCH}


def changed(config: WorkspaceConfig, patch: Mapping[str, Any]) -> WorkspaceConfig:
    """The configuration with some search settings changed, by a JSON merge patch (RFC 7396).

    Raises:
        Rejected: naming the field that is no search setting, or whose value cannot be.
    """
    for name in patch:
        if name not in SEARCH:
            raise Rejected(
                f"'{name}' is no search setting{did_you_mean(name, SEARCH)}",
                code="unknown_field",
                field=name,
            )
    try:
        return _CONFIG.validate_python(_merged(asdict(config), patch))
    except ValidationError as error:
        raise _rejected(error.errors()[0]) from error


def _merged(tree: Any, patch: Any) -> Any:
    """What is null goes back to its default; what is no object takes the place of what was."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(tree) if isinstance(tree, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _rejected(detail: ErrorDetails) -> Rejected:
    field = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "unexpected_keyword_argument":
        return Rejected(f"there is no field '{field}'", code="unknown_field", field=field)
    message = detail["msg"].removeprefix("Value error, ")
    told = f"{field}: {message}" if field else message
    return Rejected(told, code="invalid_request", field=field or None)
