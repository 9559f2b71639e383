"""Links that acknowledge: nobody makes one but us, for nothing but its alert, and not for ever."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.delivery.acknowledging import LASTS_SECONDS, AcknowledgeLinks, LinkState
from alertd.delivery.naming import Naming
from alertd.model.delivery import Delivery
from alertd.model.ids import ALERT, first_of, format_id
from tests.conformance.store_maker import START_MS, StillClock

NUMBER = first_of(START_MS)
ALERT_ID = format_id(ALERT, NUMBER)


def _parts(query: str) -> tuple[str, str]:
    parsed = parse_qs(query, strict_parsing=True)
    return parsed["until"][0], parsed["signature"][0]


def test_a_link_is_good_until_its_end() -> None:
    """To the millisecond."""
    clock = StillClock(START_MS)
    links = AcknowledgeLinks("secret", clock)
    parts = _parts(links.query(ALERT_ID, START_MS))
    assert links.judge(ALERT_ID, *parts) is LinkState.GOOD
    clock.ms = START_MS + LASTS_SECONDS * 1000 - 1
    assert links.judge(ALERT_ID, *parts) is LinkState.GOOD
    clock.ms += 1
    assert links.judge(ALERT_ID, *parts) is LinkState.EXPIRED


def test_what_was_changed_is_forged() -> None:
    """Another alert, a later end, another key, another digit."""
    clock = StillClock(START_MS)
    links = AcknowledgeLinks("secret", clock)
    until, signature = _parts(links.query(ALERT_ID, START_MS))
    other = format_id(ALERT, NUMBER + 1)
    assert links.judge(other, until, signature) is LinkState.FORGED
    assert links.judge(ALERT_ID, str(int(until) + 1), signature) is LinkState.FORGED
    assert links.judge(ALERT_ID, until, ("1" if signature[0] == "0" else "0") + signature[1:]) is LinkState.FORGED
    assert AcknowledgeLinks("other", clock).judge(ALERT_ID, until, signature) is LinkState.FORGED


@given(until=st.text(max_size=20), signature=st.text(max_size=50))
@pytest.mark.parametrize("expired", [False, True])
def test_garbage_is_forged(until: str, signature: str, expired: bool) -> None:
    """Whatever it is, and nothing is raised: an end that is over is told only to who had a link."""
    clock = StillClock(START_MS + LASTS_SECONDS * 2000 if expired else START_MS)
    links = AcknowledgeLinks("secret", clock)
    good = _parts(links.query(ALERT_ID, START_MS))
    assert links.judge(ALERT_ID, until, signature) is LinkState.FORGED
    assert links.judge(ALERT_ID, good[0], signature) is LinkState.FORGED


def test_messages_of_types_for_people_have_the_link_and_others_none() -> None:
    """The same one in every attempt; it lasts from when the delivery was made."""
    links = AcknowledgeLinks("secret", StillClock(START_MS))
    naming = Naming({}, lambda alert: f"https://a/{alert}", links, frozenset({4}))
    delivery = Delivery(NUMBER + 1, NUMBER, 4, 7, 8, 0, 0, "run:failed", b"{}")
    first, second = (naming.message(replace(delivery, attempts=n), "default") for n in (0, 1))
    assert first.acknowledge_url == second.acknowledge_url
    url = urlsplit(first.acknowledge_url)
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{first.url}/acknowledge"
    assert links.judge(ALERT_ID, *_parts(url.query)) is LinkState.GOOD
    assert naming.message(replace(delivery, destination_id=5), "default").acknowledge_url == ""
