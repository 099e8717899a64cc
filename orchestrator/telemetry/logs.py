"""Structured logs: one JSON object a line on standard error, each with its trace id."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, WrappedLogger

from orchestrator.domain import context

_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
"""Without the variables of the frames: they hold questions and documents."""


def set_up(level: str, *, json: bool = True) -> None:
    """Send every log of the process, the libraries' too, to standard error."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        _trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _TRACEBACKS if json else structlog.processors.StackInfoRenderer(),
    ]
    renderer: Any = (
        _rendered
        if json
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:3], _logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING if level == "info" else level.upper())


def keep(name: str) -> list[EventDict]:
    """From now on, events of that name are kept in the list returned, and not written."""
    kept: list[EventDict] = []

    def keeper(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if event["event"] != name:
            return event
        kept.append(event)
        raise structlog.DropEvent

    structlog.configure(processors=[keeper, *structlog.get_config()["processors"]])
    return kept


def _rendered(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return to_json(event, fallback=str).decode()


def _trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    trace = context.current_trace()
    if trace:
        event["trace_id"] = trace
    return event


def _logger_name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    event["logger"] = record.name
    return event
