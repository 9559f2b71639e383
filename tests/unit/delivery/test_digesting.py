"""What a digest says: how many, the first of them, where the rest is, and an event for those who know no digests."""

from __future__ import annotations

import orjson

from alertd.delivery.naming import Naming
from alertd.destinations.composing import content_of
from alertd.model.delivery import Delivery
from alertd.model.digest import DIGEST_TYPE, EMPTY, LISTED_MAX, Listed
from alertd.model.severity import Severity
from alertd.sources.base import Context
from alertd.sources.native import decode_json
from tests.conformance.messages import make_event
from tests.unit.delivery.world import START_MS

NAMING = Naming(
    {7: "runs", 8: "all"},
    lambda alert: f"https://a/{alert}",
    list_link=lambda workspace, digest: f"https://a/{workspace}?digest_id={digest}",
)


def made(count: int, *, attempts: int = 0, **changes: object) -> Delivery:
    """Make a digest of so many alerts."""
    listed = [Listed(n, n, "new" if n % 2 else None, make_event(**changes)) for n in range(1, min(count, 30) + 1)]
    digest = EMPTY.with_more(count, listed, Severity.CRITICAL)
    return Delivery(99, 1, 3, 7, 8, attempts, START_MS, DIGEST_TYPE, b"{}", created_at_ms=START_MS, digest=digest)


def test_it_lists_the_first_and_counts_all() -> None:
    """The list leads to each alert, and says why it alerted; the link leads to all of them."""
    message = NAMING.message(made(500, attempts=2), "default")
    assert message.digest is not None
    assert (message.digest.count, len(message.digest.entries), message.attempt) == (500, LISTED_MAX, 3)
    assert (message.digest.entries[0].url, message.digest.entries[0].trigger) == (
        "https://a/alt_0000000000000001",
        "new",
    )
    assert (message.event_type, message.subscription, message.channel) == ("alertd.digest", "runs", "all")
    assert message.url == "https://a/default?digest_id=dlv_0000000000000063"
    said = content_of(message)
    assert (said.title, said.rest, [link.label for link in said.links]) == ("500 alerts", 480, ["Alerts"])


def test_its_event_is_one_like_any_other() -> None:
    """It stands for all: what reads events reads it, as bad as the worst of them, listed or not."""
    message = NAMING.message(made(300, severity="warning", project="shop"), "default")
    (event,) = decode_json(message.event, Context("default", 0, frozenset({"default"})))
    assert (event.type, event.severity, event.time) == ("alertd.digest", Severity.CRITICAL, message.time)
    assert event.body["message"].startswith("300 alerts. ")
    assert event.body["data"]["count"] == 300
    assert len(event.body["data"]["alerts"]) == LISTED_MAX
    assert content_of(message).severity is Severity.CRITICAL


def test_it_names_the_projects_of_all() -> None:
    """So that those who write to people reach the people of alerts that are only counted."""
    delivery = made(500)
    assert delivery.digest is not None
    delivery.digest = delivery.digest.with_more(1, (), Severity.INFO, ["shop", "search"])
    digest = NAMING.message(delivery, "default").digest
    assert digest is not None
    assert digest.projects == ("shop", "search")


def test_every_attempt_says_the_same() -> None:
    """But for which attempt it is."""
    first, second = (NAMING.message(made(30, attempts=n), "default") for n in (0, 5))
    second.attempt = first.attempt
    assert first == second


def test_a_workspace_link_may_be_missing() -> None:
    """Without an address of alertd's own there is none."""
    message = Naming({}, str).message(made(1), "default")
    assert message.url == ""
    assert "url" not in orjson.loads(message.event)
