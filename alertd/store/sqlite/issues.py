"""Issues on SQLite: one small blob each for the engine, with columns for those who search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.engine.issues.stored import decode_issue, decode_ledger, encode_issue, encode_ledger
from alertd.engine.issues.stored_incident import decode_incident, encode_incident
from alertd.model.change import decode_change, encode_change
from alertd.model.issue import Change, State, Transition
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.resources import log
from alertd.store.sqlite.statement import ManyRows, blob, json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from alertd.engine.issues.batch import Loaded, Wanted
    from alertd.model.change import Change as Changed
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue, ProjectKey
    from alertd.model.ledger import Ledger
    from alertd.store.issues import IncidentFilter, IssueFilter, IssueWrites, Reshaped

_ISSUES: Final = ManyRows(
    "INSERT INTO issue(id, workspace_id, project, number, state, level, assignee, last_seen, body)"
    " VALUES {rows} ON CONFLICT DO UPDATE SET state = excluded.state, level = excluded.level,"
    " assignee = excluded.assignee, last_seen = excluded.last_seen, body = excluded.body",
    "(?,?,?,?,?,?,?,?,?)",
)
_KEY: Final = (
    "INSERT INTO issue_key(workspace_id, project, key, issue_id) VALUES (?,?,?,?)"
    " ON CONFLICT DO UPDATE SET issue_id = excluded.issue_id"
)
_LEDGER: Final = (
    "INSERT INTO ledger(workspace_id, project, body) VALUES (?,?,?) ON CONFLICT DO UPDATE SET body = excluded.body"
)
_INCIDENT: Final = (
    "INSERT INTO incident(id, workspace_id, project, state, body) VALUES (?,?,?,?,?)"
    " ON CONFLICT DO UPDATE SET state = excluded.state, body = excluded.body"
)
_TRANSITION: Final = "INSERT INTO transition(id, issue_id, change, before, after, at, why, by) VALUES (?,?,?,?,?,?,?,?)"
_EVENTS: Final = ManyRows(
    "INSERT INTO issue_event(event_id, issue_id, body, key) VALUES {rows}", "(?,?,nullif(?,''),?)"
)
_CHANGE: Final = "INSERT INTO change(id, workspace_id, project, at, body) VALUES (?,?,?,?,?)"
_FORMER: Final = "INSERT INTO former_issue(id, workspace_id, project, number, issue_id, body) VALUES (?,?,?,?,?,?)"
_MOVE: Final = "UPDATE issue_event SET issue_id = :after, key = iif(key = '', :key, key) WHERE issue_id = :before"
_MOVE_KEYS: Final = "UPDATE issue_event SET issue_id = ? WHERE issue_id = ? AND key IN (SELECT value FROM json_each(?))"
CHANGE_LOGS: Final = """
SELECT w.key, c.body FROM json_each(:projects) w CROSS JOIN change c ON c.id IN (
    SELECT id FROM change WHERE workspace_id = w.value ->> 0 AND project = w.value ->> 1 AND at >= :since
    ORDER BY at DESC LIMIT :limit)
ORDER BY w.key, c.at, c.id
"""
LEDGERS: Final = (
    "SELECT l.body FROM json_each(?) AS w CROSS JOIN ledger l ON l.workspace_id = w.value ->> 0"
    " AND l.project = w.value ->> 1"
)
_ENVIRONMENT: Final = "CAST(body AS TEXT) ->> 4"
_KIND: Final = "CAST(body AS TEXT) ->> 5"
_NUMBERED: Final = """
WITH RECURSIVE p(project) AS (SELECT min(project) FROM {table} WHERE workspace_id = :own
    UNION ALL SELECT (SELECT min(project) FROM {table} WHERE workspace_id = :own AND project > p.project)
    FROM p WHERE p.project IS NOT NULL)
SELECT i.{found} FROM p CROSS JOIN {table} i ON i.workspace_id = :own AND i.project = p.project AND i.number = :number
WHERE lower(p.project) IN (SELECT lower(value) FROM json_each(:projects))
"""
NUMBERED: Final = (
    _NUMBERED.format(table="issue", found="id"),
    _NUMBERED.format(table="former_issue", found="issue_id"),
)
"""They go from project to project, not from issue to issue: the index knows names in one case only."""
NEWEST_EVENTS: Final = "SELECT key, max(event_id) FROM issue_event WHERE issue_id = ? GROUP BY key"
_BY_KEY: Final = (
    "SELECT i.body FROM json_each(?) AS w CROSS JOIN issue_key k ON k.workspace_id = w.value ->> 0"
    " AND k.project = w.value ->> 1 AND k.key = w.value ->> 2 CROSS JOIN issue i ON i.id = k.issue_id"
)


def write_issues(conn: sqlite3.Connection, writes: IssueWrites) -> None:
    """Write what a batch or a command changed, within the transaction at hand."""
    if writes.reshaped is not None:
        _reshape(conn, writes.reshaped)
    rows: list[Any] = []
    for i in writes.issues:
        rows += (i.id, i.workspace_id, i.project, i.number, int(i.state), i.level, i.assignee, i.last_seen_ms)
        rows.append(blob(encode_issue(i)))
    _ISSUES.run(conn, rows)
    conn.executemany(_KEY, [(*key, issue_id) for key, issue_id in writes.keys.items()])
    conn.executemany(_LEDGER, [(*key, encode_ledger(ledger)) for key, ledger in writes.ledgers.items()])
    for n in writes.incidents:
        conn.execute(_INCIDENT, (n.id, n.workspace_id, n.project, int(n.state), encode_incident(n)))
    conn.executemany(_TRANSITION, [_transition_row(number, each) for number, each in writes.transitions])
    kept: list[Any] = []
    for each in writes.events:
        kept += (each.event_number, each.issue_id, "" if each.body is None else blob(each.body), each.key)
    _EVENTS.run(conn, kept)
    changes = ((number, own, each.project, each.at_ms, encode_change(each)) for number, own, each in writes.changes)
    conn.executemany(_CHANGE, changes)
    log(conn, writes.audit)


def _reshape(conn: sqlite3.Connection, reshaped: Reshaped) -> None:
    """Put merged issues aside, their events with them, and take those that were split off from what was put aside."""
    for i, into in reshaped.merged:
        conn.execute("UPDATE former_issue SET issue_id = ? WHERE issue_id = ?", (into, i.id))
        conn.execute(_FORMER, (i.id, i.workspace_id, i.project, i.number, into, encode_issue(i)))
        conn.execute("DELETE FROM issue WHERE id = ?", (i.id,))
        conn.execute(_MOVE, {"after": into, "before": i.id, "key": i.key if i.shares is None else ""})
    conn.executemany("DELETE FROM former_issue WHERE id = ?", [(number,) for number in reshaped.revived])
    followed = [(into, number) for number, into in reshaped.followed]
    conn.executemany("UPDATE former_issue SET issue_id = ? WHERE id = ?", followed)
    for before, after, keys in reshaped.moved:
        conn.execute(_MOVE_KEYS, (after, before, json_list(sorted(keys))))


def _transition_row(number: int, each: Transition) -> tuple[Any, ...]:
    before = None if each.before is None else int(each.before)
    return (number, each.issue_id, int(each.change), before, int(each.after), each.at_ms, each.why, each.by)


class Issues(Part):
    """What the pipeline and the API ask."""

    async def read_issues(self, wanted: Wanted, into: Loaded) -> None:
        """Read what is wanted."""
        keys = json_list(sorted(wanted.keys))
        for (body,) in await self.core.reads.rows(_BY_KEY, (keys,)) if wanted.keys else ():
            issue = decode_issue(body)
            into.issues[issue.id] = issue
            into.keys.update({(issue.workspace_id, issue.project, own): issue.id for own in issue.keys})
        projects = json_list(sorted(wanted.projects))
        for (body,) in await self.core.reads.rows(LEDGERS, (projects,)) if wanted.projects else ():
            ledger = decode_ledger(body)
            into.ledgers[ledger.workspace_id, ledger.project] = ledger
        into.asked.keys |= wanted.keys
        into.asked.projects |= wanted.projects

    async def write_issues(self, writes: IssueWrites) -> None:
        """Store changes outside a commit."""
        await self.core.writer.run(lambda conn: write_issues(conn, writes))

    async def issues(self, which: IssueFilter) -> list[Issue]:
        """Up to `limit` issues, newest first."""
        where, params = ["workspace_id = ?"], [which.workspace_id]
        given: list[tuple[str, Any]] = [
            ("id < ?", which.below),
            ("project = ?", which.project),
            ("level = ?", which.level),
            ("assignee = ?", which.assignee),
        ]
        for text, value in given:
            if value is not None:
                where.append(text)
                params.append(value)
        if which.states is not None:
            where.append(f"state IN ({','.join('?' * len(which.states))})")
            params += which.states
        sql = f"SELECT body FROM issue WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608 - fixed texts
        return [decode_issue(row[0]) for row in await self.core.history.rows(sql, (*params, which.limit))]

    async def issue(self, issue_id: int) -> Issue | None:
        """One issue."""
        row = await self.core.reads.row("SELECT body FROM issue WHERE id = ?", (issue_id,))
        return None if row is None else decode_issue(row[0])

    async def issues_numbered(self, workspace_id: int, projects: Collection[str], number: int) -> list[int]:
        """The ids of the issues with this number in projects with one of these names."""
        params = {"own": workspace_id, "projects": json_list(projects), "number": number}
        found = {int(row[0]) for text in NUMBERED for row in await self.core.history.rows(text, params)}
        return sorted(found)

    async def merged_into(self, issue_id: int) -> int | None:
        """The id of the issue that one was merged into."""
        row = await self.core.reads.row("SELECT issue_id FROM former_issue WHERE id = ?", (issue_id,))
        return None if row is None else int(row[0])

    async def former_issues(self, issue_id: int) -> list[Issue]:
        """The issues that were merged into one."""
        sql = "SELECT body FROM former_issue WHERE issue_id = ? ORDER BY id"
        return [decode_issue(row[0]) for row in await self.core.reads.rows(sql, (issue_id,))]

    async def change_logs(
        self, projects: Collection[ProjectKey], since_ms: int, limit: int
    ) -> dict[ProjectKey, list[Changed]]:
        """The newest changes of each project, oldest first."""
        given = [*projects]
        logs: dict[ProjectKey, list[Changed]] = {}
        params = {"projects": json_list(given), "since": since_ms, "limit": limit}
        for place, body in await self.core.reads.rows(CHANGE_LOGS, params):
            logs.setdefault(given[place], []).append(decode_change(body))
        return logs

    async def ledger(self, workspace_id: int, project: str) -> Ledger | None:
        """One project's ledger."""
        sql = "SELECT body FROM ledger WHERE workspace_id = ? AND project = ?"
        row = await self.core.reads.row(sql, (workspace_id, project))
        return None if row is None else decode_ledger(row[0])

    async def transitions(self, issue_id: int, limit: int) -> list[tuple[int, Transition]]:
        """The newest transitions of an issue."""
        sql = (
            "SELECT id, change, before, after, at, why, by FROM transition WHERE issue_id = ? ORDER BY id DESC LIMIT ?"
        )
        rows = await self.core.history.rows(sql, (issue_id, limit))
        return [(row[0], _transition(issue_id, *row[1:])) for row in rows]

    async def issue_events(self, issue_id: int, limit: int) -> list[int]:
        """The numbers of the newest events that are kept of an issue."""
        sql = "SELECT event_id FROM issue_event WHERE issue_id = ? ORDER BY event_id DESC LIMIT ?"
        return [int(row[0]) for row in await self.core.history.rows(sql, (issue_id, limit))]

    async def newest_events(self, issue_id: int) -> dict[str, int]:
        """The newest event that is kept of each grouping key."""
        return dict(await self.core.history.rows(NEWEST_EVENTS, (issue_id,)))

    async def incidents(self, which: IncidentFilter) -> list[Incident]:
        """One page of incidents; what has no column is looked up in the body."""
        where, params = ["1"], []
        for column, value in (
            ("workspace_id", which.workspace_id),
            ("project", which.project),
            (_ENVIRONMENT, which.environment),
            (_KIND, which.kind),
        ):
            if value is not None:
                where.append(f"{column} = ?")
                params.append(value)
        if which.states is not None:
            where.append(f"state IN ({','.join(str(int(state)) for state in which.states)})")
        if which.below is not None:
            where.append("id < ?")
            params.append(which.below)
        sql = f"SELECT body FROM incident WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608 - fixed texts
        return [decode_incident(row[0]) for row in await self.core.history.rows(sql, (*params, which.limit))]

    async def incident(self, incident_id: int) -> Incident | None:
        """One incident."""
        row = await self.core.reads.row("SELECT body FROM incident WHERE id = ?", (incident_id,))
        return None if row is None else decode_incident(row[0])


def _transition(
    issue_id: int, change: int, before: int | None, after: int, at_ms: int, why: str, by: str
) -> Transition:
    was = None if before is None else State(before)
    return Transition(issue_id, Change(change), was, State(after), at_ms, why, by)
