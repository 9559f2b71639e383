"""Records that could not be read: listed with the reason, shown with their bytes, tried again after a fix."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alertd.errors import StoreUnavailableError
from alertd.intake.kafka.options import Topic
from alertd.model.ids import REJECTED, format_id
from alertd.store.base import Batch, RejectedRecord
from tests.unit.api.bench import HOME, Caller, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIST = "/api/v1/rejected"


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    """Run everything."""
    async with running() as caller:
        yield caller


async def keep(call: Caller, *workspaces: str) -> None:
    """Store one rejected record for each workspace, at offsets 0, 1, ..."""
    records = [
        RejectedRecord(call.bench.ids.take(), workspace, "events", 3, offset, "not JSON", b"{\xff", 2)
        for offset, workspace in enumerate(workspaces)
    ]
    await call.bench.store.commit(Batch(1, rejected=records))


async def kept(
    call: Caller, value: bytes, *, workspace: str = "default", topic: str = "events", headers: str = "", size: int = 0
) -> str:
    """Store one rejected record; return the path of it."""
    number = call.bench.ids.take()
    record = RejectedRecord(number, workspace, topic, 3, 17, "it was so", value, size or len(value), headers)
    await call.bench.store.commit(Batch(1, rejected=[record]))
    return f"{LIST}/{format_id(REJECTED, number)}"


async def ids_left(call: Caller) -> list[str]:
    """Return the paths of all records that are kept."""
    _, page = await call("GET", LIST)
    return [f"{LIST}/{item['id']}" for item in page["items"]]


async def test_a_rejected_record_is_shown_whole(call: Caller) -> None:
    """Its place, the reason and its bytes, with what is not UTF-8 replaced."""
    await keep(call, "default")
    status, page = await call("GET", LIST)
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


async def test_a_token_sees_the_records_of_its_workspace(call: Caller) -> None:
    """The bootstrap token sees all of them, newest first; pages go on where the last one ended."""
    await keep(call, "default", "other", "default")
    offsets = {}
    for who in ("root", "viewer", "other-admin"):
        _, page = await call("GET", LIST, who)
        offsets[who] = [item["offset"] for item in page["items"]]
    assert offsets == {"root": [2, 1, 0], "viewer": [2, 0], "other-admin": [1]}
    _, first = await call("GET", f"{LIST}?limit=2")
    _, second = await call("GET", LIST, params={"cursor": first["next_cursor"]})
    assert [item["offset"] for item in second["items"]] == [0]
    assert second["next_cursor"] is None


async def test_a_workspace_that_was_never_named_is_null(call: Caller) -> None:
    """A record kept for a workspace that has no number is still shown."""
    await keep(call, "nowhere")
    status, page = await call("GET", LIST)
    assert (status, page["items"][0]["workspace"]) == (200, None)


async def test_one_is_shown_with_its_bytes_and_headers_as_they_were(call: Caller) -> None:
    """In base64, so that nothing is lost; a header may have no value."""
    value = bytes(range(256))
    path = await kept(call, value, headers='[["ce_id","AP8="],["empty",null]]')
    status, record = await call("GET", path, "viewer")
    assert status == 200
    assert base64.b64decode(record["bytes_base64"]) == value
    assert record["headers"] == [{"name": "ce_id", "value_base64": "AP8="}, {"name": "empty", "value_base64": None}]
    assert (record["complete"], record["size_bytes"], record["reason"]) == (True, 256, "it was so")


async def test_only_who_sees_a_record_is_told_of_it(call: Caller) -> None:
    """Another workspace's token gets 404 for it, as for one that is not there; lower roles get 403, nobody 401."""
    path = await kept(call, b'{"type": "t"}', workspace="other")
    again = f"{path}/replay"
    for method, where in (("GET", path), ("POST", again)):
        assert (await call(method, where, "admin"))[0] == 404
        assert (await call(method, where, "intake"))[0] == 403
        assert (await call(method, where, None))[0] == 401
    assert (await call("POST", again, "viewer"))[0] == 403
    for name in ("rej_0000000000000001", "nothing"):
        assert (await call("GET", f"{LIST}/{name}"))[0] == 404
        assert (await call("POST", f"{LIST}/{name}/replay"))[0] == 404
    assert await ids_left(call) == [path]


async def test_a_record_that_can_be_read_now_becomes_an_event(call: Caller) -> None:
    """Its event goes the usual way, the answer and the audit log name where it comes from, and it is kept no longer."""
    path = await kept(call, b'{"type": "run:failed", "id": "one"}')
    status, answer = await call("POST", f"{path}/replay", "operator")
    assert (status, answer["result"], answer["event_id"]) == (200, "accepted", "one")
    assert f"{LIST}/{answer['origin']['id']}" == path
    assert [answer["origin"][name] for name in ("topic", "partition", "offset")] == ["events", 3, 17]
    await call.settled(f"{HOME}/deliveries?type=run:failed")
    assert await ids_left(call) == []
    assert (await call("POST", f"{path}/replay", "operator"))[0] == 404
    _, log = await call("GET", f"{HOME}/audit?kind=rejected")
    (entry,) = log["items"]
    assert (entry["actor"], entry["action"], entry["name"]) == ("operator", "replayed", answer["origin"]["id"])
    assert entry["after"] == {"event_id": "one", "duplicate": False}


async def test_an_event_without_an_id_is_named_after_its_record(call: Caller) -> None:
    """So that trying again after a crash stores it once: the second try is a duplicate, under the same id."""
    for result in ("accepted", "duplicate"):
        path = await kept(call, b'{"type": "t"}')
        _, answer = await call("POST", f"{path}/replay")
        assert (answer["result"], answer["event_id"]) == (result, "kafka:events/3/17")
    status, event = await call("GET", f"{HOME}/events/kafka:events%2F3%2F17")
    assert (status, event["type"], event["id"]) == (200, "t", "kafka:events/3/17")
    assert len((await call("GET", f"{HOME}/events"))[1]["items"]) == 1
    assert await ids_left(call) == []


async def test_a_name_that_is_too_long_gives_way(call: Caller) -> None:
    """Where the record's place is longer than an id may be, the event is named after the record's own id."""
    path = await kept(call, b'{"type": "t"}', topic="t" * 249)
    _, answer = await call("POST", f"{path}/replay")
    assert (answer["result"], f"{LIST}/{answer['event_id']}") == ("accepted", path)


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        (b"{\xff", ""),
        (b'{"typ": "t"}', "/typ"),
        (b'{"type": ""}', "/type"),
        (b'{"type": "t", "workspace": "gone"}', "/workspace"),
        (b"", ""),
    ],
)
async def test_one_that_still_cannot_be_read_stays(call: Caller, value: bytes, pointer: str) -> None:
    """The answer is 422 and names every bad place of the record, which is kept as it was."""
    path = await kept(call, value)
    _, before = await call("GET", path)
    status, problem = await call("POST", f"{path}/replay")
    assert status == 422
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert (await call("GET", path))[1] == before
    assert (await call("GET", f"{HOME}/events"))[1]["items"] == []
    assert (await call("GET", f"{HOME}/audit?kind=rejected"))[1]["items"] == []


async def test_one_that_was_cut_cannot_be_tried(call: Caller) -> None:
    """What is left of a longer record is not taken for the whole of it, even where it can be read."""
    path = await kept(call, b'{"type": "t"}', size=14)
    assert (await call("GET", path))[1]["complete"] is False
    status, problem = await call("POST", f"{path}/replay")
    assert (status, problem["title"]) == (409, "Conflict")
    assert "13 of the record's 14 bytes" in problem["detail"]
    assert await ids_left(call) == [path]


async def test_a_record_is_read_as_its_topic_is_now(call: Caller) -> None:
    """A topic's format and workspace may be what was wrong; the headers that were kept count too."""
    value = b'{"run_id": 17}'
    pairs = {"ce_specversion": b"1.0", "ce_type": b"run:failed", "ce_source": b"/s", "ce_id": b"7"}
    headers = orjson.dumps([(name, base64.b64encode(text).decode()) for name, text in pairs.items()]).decode()
    path = await kept(call, value, headers=headers)
    call.bench.topics["events"] = Topic("native", "default")
    assert (await call("POST", f"{path}/replay"))[0] == 422
    call.bench.topics["events"] = Topic("cloudevents", "default")
    status, answer = await call("POST", f"{path}/replay")
    assert (status, answer["event_id"]) == (200, "/s#7")


async def test_a_token_of_one_workspace_writes_to_no_other(call: Caller) -> None:
    """A record whose event names another workspace is for a token of all workspaces."""
    path = await kept(call, b'{"type": "t", "workspace": "other"}')
    assert (await call("POST", f"{path}/replay", "operator"))[0] == 403
    status, answer = await call("POST", f"{path}/replay", "root")
    assert (status, answer["result"]) == (200, "accepted")
    _, page = await call("GET", "/api/v1/workspaces/other/events")
    assert [item["type"] for item in page["items"]] == ["t"]


async def test_a_record_is_kept_until_the_log_says_who_tried_it(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its event is stored and nothing more can be, the answer is 503, and trying it again says who did."""
    path = await kept(call, b'{"type": "t", "id": "one"}')

    async def full(*_: Any) -> None:
        raise StoreUnavailableError("the disk is full")

    for step in ("forget_rejected", "change_resources"):
        with monkeypatch.context() as patch:
            patch.setattr(call.bench.store, step, full)
            status, _ = await call("POST", f"{path}/replay", "operator")
        assert (status, await ids_left(call)) == ((503, [path]) if step == "forget_rejected" else (200, []))
    _, log = await call("GET", f"{HOME}/audit?kind=rejected")
    assert [(entry["actor"], entry["after"]["duplicate"]) for entry in log["items"]] == [("operator", True)]


async def test_while_the_store_cannot_write_the_record_stays(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is 503, and trying again later works."""
    path = await kept(call, b'{"type": "t", "id": "one"}')

    async def full(batch: Any) -> None:
        raise StoreUnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(call.bench.store, "commit", full)
        assert (await call("POST", f"{path}/replay"))[0] == 503
    assert await ids_left(call) == [path]
    assert (await call("POST", f"{path}/replay"))[1]["result"] == "accepted"
