"""How much of real files the parsers read, against reference conversions where there are any.

    python benchmarks/formats.py SOURCES [REFERENCES]

Every file is parsed in a process of its own, for at most 60 s. Recall is of the reference's
words, each as often as it stands there: letters and digits, case folded, without the markup of
the reference (comments, link targets, the commands of formulas).
"""

from __future__ import annotations

import html
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
LIMIT_S = 60
SHOWN = 8
WORD = re.compile(r"[^\W_]+")
MARKUP = re.compile(
    r"<head\b.*?</head>|<style\b.*?</style>|<!--.*?-->|\]\([^)\s]*\)|</?[a-zA-Z][^<>]*>",
    re.DOTALL,
)
FORMULA = re.compile(r"\$\$?.+?\$\$?", re.DOTALL)
COMMAND = re.compile(r"\\[a-zA-Z]+")


def main() -> None:
    """Parse all, then print a table by format."""
    if sys.argv[1] == "--one":
        print(json.dumps(one(Path(sys.argv[2]))))
        return
    sources = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
    references = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        results = dict(zip(sources, threads.map(apart, sources), strict=True))
    report(results, references)


def one(path: Path) -> dict[str, str]:
    """What became of one file, in this process."""
    from adapters.parser.registry import ParserRegistry  # noqa: PLC0415  # in the child alone
    from orchestrator.domain.errors import Unsupported  # noqa: PLC0415

    registry, content = ParserRegistry(), path.read_bytes()
    try:
        parsed = registry.read(content, registry.sniff(content[:4096], path.name))
    except Unsupported as error:
        return {"outcome": error.code, "why": error.detail}
    return {"outcome": "partly read" if parsed.warnings else "read", "text": parsed.text}


def apart(path: Path) -> dict[str, str]:
    """What became of one file, in a process of its own."""
    command = [sys.executable, __file__, "--one", str(path)]
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=LIMIT_S, check=False, env=ENVIRONMENT
        )
    except subprocess.TimeoutExpired:
        return {"outcome": "timed out", "why": f"{LIMIT_S} s"}
    seconds = {"seconds": f"{time.monotonic() - began:.1f}"}
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return {"outcome": f"crashed ({done.returncode})", "why": " ".join(last)} | seconds
    return json.loads(done.stdout) | seconds


def reference_of(path: Path, references: Path) -> Path | None:
    """`GROUP__sources__NAME.x` is compared with `GROUP__groundtruth__NAME.x.md` or `NAME.md`."""
    name = path.name.replace("__sources__", "__groundtruth__")
    stem = name.removesuffix(path.suffix)
    for candidate in (f"{name}.md", f"{stem}.md", f"{name}.html", f"{stem}.html"):
        found = references / candidate
        if found.is_file() and found.resolve() != path.resolve():
            return found
    return None


def words(text: str) -> Counter[str]:
    """Each word and how often it stands there."""
    return Counter(WORD.findall(text.casefold()))


def recall(text: str, reference: Path) -> float:
    """The share of the reference's words that the text has."""
    plain = MARKUP.sub(" ", reference.read_text(errors="replace"))
    plain = FORMULA.sub(lambda found: COMMAND.sub(" ", found[0]), plain)
    wanted = words(html.unescape(plain).replace("\\_", "_"))
    return (words(text) & wanted).total() / wanted.total() if wanted else 1.0


def report(results: dict[Path, dict[str, str]], references: Path | None) -> None:
    """One line a format, then what was not read, and what was read worst."""
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    recalls: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for path, result in results.items():
        kind = path.suffix.casefold()
        outcomes[kind][result["outcome"]] += 1
        reference = references and reference_of(path, references)
        if reference and "text" in result:
            recalls[kind].append((recall(result["text"], reference), path.name))
    print("| format | files | outcomes | compared | mean recall |\n| --- | --- | --- | --- | --- |")
    for kind, counts in sorted(outcomes.items()):
        shown = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
        values = [value for value, _ in recalls[kind]]
        mean = f"{statistics.mean(values):.3f}" if values else ""
        print(f"| {kind} | {counts.total()} | {shown} | {len(values)} | {mean} |")
    for path, result in results.items():
        if "text" not in result:
            print(f"{result['outcome']}: {path.name}: {result['why'][:150]}")
    slowest = max(results, key=lambda path: float(results[path].get("seconds", LIMIT_S)))
    print(f"slowest: {slowest.name}: {results[slowest].get('seconds', LIMIT_S)} s")
    for kind, found in sorted(recalls.items()):
        for value, name in sorted(found)[:SHOWN]:
            if value < 1:
                print(f"{kind}: {value:.3f} {name}")


if __name__ == "__main__":
    main()
