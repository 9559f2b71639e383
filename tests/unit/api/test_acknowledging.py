"""The acknowledge link of a message: a page for everybody who has it, a button, and nothing for anybody else."""

from __future__ import annotations

import pytest

from alertd.api.acknowledging import ACTOR
from alertd.delivery.acknowledging import LASTS_SECONDS, AcknowledgeLinks
from alertd.model import ids
from alertd.store.base import Filter
from tests.unit.api.bench import HOME, Caller, running
from tests.unit.api.test_incidents import WHERE, listening, report, told

_ALERTS = Filter(limit=1)
HOSTILE = '<script>alert(1)</script> & "quotes" \''


async def _linked(call: Caller, *, age_ms: int = 0, message: str = "Run 17 failed") -> tuple[int, str]:
    """Send an event that alerts; give the alert's number and its link."""
    await call.sent({"type": "run:failed", "message": message, "project": "<shop>"})
    page = await call.bench.store.events(_ALERTS, matched=True)
    number = page.items[0]["number"]
    alert = ids.format_id(ids.ALERT, number)
    return (
        number,
        f"/api/v1/alerts/{alert}/acknowledge?{call.bench.context.links.query(alert, call.bench.clock.now_ms() - age_ms)}",
    )


async def test_looking_changes_nothing_and_the_button_acknowledges() -> None:
    """Scanners follow links: GET and HEAD only show; POST keeps who and when, without a token."""
    async with running() as call:
        number, link = await _linked(call)
        for method in ("GET", "HEAD", "GET"):
            status, body, headers = await call.full(method, link, None)
            assert status == 200
        assert '<form method="post">' in body
        assert "Run 17 failed" in body
        assert headers["Cache-Control"] == "no-store"
        assert "form-action 'self'" in headers["Content-Security-Policy"]
        assert await call.bench.store.acknowledgements([number]) == {}
        status, body = await call("POST", link, None)
        assert status == 200
        assert "Acknowledged" in body
        assert (await call.bench.store.acknowledgements([number]))[number].actor == ACTOR


async def test_the_first_one_stays() -> None:
    """A second press changes nothing, and the page says that it is done."""
    async with running() as call:
        number, link = await _linked(call)
        await call("POST", link, None)
        first = (await call.bench.store.acknowledgements([number]))[number]
        assert (await call("POST", link, None))[0] == 200
        assert (await call.bench.store.acknowledgements([number]))[number] == first
        _, body = await call("GET", link, None)
        assert "<form" not in body
        _, log = await call("GET", f"{HOME}/audit?action=acknowledged")
        assert [(each["actor"], each["name"]) for each in log["items"]] == [(ACTOR, ids.format_id(ids.ALERT, number))]


async def test_hostile_text_is_only_text() -> None:
    """What an event says is shown, never run."""
    async with running() as call:
        _, link = await _linked(call, message=HOSTILE + "x" * 1000)
        _, body = await call("GET", link, None)
        assert "<script>" not in body
        assert "&lt;script&gt;" in body
        assert "&lt;shop&gt;" in body
        assert "x" * 301 not in body


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_other_links_are_none(method: str) -> None:
    """Without a signature, with another alert's, of another key: 401, as without a token; nothing is changed."""
    async with running() as call:
        number, link = await _linked(call)
        path, _, query = link.partition("?")
        other = ids.format_id(ids.ALERT, number + 1)
        forged = AcknowledgeLinks("guess", call.bench.clock).query(ids.format_id(ids.ALERT, number), 10**15)
        wrong = [
            path,
            f"{path}?{forged}",
            f"/api/v1/alerts/{other}/acknowledge?{query}",
        ]
        for url in [*wrong, "/api/v1/alerts/x/acknowledge", "/api/v1/alerts/%00/acknowledge?until=1&signature=1"]:
            status, _ = await call(method, url, None)
            assert status == 401, url
        assert await call.bench.store.acknowledgements([number]) == {}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_good_link_to_nothing(method: str) -> None:
    """The alert that a link was signed for, and that is not there (any more), is 404."""
    async with running() as call:
        number, _ = await _linked(call)
        other = ids.format_id(ids.ALERT, number + 1)
        query = call.bench.context.links.query(other, call.bench.clock.now_ms())
        assert (await call(method, f"/api/v1/alerts/{other}/acknowledge?{query}", None))[0] == 404
        assert await call.bench.store.acknowledgements([number]) == {}


async def test_a_link_is_read_and_posted() -> None:
    """Any other method asks for a token first, as everywhere."""
    async with running() as call:
        _, link = await _linked(call)
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            assert (await call(method, link, None))[0] == 401
            assert (await call(method, link, "viewer"))[0] == 405


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_links_end(method: str) -> None:
    """After a week it is 410 and changes nothing."""
    async with running() as call:
        number, link = await _linked(call, age_ms=LASTS_SECONDS * 1000 + 1000)
        status, body = await call(method, link, None)
        assert status == 410
        assert "has ended" in body
        assert await call.bench.store.acknowledgements([number]) == {}


async def test_the_link_opens_nothing_else() -> None:
    """The alert itself still needs a token."""
    async with running() as call:
        _, link = await _linked(call)
        path = link.replace("/acknowledge", "")
        assert (await call("GET", path, None))[0] == 401
        assert (await call("GET", path.partition("?")[0] + "/acknowledge/", None))[0] == 401


@pytest.mark.parametrize("by", [ACTOR, "root"])
async def test_with_its_alert_an_incident_is_acknowledged(by: str) -> None:
    """By the link of a message as over the API, once; what somebody else wrote about it acknowledges nothing."""
    async with running() as call:
        await listening(call, "incident.opened")
        await call.sent(report(1))
        (message,) = await told(call, 1)
        (incident,) = (await call("GET", WHERE))[1]["items"]
        assert incident["state"] == "open"
        await call.sent({"type": "incident.opened", "key": incident["id"], "source": "svc"})
        (_, forged) = await told(call, 2)
        for each, state in ((forged, "open"), (message, "acknowledged"), (message, "acknowledged")):
            query = call.bench.context.links.query(each.alert_id, call.bench.clock.now_ms())
            below = f"/api/v1/alerts/{each.alert_id}/acknowledge?{query}"
            path = below if by == ACTOR else f"{HOME}/alerts/{each.alert_id}/acknowledge"
            assert (await call("POST", path, None if by == ACTOR else by))[0] == 200
            assert (await call("GET", f"{WHERE}/{incident['id']}"))[1]["state"] == state
        (found,) = (await call("GET", WHERE))[1]["items"]
        assert found["acknowledged_by"] == by
        _, log = await call("GET", f"{HOME}/audit?action=acknowledged")
        noted = [(each["actor"], each["name"]) for each in log["items"]]
        assert noted == [(by, incident["id"]), (by, message.alert_id), (by, forged.alert_id)]
