"""The destination type `apprise`, held to its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.destinations.apprise import BODY_MAX, TITLE_MAX, AppriseType, letter_of
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import DestinationSuite, ScriptedSender, make_message

if TYPE_CHECKING:
    from alertd.destinations.base import Message


class TestApprise(DestinationSuite):
    """The type `apprise`."""

    kind = AppriseType()
    settings = {"url": "json://alertd:hunter2-hunter2@127.0.0.1:9/tok-en-5f3"}  # noqa: RUF012 - read only
    secrets = ("hunter2", "tok-en-5f3")

    @override
    async def check(self, message: Message) -> None:
        """Whatever is said is one bounded text with a title, of one of the library's kinds, that mentions nobody."""
        letter = letter_of(message)
        assert 0 < len(letter.title) <= TITLE_MAX
        assert 0 < len(letter.body) <= BODY_MAX
        assert letter.kind in {"info", "success", "warning", "failure"}
        assert "\n" not in letter.title
        for text in (letter.title, letter.body):
            text.encode("utf-8")
            assert not {"@everyone", "@here", "@channel", "<!", "<@"} & set(text.split())
            assert "@e" not in text
            assert "<!" not in text

    async def test_a_world_without_connections_refuses(self) -> None:
        """Every connection is asked of the world, which here makes none."""
        outcome = await self.attempt(ScriptedSender(), make_message())
        assert outcome.kind is OutcomeKind.REJECTED
        assert outcome.detail == "apprise: egress refused: no connections are made here"
