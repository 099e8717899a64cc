"""What a model gave for some texts, checked and brought to unit length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from orchestrator.domain.errors import Unavailable
from orchestrator.ports.arrays import Vectors


def unit_vectors(given: Sequence[ArrayLike], count: int, dimension: int, model: str) -> Vectors:
    """The vectors, `[count, dimension]`, in order.

    Raises:
        Unavailable: when there are more or fewer, or one is of another dimension, has no length,
            or holds what is not a number: a wrong vector is worse than none.
    """
    if len(given) != count:
        raise Unavailable(model, f"it gave {len(given)} vectors for {count} texts")
    if not count:
        return np.empty((0, dimension), np.float32)
    lengths = {np.shape(one) for one in given}
    if lengths != {(dimension,)}:
        told = ", ".join(str(shape[0] if shape else 0) for shape in sorted(lengths))
        raise Unavailable(model, f"it gave vectors of {told} dimensions, not of {dimension}")
    vectors = np.asarray(given, np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(norms) & (norms > 0)).all():
        raise Unavailable(model, "it gave a vector without length or direction")
    unit: Vectors = (vectors / norms).astype(np.float32)
    return unit
