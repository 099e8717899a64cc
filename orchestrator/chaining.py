"""Language models behind what guards them, and generators in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from orchestrator.domain.answers import Usage
from orchestrator.domain.errors import Misconfigured
from orchestrator.ports.generator import Generator
from orchestrator.ports.health import Pingable
from orchestrator.ports.language import LanguageModel, Purpose
from orchestrator.resilience.accounting import Accounted
from orchestrator.resilience.attempts import Retried
from orchestrator.resilience.breaker import Breaker, Guarded
from orchestrator.resilience.fallback import FallbackGenerator, Link
from orchestrator.resilience.limits import Limited
from orchestrator.resilience.patience import Patient
from orchestrator.settings.explain import did_you_mean
from orchestrator.settings.resilience import ResilienceOptions
from orchestrator.telemetry.metrics import Metrics

LEVELS: Final = {"closed": 0, "half_open": 1, "open": 2}
"""The value of `rag_breaker_state`."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """Whether a language model can be asked: by its guards, and by its server if that tells."""

    breaker: Breaker
    limited: Limited
    server: LanguageModel

    def admit(self) -> None:
        """Ask the guards, for a question that is about to be answered."""
        self.breaker.require_not_open()
        self.limited.require_room()

    async def ping(self) -> None:
        """Ask the breaker and the server, for health.

        Raises:
            Unavailable: when either says no.
        """
        await self.breaker.ping()
        if isinstance(self.server, Pingable):
            await self.server.ping()


def resilient(
    model: LanguageModel, name: str, chosen: ResilienceOptions, metrics: Metrics
) -> tuple[LanguageModel, Pulse]:
    """The model of the backend of that name, guarded; and what health asks of it.

    From the inside: each attempt is timed, what fails opens the breaker, what may be is tried
    again, all of it in one slot of so many.
    """
    breaker = Breaker(name, chosen.tolerance, opened=metrics.breaker_openings.labels(name).inc)
    patient = Patient(model, first_s=chosen.first_token_s, idle_s=chosen.idle_s)
    retried = Retried(
        Guarded(patient, breaker),
        attempts=chosen.attempts,
        backoff_s=chosen.backoff_s,
        longest_s=chosen.backoff_max_s,
        total_s=chosen.total_s,
        retried=lambda reason: metrics.generation_retries.labels(name, reason).inc(),
    )
    limited = Limited(
        retried,
        parallel=chosen.parallel,
        queued=chosen.queued,
        queue_s=chosen.queue_s,
        refused=metrics.generation_refusals.labels(name).inc,
    )
    metrics.breaker_state.labels(name).set_function(lambda: LEVELS[breaker.state])
    metrics.generation_streams.labels(name, "running").set_function(lambda: limited.running)
    metrics.generation_streams.labels(name, "waiting").set_function(lambda: limited.waiting)
    accounted = Accounted(limited, chosen.prices, partial(_count, metrics))
    return accounted, Pulse(breaker, limited, model)


def chained(
    chosen: Mapping[str, Any],
    generators: Mapping[str, Generator],
    pulses: Mapping[str, Pulse],
    last: Link,
    metrics: Metrics,
) -> Mapping[str, Generator]:
    """Every generator, with those that it falls back to behind it, and the last resort.

    `pulses` are those of the language models.

    Raises:
        Misconfigured: when a fallback is not there, or leads back to where it began.
    """
    chains = {name: _chain(name, chosen) for name in generators}

    def generator(name: str) -> Generator:
        if name not in pulses:
            return generators[name]
        links = [
            Link(one, chosen[one].kind, generators[one], pulses[one].admit)
            if one in pulses
            else Link(one, chosen[one].kind, generators[one])
            for one in chains[name]
        ]
        if links[-1].name in pulses and chosen[name].last_resort:
            links.append(last)
        return FallbackGenerator(
            links, lambda *why: metrics.generation_fallbacks.labels(*why).inc()
        )

    return {name: generator(name) for name in generators}


def _chain(name: str, chosen: Mapping[str, Any]) -> tuple[str, ...]:
    names: tuple[str, ...] = ()
    following: str | None = name
    while following is not None:
        if following not in chosen:
            raise Misconfigured(
                f"generator '{names[-1]}' falls back to '{following}'"
                f"{did_you_mean(following, chosen)}"
            )
        if following in names:
            raise Misconfigured(
                f"generators fall back in a circle: {' → '.join((*names, following))}"
            )
        names = (*names, following)
        following = getattr(chosen[following], "fallback", None)
    return names


def _count(metrics: Metrics, usage: Usage, purpose: Purpose) -> None:
    tokens = metrics.generation_tokens
    tokens.labels(usage.model, "prompt", purpose).inc(usage.prompt_tokens)
    tokens.labels(usage.model, "completion", purpose).inc(usage.completion_tokens)
    if usage.cost is not None:
        metrics.generation_cost.labels(usage.model, purpose).inc(usage.cost)
