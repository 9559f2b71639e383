"""What the pipeline asks: the commit of a batch, and positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.errors import AlertdError
from alertd.store.sqlite.batch import POSITIONS, BatchJob
from alertd.store.sqlite.blocks import Blocks

if TYPE_CHECKING:
    from alertd.store.base import Batch, Partition


class Commits(Blocks):
    """What the pipeline asks."""

    async def commit(self, batch: Batch) -> None:
        """Store a batch in one transaction."""
        if not batch.plans:
            await self.core.writer.run(BatchJob(batch, self.core.salt, self.core.recent))
            return
        outline, stored = self.core.shapes.outline(batch.plans), None
        try:
            await self.core.writer.run(BatchJob(batch, self.core.salt, self.core.recent, outline))
            stored = True
        except AlertdError:
            stored = False
            raise
        finally:
            self.core.shapes.done(outline, stored=stored)
        if outline.row is not None:
            self._note(outline.row[1])

    async def positions(self) -> dict[Partition, int]:
        """All stored Kafka positions."""
        rows = await self.core.reads.rows("SELECT topic, partition, next_offset FROM position")
        return {(topic, partition): offset for topic, partition, offset in rows}

    async def set_position(self, partition: Partition, offset: int) -> None:
        """Move a position outside a commit."""
        await self.core.writer.run(lambda conn: POSITIONS.run(conn, [*partition, offset]))
