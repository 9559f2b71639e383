"""Incidents in their stored form: a JSON array that begins with its version.

What a later version adds goes to the end. Columns that are searched (state, times, project) are the store's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.errors import StoreVersionError
from alertd.model.incident import Deploy, Incident, IncidentKind, IncidentState, Moment, ScorePart, Shipped, Suspect

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Final = 1
"""The version that is written; later ones are refused."""

_BROUGHT: Final = 5
"""The place of a deployment's commits."""


def encode_incident(incident: Incident) -> bytes:
    """Write an incident."""
    return orjson.dumps(
        (
            VERSION,
            incident.id,
            incident.workspace_id,
            incident.project,
            incident.environment,
            incident.kind,
            incident.title,
            incident.opened_ms,
            incident.last_event_ms,
            incident.state,
            incident.issue_id,
            incident.cause,
            incident.key,
            incident.url,
            [(part.name, part.points, part.why) for part in incident.parts],
            [_suspect_row(suspect) for suspect in incident.suspects],
            [_deploy_row(deploy) for deploy in incident.deploys],
            [(moment.at_ms, moment.what, moment.text, moment.by) for moment in incident.timeline],
            incident.omitted,
            incident.acknowledged_ms,
            incident.acknowledged_by,
            incident.resolved_ms,
            incident.resolved_by,
            incident.test,
            incident.severity,
        )
    )


def _deploy_row(deploy: Deploy) -> tuple[Any, ...]:
    return (
        deploy.at_ms,
        deploy.name,
        deploy.environment,
        deploy.url,
        deploy.revision,
        [tuple(each) for each in deploy.commits],
        deploy.commit_count,
    )


def _suspect_row(suspect: Suspect) -> tuple[Any, ...]:
    return (
        suspect.commit_id,
        suspect.score,
        suspect.reasons,
        suspect.author,
        suspect.message,
        suspect.at_ms,
        suspect.url,
    )


def decode_incident(stored: bytes) -> Incident:
    """Read an incident back. Raises StoreVersionError for a later version."""
    version, *fields = orjson.loads(stored)
    if version > VERSION:
        raise StoreVersionError(f"an incident of version {version} was written by a newer alertd")
    fields[4], fields[8] = IncidentKind(fields[4]), IncidentState(fields[8])
    fields[13] = tuple(ScorePart(*row) for row in fields[13])
    fields[14] = tuple(_suspects(fields[14]))
    fields[15] = tuple(_deploy(row) for row in fields[15])
    fields[16] = tuple(Moment(*row) for row in fields[16])
    return Incident(*fields)


def _deploy(row: list[Any]) -> Deploy:
    if len(row) > _BROUGHT:
        row[_BROUGHT] = tuple(Shipped(*each) for each in row[_BROUGHT])
    return Deploy(*row)


def _suspects(rows: Iterable[list[Any]]) -> Iterable[Suspect]:
    for commit_id, score, reasons, *rest in rows:
        yield Suspect(commit_id, score, tuple(reasons), *rest)
