"""Issues and incidents that nobody has heard of for long are deleted, in slices: walks along their ids, which are times.

A walk looks only at what was begun before the time in question; whatever lives on is passed over without its body
being read. No index is kept for it, so that events pay nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from alertd.engine.issues.forgetting import Age, Forgotten, is_over, is_past
from alertd.engine.issues.stored import decode_issue, decode_ledger, encode_ledger
from alertd.engine.issues.stored_incident import decode_incident
from alertd.model.ids import first_of, milliseconds
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.statement import json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from alertd.model.issue import Issue, ProjectKey

TRANSITIONS_MAX: Final = 2_000
"""How many old transitions one transaction deletes at most."""

OLD: Final = """
SELECT id, CASE WHEN last_seen < :before THEN body END
FROM issue WHERE id > :behind AND id < :below ORDER BY id LIMIT :limit
"""
OLD_INCIDENTS: Final = """
SELECT id, CASE WHEN state = 2 THEN body END
FROM incident WHERE id > :behind AND id < :below ORDER BY id LIMIT :limit
"""
DROP_OLD_TRANSITIONS: Final = """
DELETE FROM transition WHERE (issue_id, id) IN (
    SELECT t.issue_id, t.id FROM json_each(:issues) n CROSS JOIN transition t
    WHERE t.issue_id = n.value AND t.id < :below LIMIT :most)
"""
ACTED: Final = "SELECT max(id) FROM transition WHERE issue_id = ?"
IS_OPEN: Final = "SELECT 1 FROM incident WHERE id = ? AND state < 2"
FORMERS: Final = "SELECT id FROM former_issue WHERE issue_id IN (SELECT value FROM json_each(?))"
DROP_TRANSITIONS: Final = "DELETE FROM transition WHERE issue_id IN (SELECT value FROM json_each(?))"
DROP_FORMERS: Final = "DELETE FROM former_issue WHERE id IN (SELECT value FROM json_each(?))"
DROP_KEY: Final = "DELETE FROM issue_key WHERE workspace_id = ? AND project = ? AND key = ? AND issue_id = ?"
DROP_ISSUES: Final = "DELETE FROM issue WHERE id IN (SELECT value FROM json_each(?))"
HAS_ISSUE: Final = "SELECT 1 FROM issue WHERE workspace_id = ? AND project = ? LIMIT 1"
LEDGER: Final = "SELECT body FROM ledger WHERE workspace_id = ? AND project = ?"
KEEP_LEDGER: Final = "UPDATE ledger SET body = ? WHERE workspace_id = ? AND project = ?"
DROP_INCIDENTS: Final = "DELETE FROM incident WHERE id IN (SELECT value FROM json_each(?))"
DROP_CHANGES: Final = "DELETE FROM change WHERE id IN (SELECT id FROM change WHERE at < ? ORDER BY at LIMIT ?)"
DROP_SAMPLES: Final = """
DELETE FROM issue_event WHERE event_id IN (
    SELECT event_id FROM issue_event WHERE event_id < (SELECT coalesce(min(id), 9223372036854775807) FROM event)
    ORDER BY event_id LIMIT ?)
"""


class Forgetting(Part):
    """What the retention of issues asks."""

    async def forget_issues(self, age: Age, behind: int, limit: int) -> Forgotten:
        """Delete those of the next issues that are over."""
        return await self.core.writer.run(partial(_forget_issues, age=age, behind=behind, limit=limit))

    async def forget_incidents(self, age: Age, behind: int, limit: int) -> Forgotten:
        """Delete those of the next incidents that are past."""
        return await self.core.writer.run(partial(_forget_incidents, age=age, behind=behind, limit=limit))

    async def forget_changes(self, before_ms: int, limit: int) -> int:
        """Delete old changes."""
        return await self.core.writer.run(lambda conn: conn.execute(DROP_CHANGES, (before_ms, limit)).rowcount)

    async def forget_samples(self, limit: int) -> int:
        """Delete entries of samples whose events retention has deleted; those of events that are there go with them."""
        return await self.core.writer.run(lambda conn: conn.execute(DROP_SAMPLES, (limit,)).rowcount)


def _forget_issues(conn: sqlite3.Connection, age: Age, behind: int, limit: int) -> Forgotten:
    below = first_of(age.before_ms)
    bounds = {"before": age.before_ms, "behind": behind, "below": below, "limit": limit}
    rows = conn.execute(OLD, bounds).fetchall()
    known = json_list([row[0] for row in rows])
    old = {"issues": known, "below": below, "most": TRANSITIONS_MAX}
    if rows and conn.execute(DROP_OLD_TRANSITIONS, old).rowcount == TRANSITIONS_MAX:
        return Forgotten((), behind)
    going = [issue for issue in (decode_issue(body) for _, body in rows if body) if _is_over(conn, issue, age)]
    if going:
        _drop(conn, going)
    emptied = _emptied(conn, going)
    for project in emptied:
        _shorten(conn, project, age.before_ms)
    return Forgotten([issue.id for issue in going], rows[-1][0] if len(rows) == limit else None, emptied)


def _is_over(conn: sqlite3.Connection, issue: Issue, age: Age) -> bool:
    acted = conn.execute(ACTED, (issue.id,)).fetchone()[0]
    if not is_over(issue, milliseconds(acted or 0), age):
        return False
    return issue.incident_id is None or conn.execute(IS_OPEN, (issue.incident_id,)).fetchone() is None


def _drop(conn: sqlite3.Connection, going: Sequence[Issue]) -> None:
    numbers = [issue.id for issue in going]
    formers = [row[0] for row in conn.execute(FORMERS, (json_list(numbers),))]
    conn.executemany(DROP_KEY, [(i.workspace_id, i.project, key, i.id) for i in going for key in i.keys])
    conn.execute(DROP_TRANSITIONS, (json_list([*numbers, *formers]),))
    conn.execute(DROP_FORMERS, (json_list(formers),))
    conn.execute(DROP_ISSUES, (json_list(numbers),))


def _emptied(conn: sqlite3.Connection, gone: Sequence[Issue]) -> list[ProjectKey]:
    """Name the projects that have no issue any more."""
    projects = dict.fromkeys((issue.workspace_id, issue.project) for issue in gone)
    return [project for project in projects if conn.execute(HAS_ISSUE, project).fetchone() is None]


def _shorten(conn: sqlite3.Connection, project: ProjectKey, before_ms: int) -> None:
    """Let a ledger forget its old releases."""
    row = conn.execute(LEDGER, project).fetchone()
    if row is not None:
        ledger = decode_ledger(row[0])
        ledger.forget_releases(before_ms)
        conn.execute(KEEP_LEDGER, (encode_ledger(ledger), *project))


def _forget_incidents(conn: sqlite3.Connection, age: Age, behind: int, limit: int) -> Forgotten:
    rows = conn.execute(OLD_INCIDENTS, {"behind": behind, "below": first_of(age.before_ms), "limit": limit}).fetchall()
    going = [number for number, body in rows if body and is_past(decode_incident(body), age)]
    if going:
        conn.execute(DROP_INCIDENTS, (json_list(going),))
    return Forgotten(going, rows[-1][0] if len(rows) == limit else None)
