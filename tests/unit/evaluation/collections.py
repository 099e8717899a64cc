"""A small collection in BEIR form, written to a folder."""

from __future__ import annotations

import json
from pathlib import Path

CORPUS = [
    {"_id": "refunds", "title": "Refund policy", "text": "Refunds are paid within 7 days."},
    {"_id": "travel", "title": "Travel policy", "text": "Hotels are reimbursed up to 140 EUR."},
    {"_id": "remote", "title": "", "text": "Employees may work remotely three days a week."},
]
QUERIES = [
    {"_id": "q1", "text": "When are refunds paid?"},
    {"_id": "q2", "text": "What are hotels reimbursed up to?"},
    {"_id": "q3", "text": "Nobody judged this one."},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\trefunds\t1\nq1\ttravel\t0\nq2\ttravel\t2\n"


def write(folder: Path) -> Path:
    """Write the collection, and give the folder."""
    (folder / "qrels").mkdir(parents=True)
    (folder / "qrels" / "test.tsv").write_text(QRELS)
    for name, entries in (("corpus", CORPUS), ("queries", QUERIES)):
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        (folder / f"{name}.jsonl").write_text(lines)
    return folder
