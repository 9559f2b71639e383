"""Points in time as messages show them. Pure; what is no time is shown as it is, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime


def unix_seconds(time: str) -> int | None:
    """Read an RFC 3339 time as seconds since 1970; None when it is none."""
    parsed = _parse(time)
    return None if parsed is None else int(parsed.timestamp())


def shown(time: str) -> str:
    """Write an RFC 3339 time for people: `2026-05-07 00:00 UTC`; empty when it is none."""
    parsed = _parse(time)
    return "" if parsed is None else parsed.strftime("%Y-%m-%d %H:%M UTC")


def _parse(time: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(time)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None


def normal(time: str) -> str:
    """Write an RFC 3339 time in UTC with a Z, to the microsecond at most; empty when it is none."""
    parsed = _parse(time)
    return "" if parsed is None else parsed.isoformat().replace("+00:00", "Z")


def of_seconds(seconds: float) -> str:
    """Write seconds since 1970 as RFC 3339, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
