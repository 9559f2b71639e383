"""Simulated incidents: a report like any other, read by the decoder of reports and sent down the pipeline, marked as a test.

Its source (`alertd.model.event.SIMULATION`) is the mark: what bears it is shown as a test wherever it goes, and is
counted nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import orjson
from pydantic import Field

from alertd.clock import rfc3339
from alertd.errors import ConflictError
from alertd.model.event import SIMULATION
from alertd.model.fields import PlaceName, Resource
from alertd.sources.base import Context as Decoding
from alertd.sources.incident import IncidentDecoder
from alertd.sources.outside import WebhookRequest
from alertd.sources.sentry_defaults import SentryDefaults

if TYPE_CHECKING:
    from alertd.api.context import Context
    from alertd.model.event import Event
    from alertd.model.incident import Incident

COUNTED_AS: Final = "simulation"
"""The source of simulated events in the metric of events."""
_MINUTE_MS: Final = 60_000
_FRAMES: Final = (
    {"file": "shop/payment.py", "function": "charge", "line": 42},
    {"file": "shop/checkout.py", "function": "pay", "line": 17},
)
_COMMITS: Final = (
    {"id": "5d41402abc4b2a76b9719d911017c592aaaaaaaa", "files": ["shop/payment.py", "tests/test_payment.py"]},
    {"id": "7d793037a0760186574b0282f2f435e7bbbbbbbb", "files": ["docs/index.md"]},
)


class Simulate(Resource):
    """What to simulate: where, how bad, and what it says."""

    project: PlaceName = "simulation"
    environment: PlaceName = "prod"
    severity: Literal["warning", "error", "critical"] = "error"
    message: Annotated[str, Field(min_length=1, max_length=1000)] = "the payment provider does not answer"


async def simulate(context: Context, workspace: str, given: Simulate) -> Incident:
    """Report a made-up incident in a workspace and return what it opened.

    Raises ConflictError when too many incidents are open, IntakeFullError, StoreUnavailableError.
    """
    key = f"simulation-{context.ids.take()}"
    event = _event(context, workspace, given, key)
    await context.pipeline.submit([event], len(event.payload), COUNTED_AS)
    for incident in context.pipeline.issues.incidents.values():
        if incident.key == key:
            return incident
    raise ConflictError("as many incidents are open as there may be: resolve some")


def _event(context: Context, workspace: str, given: Simulate, key: str) -> Event:
    now_ms = context.clock.now_ms()
    deployed = rfc3339(now_ms - 10 * _MINUTE_MS)
    body = orjson.dumps(
        {
            "source": SIMULATION,
            "service": given.project,
            "environment": given.environment,
            "timestamp": rfc3339(now_ms),
            "severity": given.severity,
            "exception_type": "SimulatedError",
            "message": f"{given.message} (simulated)",
            "stacktrace": _FRAMES,
            "tags": {"simulation": key},
            "change_window": {
                "deploy_time": deployed,
                "commits": [{**each, "timestamp": deployed} for each in _COMMITS],
            },
        }
    )
    decoding = Decoding(workspace, now_ms, frozenset({workspace}))
    defaults = SentryDefaults(project=given.project, environment=given.environment, issue_key=lambda *_: key)
    (event,) = IncidentDecoder().decode(WebhookRequest({}, body, body), decoding, defaults)
    return event
