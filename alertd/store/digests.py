"""What digests ask of a store: which deliveries wait, and to put those that are too many together into one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

PASS_MAX: Final = 100_000
"""How many deliveries one call puts together at most; the next one goes on."""


@dataclass(frozen=True, slots=True)
class Spill:
    """One destination whose deliveries are too many.

    Shapes: `keep` of them may wait, the oldest ones; `busy` are in flight or have just ended, and do not wait; `held` are
    in memory, the busy ones among them: they are left as they are. `new_id` is the number of the digest, if one is made.
    One that was made from `since` on, and was never attempted, takes in what is next to it.
    """

    destination_id: int
    keep: int
    busy: frozenset[int]
    held: frozenset[int]
    new_id: int
    since: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Spilled:
    """What came of it: how many deliveries came together, in which digest, and whether that one is new."""

    count: int = 0
    digest_id: int = 0
    made: bool = False


class DigestStore(Protocol):
    """What makes digests."""

    async def waiting(self, destination_id: int, busy: Collection[int]) -> int:
        """How many deliveries of a destination are pending or retrying but not `busy`; digests do not count."""

    async def digest(self, spill: Spill) -> Spilled:
        """Put the newest pending deliveries beyond `keep` together, in slices, each of them whole.

        Each is cancelled with the reason `digested` and names its digest, which is a pending delivery that lists the first
        and counts all. A slice is one transaction: nothing is in a digest and pending, or in two, whenever it stops.
        """
