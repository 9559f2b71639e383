"""The runner: what it starts, what it watches, in which order it stops, and how it is cut."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from alertd.errors import ServiceFailedError
from alertd.runtime import (
    COLLECTOR_THRESHOLDS,
    HEAPS_MAX,
    LoopLag,
    Signals,
    Stage,
    StopLimits,
    StopRequest,
    calm_collector,
    run_services,
    wait_event,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from structlog.typing import EventDict

DEADLINE = 60.0
SHORT = StopLimits(drain_seconds=0.02, cancel_seconds=0.02)
PATIENT = StopLimits(drain_seconds=DEADLINE, cancel_seconds=DEADLINE)


class Probe:
    """A service that tells a shared journal what happens to it; `gate` holds its drain until opened."""

    def __init__(self, name: str, journal: list[str], *, gated: bool = False) -> None:
        self.name = name
        self.journal = journal
        self.running = asyncio.Event()
        self.stopping = asyncio.Event()
        self.gate = asyncio.Event()
        self.error: BaseException | None = None
        if not gated:
            self.gate.set()

    async def run(self) -> None:
        """Work until stopped, then drain until the gate opens."""
        self.journal.append(f"{self.name} runs")
        self.running.set()
        try:
            await self.stopping.wait()
            if self.error:
                raise self.error
            await self.gate.wait()
        except asyncio.CancelledError:
            self.journal.append(f"{self.name} cut")
            raise
        self.journal.append(f"{self.name} ends")

    def stop(self) -> None:
        """Tell and begin to drain."""
        self.journal.append(f"{self.name} asked")
        self.stopping.set()

    def die(self, error: BaseException | None = None) -> None:
        """End without having been asked."""
        self.error = error
        self.stopping.set()


class Stubborn(Probe):
    """Swallows cancellation until its gate opens."""

    @override
    async def run(self) -> None:
        """Stay."""
        self.running.set()
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.journal.append(f"{self.name} resists")


@pytest.fixture
async def deadline() -> AsyncIterator[None]:
    """No test of the runner waits for longer than the deadline."""
    async with asyncio.timeout(DEADLINE):
        yield


pytestmark = pytest.mark.usefixtures("deadline")


async def test_stages_start_in_order_and_stop_in_reverse_each_after_the_one_before() -> None:
    """The intake ends before the pipeline is asked, and the store is asked last of all."""
    journal: list[str] = []
    store, pipeline, intake = (Probe(name, journal) for name in ("store", "pipeline", "intake"))
    stop = StopRequest()
    stages = [Stage(each.name, [each]) for each in (store, pipeline, intake)]
    runner = asyncio.create_task(run_services(stages, stop, limits=PATIENT))
    await intake.running.wait()
    stop.ask("test")
    await runner
    assert journal == [
        *("store runs", "pipeline runs", "intake runs"),
        *("intake asked", "intake ends"),
        *("pipeline asked", "pipeline ends"),
        *("store asked", "store ends"),
    ]


async def test_services_of_one_stage_stop_together() -> None:
    """Two intakes are asked at the same time: neither waits for the other's drain."""
    journal: list[str] = []
    http, kafka = Probe("http", journal, gated=True), Probe("kafka", journal, gated=True)
    stop = StopRequest()
    runner = asyncio.create_task(run_services([Stage("intake", [http, kafka])], stop, limits=PATIENT))
    await kafka.running.wait()
    stop.ask("test")
    await http.stopping.wait()
    await kafka.stopping.wait()
    http.gate.set()
    kafka.gate.set()
    await runner


async def test_a_stop_that_was_asked_before_the_start_is_kept() -> None:
    """A signal during start-up is not lost: the services start and stop at once."""
    journal: list[str] = []
    stop = StopRequest()
    stop.ask("SIGTERM")
    await run_services([Stage("only", [Probe("a", journal)])], stop, limits=PATIENT)
    assert journal[-1] == "a ends"


async def test_a_stage_that_is_made_late_finds_those_before_it_at_work() -> None:
    """And who waits for the start hears of it once all are there."""
    journal: list[str] = []
    lanes, intake, stop = Probe("lanes", journal), Probe("intake", journal), StopRequest()

    async def make() -> list[Probe]:
        await lanes.running.wait()
        journal.append("intake made")
        return [intake]

    stages = [Stage("delivery", [lanes]), Stage("intake", make)]
    runner = asyncio.create_task(
        run_services(stages, stop, limits=PATIENT, on_started=lambda: journal.append("all started"))
    )
    await intake.running.wait()
    stop.ask("test")
    await runner
    assert journal == [
        *("lanes runs", "intake made", "all started"),
        *("intake runs", "intake asked", "intake ends"),
        *("lanes asked", "lanes ends"),
    ]


async def test_a_stage_that_cannot_be_made_ends_those_before_it_softly() -> None:
    """The error comes out as it is, and nobody was told that anything was ready."""
    journal: list[str] = []
    lanes = Probe("lanes", journal, gated=True)

    async def make() -> list[Probe]:
        await lanes.running.wait()
        raise OSError("no such luck")

    stages = [Stage("delivery", [lanes]), Stage("intake", make)]
    told: list[str] = []
    with capture_logs() as lines:
        runner = asyncio.create_task(
            run_services(
                stages,
                StopRequest(),
                limits=PATIENT,
                on_started=lambda: told.append("ready"),
                on_stopping=told.append,
            )
        )
        await lanes.stopping.wait()
        assert not runner.done()
        assert told == ["the start failed"]
        lanes.gate.set()
        with pytest.raises(OSError, match="no such luck"):
            await runner
    assert journal == ["lanes runs", "lanes asked", "lanes ends"]
    assert lines[0] == {"event": "daemon.start_failed", "log_level": "error", "error": "OSError: no such luck"}


async def test_a_stop_that_is_asked_while_a_stage_is_made_does_not_wait_for_it() -> None:
    """What runs ends softly, the making is given up, and nobody is told that anything is ready."""
    journal: list[str] = []
    lanes, stop = Probe("lanes", journal), StopRequest()

    async def make() -> list[Probe]:
        try:
            stop.ask("SIGTERM")
            await asyncio.Event().wait()
        finally:
            journal.append("given up")
        return []

    stages = [Stage("delivery", [lanes]), Stage("intake", make)]
    await run_services(stages, stop, limits=PATIENT, on_started=lambda: journal.append("ready"))
    assert journal == ["lanes runs", "given up", "lanes asked", "lanes ends"]


async def test_a_stop_that_is_asked_when_all_is_made_is_not_announced_as_ready() -> None:
    """All of it is started, and stopped again."""
    journal: list[str] = []
    intake, stop = Probe("intake", journal), StopRequest()

    async def make() -> list[Probe]:
        stop.ask("SIGTERM")
        return [intake]

    await run_services([Stage("intake", make)], stop, limits=PATIENT, on_started=lambda: journal.append("ready"))
    assert journal[-1] == "intake ends"
    assert "ready" not in journal


async def test_a_death_while_a_stage_is_made_ends_the_daemon() -> None:
    """At once, with the name of who died; nobody is told that anything is ready."""
    journal: list[str] = []
    lanes = Probe("lanes", journal)

    async def make() -> list[Probe]:
        await lanes.running.wait()
        lanes.die(OSError("gone"))
        await asyncio.Event().wait()
        return []

    stages = [Stage("delivery", [lanes]), Stage("intake", make)]
    with pytest.raises(ServiceFailedError, match="service lanes died: OSError: gone"):
        await run_services(stages, StopRequest(), limits=PATIENT, on_started=lambda: journal.append("ready"))
    assert journal == ["lanes runs"]


async def test_a_making_that_will_not_end_is_left_behind() -> None:
    """What runs is stopped all the same, a bounded time after the stop was asked."""
    journal: list[str] = []
    lanes, stop, go_on = Probe("lanes", journal), StopRequest(), asyncio.Event()

    async def make() -> list[Probe]:
        stop.ask("SIGTERM")
        while not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()
        return []

    await run_services([Stage("delivery", [lanes]), Stage("intake", make)], stop, limits=SHORT)
    assert journal == ["lanes runs", "lanes asked", "lanes ends"]
    go_on.set()


@pytest.mark.parametrize("fails", [False, True])
async def test_a_death_in_the_turn_in_which_all_is_made_is_not_announced_as_ready(*, fails: bool) -> None:
    """Nor is what the death makes fail shown in its place."""
    journal: list[str] = []
    lanes = Probe("lanes", journal)

    async def make() -> list[Probe]:
        await lanes.running.wait()
        lanes.die(OSError("gone"))
        for _ in range(3):
            await asyncio.sleep(0)
        if fails:
            raise ValueError("the lanes are gone")
        return []

    stages = [Stage("delivery", [lanes]), Stage("intake", make)]
    with pytest.raises(ServiceFailedError, match="service lanes died: OSError: gone"):
        await run_services(stages, StopRequest(), limits=PATIENT, on_started=lambda: journal.append("ready"))
    assert "ready" not in journal


async def test_a_stop_is_a_stop_though_the_making_fails_of_it() -> None:
    """No error of a start that nobody wants any more."""
    journal: list[str] = []
    lanes, stop = Probe("lanes", journal), StopRequest()

    async def make() -> list[Probe]:
        stop.ask("SIGTERM")
        raise OSError("no such luck")

    await run_services([Stage("delivery", [lanes]), Stage("intake", make)], stop, limits=PATIENT)
    assert journal[-1] == "lanes ends"


async def test_a_making_that_is_cancelled_from_within_is_a_start_that_failed() -> None:
    """The stages before it end softly."""
    journal: list[str] = []
    lanes = Probe("lanes", journal)

    async def make() -> list[Probe]:
        await lanes.running.wait()
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="was cancelled"):
        await run_services([Stage("delivery", [lanes]), Stage("intake", make)], StopRequest(), limits=PATIENT)
    assert journal == ["lanes runs", "lanes asked", "lanes ends"]


async def test_an_essential_service_that_raises_ends_the_daemon_with_its_name_and_cause() -> None:
    """The others are stopped softly, the error names the service, and the last line says so."""
    journal: list[str] = []
    store, intake = Probe("store", journal), Probe("intake", journal)
    reasons: list[str] = []
    with capture_logs() as lines:
        runner = asyncio.create_task(
            run_services(
                [Stage("store", [store]), Stage("intake", [intake])],
                StopRequest(),
                limits=PATIENT,
                on_stopping=reasons.append,
            )
        )
        await intake.running.wait()
        intake.die(OSError("port taken"))
        with pytest.raises(ServiceFailedError, match="service intake died: OSError: port taken") as caught:
            await runner
    assert caught.value.__cause__ is intake.error
    assert journal[-2:] == ["store asked", "store ends"]
    assert reasons == ["intake died: OSError: port taken"]
    assert lines[-1] == {
        "event": "daemon.failed",
        "log_level": "critical",
        "service": "intake",
        "error": "died: OSError: port taken",
    }


async def test_an_essential_service_that_returns_unasked_ends_the_daemon() -> None:
    """Returning without having been asked is a death too, only without a cause."""
    service = Probe("lane", [])
    runner = asyncio.create_task(run_services([Stage("delivery", [service])], StopRequest(), limits=PATIENT))
    await service.running.wait()
    service.die()
    with pytest.raises(ServiceFailedError, match="service lane returned without being asked") as caught:
        await runner
    assert caught.value.__cause__ is None


async def test_the_first_death_names_the_failure_and_later_ones_are_logged() -> None:
    """When one death brings down another, the first one is the reason."""
    journal: list[str] = []
    store, intake = Probe("store", journal), Probe("intake", journal)
    store.error = OSError("closing failed")
    with capture_logs() as lines:
        runner = asyncio.create_task(
            run_services([Stage("store", [store]), Stage("intake", [intake])], StopRequest(), limits=PATIENT)
        )
        await intake.running.wait()
        intake.die(ValueError("first"))
        with pytest.raises(ServiceFailedError, match="intake died: ValueError: first"):
            await runner
    assert [line["service"] for line in lines if line["event"] == "service.died"] == ["intake", "store"]


async def test_a_failure_during_a_stop_is_not_hidden() -> None:
    """A drain that raises makes the stop fail, so that the exit status tells."""
    service = Probe("pipeline", [])
    service.error = OSError("disk full")
    stop = StopRequest()
    runner = asyncio.create_task(run_services([Stage("pipeline", [service])], stop, limits=PATIENT))
    await service.running.wait()
    stop.ask("SIGTERM")
    with pytest.raises(ServiceFailedError, match="disk full"):
        await runner


async def test_the_death_of_a_service_that_is_not_essential_is_only_logged() -> None:
    """The ticker may die; the daemon goes on until it is asked."""
    journal: list[str] = []
    ticker, intake = Probe("ticker", journal), Probe("intake", journal)
    stop = StopRequest()
    died = asyncio.Event()
    with capture_logs(processors=[lambda _logger, _method, event: told(event, "service.died", died)]):
        runner = asyncio.create_task(
            run_services([Stage("helpers", [ticker], essential=False), Stage("intake", [intake])], stop, limits=PATIENT)
        )
        await intake.running.wait()
        ticker.die(OSError("no matter"))
        await died.wait()
        assert not runner.done()
        stop.ask("test")
        await runner
    assert "ticker asked" not in journal
    assert journal[-1] == "intake ends"


def told(event: EventDict, name: str, mark: asyncio.Event) -> EventDict:
    """Set the mark when the named line is logged."""
    if event["event"] == name:
        mark.set()
    return event


async def test_a_drain_beyond_the_deadline_is_cut_and_the_stages_below_still_stop_softly() -> None:
    """Who does not finish in time is cancelled; a stage with a grace keeps it after the deadline."""
    journal: list[str] = []
    store, lanes = Probe("store", journal), Probe("lanes", journal, gated=True)
    stop = StopRequest()
    stages = [Stage("store", [store], grace_seconds=DEADLINE), Stage("delivery", [lanes])]
    with capture_logs() as lines:
        runner = asyncio.create_task(run_services(stages, stop, limits=SHORT))
        await lanes.running.wait()
        stop.ask("test")
        async with asyncio.timeout(DEADLINE):
            await runner
    assert journal[2:] == ["lanes asked", "lanes cut", "store asked", "store ends"]
    cut = next(line for line in lines if line["event"] == "stage.cut")
    assert (cut["stage"], cut["services"]) == ("delivery", ["lanes"])


async def test_a_service_that_resists_cancellation_is_named_and_left_behind() -> None:
    """Not even a service that swallows cancellation keeps the daemon from ending."""
    service = Stubborn("stubborn", [], gated=True)
    stop = StopRequest()
    with capture_logs() as lines:
        runner = asyncio.create_task(run_services([Stage("only", [service])], stop, limits=SHORT))
        await service.running.wait()
        stop.ask("test")
        await runner
    service.gate.set()
    assert [line["service"] for line in lines if line["event"] == "service.abandoned"] == ["stubborn"]


async def test_asking_again_cuts_everything_at_once() -> None:
    """The second ask is a hard stop: what drains is cancelled, and what was not asked yet as well."""
    journal: list[str] = []
    store, lanes = Probe("store", journal), Probe("lanes", journal, gated=True)
    stop = StopRequest()
    runner = asyncio.create_task(
        run_services([Stage("store", [store]), Stage("delivery", [lanes])], stop, limits=PATIENT)
    )
    await store.running.wait()
    stop.ask("SIGTERM")
    await lanes.stopping.wait()
    stop.ask("SIGINT")
    await runner
    assert sorted(journal[2:]) == ["lanes asked", "lanes cut", "store cut"]
    assert stop.reason == "SIGTERM"


async def test_a_stop_that_raises_cuts_only_its_own_service() -> None:
    """Its service is cancelled, the other services drain, and the exit status tells."""
    journal: list[str] = []

    class Broken(Probe):
        @override
        def stop(self) -> None:
            raise RuntimeError("broken")

    broken, other = Broken("broken", journal), Probe("other", journal)
    stop = StopRequest()
    runner = asyncio.create_task(run_services([Stage("only", [broken, other])], stop, limits=PATIENT))
    await other.running.wait()
    stop.ask("test")
    with pytest.raises(ServiceFailedError, match="service broken died: RuntimeError: broken"):
        await runner
    assert {"broken cut", "other ends"} <= set(journal)


async def test_cancelling_the_runner_leaves_no_service_running() -> None:
    """A runner that is cancelled cancels its services and waits for them."""
    journal: list[str] = []
    service = Probe("only", journal)
    runner = asyncio.create_task(run_services([Stage("only", [service])], StopRequest(), limits=PATIENT))
    await service.running.wait()
    runner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await runner
    assert journal[-1] == "only cut"


async def test_signals_ask_to_stop_and_to_reload() -> None:
    """SIGHUP reloads, SIGTERM asks softly, SIGINT after it hard."""
    stop = StopRequest()
    reloads = asyncio.Event()
    with Signals(stop, reloads.set):
        os.kill(os.getpid(), signal.SIGHUP)
        await reloads.wait()
        assert not stop.soft.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.soft.wait()
        assert not stop.hard.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await stop.hard.wait()
    assert stop.reason == "SIGTERM"


async def test_signals_are_put_back() -> None:
    """After the block the process has the handlers that it had before, also after an error."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        with Signals(StopRequest(), lambda: None):
            assert [signal.getsignal(number) for number in numbers] != before
            json.loads("{")
    except ValueError:
        pass
    assert [signal.getsignal(number) for number in numbers] == before


class StepClock:
    """A monotonic clock that goes on by a fixed step at each reading."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._now = 0.0

    def now_ms(self) -> int:
        """Stand still."""
        return 0

    def wall_seconds(self) -> int:
        """Stand still."""
        return 0

    def monotonic(self) -> float:
        """Go on by one step."""
        self._now += self._step
        return self._now


@pytest.mark.parametrize(("step", "lag"), [(0.251, 0.25), (0.0005, 0.0)])
async def test_the_ticker_records_how_late_it_was_woken(step: float, lag: float) -> None:
    """The lag is what a tick took beyond its interval, never less than nothing."""
    recorded: list[float] = []

    def record(seconds: float) -> None:
        recorded.append(seconds)
        ticker.stop()

    ticker = LoopLag(record, StepClock(step), interval_seconds=0.001)
    await ticker.run()
    assert recorded == [pytest.approx(lag)]


async def test_waiting_for_an_event_says_whether_it_came() -> None:
    """A wait that times out says no, one that is met says yes."""
    event = asyncio.Event()
    assert not await wait_event(event, 0.0)
    event.set()
    assert await wait_event(event, DEADLINE)


@pytest.mark.usefixtures("collector")
def test_calm_collector_ends_the_pause_of_a_start() -> None:
    """Garbage of the daemon's life is looked for, though none of the start was."""
    gc.disable()
    calm_collector()
    assert gc.isenabled()
    assert gc.get_threshold() == COLLECTOR_THRESHOLDS


HEAPS = """
import ctypes, sys, threading
from alertd.runtime import share_heaps

if "shared" in sys.argv:
    share_heaps()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
gate = threading.Barrier(7)

def hold():
    kept = bytes(100_000)
    gate.wait()
    gate.wait()

for _ in range(6):
    threading.Thread(target=hold).start()
gate.wait()
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
gate.wait()
"""


@pytest.mark.parametrize(("words", "heaps"), [(["shared"], HEAPS_MAX), ([], 7)])
def test_threads_share_their_heaps(words: list[str], heaps: int) -> None:
    """Six threads of a process take one heap beside that of the first, and one each where nobody bounds them."""
    done = subprocess.run([sys.executable, "-c", HEAPS, *words], stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - our own program
    assert done.stdout.count("<heap nr=") == heaps


@pytest.fixture
def collector() -> Iterator[None]:
    """Put the collector back as it was."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
    gc.enable()
