"""Episodes: an alert that fires again after its end is news, although it says that it began when it did before.

Alertmanager ends what it hears no more of, as when it was cut off from Prometheus, and what fires still comes back with the
start that it had. Fingerprint, start and status are those of before then, so the event would be a repeat of one that was
told long ago, and nobody would hear of it. What the store knows tells them apart: what fires while its end is there begins
the next episode, whose events have ids of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from alertd.model.event import rename
from alertd.model.ids import milliseconds
from alertd.sources.alerts import alert_id

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from alertd.clock import Clock
    from alertd.model.event import Event

EPISODES_MAX: Final = 100
"""An alert with one start fires anew so often at most; what is beyond is a repeat."""
LATE_MS: Final = 10_000
"""What fires so soon after its end was on its way before it, from a twin perhaps, and is no news."""

_FIRING: Final = "firing"
_RESOLVED: Final = "resolved"


class KnownIds(Protocol):
    """Who knows which ids events have brought."""

    async def numbers_of(self, workspace: str, event_ids: Collection[str]) -> dict[str, int]:
        """The numbers of those of these ids that events have brought, by id."""


class Episodes:
    """Gives alerts that fire again ids of their own."""

    def __init__(self, store: KnownIds, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def tell_apart(self, source: str, workspace: str, events: Sequence[Event]) -> None:
        """Rename events of alerts that are not in their first episode; others stay. Raises StoreUnavailableError."""
        alerts = {id(event): own for event in events if (own := _Alert.of(source, event)) is not None}
        known: dict[str, int] = {}
        going, episode = set(alerts.values()), 1
        while going and episode <= EPISODES_MAX:
            asked = [each.id_of(status, episode) for each in going for status in (_FIRING, _RESOLVED)]
            known |= await self._store.numbers_of(workspace, asked)
            going = {each for each in going if each.id_of(_RESOLVED, episode) in known}
            episode += 1
        for event in events:
            if (alert := alerts.get(id(event))) is not None:
                name = alert.named(event.body["data"]["status"], known, self._clock.now_ms())
                if name != event.id:
                    rename(event, name)


class _Alert(NamedTuple):
    """What an alert is known by."""

    source: str
    fingerprint: str
    start: str

    @classmethod
    def of(cls, source: str, event: Event) -> _Alert | None:
        """Read it from its event; None where its id is not made of that."""
        data: Any = event.body.get("data")
        if not isinstance(data, dict):
            return None
        alert = cls(source, str(data.get("fingerprint", "")), str(data.get("starts_at", "")))
        return alert if event.id == alert.id_of(str(data.get("status", "")), 1) else None

    def id_of(self, status: str, episode: int) -> str:
        """Make the id of its event."""
        return alert_id(self.source, self.fingerprint, self.start, status, episode)

    def named(self, status: str, known: Mapping[str, int], now_ms: int) -> str:
        """Give the id of what it says now; `known` are the events that are there."""
        ended = 0
        while self.id_of(_RESOLVED, ended + 1) in known:
            ended += 1
        fires = self.id_of(_FIRING, ended + 1) in known
        if not ended or fires or ended == EPISODES_MAX:
            return self.id_of(status, min(ended + 1, EPISODES_MAX))
        is_late = now_ms - milliseconds(known[self.id_of(_RESOLVED, ended)]) < LATE_MS
        return self.id_of(status, ended if status == _RESOLVED or is_late else ended + 1)
