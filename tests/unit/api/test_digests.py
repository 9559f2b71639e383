"""Digests as the API shows them: each delivery names its digest, which is listed, found and replayed like any other."""

from __future__ import annotations

from alertd.model.ids import DELIVERY, parse_id
from alertd.store.digests import Spill
from tests.unit.api.bench import HOME, Caller, running


async def digested(call: Caller, count: int, keep: int) -> str:
    """Send so many events to a disabled destination and put together what is too much; return the digest's id."""
    bench = call.bench
    number = bench.ruleset.ids["destination", "default", "hook"]
    await bench.dispatcher.disable(number, "for the test")
    bench.pipeline.disabled = frozenset()
    await call.sent(*({"type": "t", "message": f"number {n}"} for n in range(count)))
    spill = Spill(number, keep, frozenset(), frozenset(), bench.ids.take(), 0, bench.clock.now_ms())
    done = await bench.store.digest(spill)
    assert done.count == count - keep
    _, page = await call("GET", f"{HOME}/deliveries?destination=hook&state=pending")
    [digest] = [item for item in page["items"] if item["digest_count"] is not None]
    assert parse_id(DELIVERY, digest["id"]) == done.digest_id
    assert (digest["type"], digest["digest_count"], digest["digest_id"]) == ("alertd.digest", count - keep, None)
    digest_id: str = digest["id"]
    return digest_id


async def test_what_came_together_names_its_digest_and_is_listed_by_it() -> None:
    """Page by page; together with other filters."""
    async with running() as call:
        digest_id = await digested(call, 30, 5)
        found = []
        path = f"{HOME}/deliveries?digest_id={digest_id}&limit=10"
        while path:
            status, page = await call("GET", path)
            assert status == 200
            found += page["items"]
            cursor = page["next_cursor"]
            path = f"{HOME}/deliveries?digest_id={digest_id}&limit=10&cursor={cursor}" if cursor else ""
        assert len({item["id"] for item in found}) == 25
        assert {(i["state"], i["reason"], i["digest_id"], i["digest_count"]) for i in found} == {
            ("cancelled", "digested", digest_id, None)
        }
        for narrower, count in (("destination=page", 0), ("type=t", 25), ("state=pending", 0)):
            _, page = await call("GET", f"{HOME}/deliveries?digest_id={digest_id}&limit=200&{narrower}")
            assert len(page["items"]) == count


async def test_a_digest_is_asked_for_by_its_id() -> None:
    """Anything else is 422; and events and alerts are not asked for by it."""
    async with running() as call:
        for path in ("deliveries?digest_id=x", "events?digest_id=dlv_0000000000000001", "alerts?digest_id=x"):
            status, problem = await call("GET", f"{HOME}/{path}")
            assert (status, problem["errors"][0]["pointer"]) == (422, "/digest_id")


async def test_one_that_came_together_is_replayed() -> None:
    """Nothing is lost: it goes out by itself after all."""
    async with running() as call:
        digest_id = await digested(call, 3, 1)
        _, page = await call("GET", f"{HOME}/deliveries?digest_id={digest_id}")
        origin = page["items"][0]
        status, again = await call("POST", f"{HOME}/deliveries/{origin['id']}/replay")
        assert (status, again["replay_of"], again["digest_id"]) == (201, origin["id"], None)


async def test_all_that_came_together_is_sent_again() -> None:
    """By the digest's id: each of them once, the digest itself not."""
    async with running() as call:
        digest_id = await digested(call, 30, 5)
        body = {"filter": {"digest_id": digest_id}, "dry_run": True}
        status, counted = await call("POST", f"{HOME}/deliveries/replay", json=body)
        assert (status, counted["matched"]) == (200, 25)
