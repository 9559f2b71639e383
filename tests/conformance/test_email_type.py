"""The destination type `email`, held to the contract of all types; what a server takes is in the integration tests."""

from __future__ import annotations

from alertd.destinations.base import World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.email import EmailType
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.registry import parse_settings
from alertd.model.ids import DELIVERY, first_of, format_id
from tests.conformance.destination_suite import DestinationSuite, FixedClock
from tests.conformance.messages import make_message


class TestEmail(DestinationSuite):
    """Letters over SMTP."""

    kind = EmailType()
    settings = {  # noqa: RUF012 - as the suite declares it
        "to": ["ops@example.com", "@owner"],
        "host": "smtp.example.com",
        "username": "alerts",
        "password": "s3cr3t-of-mail",
    }
    secrets = ("s3cr3t-of-mail",)

    def test_a_letter_is_of_the_time_when_its_delivery_was_made(self) -> None:
        """So one that could not be sent for hours stands before its end in a mailbox; a test message is of now."""
        world = World(FixedClock(), AiohttpSender(EgressPolicy()), print)
        opened = self.kind.open(parse_settings("email", self.settings), 5.0, world)
        delivery_id = format_id(DELIVERY, first_of(1_778_000_000_999) + 7)
        dates = [opened.preview(make_message(delivery_id=each)).headers["Date"] for each in (delivery_id, "dlv_test")]
        assert dates == ["Tue, 05 May 2026 16:53:20 +0000", "Thu, 07 May 2026 00:00:00 +0000"]
