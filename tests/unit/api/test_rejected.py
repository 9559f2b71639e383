"""Records that could not be read, as `/api/v1/rejected` lists them."""

from __future__ import annotations

from alertd.store.base import Batch, RejectedRecord
from tests.unit.api.bench import Caller, running


async def keep(call: Caller, *workspaces: str) -> None:
    """Store one rejected record for each workspace, at offsets 0, 1, ..."""
    records = [
        RejectedRecord(call.bench.ids.take(), workspace, "events", 3, offset, "not JSON", b"{\xff", 2)
        for offset, workspace in enumerate(workspaces)
    ]
    await call.bench.store.commit(Batch(1, rejected=records))


async def test_a_rejected_record_is_shown_whole() -> None:
    """Its place, the reason and its bytes, with what is not UTF-8 replaced."""
    async with running() as call:
        await keep(call, "default")
        status, page = await call("GET", "/api/v1/rejected")
        assert status == 200
        (item,) = page["items"]
        assert item.pop("id").startswith("rej_")
        assert item.pop("rejected_at").endswith("Z")
        assert item == {
            "workspace": "default",
            "topic": "events",
            "partition": 3,
            "offset": 0,
            "reason": "not JSON",
            "bytes": "{\N{REPLACEMENT CHARACTER}",
            "size_bytes": 2,
        }


async def test_a_token_sees_the_records_of_its_workspace() -> None:
    """The bootstrap token sees all of them, newest first; pages go on where the last one ended."""
    async with running() as call:
        await keep(call, "default", "other", "default")
        offsets = {}
        for who in ("root", "viewer", "other-admin"):
            _, page = await call("GET", "/api/v1/rejected", who)
            offsets[who] = [item["offset"] for item in page["items"]]
        assert offsets == {"root": [2, 1, 0], "viewer": [2, 0], "other-admin": [1]}
        _, first = await call("GET", "/api/v1/rejected?limit=2")
        _, second = await call("GET", "/api/v1/rejected", params={"cursor": first["next_cursor"]})
        assert [item["offset"] for item in second["items"]] == [0]
        assert second["next_cursor"] is None


async def test_a_workspace_that_was_never_named_is_null() -> None:
    """A record kept for a workspace that has no number is still shown."""
    async with running() as call:
        await keep(call, "nowhere")
        status, page = await call("GET", "/api/v1/rejected")
        assert (status, page["items"][0]["workspace"]) == (200, None)
