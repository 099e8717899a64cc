"""Which of an index's chunks a selection allows, remembered while neither changes."""

from __future__ import annotations

import threading
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from orchestrator.ports.arrays import Ids
from orchestrator.ports.indexes import Selection

Mask: TypeAlias = npt.NDArray[np.bool_]


class Masks:
    """For indexes that filter by position; used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._masks: WeakKeyDictionary[Selection, tuple[Ids, Mask]] = WeakKeyDictionary()

    def allowed(self, ids: Ids, selection: Selection) -> Mask:
        """For each of the ids, in their order, whether the selection holds it."""
        with self._lock:
            held, mask = self._masks.get(selection, (None, None))
            if held is not ids or mask is None:
                mask = _held_by(selection.ids, ids)
                self._masks[selection] = (ids, mask)
            return mask


def _held_by(seen: Ids, ids: Ids) -> Mask:
    """Where all may be seen, both begin alike, and only what is newest need be looked for."""
    alike = min(len(seen), len(ids))
    if not np.array_equal(seen[:alike], ids[:alike]):
        alike = 0
    mask = np.ones(len(ids), np.bool_)
    mask[alike:] = np.isin(ids[alike:], seen[alike:], assume_unique=True)
    mask[alike:] &= ids[alike:] >= 0  # empty places are not unique, and may be taken for found
    return mask
