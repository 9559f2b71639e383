"""Issues and ledgers in their stored form: one small versioned blob each.

An issue: a byte for the version, four for the length of a JSON array, the array, then the sketch of its users and its
traffic, each behind two bytes for its length. What a later version adds goes to the end of the array, so that an older
blob reads as one without it. Columns that are searched (state, times, title …) are the store's; the blob has them too,
because it alone is what the engine reads.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.errors import StoreVersionError
from alertd.model.issue import How, Issue, Mute, Resolution, Share, State
from alertd.model.ledger import Ledger
from alertd.model.traffic import decode_traffic, encode_traffic

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 1
"""The version that is written; later ones are refused."""

_HEAD: Final = struct.Struct("<BI")
_LENGTH: Final = struct.Struct("<H")


def encode_issue(issue: Issue) -> bytes:
    """Write an issue."""
    fields = orjson.dumps(
        (
            issue.id,
            issue.workspace_id,
            issue.project,
            issue.number,
            issue.key,
            issue.title,
            issue.culprit,
            issue.level,
            issue.state,
            issue.since_ms,
            issue.first_seen_ms,
            issue.last_seen_ms,
            issue.count,
            issue.last_event_id,
            issue.first_release,
            issue.last_release,
            issue.environments,
            issue.releases,
            issue.assignee,
            issue.regressions,
            issue.incident_id,
            issue.resolution and tuple(issue.resolution),
            issue.mute and tuple(issue.mute),
            None if issue.shares is None else _shares(issue.shares),
            issue.arrived_ms,
        )
    )
    traffic = b"" if issue.traffic is None else encode_traffic(issue.traffic)
    users = issue.users
    return b"".join(
        (_HEAD.pack(VERSION, len(fields)), fields, _LENGTH.pack(len(users)), users, _LENGTH.pack(len(traffic)), traffic)
    )


def decode_issue(stored: bytes) -> Issue:
    """Read an issue back. Raises StoreVersionError for a later version."""
    fields, rest = _open(stored)
    environments, releases, assignee, regressions, incident_id, resolution, mute, shares, arrived_ms = fields[16:25]
    (size,) = _LENGTH.unpack_from(stored, rest)
    users = stored[rest + _LENGTH.size : rest + _LENGTH.size + size]
    traffic = stored[rest + 2 * _LENGTH.size + size :]
    issue = Issue(*fields[:16])
    issue.state = State(issue.state)
    issue.environments, issue.releases, issue.users = tuple(environments), tuple(releases), users
    issue.assignee, issue.regressions, issue.incident_id = assignee, regressions, incident_id
    issue.resolution = None if resolution is None else Resolution(How(resolution[0]), *resolution[1:])
    issue.mute = None if mute is None else Mute(*mute)
    issue.shares = None if shares is None else {key: _share(*share) for key, *share in shares}
    issue.traffic = decode_traffic(traffic) if traffic else None
    issue.arrived_ms = arrived_ms
    return issue


def encode_ledger(ledger: Ledger) -> bytes:
    """Write a ledger."""
    fields = orjson.dumps(
        (
            ledger.workspace_id,
            ledger.project,
            ledger.next_number,
            ledger.version,
            ledger.releases,
            ledger.allowance,
            ledger.allowed_ms,
        )
    )
    return _HEAD.pack(VERSION, len(fields)) + fields


def decode_ledger(stored: bytes) -> Ledger:
    """Read a ledger back. Raises StoreVersionError for a later version."""
    fields, _ = _open(stored)
    return Ledger(*fields)


def _open(stored: bytes) -> tuple[list[Any], int]:
    version, length = _HEAD.unpack_from(stored)
    if version > VERSION:
        raise StoreVersionError(f"an issue of version {version} was written by a newer alertd")
    end = _HEAD.size + length
    return orjson.loads(stored[_HEAD.size : end]), end


def _shares(shares: Mapping[str, Share]) -> list[tuple[Any, ...]]:
    return [
        (key, s.events, s.first_seen_ms, s.last_seen_ms, b64encode(s.users).decode(), s.title)
        for key, s in shares.items()
    ]


def _share(events: int, first_seen_ms: int, last_seen_ms: int, users: str, title: str) -> Share:
    return Share(events, first_seen_ms, last_seen_ms, b64decode(users), title)
