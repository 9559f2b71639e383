"""Issues over HTTP while events, commands and merges meet, and the store fails: what is in memory is what is stored."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alertd import pipeline
from alertd.engine.issues.merging import shares_of
from alertd.engine.issues.stored import decode_issue, encode_issue, encode_ledger
from alertd.engine.issues.working_set import WorkingSet
from alertd.errors import StoreUnavailableError
from alertd.model.ledger import Ledger
from alertd.submission import Submission
from alertd.weighing import Deed
from tests.unit.api.bench import HOME, Bench, running
from tests.unit.api.test_issues import ISSUES, error
from tests.unit.test_pipeline import events

if TYPE_CHECKING:
    from alertd.model.issue import Transition
    from alertd.store.base import Batch
    from tests.unit.api.bench import Caller

WRITES = ("commit", "write_issues")
READS = ("read_issues", "issue", "ledger", "change_logs", "former_issues", "newest_events")
COMMANDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("resolve", {}),
    ("resolve", {"in_next_release": True}),
    ("mute", {"events": 2}),
    ("assign", {"assignee": "ann"}),
)


@pytest.mark.parametrize(
    ("action", "body", "shown"),
    [
        ("resolve", {}, ("resolved", 1)),
        ("assign", {"assignee": None}, ("new", 1)),
        ("merge", {"issues": ["SHOP-2"]}, ("new", 2)),
    ],
)
async def test_an_answer_says_what_was_done_whatever_comes_behind_it(
    action: str, body: dict[str, Any], shown: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that is weighed while the answer is written, and then is not stored, is not in it."""
    async with running() as call:
        await call.sent(error(1), error(2, key="other"))
        store, weighed, written = call.bench.store, asyncio.Event(), asyncio.Event()
        history, sending = store.transitions, []

        async def commit(_batch: Batch) -> None:
            weighed.set()
            await written.wait()
            raise StoreUnavailableError("disk full")

        async def transitions(issue_id: int, limit: int) -> list[tuple[int, Transition]]:
            monkeypatch.setattr(store, "commit", commit)
            sending.append(asyncio.create_task(call("POST", "/api/v1/events", json=error(3))))
            await weighed.wait()
            return await history(issue_id, limit)

        monkeypatch.setattr(store, "transitions", transitions)
        status, issue = await call("POST", f"{ISSUES}/SHOP-1/{action}", "operator", json=body)
        written.set()
        assert (await sending[0])[0] == 503
        assert (status, issue["state"], issue["event_count"]) == (200, *shown)


class Wild:
    """Does things at random, several at once, over a store that answers late and fails."""

    def __init__(self, call: Caller, seed: int) -> None:
        self.call, self.random, self.fails = call, Random(seed), 0.0  # noqa: S311 - no secret
        self._sent = self._offset = 0
        for name in (*WRITES, *READS):
            setattr(call.bench.store, name, self._unsteady(getattr(call.bench.store, name)))

    def _unsteady(self, real: Any) -> Any:
        async def do(*given: Any) -> Any:
            for _ in range(self.random.choice((0, 1, 5)) if self.fails else 0):
                await asyncio.sleep(0)
            if self.random.random() < self.fails:
                raise StoreUnavailableError("disk full")
            return await real(*given)

        return do

    def _errors(self) -> list[dict[str, Any]]:
        """Make errors; some come again."""
        numbers = []
        for _ in range(self.random.randint(1, 5)):
            again = self._sent and self.random.random() < 0.25
            numbers.append(self.random.randrange(self._sent) if again else self._sent)
            self._sent += not again
        return [error(n, key="abcde"[n * 7 % 5], release=f"1.{n % 3}", user={"id": f"{n % 40}"}) for n in numbers]

    def _name(self) -> str:
        return f"SHOP-{self.random.randint(1, 5)}"

    async def http(self) -> None:
        """Send errors over HTTP: who is refused does not come again."""
        await self.call("POST", "/api/v1/events", json=self._errors())

    async def kafka(self) -> None:
        """Offer a fetch, which is tried until it is stored."""
        made, begin = events(*self._errors()), self._offset
        self._offset += len(made)
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        offsets = range(begin, self._offset)
        self.call.bench.pipeline.offer(Submission("kafka", made, 1, done, ("t", 0), offsets, self._offset))
        await done

    async def command(self) -> None:
        """Do what people do."""
        action, body = self.random.choice(COMMANDS)
        await self.call("POST", f"{ISSUES}/{self._name()}/{action}", json=body)

    async def reshape(self) -> None:
        """Merge, or undo it."""
        await self.call("POST", f"{ISSUES}/{self._name()}/merge", json={"issues": [self._name()]})
        await self.call("POST", f"{ISSUES}/{self._name()}/split", json={"issue": self._name()})

    async def explain(self) -> None:
        """Ask what would become of an error."""
        await self.call("POST", f"{HOME}/explain", json=self._errors()[0])


def check(bench: Bench) -> None:
    """Compare memory with the store, and what issues count with the events that are stored."""
    store, issues = bench.store, bench.pipeline.issues
    memory = issues.memory
    assert {n: encode_issue(i) for n, i in memory._issues.items()}.items() <= store._issues.items()
    assert memory._keys == {key: n for key, n in store._issue_keys.items() if n in memory._issues}
    for place, ledger in memory._ledgers.items():
        assert encode_ledger(ledger) == store._ledgers.get(place, encode_ledger(Ledger(*place)))
    assert issues.incidents == {n: incident for n, incident in store._incidents.items() if not incident.is_over}
    bodies = [orjson.loads(event.payload) for event in store._events.values()]
    stored = [body["key"] for body in bodies if body["type"] == "sentry.error"]
    counted = {key: share.events for i in store._issues.values() for key, share in shares_of(decode_issue(i)).items()}
    assert counted == {key: stored.count(key) for key in stored}


@pytest.mark.parametrize("seed", range(4))
async def test_memory_holds_what_is_stored(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever meets what, each event that is stored counts once and no other does."""
    monkeypatch.setattr(pipeline, "STORE_RETRY_SECONDS", (0.001,))
    async with running() as call:
        wild = Wild(call, seed)
        call.bench.pipeline.issues.memory = WorkingSet(3)
        deeds = (wild.http, wild.http, wild.kafka, wild.kafka, wild.command, wild.reshape, wild.explain)
        for _ in range(12):
            wild.fails = wild.random.choice((0.02, 0.2))
            await asyncio.gather(*(wild.random.choice(deeds)() for _ in range(6)))
            wild.fails = 0.0
            await call.bench.pipeline.do(Deed(lambda _: []))  # behind whatever nobody waited for
            check(call.bench)
