"""Webhooks of Sentry as the values of Kafka records."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from alertd.errors import DecodeError, NotJsonError
from alertd.sources.base import NoEventError
from alertd.sources.detect import Format, decode_kafka
from tests.unit.sources.sentry_samples import CONTEXT, ERROR, alert, hook, issue

HEADER = ("Sentry-Hook-Resource", b"issue")


def decoded(form: Format, value: Any, *headers: tuple[str, bytes | None]) -> str:
    """Decode a record and return its event's type."""
    return decode_kafka(form, list(headers), orjson.dumps(value), CONTEXT).type


def test_the_format_sentry() -> None:
    """A value is told by its header, else by its members."""
    assert decoded("sentry", issue("resolved"), HEADER) == "sentry.issue.resolved"
    assert decoded("sentry", issue("resolved")) == "sentry.issue.resolved"
    assert decoded("sentry", alert()) == "sentry.error"
    assert decoded("sentry", hook("created", error=ERROR), ("x", None)) == "sentry.error"
    with pytest.raises(DecodeError, match="/data/issue: is required"):
        decoded("sentry", alert(), HEADER)


def test_the_format_auto() -> None:
    """Among others, the header makes it a webhook of Sentry, or an action with its data where there is no `type`."""
    assert decoded("auto", issue("resolved"), ("sentry-hook-resource", b"issue")) == "sentry.issue.resolved"
    assert decoded("auto", issue("resolved")) == "sentry.issue.resolved"
    assert decoded("auto", alert()) == "sentry.error"
    assert decoded("auto", {"type": "a"}) == "a"
    for other in (
        {**issue("resolved"), "type": "a"},
        {"action": "created", "data": {"x": 1}},
        {"action": 1, "data": {}},
    ):
        with pytest.raises(DecodeError, match="unknown field"):
            decoded("auto", other)


def test_an_error_without_an_issue_of_sentry() -> None:
    """It is grouped as at an endpoint: by its fingerprint, not by its title."""
    records = [orjson.dumps(alert(title=title, issue_id=None)) for title in ("one", "another")]
    keys = {decode_kafka("sentry", [], record, CONTEXT).key for record in records}
    assert len(keys) == 1
    assert keys.pop().startswith("1:")


def test_what_becomes_no_event_is_refused() -> None:
    """A record must hold an event; one that holds none is passed over, one without a value is not read."""
    with pytest.raises(NoEventError, match="becomes no event"):
        decoded("sentry", {"action": "created"}, ("Sentry-Hook-Resource", b"installation"))
    with pytest.raises(NotJsonError, match="no value"):
        decode_kafka("sentry", [], None, CONTEXT)
