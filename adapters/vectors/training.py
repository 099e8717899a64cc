"""The process that trains an inverted file, so that the one that answers need not.

Run as `python -m adapters.vectors.training`; its order comes as JSON on standard input, and the
end of that input ends it. It reads the rows of a folder, and writes files that nothing names yet.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np

from adapters.vectors.lists import checksums
from adapters.vectors.rows import Slots, VectorRows

PER_LIST: Final = 40
"""Vectors that k-means looks at for each centroid: FAISS warns of fewer."""
ROUNDS: Final = 10
BATCH: Final = 20_000
GROWN: Final = 2
"""Centroids are trained anew once there are so many times the vectors they were trained for."""


@dataclass(frozen=True, slots=True)
class Order:
    """Which rows to read, how many of their slots, and the files to write.

    With `compact`, rows without their erased slots are written first, and listed instead. Of
    fewer vectors than `least`, there are no lists.
    """

    folder: str
    rows: str
    slots: int
    least: int
    dimension: int
    target: str
    compact: bool = False
    trained: str | None = None
    trained_for: int = 0
    niceness: int = 10
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """The rows that the lists are of, how many slots, and for how many vectors it was trained.

    For none, there are no lists.
    """

    rows: str
    slots: int
    trained_for: int


def main() -> None:
    """Do what was ordered, and print the outcome."""
    order = Order(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(order.niceness)
    faiss.omp_set_num_threads(order.threads)
    print(json.dumps(asdict(carried_out(order))))  # noqa: T201  # the answer to the parent


def carried_out(order: Order) -> Outcome:
    """Write the lists of an order."""
    folder = Path(order.folder)
    rows = VectorRows(order.dimension, writes=False)
    rows.load(folder, order.rows)
    live = rows.live[rows.live < order.slots]
    name, slots = order.rows, order.slots
    if order.compact:
        rows = _compacted(rows, live, folder, order.dimension)
        name, slots, live = rows.name, len(live), np.arange(len(live))
    if len(live) < order.least:
        return Outcome(name, slots, 0)
    index, trained_for = _trained(order, folder, rows, live)
    for start in range(0, len(live), BATCH):
        some = live[start : start + BATCH]
        index.add_with_ids(rows.gather(some), some)
    _kept(index, folder, order.target)
    return Outcome(name, slots, trained_for)


def lists_for(count: int) -> int:
    """How many centroids: the power of two nearest to four times the root of the count."""
    return int(2 ** round(np.log2(4 * np.sqrt(count))))


def _trained(order: Order, folder: Path, rows: VectorRows, live: Slots) -> tuple[Any, int]:
    if order.trained and len(live) < GROWN * order.trained_for:
        index = faiss.read_index(str(folder / f"{order.trained}.ivf"), faiss.IO_FLAG_MMAP)
        lists = faiss.ArrayInvertedLists(index.nlist, index.code_size)
        index.replace_invlists(lists, True)
        lists.this.disown()
        index.ntotal = 0
        return index, order.trained_for
    count = lists_for(len(live))
    quantizer = faiss.IndexFlatIP(order.dimension)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer,
        order.dimension,
        count,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.cp.niter, index.cp.min_points_per_centroid = ROUNDS, 1
    generator = np.random.default_rng(0)
    sample = generator.choice(live, min(len(live), PER_LIST * count), replace=False)
    index.train(rows.gather(np.sort(sample)))
    return index, len(live)


def _compacted(rows: VectorRows, live: Slots, folder: Path, dimension: int) -> VectorRows:
    dense = VectorRows(dimension, writes=True)
    dense.create(folder)
    for start in range(0, len(live), BATCH):
        some = live[start : start + BATCH]
        dense.append(rows.ids[some], rows.gather(some))
    dense.flush()
    return dense


def _kept(index: Any, folder: Path, name: str) -> None:
    path = folder / f"{name}.ivf"
    faiss.write_index(index, str(path))
    checksums(path).tofile(folder / f"{name}.sums")
    for written in (path, folder / f"{name}.sums"):
        with written.open("rb") as file:
            os.fsync(file.fileno())


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
