"""`rag ask` and `rag search`."""

from __future__ import annotations

from dataclasses import asdict
from typing import get_args

from rich.text import Text

from orchestrator.answering.course import as_source
from orchestrator.answering.service import Mode
from orchestrator.cli.console import Exit, out, print_json
from orchestrator.domain.answers import Answer, Done, Query, Source, Token, query_text
from orchestrator.domain.errors import Rejected
from orchestrator.domain.identity import Scope
from orchestrator.settings import load
from orchestrator.telemetry import logs
from orchestrator.wiring import open_application

SNIPPET = 160


async def ask(question: str, workspace: str, top_k: int, model: str, json: bool) -> Exit:
    """Stream the answer, then show what it cites."""
    asked = Query(query_text(question), Scope(workspace), top_k, model=model)
    logs.set_up("warning", json=False)
    answer: Answer | None = None
    async with open_application(load(), writes=False) as application:
        async for event in application.answering.stream(asked):
            match event:
                case Token() if not json:
                    out.print(event.text, end="")
                case Done():
                    answer = event.answer
    if answer is None:
        raise AssertionError("a stream ends with Done or an error")
    if json:
        print_json(asdict(answer))
    else:
        _show(answer)
    return Exit.OK if answer.answerable else Exit.NOT_ANSWERED


async def search(query: str, workspace: str, top_k: int, mode: str | None, json: bool) -> Exit:
    """Show passages with their scores."""
    asked = Query(query_text(query), Scope(workspace), top_k)
    if mode is not None and mode not in get_args(Mode):
        raise Rejected(f"unknown mode '{mode}': there are {', '.join(get_args(Mode))}")
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=False) as application:
        found, timings = await application.answering.search(
            asked,
            mode=mode,  # type: ignore[arg-type]  # one of Mode, as checked above
        )
    sources = [as_source(passage) for passage in found.passages]
    if json:
        print_json(
            {
                "hits": [asdict(source) for source in sources],
                "meta": {
                    "timings_ms": timings,
                    "degraded": found.degraded,
                    "query": asdict(found.understood) if found.understood else None,
                },
            }
        )
    else:
        for number, source in enumerate(sources, start=1):
            _show_source(number, source)
        _show_degraded(found.degraded)
    return Exit.OK if sources else Exit.NOT_ANSWERED


def _show(answer: Answer) -> None:
    out.print("\n")
    for number, source in enumerate(answer.sources, start=1):
        if source.cited:
            _show_source(number, source)
    _show_unsupported(answer)
    _show_degraded(answer.meta.degraded)


def _show_unsupported(answer: Answer) -> None:
    grounding = answer.meta.grounding
    for one in grounding.sentences if grounding else ():
        if not one.supported:
            said = answer.answer[one.start : one.end]
            out.print(f"not supported by what it cites: {said}", style="yellow")
    if grounding and grounding.withheld:
        out.print(f"sentences withheld: {grounding.withheld}", style="yellow")


def _show_source(number: int, source: Source) -> None:
    place = " · ".join(
        str(part)
        for part in (source.source_id, source.section, source.page and f"page {source.page}")
        if part
    )
    scores = ", ".join(f"{name} {one.score:.3f} #{one.rank}" for name, one in source.scores.items())
    out.print(
        Text.assemble(
            (f"[{number}] {source.title}", "bold"),
            (f" {place} ({source.score:.3f}: {scores})", "dim"),
        )
    )
    snippet = " ".join(source.snippet.split())
    out.print(f"    {snippet[:SNIPPET]}{'…' if len(snippet) > SNIPPET else ''}")


def _show_degraded(degraded: tuple[str, ...]) -> None:
    if degraded:
        out.print(f"answered without: {', '.join(degraded)}", style="yellow")
