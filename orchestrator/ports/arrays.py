"""The array types that ports exchange."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]
"""One embedding, `[dimension]`, of unit length."""

Vectors: TypeAlias = npt.NDArray[np.float32]
"""Embeddings, `[n, dimension]`, each of unit length."""

Ids: TypeAlias = npt.NDArray[np.int64]
"""Chunk ids, `[n]`."""
