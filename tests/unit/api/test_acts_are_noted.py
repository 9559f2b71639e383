"""What people do is in the audit log if it was done, and only then: the line is stored with the act."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from alertd.errors import StoreUnavailableError
from alertd.model.delivery import Outcome, OutcomeKind
from tests.unit.api.bench import HOME, running
from tests.unit.api.test_issues import ISSUES, error
from tests.unit.api.test_replays import ended

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.unit.api.bench import Caller

    Act = Callable[[Caller], Awaitable[str]]

STORING = ("commit", "write_issues", "acknowledge", "replay", "cancel", "begin_replay", "end_replay")
"""How the store is asked to do these acts."""
MANY = f"{HOME}/deliveries/replay"
SLOWLY = {"filter": {}, "rate_per_second": 0.0001}
"""A replay of many that goes on until it is cancelled."""


async def resolve(call: Caller) -> str:
    """Name the resolving of an issue."""
    return f"{ISSUES}/SHOP-1/resolve"


async def merge(call: Caller) -> str:
    """Name the merging of two issues."""
    return f"{ISSUES}/SHOP-1/merge"


async def split(call: Caller) -> str:
    """Merge two issues, and name their splitting."""
    assert (await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]}))[0] == 200
    return f"{ISSUES}/SHOP-1/split"


async def end(call: Caller) -> str:
    """Name the resolving of an incident."""
    _, page = await call("GET", f"{HOME}/incidents?state=open")
    return f"{HOME}/incidents/{page['items'][0]['id']}/resolve"


async def take_note(call: Caller) -> str:
    """Name the acknowledging of an alert."""
    _, page = await call("GET", f"{HOME}/alerts")
    return f"{HOME}/alerts/{page['items'][0]['id']}/acknowledge"


async def replay(call: Caller) -> str:
    """Name the replaying of a delivery."""
    delivered, *_ = await call.settled(f"{HOME}/deliveries")
    return f"{HOME}/deliveries/{delivered['id']}/replay"


async def cancel(call: Caller) -> str:
    """Have a delivery wait, for a destination that takes nothing, and name its cancelling."""
    call.bench.doors["default", "hook"].outcome = Outcome(OutcomeKind.RETRY_LATER, 503, "returned 503")
    await call.sent({"type": "waits"})
    assert (await call("POST", f"{HOME}/destinations/hook/disable"))[0] == 200
    waiting, *_ = await call.settled(f"{HOME}/deliveries?type=waits", "retrying")
    return f"{HOME}/deliveries/{waiting['id']}/cancel"


async def replay_many(call: Caller) -> str:
    """Name the replaying of many deliveries."""
    await call.settled(f"{HOME}/deliveries")
    return MANY


async def cancel_many(call: Caller) -> str:
    """Begin a replay of many that takes long, and name its cancelling."""
    await call.sent({"type": "t"}, {"type": "t"})
    await call.settled(f"{HOME}/deliveries?type=t")
    status, replay = await call("POST", MANY, json=SLOWLY)
    assert (status, replay["state"], replay["matched"] > 1) == (202, "running", True)
    return f"{MANY}s/{replay['id']}/cancel"


ACTS: dict[str, tuple[str, Act, dict[str, Any], int]] = {
    "resolve": ("resolved", resolve, {}, 1),
    "merge": ("merged", merge, {"issues": ["SHOP-2"]}, 2),
    "split": ("split", split, {"issue": "SHOP-2"}, 2),
    "end": ("resolved", end, {}, 1),
    "acknowledge": ("acknowledged", take_note, {}, 1),
    "replay": ("replayed", replay, {}, 1),
    "cancel": ("cancelled", cancel, {}, 1),
    "replay-many": ("replayed", replay_many, SLOWLY, 1),
    "cancel-many": ("cancelled", cancel_many, {}, 1),
}
"""The acts, each with the word for it, its body and how many lines tell of it."""


def unavailable(*_: Any, **__: Any) -> Any:
    """Fail, as a full disk does."""
    raise StoreUnavailableError("the disk is full")


@pytest.mark.parametrize("name", ACTS)
async def test_the_line_is_stored_with_the_act(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written after it that could fail, so a 503 never stands for something that was done; who failed is in no log."""
    word, act, body, count = ACTS[name]
    async with running() as call:
        await call.sent(error(1, key="a"), error(2, key="b"))
        path, store = await act(call), call.bench.store
        with monkeypatch.context() as patch:
            for each in STORING:
                patch.setattr(store, each, unavailable)
            assert (await call("POST", path, "operator", json=body))[0] == 503
        assert (await call("GET", f"{HOME}/audit?action={word}"))[1]["items"] == []
        with monkeypatch.context() as patch:
            patch.setattr(store, "change_resources", unavailable)
            assert (await call("POST", path, "operator", json=body))[0] in (200, 201, 202)
        _, page = await call("GET", f"{HOME}/audit?action={word}")
        assert [line["actor"] for line in page["items"]] == ["operator"] * count


async def test_of_two_who_cancel_one_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both find the delivery waiting; the one who comes second has cancelled nothing, which the metric says as well."""
    async with running() as call:
        path, store, found = await cancel(call), call.bench.store, asyncio.Barrier(2)
        look = store.delivery

        async def together(delivery_id: int) -> dict[str, Any] | None:
            row = await look(delivery_id)
            if row is not None and not row["state"].final:
                await found.wait()
            return row

        monkeypatch.setattr(store, "delivery", together)
        answers = await asyncio.gather(*(call("POST", path, who) for who in ("operator", "admin")))
        assert [(status, view["state"]) for status, view in answers] == [(200, "cancelled")] * 2
        _, page = await call("GET", f"{HOME}/audit?action=cancelled")
        assert len(page["items"]) == 1
        counted = {"workspace": "default", "destination": "hook", "state": "cancelled"}
        assert call.bench.metrics.registry.get_sample_value("alertd_deliveries_total", counted) == 1


async def test_a_destination_is_in_the_log_when_its_state_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing can be stored a 503 stands for what is in force, and who did what is told when it is; once, if it was done once."""
    monkeypatch.setattr("alertd.delivery.dispatcher.STATE_SECONDS", 60.0)
    monkeypatch.setattr("alertd.delivery.persistence.INITIAL_SECONDS", 0.001)
    path = f"{HOME}/destinations/hook"
    async with running() as call:
        store = call.bench.store
        monkeypatch.setattr(store, "change_resources", unavailable)
        with monkeypatch.context() as patch:
            patch.setattr(store, "set_destination_state", unavailable)
            patch.setattr("alertd.delivery.dispatcher.STATE_SECONDS", 0.0)
            for turn in ("operator disable", "root disable", "root enable", "root disable"):
                who, verb = turn.split()
                assert (await call("POST", f"{path}/{verb}", who))[0] == 503
            assert (await call("GET", path))[1]["state"] == "disabled"
            assert (await call("GET", f"{HOME}/audit?kind=destination"))[1]["items"] == []
        assert (await call("POST", f"{path}/disable", "operator"))[0] == 200
        [kept] = (await store.destination_states()).values()
        assert kept.disabled_reason == "disabled by an operator"
        _, page = await call("GET", f"{HOME}/audit?kind=destination")
        assert [(line["action"], line["actor"]) for line in page["items"]] == [
            ("disabled", "root"),
            ("enabled", "root"),
            ("disabled", "operator"),
        ]


async def test_a_replay_of_many_is_cancelled_once() -> None:
    """The line says how many had been sent again; who comes when it has ended, in whatever way, has cancelled nothing."""
    async with running() as call:
        path = await cancel_many(call)
        answers = await asyncio.gather(*(call("POST", path, who) for who in ("operator", "admin")))
        assert [(status, view["state"]) for status, view in answers] == [(200, "cancelled")] * 2
        assert answers[0] == answers[1] == await call("POST", path)
        _, done = await call("POST", MANY, json={"filter": {"type": "none"}})
        done = await ended(call, done)
        assert (await call("POST", f"{MANY}s/{done['id']}/cancel"))[1] == done
        _, page = await call("GET", f"{HOME}/audit?action=cancelled")
        [line] = page["items"]
        assert (line["kind"], line["after"]) == ("replay", {"replayed": answers[0][1]["replayed"]})
