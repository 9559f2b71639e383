"""A check-in of a monitored job, as an event of type `sentry.check_in`.

`status` is in_progress, ok, error, missed or timeout; the last three have the severity `error`, the others `info`. The
monitor is the `key`; labels are `monitor` and `status`. The id is `check_in:`, the check-in's own id and the status, so
that one that is sent twice is one event; the id of zeros, which stands for the latest one, makes none.

`data.check_in`: check_in_id, monitor_slug [128], status, duration_seconds, release [250], and what came of
monitor_config: schedule (type, value, unit), checkin_margin, max_runtime (both in minutes), timezone,
failure_issue_threshold, recovery_threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.sources.explain import found
from alertd.sources.problems import Problems
from alertd.sources.sentry_fields import event_id_of, labels_of, line_of, place_of, present, text_of, time_of
from alertd.sources.sentry_fit import fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.sentry_defaults import SentryDefaults

TYPE: Final = "sentry.check_in"
LEVELS: Final = {"in_progress": "info", "ok": "info", "error": "error", "missed": "error", "timeout": "error"}
"""Every status of a check-in, with the level that it stands for."""
MONITOR_MAX: Final = 128
"""Greatest length of a monitor's name, in characters."""

_LATEST: Final = "0" * 32
_RELEASE_MAX: Final = 250
_CONFIG: Final = ("checkin_margin", "max_runtime", "timezone", "failure_issue_threshold", "recovery_threshold")
_SCHEDULE: Final = ("type", "value", "unit")
_TEXT_MAX: Final = 128


def decode_check_in(given: Mapping[str, Any], pointer: str, context: Context, defaults: SentryDefaults) -> Event:
    """Make the event of a `check_in` item's payload. Raises `DecodeError`; errors are below `pointer`."""
    slug, status, check_in_id = _required(given, pointer)
    trimmed: set[str] = set()
    monitor = text_of(slug, MONITOR_MAX, "check_in.monitor_slug", trimmed) or ""
    check_in: dict[str, Any] = {"monitor_slug": monitor, "status": status}
    native: dict[str, Any] = {
        "type": defaults.type_of(TYPE),
        "source": "sentry-sdk",
        "severity": defaults.severity_of(LEVELS[status]),
        "key": line_of(monitor, MONITOR_MAX),
        "message": f"{monitor}: {status}",
        "labels": labels_of({"monitor": monitor, "status": status}, trimmed),
        "data": {"check_in": check_in},
    }
    if check_in_id is not None:
        check_in["check_in_id"] = check_in_id
        if check_in_id != _LATEST:
            native["id"] = f"check_in:{check_in_id}:{status}"
    duration = given.get("duration")
    if isinstance(duration, (int, float)) and not isinstance(duration, bool):
        check_in["duration_seconds"] = duration
    release = text_of(given.get("release"), _RELEASE_MAX, "check_in.release", trimmed)
    if release:
        check_in["release"] = release
    config = _config(given.get("monitor_config"), trimmed)
    if config:
        check_in["monitor_config"] = config
    native |= present(
        project=defaults.project,
        environment=place_of(given.get("environment")) or defaults.environment,
        time=time_of(given.get("timestamp")),
    )
    return fit(native, trimmed, context)


def _required(given: Mapping[str, Any], pointer: str) -> tuple[str, str, str | None]:
    """Return monitor, status and id. Raises `DecodeError` with every one that is wrong."""
    problems = Problems()
    slug, status, own_id = (given.get(name) for name in ("monitor_slug", "status", "check_in_id"))
    if not isinstance(slug, str) or not line_of(slug, MONITOR_MAX):
        problems.add(f"{pointer}/monitor_slug", f"expected a monitor's name, found {found(slug)}")
    if not isinstance(status, str) or status not in LEVELS:
        problems.add(f"{pointer}/status", f"expected one of {', '.join(LEVELS)}, found {found(status)}")
    check_in_id = event_id_of(own_id)
    if own_id is not None and check_in_id is None:
        problems.add(f"{pointer}/check_in_id", f"expected a UUID, found {found(own_id)}")
    problems.check()
    return str(slug), str(status), check_in_id


def _config(given: Any, trimmed: set[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    kept = _scalars(given, _CONFIG, trimmed)
    schedule = given.get("schedule")
    if isinstance(schedule, dict) and (read := _scalars(schedule, _SCHEDULE, trimmed)):
        kept["schedule"] = read
    return kept


def _scalars(given: Mapping[str, Any], names: tuple[str, ...], trimmed: set[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in names:
        value = given.get(name)
        if isinstance(value, str):
            value = text_of(value, _TEXT_MAX, "check_in.monitor_config", trimmed)
        if value is not None and not isinstance(value, (dict, list)):
            kept[name] = value
    return kept
