"""How a delivery is described to its destination."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from alertd.model.event import SIMULATION, time_and_simulated
from alertd.sources.base import Context
from alertd.sources.native import decode_json

TEXT = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=30) | st.just('"time":"x"')


@given(source=TEXT | st.just(SIMULATION), project=TEXT, key=TEXT)
def test_time_is_the_events_own(source: str, project: str, key: str) -> None:
    """Whatever texts stand around it, the time read from a payload is the event's; and what is simulated is known as such."""
    given_event = {
        "type": '"time":"x"',
        "source": source,
        "project": project,
        "key": key,
        "time": "2026-05-07T00:00:00Z",
        "labels": {"time": "no"},
        "data": {"time": "no"},
    }
    (event,) = decode_json(orjson.dumps(given_event), Context("default", 0, frozenset({"default"})))
    assert time_and_simulated(event.payload) == ("2026-05-07T00:00:00Z", source == SIMULATION)


def test_a_payload_without_a_time_has_none() -> None:
    """What is no event reads as the empty text."""
    assert time_and_simulated(b"{}") == ("", False)
