"""Issues on SQLite: one small blob each for the engine, with columns for those who search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.engine.issues.stored import decode_issue, decode_ledger, encode_issue, encode_ledger
from alertd.engine.issues.stored_incident import decode_incident, encode_incident
from alertd.model.incident import IncidentState
from alertd.model.issue import Change, State, Transition
from alertd.store.sqlite.part import Part

if TYPE_CHECKING:
    import sqlite3

    from alertd.engine.issues.batch import Loaded, Wanted
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue
    from alertd.model.ledger import Ledger
    from alertd.store.issues import IssueFilter, IssueWrites

_ISSUE: Final = (
    "INSERT INTO issue(id, workspace_id, project, number, state, level, assignee, last_seen, body)"
    " VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET state = excluded.state, level = excluded.level,"
    " assignee = excluded.assignee, last_seen = excluded.last_seen, body = excluded.body"
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
_EVENT: Final = "INSERT INTO issue_event(event_id, issue_id, body) VALUES (?,?,?)"
_BY_KEY: Final = (
    "SELECT k.issue_id, i.body FROM issue_key k JOIN issue i ON i.id = k.issue_id"
    " WHERE k.workspace_id = ? AND k.project = ? AND k.key = ?"
)


def write_issues(conn: sqlite3.Connection, writes: IssueWrites) -> None:
    """Write what a batch or a command changed, within the transaction at hand."""
    for i in writes.issues:
        row = (i.id, i.workspace_id, i.project, i.number, int(i.state), i.level, i.assignee, i.last_seen_ms)
        conn.execute(_ISSUE, (*row, encode_issue(i)))
    conn.executemany(_KEY, [(*key, issue_id) for key, issue_id in writes.keys.items()])
    conn.executemany(_LEDGER, [(*key, encode_ledger(ledger)) for key, ledger in writes.ledgers.items()])
    for n in writes.incidents:
        conn.execute(_INCIDENT, (n.id, n.workspace_id, n.project, int(n.state), encode_incident(n)))
    conn.executemany(_TRANSITION, [_transition_row(number, each) for number, each in writes.transitions])
    conn.executemany(_EVENT, [(each.event_number, each.issue_id, each.body) for each in writes.events])


def _transition_row(number: int, each: Transition) -> tuple[Any, ...]:
    before = None if each.before is None else int(each.before)
    return (number, each.issue_id, int(each.change), before, int(each.after), each.at_ms, each.why, each.by)


class Issues(Part):
    """What the pipeline and the API ask."""

    async def read_issues(self, wanted: Wanted, into: Loaded) -> None:
        """Read what is wanted."""
        for key in wanted.keys:
            row = await self.core.reads.row(_BY_KEY, key)
            if row is not None:
                issue = decode_issue(row[1])
                into.issues[issue.id] = issue
                into.keys.update({(issue.workspace_id, issue.project, own): issue.id for own in issue.keys})
        for workspace_id, project in wanted.projects:
            ledger = await self.ledger(workspace_id, project)
            if ledger is not None:
                into.ledgers[workspace_id, project] = ledger
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

    async def issue_number(self, workspace_id: int, project: str, number: int) -> int | None:
        """The id of the issue with this number in a project."""
        sql = "SELECT id FROM issue WHERE workspace_id = ? AND project = ? COLLATE NOCASE AND number = ?"
        row = await self.core.history.row(sql, (workspace_id, project, number))
        return None if row is None else int(row[0])

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

    async def incidents(
        self, workspace_id: int | None, *, is_open: bool | None, below: int | None, limit: int
    ) -> list[Incident]:
        """Up to `limit` incidents, newest first."""
        where, params = ["1"], []
        if workspace_id is not None:
            where.append("workspace_id = ?")
            params.append(workspace_id)
        if is_open is not None:
            where.append(f"state {'!=' if is_open else '='} ?")
            params.append(int(IncidentState.RESOLVED))
        if below is not None:
            where.append("id < ?")
            params.append(below)
        sql = f"SELECT body FROM incident WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608 - fixed texts
        return [decode_incident(row[0]) for row in await self.core.history.rows(sql, (*params, limit))]

    async def incident(self, incident_id: int) -> Incident | None:
        """One incident."""
        row = await self.core.reads.row("SELECT body FROM incident WHERE id = ?", (incident_id,))
        return None if row is None else decode_incident(row[0])


def _transition(
    issue_id: int, change: int, before: int | None, after: int, at_ms: int, why: str, by: str
) -> Transition:
    was = None if before is None else State(before)
    return Transition(issue_id, Change(change), was, State(after), at_ms, why, by)
