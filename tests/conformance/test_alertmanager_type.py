"""The types `alertmanager` and `file`, held to the contract of destinations."""

from __future__ import annotations

import json
import re
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest
from typing_extensions import override

from alertd.destinations.alertmanager import AlertmanagerType
from alertd.destinations.base import HttpAnswer
from alertd.destinations.file import FileType
from alertd.destinations.moments import unix_seconds
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import HTTP_FAILURES, NOW, DestinationSuite, ScriptedSender

if TYPE_CHECKING:
    from pathlib import Path

    from alertd.destinations.base import HttpRequest, Message, OpenDestination
    from alertd.model.delivery import Outcome

NUMBERS: Final = count()
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class TestAlertmanager(DestinationSuite):
    """The type `alertmanager`."""

    kind = AlertmanagerType()
    settings = {  # noqa: RUF012 - read only
        "url": "http://alertmanager.example.com:9093/am/",
        "username": "alertd",
        "password": "correct-horse",
    }
    secrets = ("correct-horse",)
    answers = (*HTTP_FAILURES, (HttpAnswer(200, {}, b""), OutcomeKind.DELIVERED))

    @override
    def check_request(self, request: HttpRequest) -> None:
        """Each alert has labels, has begun by now, and ends after it began."""
        assert request.url == "http://alertmanager.example.com:9093/am/api/v2/alerts"
        alerts = json.loads(request.body)
        assert alerts
        for alert in alerts:
            assert alert["labels"]["alertname"]
            for pairs in (alert["labels"], alert["annotations"]):
                assert all(LABEL.fullmatch(name) and value for name, value in pairs.items())
            starts, ends = unix_seconds(alert["startsAt"]), unix_seconds(alert["endsAt"])
            assert starts is not None
            assert ends is not None
            assert starts <= NOW
            assert starts <= ends


class TestFile(DestinationSuite):
    """The type `file`: every line is whole, whatever a message says."""

    kind = FileType()
    settings = {"path": "/var/lib/alertd/alerts.ndjson"}  # noqa: RUF012 - read only

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @override
    def open(self, sender: ScriptedSender) -> OpenDestination:
        """Open one that writes into a folder of its own."""
        self.lines = []
        self.path = self.folder / f"{next(NUMBERS)}.ndjson"
        return FileType().open(self.kind.settings_model.model_validate({"path": str(self.path)}), 10.0, None)  # type: ignore[arg-type]  # it needs no surroundings

    @override
    async def attempt(self, sender: ScriptedSender, message: Message) -> Outcome:
        """Attempt, and read what is in the file."""
        outcome = await super().attempt(sender, message)
        if outcome.kind is OutcomeKind.DELIVERED:
            written = self.path.read_bytes()
            assert written.endswith(b"\n")
            assert written.count(b"\n") == 1 + message.event.count(b"\n")
            self.path.unlink()
        return outcome
