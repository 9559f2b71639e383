"""The destination type `email`, held to the contract of all types; what a server takes is in the integration tests."""

from __future__ import annotations

from alertd.destinations.email import EmailType
from tests.conformance.destination_suite import DestinationSuite


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
