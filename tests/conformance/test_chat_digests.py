"""Digests in a user's own words: both are there, and the whole is within the provider's limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from alertd.destinations.base import Digest, DigestEntry, World
from alertd.destinations.http_destination import HttpDestination
from alertd.destinations.registry import REGISTRY, parse_settings
from tests.conformance import chat_limits
from tests.conformance.destination_suite import NOW, FixedClock, ScriptedSender
from tests.conformance.messages import TEXTS, make_event, make_message
from tests.unit.destinations.test_retry_matrix import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.destinations.base import HttpRequest

CHECKS: Final[dict[str, Callable[[HttpRequest], None]]] = {
    "slack": chat_limits.check_slack,
    "slack-bot": chat_limits.check_slack,
    "mattermost": chat_limits.check_mattermost,
    "rocketchat": chat_limits.check_rocketchat,
    "discord": chat_limits.check_discord,
    "msteams": chat_limits.check_msteams,
    "telegram": chat_limits.check_telegram,
    "ntfy": chat_limits.check_ntfy,
}
_COUNTED: Final = re.compile("and 4[0-9]{2} more")
MARKUP: Final = '<b> & "x" *y* '


def rendered(way: str, title: str, body: str, said: str, url_length: int) -> HttpRequest:
    """Render a digest of 500 alerts that say so much and have addresses of such a length, in these words."""
    url = "https://alerts.example.com/".ljust(url_length, "a")
    event = make_event(message=said, project="p" * 64, environment="e" * 64)
    digest = Digest(tuple(DigestEntry(event, url) for _ in range(20)), 500, "More came than fits.")
    message = make_message(digest=digest, url=url, own_title=title, own_body=body, note="n" * 300)
    kind = REGISTRY[way.partition("-")[0]]
    settings: Any = parse_settings(kind.name, SETTINGS[way])
    opened = kind.open(settings, 10.0, World(FixedClock(), ScriptedSender(), print))
    assert isinstance(opened, HttpDestination)
    return opened.render(message, NOW)


@pytest.mark.parametrize("url_length", [40, 110, 400])
@pytest.mark.parametrize(
    "filling", [MARKUP, TEXTS["emoji"][:20], "word\n", "words "], ids=["markup", "emoji", "lines", "plain"]
)
@pytest.mark.parametrize("way", CHECKS)
def test_words_of_ones_own_leave_room_for_the_alerts(way: str, filling: str, url_length: int) -> None:
    """However long a template's title and body are, the provider takes the message, and alerts are listed and counted."""
    words = (filling * 2000)[:9000]
    for title, body in ((words[:400], words), ("A title", words), (words[:400], "A body")):
        request = rendered(way, title, body, words[:500], url_length)
        CHECKS[way](request)
        listed = "\n".join(chat_limits.texts(chat_limits.document(request)))
        assert _COUNTED.search(listed)
