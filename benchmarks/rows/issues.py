"""Errors on their way to issues: envelopes over HTTP beside single native events, and what issues cost within."""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import issue_memory, planning
from benchmarks.bench import wait_final
from benchmarks.daemon import SENT
from benchmarks.figures import Line, Result, Run
from benchmarks.rounds import rounds
from benchmarks.rows.singles import loaded
from benchmarks.workload import ADMIN_TOKEN, DESTINATIONS, Rules

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.daemon import Daemon

NATIVE = "native singles -> null"
ISSUES = (1, 1_000, 100_000)
BELOW = "/api/v1/workspaces/default"


def envelopes(bench: Bench) -> Result:
    """Compare envelopes of 1, 1,000 and 100,000 issues, each delivered, with single native events."""
    result = Result()
    counts = [min(issues, bench.size.single_events * 4) for issues in ISSUES]
    rounds(bench, result, [partial(_run, bench, issues) for issues in (None, *counts)])
    for issues in counts:
        limit = 0.4 if issues == ISSUES[1] else None
        name = _name(issues)
        result.lines.append(Line(name, "of native singles", result.ratio(name, NATIVE), limit=limit))
        result.lines.append(Line(name, "by CPU", result.ratio_by_cpu(name, NATIVE)))
    return result


def _name(issues: int | None) -> str:
    return NATIVE if issues is None else f"envelopes of {issues:,} issues"


def _run(bench: Bench, issues: int | None) -> Run:
    """Send single events, or envelopes: of known issues, which an earlier load has begun."""
    rules, count = Rules(type="null"), bench.size.single_events
    projects = [{"name": f"p{n}"} for n in range(DESTINATIONS)]
    workspace = rules.workspace(bench.sink.address, bench.sink.tarpit) | {"projects": projects}
    if issues is not None:  # not what alertd itself has to say of each new issue
        workspace["channels"] = [{"name": "c0", "kind": "glob", "pattern": "sentry.*"}]
    with bench.daemon(rules, workspaces=[workspace]) as daemon:
        known = 0
        options: dict[str, Any] = {"batch": 1}
        if issues is not None:
            options = {"issues": issues, "doors": [_door(daemon, n) for n in range(DESTINATIONS)]}
            known = issues
            loaded(bench, daemon.process, daemon.port, known, **options)
        said, cpu = loaded(bench, daemon.process, daemon.port, count, **options)
        wait_final(daemon, known + count)
        memory = daemon.process.memory("VmHWM")
        daemon.stop()
    (last_ms,) = daemon.ask("SELECT max(started_at + duration / 1000.0) FROM delivery")
    stored, begun = daemon.ask(f"SELECT (SELECT count(*) FROM event WHERE {SENT}), (SELECT count(*) FROM issue)")  # noqa: S608 - constants
    if stored != known + count:
        raise RuntimeError(f"{stored} events are stored instead of {known + count}")
    shutil.rmtree(daemon.folder)
    ended_ns = max(said["last_ns"], int(last_ms * 1e6) - bench.wall_offset_ns())
    more = {"refused": said["refused"], "issues": begun, "rss_mb": memory}
    return Run(_name(issues), count / (ended_ns - said["first_ns"]) * 1e9, cpu, more)


def _door(daemon: Daemon, project: int) -> tuple[str, str]:
    """Make a key of a project; return the path for its envelopes, and the key."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{daemon.port}{BELOW}/projects/p{project}/keys",
        method="POST",
        headers={"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the same
        made: dict[str, Any] = json.load(answer)
    return f"/sentry/api/{made['dsn'].rpartition('/')[2]}/envelope/", made["public_key"]


def within(bench: Bench) -> Result:
    """Tell what an error costs between arrival and commit, and what a million issues take."""
    with bench.cores.here():
        figures = asyncio.run(planning.measure(20 * bench.size.pairs))
        memory = issue_memory.apart(1_000_000 if bench.size.pending > 100_000 else 100_000)
    row = "an error, to a plain event"
    lines = [
        Line(row, name, ratios, limit=2.0 if name == planning.FLOOD else None, sense="most")
        for name, ratios in planning.ratios(figures).items()
    ]
    return Result(lines + [Line(memory.row, what, [value], unit) for what, value, unit in memory.lines])
