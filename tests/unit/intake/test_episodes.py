"""Alerts that fire, end and fire again: what is news has an id of its own, what is told again has the one it had."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alertd.intake.episodes import EPISODES_MAX, LATE_MS, Episodes
from alertd.model.event import Bounds, from_payload
from alertd.model.ids import first_of
from alertd.sources.alerts import AlertmanagerDecoder, GrafanaDecoder
from alertd.sources.base import Context
from alertd.sources.outside import WebhookRequest
from alertd.sources.sentry_defaults import STANDARD
from tests.conformance.store_maker import StillClock

if TYPE_CHECKING:
    from collections.abc import Collection

    from alertd.model.event import Event

MINUTE_MS = 60_000
START = "2026-05-07T10:00:00Z"


class Place(StillClock):
    """A store, and a clock that goes on by a minute with each webhook."""

    def __init__(self, source: str = "alertmanager") -> None:
        super().__init__()
        self.ids: dict[str, int] = {}
        self.calls = 0
        self.decoder = {"alertmanager": AlertmanagerDecoder, "grafana": GrafanaDecoder}[source]()
        self.episodes = Episodes(self, self)

    async def numbers_of(self, workspace: str, event_ids: Collection[str]) -> dict[str, int]:
        """Tell what was stored."""
        assert workspace == "default"
        self.calls += 1
        return {each: self.ids[each] for each in event_ids if each in self.ids}

    def take(self, *alerts: dict[str, Any], after_ms: int = MINUTE_MS) -> list[str]:
        """Take a webhook; give the states of those of its alerts that are news."""
        self.ms += after_ms
        body = orjson.dumps({"version": "4", "groupKey": "{}", "alerts": alerts})
        context = Context("default", self.ms, frozenset({"default"}), Bounds())
        events = self.decoder.decode(WebhookRequest({}, body, body), context, STANDARD)
        asyncio.run(self.episodes.tell_apart(self.decoder.source, "default", events))
        return [str(event.body["data"]["status"]) for event in events if self.is_news(event)]

    def is_news(self, event: Event) -> bool:
        """Store an event unless it is known; its payload says the same as it does."""
        stored = from_payload(event.payload)
        assert (stored.id, stored.body) == (event.id, event.body)
        known = event.id in self.ids
        self.ids.setdefault(event.id, first_of(self.ms))
        return not known


def alert(status: str, start: str = START, **more: Any) -> dict[str, Any]:
    """Write an alert of a webhook."""
    return {"status": status, "labels": {"alertname": "Disk"}, "startsAt": start, "fingerprint": "f00d", **more}


FIRING, RESOLVED = alert("firing"), alert("resolved", endsAt="2026-05-07T10:05:00Z")


@pytest.mark.parametrize("source", ["alertmanager", "grafana"])
def test_what_fires_again_after_its_end_is_news(source: str) -> None:
    """So is the end of that; what is told again in between is not, however often."""
    place = Place(source)
    told = [
        place.take(each) for each in (FIRING, FIRING, RESOLVED, RESOLVED, FIRING, FIRING, RESOLVED, RESOLVED, FIRING)
    ]
    firing, resolved = ["firing"], ["resolved"]
    assert told == [firing, [], resolved, [], firing, [], resolved, [], firing]


def test_the_first_episode_has_the_ids_that_it_always_had() -> None:
    """They are made of fingerprint, start and status alone, and one look at the store is enough for a whole group."""
    place = Place()
    group = [alert(status, fingerprint=f"f{n}") for n in range(50) for status in ("firing", "resolved")]
    assert place.take(*group) == ["firing", "resolved"] * 50
    assert place.calls == 1
    assert place.take(*group[::2]) == ["firing"] * 50
    assert place.calls == 3


@pytest.mark.parametrize(("after_ms", "news"), [(LATE_MS - 1, []), (LATE_MS, ["firing"])])
def test_what_was_on_its_way_before_the_end_is_a_repeat(after_ms: int, news: list[str]) -> None:
    """As a twin of the sender may send it a moment later."""
    place = Place()
    place.take(FIRING)
    place.take(RESOLVED)
    assert place.take(FIRING, after_ms=after_ms) == news


def test_an_end_without_a_beginning_is_one_end() -> None:
    """Told again it is a repeat; what fires after it begins anew."""
    place = Place()
    assert [place.take(RESOLVED), place.take(RESOLVED), place.take(FIRING)] == [["resolved"], [], ["firing"]]


def test_other_starts_and_alerts_without_one_are_left_alone() -> None:
    """Another start is another alert; without any each is news."""
    place = Place()
    nameless = alert("firing", "0001-01-01T00:00:00Z")
    events = [FIRING, RESOLVED, alert("firing", "2026-05-07T11:00:00Z")]
    assert [place.take(each) for each in events] == [["firing"], ["resolved"], ["firing"]]
    body = orjson.dumps({"alerts": [nameless]})
    (event,) = place.decoder.decode(
        WebhookRequest({}, body, body), Context("default", place.ms, frozenset({"default"}), Bounds()), STANDARD
    )
    asyncio.run(place.episodes.tell_apart("alertmanager", "default", [event]))
    assert event.id == ""
    assert place.calls == len(events)


def test_one_that_flaps_for_ever_is_bounded() -> None:
    """At the bound it is news for the last time."""
    place = Place()
    for _ in range(EPISODES_MAX):
        assert (place.take(FIRING), place.take(RESOLVED)) == (["firing"], ["resolved"])
    assert (place.take(FIRING), place.take(RESOLVED)) == ([], [])
