"""Pages of a great history over HTTP: each list at its beginning and at its end, and each filter, common, rare and in vain.

The store is made once, varied: most of it is alike, some things are rare and spread, some are only in its oldest part,
so that a filter has to find few rows among very many, or to get to the other end. Nothing else runs meanwhile.
"""

from __future__ import annotations

import http.client
import json
import shutil
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from benchmarks.figures import Line, Result, ratios
from benchmarks.seed import EARLIER, RARELY, seed
from benchmarks.workload import ADMIN_TOKEN, TYPES, Rules

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.daemon import Daemon

DAYS_AGO = 0.05
PAGE = 50
LIMIT_MS = 50.0
ROUNDS = 15
"""How often each page is asked for; a line shows the least, the median and the greatest."""
SAME = 2.0
"""How much more the last page may cost than the first: both take a millisecond or two, so that little is noise."""
LISTS = ("events", "alerts", "deliveries")
FILTERS: tuple[dict[str, str], ...] = (
    {"type": TYPES[0]},
    {"type": RARELY},
    {"type": EARLIER},
    {"type": "nothing"},
    {"project": RARELY},
    {"project": EARLIER},
    {"environment": RARELY},
    {"severity": "critical"},
    {"channel": "c0"},
    {"destination": "d3"},
    {"destination": RARELY},
    {"subscription": RARELY},
    {"subscription": EARLIER},
    {"state": "pending"},
    {"state": "retrying"},
    {"state": "in_flight"},
    {"state": "delivered"},
    {"state": "dead"},
    {"state": "cancelled"},
    {"state": "dead", "destination": "d3", "type": TYPES[0]},
    {"state": "cancelled", "severity": "critical"},
    {"type": TYPES[1], "project": "p1", "environment": "prod", "severity": "error", "channel": "c0"},
    {"text": "nothing says this"},
    {"text": "nothing says this", "project": RARELY},
)
"""What each list is filtered by."""
ALERTS_ALONE: tuple[dict[str, str], ...] = ({"acknowledged": "true"}, {"acknowledged": "false"})


def pages(bench: Bench) -> Result:
    """Make the store, and ask for page after page."""
    store, count = _store(bench), bench.size.pages
    with bench.daemon(Rules(), store_file=store) as daemon, closing(_Client(daemon)) as client:
        oldest = _oldest_page(store, daemon)
        result = Result(_ends(client, oldest, count) + _filtered(client, count))
        result.lines.append(Line(_title(count), "memory of the daemon", [daemon.process.memory("VmHWM")], "MB"))
        daemon.stop()
    result.lines.append(Line(_title(count), "file size", [store.stat().st_size / 1e6], "MB"))
    result.lines.append(Line(_title(count), "of it for each event", [store.stat().st_size / count], "bytes"))
    shutil.rmtree(store.parent)
    return result


def _store(bench: Bench) -> Path:
    """Let a daemon make and name a store, then fill it."""
    begun = time.monotonic()
    with bench.daemon(Rules()) as daemon:
        daemon.stop()
    seed(daemon.store, bench.size.pages, days_ago=DAYS_AGO, pending=False, varied=True)
    bench.say(f"seeded {bench.size.pages:,} in {time.monotonic() - begun:.0f} s")
    return daemon.store


class _Client:
    """Asks for pages on one connection."""

    def __init__(self, daemon: Daemon) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)

    def ask(self, name: str, query: dict[str, str]) -> tuple[dict[str, Any], float]:
        """Return a page and the milliseconds that it took."""
        path = f"/api/v1/workspaces/default/{name}?{urlencode(query)}"
        begun = time.perf_counter()
        self._connection.request("GET", path, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
        answer = self._connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - begun) * 1000
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path}: {answer.status} {body[:500]!r}")
        page: dict[str, Any] = json.loads(body)
        return page, took

    def times(self, name: str, query: dict[str, str]) -> list[float]:
        """Ask several times."""
        return [self.ask(name, query)[1] for _ in range(ROUNDS)]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _oldest_page(store: Path, daemon: Daemon) -> str:
    """Return the cursor in front of the fifty oldest events; the answer must end there."""
    (number,) = daemon.ask(f"SELECT id FROM event ORDER BY id LIMIT 1 OFFSET {PAGE}")  # noqa: S608 - a number
    return f"cur_{number:016x}"


def _ends(client: _Client, oldest: str, count: int) -> list[Line]:
    lines = []
    for name in LISTS:
        last, _ = client.ask(name, {"cursor": oldest})
        if len(last["items"]) != PAGE or last["next_cursor"] is not None:
            raise RuntimeError(f"the last page of {name} is none: {len(last['items'])} items")
        first, end = client.times(name, {}), client.times(name, {"cursor": oldest})
        lines += [
            Line(_title(count), f"{name}, first page", first, "ms", LIMIT_MS, "most"),
            Line(_title(count), f"{name}, last page", end, "ms", LIMIT_MS, "most"),
            Line(_title(count), f"{name}, last page to first", ratios(end, first), limit=SAME, sense="most"),
        ]
    return lines


def _filtered(client: _Client, count: int) -> list[Line]:
    lines = []
    for name in LISTS:
        for chosen in (*FILTERS, *(ALERTS_ALONE if name == "alerts" else ())):
            page, first = client.ask(name, chosen)
            shown = " ".join(f"{key}={value}" for key, value in chosen.items())
            what = f"{name} {shown}: {len(page['items'])}{' so far' if 'searched_to' in page else ''}"
            lines.append(Line(_title(count), what, client.times(name, chosen), "ms", LIMIT_MS, "most"))
            lines[-1].values.append(first)
    return lines


def _title(count: int) -> str:
    return f"{count:,} events"
