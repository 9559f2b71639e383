"""The destination types that ship, held to their contract."""

from __future__ import annotations

from alertd.destinations.base import HttpAnswer
from alertd.destinations.console import ConsoleType
from alertd.destinations.null import NullType
from alertd.destinations.webhook import WebhookType
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import HTTP_FAILURES, DestinationSuite


class TestWebhook(DestinationSuite):
    """The type `webhook`."""

    kind = WebhookType()
    settings = {  # noqa: RUF012 - read only
        "url": "https://hooks.example.com/tok-5f3",
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "headers": {"Authorization": "Bearer hunter2"},
    }
    secrets = ("whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hunter2", "tok-5f3")
    answers = (
        *HTTP_FAILURES,
        (HttpAnswer(200, {}, b"ok"), OutcomeKind.DELIVERED),
        (HttpAnswer(204, {}, b""), OutcomeKind.DELIVERED),
        (HttpAnswer(410, {}, b""), OutcomeKind.GONE),
    )


class TestConsole(DestinationSuite):
    """The type `console`."""

    kind = ConsoleType()


class TestNull(DestinationSuite):
    """The type `null`."""

    kind = NullType()
