"""The array types that ports exchange, and room for one that grows."""

from typing import Any, Final, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]
"""One embedding, `[dimension]`, of unit length."""

Vectors: TypeAlias = npt.NDArray[np.float32]
"""Embeddings, `[n, dimension]`, each of unit length."""

Ids: TypeAlias = npt.NDArray[np.int64]
"""Chunk ids, `[n]`."""

Array = TypeVar("Array", bound=npt.NDArray[Any])

LEAST: Final = 1024
"""The least room that is left behind an array."""


class Room(Generic[Array]):
    """Memory in which an array grows without being copied; used from one thread.

    What was returned stays as it is, and may be read from any thread, as long as nobody writes to
    it.
    """

    def __init__(self) -> None:
        self._last: Array | None = None
        self._memory: npt.NDArray[Any] = np.empty(0)

    def extended(self, before: Array, more: Array) -> Array:
        """Both, one behind the other; in place where `before` is what was returned last."""
        start, end = len(before), len(before) + len(more)
        if before is not self._last or end > len(self._memory):
            self._memory = np.empty(end + end // 8 + LEAST, before.dtype)
            self._memory[:start] = before
        self._memory[start:end] = more
        grown: Array = self._memory[:end]  # type: ignore[assignment]
        self._last = grown
        return grown
