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
TRIGGERS = ["new", "regression", "unmuted", "spike"]
WORKSPACES = ("default", "w1", "w2", "w3")
"""One may begin 50,000 issues in an hour, each of its projects 10,000."""


def envelopes(bench: Bench) -> Result:
    """Compare envelopes of 1, 1,000 and 100,000 issues with single native events, each delivered.

    Once as a team has it, who are told of what is new or comes back; and each delivered.
    """
    result = Result()
    counts = [min(issues, bench.size.single_events * 4) for issues in ISSUES]
    cases = [(issues, is_told) for issues in counts for is_told in (False, True)]
    rounds(bench, result, [partial(_run, bench), *(partial(_run, bench, *case) for case in cases)])
    for issues, is_told in cases:
        limit = 0.4 if issues == ISSUES[1] else None
        name = _name(issues, is_told=is_told)
        result.lines.append(Line(name, "of native singles", result.ratio(name, NATIVE), limit=limit))
        result.lines.append(Line(name, "by CPU", result.ratio_by_cpu(name, NATIVE)))
    return result


def _name(issues: int | None, *, is_told: bool) -> str:
    if issues is None:
        return NATIVE
    return f"envelopes of {issues:,} issues" + (", each delivered" if is_told else "")


def _run(bench: Bench, issues: int | None = None, is_told: bool = True) -> Run:
    """Send single events, or envelopes: of known issues, which an earlier load has begun."""
    rules, count = Rules(type="null"), bench.size.single_events
    more = {} if issues is None else _rules_of_errors(rules.workspace("", ""), is_told=is_told)
    with bench.daemon(rules, **more) as daemon:
        known = 0
        options: dict[str, Any] = {"batch": 1}
        if issues is not None:
            options = {"issues": issues, "doors": [_door(daemon, n) for n in range(DESTINATIONS)]}
            known = issues
            loaded(bench, daemon.process, daemon.port, known, **options)
        said, cpu = loaded(bench, daemon.process, daemon.port, count, **options)
        wait_final(daemon, known + count if is_told else known)
        memory = daemon.process.memory("VmHWM")
        daemon.stop()
    (last_ms,) = daemon.ask("SELECT max(started_at + duration / 1000.0) FROM delivery")
    stored, begun = daemon.ask(f"SELECT (SELECT count(*) FROM event WHERE {SENT}), (SELECT count(*) FROM issue)")  # noqa: S608 - constants
    if stored != known + count or begun != known:
        raise RuntimeError(f"{stored} events and {begun} issues are stored instead of {known + count} and {known}")
    shutil.rmtree(daemon.folder)
    ended_ns = max(said["last_ns"], int(last_ms * 1e6) - bench.wall_offset_ns())
    noted = {"refused": said["refused"], "issues": begun, "rss_mb": memory}
    return Run(_name(issues, is_told=is_told), count / (ended_ns - said["first_ns"]) * 1e9, cpu, noted)


def _rules_of_errors(rules: dict[str, Any], *, is_told: bool) -> dict[str, Any]:
    """Write workspaces that share these rules for errors, each with its part of the projects, and who may make keys in them."""
    triggers = {} if is_told else {"triggers": TRIGGERS}
    workspaces = [
        {
            "name": name,
            "projects": [{"name": f"p{n}"} for n in range(place, DESTINATIONS, len(WORKSPACES))],
            # not what alertd itself says of each new issue
            "channels": [{"name": "c0", "kind": "glob", "pattern": "sentry.*"}],
            "destinations": rules["destinations"][place :: len(WORKSPACES)],
            "subscriptions": [each | triggers for each in rules["subscriptions"][place :: len(WORKSPACES)]],
        }
        for place, name in enumerate(WORKSPACES)
    ]
    tokens = [{"name": f"of-{name}", "role": "admin", "workspace": name, "value": _token(name)} for name in WORKSPACES]
    return {"workspaces": workspaces, "tokens": tokens}


def _token(workspace: str) -> str:
    return f"{ADMIN_TOKEN}-{workspace}"


def _door(daemon: Daemon, project: int) -> tuple[str, str]:
    """Make a key of a project; return the path for its envelopes, and the key."""
    workspace = WORKSPACES[project % len(WORKSPACES)]
    request = urllib.request.Request(
        f"http://127.0.0.1:{daemon.port}/api/v1/workspaces/{workspace}/projects/p{project}/keys",
        method="POST",
        headers={"Authorization": f"Bearer {_token(workspace)}", "Content-Type": "application/json"},
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
