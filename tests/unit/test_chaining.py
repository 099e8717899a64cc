"""Models behind what guards them, and generators in the order in which they are asked."""

from __future__ import annotations

from contextlib import aclosing

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from orchestrator.chaining import chained, resilient
from orchestrator.domain.errors import Exhausted, Misconfigured, Unavailable
from orchestrator.resilience.fallback import Link
from orchestrator.settings.resilience import ResilienceOptions
from orchestrator.telemetry.metrics import Metrics
from tests.builders import question
from tests.unit.fakes import hurried
from tests.unit.resilience.scripted import ASKED, DOWN, WELL, Saying, Scripted, said


class Model(ResilienceOptions):
    kind: str = "openai"


class Up:
    def admit(self):
        pass


class Quoting:
    kind = "extractive"


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


@pytest.fixture
def counted(metrics):
    def value(name, **labels):
        return metrics.registry.get_sample_value(name, labels)

    return value


async def answered(chosen, metrics, *, down=()):
    """Who says what where these are down: the words, and the last word."""
    generators = {name: Saying(DOWN if name in down else name) for name in chosen}
    last = Link("extractive", "extractive", Saying("a quotation"))
    pulses = {name: Up() for name, one in chosen.items() if isinstance(one, Model)}
    generator = chained(chosen, generators, pulses, last, metrics)["default"]
    *words, outcome = [piece async for piece in generator.generate(question(), [])]
    return "".join(one.text for one in words), outcome


async def test_the_last_resort_answers_where_every_model_is_down(metrics, counted):
    chosen = {"default": Model(fallback="other"), "other": Model()}

    text, outcome = await answered(chosen, metrics, down=["default", "other"])

    assert (text, outcome.generator) == ("a quotation", "extractive")
    assert outcome.degraded == ("generator:default:unavailable", "generator:other:unavailable")
    fallbacks = "rag_generation_fallbacks_total"
    assert counted(fallbacks, backend="default", reason="unavailable") == 1
    assert counted(fallbacks, backend="other", reason="unavailable") == 1


async def test_a_fallback_that_quotes_needs_no_last_resort(metrics):
    chosen = {"default": Model(fallback="quotes"), "quotes": Quoting()}

    text, outcome = await answered(chosen, metrics, down=["default"])

    assert (text, outcome.generator) == ("quotes", "extractive")


async def test_without_a_last_resort_the_error_is_told(metrics):
    with pytest.raises(Unavailable, match="connection refused"):
        await answered({"default": Model(last_resort=False)}, metrics, down=["default"])


def test_a_generator_that_falls_back_to_nothing_stays_itself(metrics):
    quoting = Saying("quoted")
    last = Link("extractive", "extractive", quoting)

    found = chained({"default": Quoting()}, {"default": quoting}, {}, last, metrics)

    assert found == {"default": quoting}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"default": Model(fallback="chaep"), "cheap": Model()}, "'chaep': did you mean 'cheap'?"),
        ({"default": Model(fallback="default")}, "circle: default → default"),
        (
            {"default": Model(), "a": Model(fallback="b"), "b": Model(fallback="a")},
            "circle: a → b → a",
        ),
    ],
)
async def test_a_fallback_that_leads_nowhere_stops_the_start(metrics, chosen, message):
    with pytest.raises(Misconfigured) as caught:
        await answered(chosen, metrics)

    assert message in caught.value.detail


def test_one_price_alone_is_refused():
    with pytest.raises(ValidationError, match="together"):
        Model(price_in=1.0)


@hurried
async def test_a_model_is_guarded_by_all_of_its_options():
    metrics = Metrics(CollectorRegistry())
    value = metrics.registry.get_sample_value
    inner = Scripted((30.0, *WELL))
    chosen = Model(
        first_token_s=2.0,
        attempts=3,
        breaker_failures=3,
        breaker_open_s=9.0,
        price_in=1.0,
        price_out=2.0,
    )
    model, pulse = resilient(inner, "primary", chosen, metrics)

    (error,) = await said(model)

    assert "said nothing for 2 s" in error.detail
    assert inner.calls == 3
    backend = {"backend": "primary"}
    retries = value("rag_generation_retries_total", {**backend, "reason": "unavailable"})
    assert (retries, value("rag_breaker_openings_total", backend)) == (2, 1)
    assert value("rag_breaker_state", backend) == 2
    with pytest.raises(Unavailable):
        await pulse.ping()
    with pytest.raises(Unavailable):
        pulse.admit()

    pulse.breaker._clock = lambda: 1e12  # long after
    inner.scripts = (WELL,)
    assert value("rag_breaker_state", backend) == 1
    *_, finish = await said(model)

    assert finish.usage.cost == pytest.approx(0.003)
    tokens = "rag_generation_tokens_total"
    answering = {"model": "scripted", "purpose": "answer"}
    assert value(tokens, {**answering, "direction": "prompt"}) == 2_000
    assert value(tokens, {**answering, "direction": "completion"}) == 500
    assert value("rag_generation_cost_total", answering) == pytest.approx(0.003)
    assert value("rag_breaker_state", backend) == 0
    await pulse.ping()
    pulse.admit()


@hurried
async def test_a_model_with_too_much_to_do_says_so_at_once():
    metrics = Metrics(CollectorRegistry())
    value = metrics.registry.get_sample_value
    model, pulse = resilient(Scripted(), "primary", Model(parallel=1, queued=0), metrics)

    async with aclosing(model.stream(ASKED)) as pieces:
        await anext(pieces)
        running = {"backend": "primary", "state": "running"}
        assert value("rag_generation_streams", running) == 1
        (error,) = await said(model)
        with pytest.raises(Exhausted):
            pulse.admit()

    assert isinstance(error, Exhausted)
    assert value("rag_generation_refusals_total", {"backend": "primary"}) == 2
    assert value("rag_generation_streams", running) == 0


class Served(Scripted):
    """A model whose server can be asked whether it is there."""

    async def ping(self):
        raise DOWN


@pytest.mark.parametrize(("model", "up"), [(Scripted(), True), (Served(), False)])
async def test_health_asks_the_server_too_where_it_tells(metrics, model, up):
    _, pulse = resilient(model, "primary", Model(), metrics)

    if up:
        await pulse.ping()
    else:
        with pytest.raises(Unavailable, match="connection refused"):
            await pulse.ping()
