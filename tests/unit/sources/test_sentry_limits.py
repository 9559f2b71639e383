"""`X-Sentry-Rate-Limits`."""

from __future__ import annotations

import pytest
from sentry_sdk.transport import _parse_rate_limits

from alertd.sources.sentry_limits import SentryLimit, format_limits


@pytest.mark.parametrize(
    ("limits", "header"),
    [
        ([SentryLimit(60, ("error", "default"))], "60:error;default:project"),
        ([SentryLimit(5, (), "key", "rate")], "5::key:rate"),
        ([SentryLimit(0)], "1::project"),
        (
            [SentryLimit(60, ("error",), "organization"), SentryLimit(3600, ("session",))],
            "60:error:organization, 3600:session:project",
        ),
        ([], ""),
    ],
)
def test_the_header(limits: list[SentryLimit], header: str) -> None:
    """Limits are written as the protocol says, the least wait being a second."""
    assert format_limits(limits) == header


def test_the_python_sdk_reads_it() -> None:
    """What is written, a real SDK takes for what was meant."""
    read = [category for category, _ in _parse_rate_limits(format_limits([SentryLimit(60, ("error", "monitor"))]))]
    assert read == ["error", "monitor"]
    assert [category for category, _ in _parse_rate_limits(format_limits([SentryLimit(5, reason="full")]))] == [None]
