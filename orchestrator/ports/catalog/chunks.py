"""The text of chunks, and the vectors of texts."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from orchestrator.domain.documents import Chunk
from orchestrator.ports.arrays import Ids, Vectors


class Chunks(Protocol):
    """The text of chunks."""

    async def read(self, ids: Sequence[int]) -> Sequence[Chunk]:
        """The chunks of live documents among the ids, in any order."""
        ...

    async def of(
        self, document_id: str, *, generation: int, after: int, limit: int
    ) -> Sequence[Chunk]:
        """The chunks that readers of a live document now see, in order, after the id given."""
        ...

    def texts(self, ids: Ids, *, whole: int = 1) -> AsyncIterator[tuple[Ids, Sequence[str]]]:
        """What the keyword index holds of each chunk, in batches; absent where purged.

        Below a chunk of a document that has 2 to `whole` of them stand the texts of the others.
        """
        ...


class VectorTable(Protocol):
    """Vectors by model digest and text hash: no text is embedded twice."""

    async def known(self, model: str, hashes: Sequence[bytes]) -> frozenset[bytes]:
        """Which of the texts have a vector of the model."""
        ...

    async def put(self, model: str, hashes: Sequence[bytes], vectors: Vectors) -> None:
        """Store vectors, `[len(hashes), dimension]`; one that is there already stays."""
        ...

    def vectors(self, model: str, ids: Ids) -> AsyncIterator[tuple[Ids, Vectors]]:
        """The chunks' vectors, in batches; absent where purged or not yet embedded."""
        ...
