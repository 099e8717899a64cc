"""What all tests share: the real servers, and the last line, which counts the live tests."""

from collections.abc import Generator

import pytest

pytest_plugins = ["tests.servers"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Count after everything else has been reported; the skips' reasons stand above."""
    finished = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        torch = sum(
            "torch" in getattr(report, "keywords", ())
            for how in ("passed", "failed", "error")
            for report in reporter.stats.get(how, [])
        )
        if torch:
            reporter.write_line(f"torch tests: {torch} ran")
        skipped = _live(reporter.stats.get("skipped", []))
        ran = sum(_live(reporter.stats.get(how, [])) for how in ("passed", "failed", "error"))
        reporter.write_line(f"live tests: {ran} ran, {skipped} skipped")
    return finished


def _live(reports: list[pytest.TestReport | pytest.CollectReport]) -> int:
    return sum(
        "live" in getattr(report, "keywords", ()) or "tests/live/" in report.nodeid
        for report in reports
    )
