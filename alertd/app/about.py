"""What the daemon tells about itself, wired: reports, the watcher, the heartbeat, and the last words of the run before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.about.heartbeat import Beat, Heartbeat
from alertd.about.last_words import LastWords
from alertd.about.reporter import Report, Reporter
from alertd.about.watcher import Sights, Watcher
from alertd.store.base import RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from alertd.about.last_words import Crash
    from alertd.clock import Clock
    from alertd.config.settings import Config
    from alertd.delivery.dispatcher import Dispatcher
    from alertd.delivery.snapshot import LaneSnapshot
    from alertd.destinations.base import Sender
    from alertd.pipeline import Pipeline
    from alertd.resources.registry import Registry
    from alertd.runtime import Service
    from alertd.store.base import NameStore, Store

FILE_NAME: Final = "last.words"
"""The file beside the database that tells the next start of a crash."""


class About:
    """The parts; `services` are to be run, and `heartbeat` once events can come in."""

    def __init__(
        self,
        pipeline: Pipeline,
        dispatcher: Dispatcher,
        registry: Registry,
        store: Store,
        clock: Clock,
        sender: Callable[[], Sender],
        beat: Beat | None,
    ) -> None:
        self._pipeline = pipeline
        self._dispatcher = dispatcher
        self._registry = registry
        self._store = store
        self.reporter = Reporter(pipeline.submit, clock, self._workspaces, self._heard)
        sights = Sights(self._lanes, lambda: not pipeline.failing, pipeline.has_room)
        self.watcher = Watcher(sights, store, self.reporter.tell, clock)
        self.heartbeat = Heartbeat(sender, self._storing, beat)

    @property
    def services(self) -> Sequence[Service]:
        """What runs from the start on."""
        return (self.reporter, self.watcher)

    def started(self, version: str, url: str, crash: Crash | None) -> None:
        """Tell of the start, and of how the run before ended when it crashed."""
        if crash is not None:
            self.reporter.tell(crash_report(crash))
        self.reporter.tell(Report("alertd.started", "info", f"alertd {version} listens on {url}.", data={"url": url}))

    def reload_failed(self, error: BaseException) -> None:
        """Tell of a configuration that was refused."""
        text = str(error)
        message = f"The configuration was not read again: {text}"
        self.reporter.tell(Report("alertd.reload_failed", "error", message, data={"error": text[:4000]}))

    def _workspaces(self) -> Iterable[str]:
        return self._registry.snapshot.workspace_names()

    def _heard(self, workspace: str, kind: str) -> bool:
        """Whether a subscription takes such events to a destination that can be reached at all."""
        rules = self._pipeline.ruleset.workspaces.get(workspace)
        if rules is None:
            return False
        scope = rules.scope(kind, "", "")
        return any(
            subscription.enabled and not scope.closed.keys() >= set(subscription.destinations)
            for subscription, _ in scope.candidates
        )

    def _lanes(self) -> Iterator[tuple[tuple[str, str], LaneSnapshot]]:
        ids = self._pipeline.ruleset.ids
        for name in self._registry.snapshot.workspace_names():
            for entry in self._registry.snapshot.entries("destination", name):
                number = ids.get(entry.key)
                if number is not None:
                    yield entry.key[1:], self._dispatcher.snapshot(number)

    async def _storing(self) -> bool:
        """Whether events are really being stored."""
        return not self._pipeline.failing and not self.watcher.stalled and await self._store.healthy()


async def open_last_words(database: Path, store: NameStore) -> tuple[LastWords, Crash | None]:
    """Open the file of last words beside a database; those of a run that this store does not know are not its own.

    Raises OSError.
    """
    words, crash = LastWords.open(database.with_name(FILE_NAME))
    known = (await store.get_meta(RUN) or "").split()
    return words, crash if crash is not None and crash.run in known else None


async def make_known(store: NameStore, run: str, crash: Crash | None) -> None:
    """Let the store know a run whose last words are to be its own; that which crashed stays known until it was told of.

    Raises StoreError.
    """
    await store.set_meta(RUN, run if crash is None else f"{run} {crash.run}")


def beat_of(config: Config) -> Beat | None:
    """Turn the configuration's heartbeat into what the service takes; None: none is wanted."""
    own = config.heartbeat
    if own.url is None:
        return None
    return Beat(own.url.get_secret_value(), own.method, own.interval_seconds, own.timeout_seconds)


def crash_report(crash: Crash) -> Report:
    """Tell of a run that did not end in peace."""
    last = crash.exception.strip().rsplit("\n", 1)[-1]
    text = (
        f"The run before this one crashed: {last}" if last else "The run before this one was killed, or lost its power."
    )
    return Report(
        "alertd.crashed", "critical", text, data={"exception": crash.exception or None, "lines": list(crash.lines)}
    )
