"""What metrics say of themselves."""

from __future__ import annotations

import re
from typing import get_args

from alertd.api.simulation import COUNTED_AS
from alertd.intake import sentry_sdk
from alertd.metrics import Metrics
from alertd.model.intake_endpoint import WebhookSource


def test_every_source_of_events_is_named() -> None:
    """Who reads the help text knows every value of the label."""
    [told] = [family.documentation for family in Metrics("1").registry.collect() if family.name == "alertd_events"]
    sources = {"http", "kafka", "alertd", sentry_sdk.SOURCE, COUNTED_AS, *get_args(WebhookSource)}
    assert sources <= set(re.findall(r"\w+", told.partition(" and result")[0]))
