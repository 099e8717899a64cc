"""What the configuration of a workspace takes: that the settings have what it names."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.answering.prompts import prompts
from orchestrator.domain.errors import Rejected
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.settings.explain import did_you_mean
from orchestrator.settings.generators import LanguageOptions
from orchestrator.settings.options import TantivyOptions
from orchestrator.settings.tree import STAGES, Settings


def require(config: WorkspaceConfig, settings: Settings) -> None:
    """Return if all that the configuration names is there, and can do what is wanted of it.

    Raises:
        Rejected: naming the first that is not, and what was probably meant.
    """
    for stage in STAGES:
        _require_named(stage, getattr(config, stage), settings, f"config.{stage}")
    for name in config.models.allowed:
        _require_named("generator", name, settings, "config.models.allowed")
    _require_speller(config, settings)
    _require_prompt(config)
    _require_rewriters(config, settings)
    _require_verifiers(config, settings)


def _require_named(stage: str, name: str, settings: Settings, field: str) -> None:
    known = settings.named(stage)
    if name not in known:
        raise Rejected(
            f"there is no {stage} named '{name}'{did_you_mean(name, known)}",
            code="unknown_backend",
            field=field,
        )


def _require_speller(config: WorkspaceConfig, settings: Settings) -> None:
    if not config.understanding.spelling:
        return
    if not isinstance(settings.named("keywords")[config.keywords], TantivyOptions):
        raise Rejected(
            f"keywords '{config.keywords}' cannot find words by their spelling: use tantivy",
            code="no_speller",
            field="config.understanding.spelling",
        )


def _require_prompt(config: WorkspaceConfig) -> None:
    if missing := prompts().missing(config.prompting):
        known = [str(one) for one in prompts() if one.refusal]
        raise Rejected(
            f"there is no prompt '{missing[0]}'{did_you_mean(missing[0], known)}",
            code="unknown_prompt",
            field="config.prompting",
        )


def _require_rewriters(config: WorkspaceConfig, settings: Settings) -> None:
    cannot = "it can neither paraphrase a question nor imagine its answer"
    if name := config.models.rewriting:
        field = "config.models.rewriting"
        _require_language([name], settings, cannot, code="no_rewriter", field=field)
    elif config.understanding.rewrites:
        field = "config.understanding"
        _require_language(config.choices, settings, cannot, code="no_rewriter", field=field)


def _require_verifiers(config: WorkspaceConfig, settings: Settings) -> None:
    how = config.grounding
    if how.verifier == "model":
        names = how.models or config.choices
        cannot, field = "it cannot verify a sentence", "config.grounding"
        _require_language(names, settings, cannot, code="no_verifier", field=field)


def _require_language(
    names: Sequence[str], settings: Settings, cannot: str, *, code: str, field: str
) -> None:
    for name in names:
        _require_named("generator", name, settings, field)
        if not isinstance(settings.named("generator")[name], LanguageOptions):
            raise Rejected(
                f"generator '{name}' is no language model: {cannot}", code=code, field=field
            )
