"""What documents say of one thing, as numbers: a condition is decided once for each value."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.bool_]

DECIDED: Final = 64
"""So many conditions of one column are remembered with their outcome for every value."""
SPARE: Final = 1000
"""So many values that no document has any more may be kept beyond those of the documents."""


class Column:
    """The value of each document, by its place, as the number of that value in a list.

    A column is replaced, never changed, so that threads may read it; only the list of values
    grows. `1`, `1.0` and `True` are different values.
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._values: list[Any] = []
        self._numbers: dict[str, int] = {}
        self._decided: OrderedDict[str, Mask] = OrderedDict()
        self._deciding = threading.Lock()
        self._codes = np.fromiter((self._number(value) for value in values), np.int32)

    def __len__(self) -> int:
        """For how many documents there is a value."""
        return len(self._codes)

    def changed(self, values: Mapping[int, Any]) -> Column:
        """The column with other values at some places; new places follow the last without gap."""
        count = max(len(self), max(values, default=-1) + 1)
        codes = np.empty(count, np.int32)
        codes[: len(self)] = self._codes
        for place, value in values.items():
            codes[place] = self._number(value)
        if len(self._values) > 2 * count + SPARE:
            return Column(self._values[code] for code in codes.tolist())
        column = Column()
        column._values, column._numbers = self._values, self._numbers
        column._decided, column._deciding = self._decided, self._deciding
        column._codes = codes
        return column

    def where(self, name: str, holds: Callable[[Any], bool]) -> Mask:
        """For each document, whether its value holds; `name` identifies the condition."""
        with self._deciding:
            decided = self._decided.get(name, np.empty(0, bool))
            fresh = [holds(value) for value in self._values[len(decided) :]]
            if fresh:
                decided = self._decided[name] = np.concatenate([decided, np.array(fresh, bool)])
            if len(self._decided) > DECIDED:
                self._decided.popitem(last=False)
        mask: Mask = decided[self._codes]
        return mask

    def _number(self, value: Any) -> int:
        written = repr(value)
        number = self._numbers.get(written)
        if number is None:
            number = self._numbers[written] = len(self._values)
            self._values.append(value)
        return number
