"""What chat services demand of a request, as assertions: limits, forms, and that nobody is mentioned."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft6Validator
from slack_sdk.models.blocks import Block
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.base import HttpRequest

CARD_SCHEMA: Final = Draft6Validator(
    json.loads((resources.files("adaptive_cards") / "schemas" / "schema-1.4.json").read_text("utf-8"))
)
"""The published schema of adaptive cards, version 1.4."""
BREAK: Final = "\u200b"
_SLACK_CONTROL: Final = re.compile(r"<([^<>]*)>")
_MASKED_LINK: Final = re.compile(r"(?<!\\)\]\((\S*?)\)")


def document(request: HttpRequest) -> dict[str, Any]:
    """Read a request's JSON object."""
    assert request.method == "POST"
    assert request.headers["content-type"].startswith("application/json")
    found = json.loads(request.body)
    assert isinstance(found, dict)
    return found


def texts(value: Any) -> Iterator[str]:
    """Give every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def units(text: str) -> int:
    """Count UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def check_slack(request: HttpRequest) -> None:
    """Slack: the SDK's validators pass; the only control sequences are links and dates of our own."""
    payload = document(request)
    assert len(payload["text"]) <= 4000
    (attachment,) = payload["attachments"]
    blocks = attachment["blocks"]
    assert 1 <= len(blocks) <= 50
    for block in blocks:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()
        check_slack_block(block)
    assert len(json.dumps(blocks, ensure_ascii=False)) <= 13_000
    assert re.fullmatch(r"#[0-9a-f]{6}", attachment["color"])
    for text in (payload["text"], attachment["fallback"], *slack_mrkdwn(blocks)):
        for control in _SLACK_CONTROL.findall(text):
            assert control.startswith(("http://", "https://", "!date^")), control
        assert _SLACK_CONTROL.sub("", text).count("<") == 0
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)


def check_slack_block(block: dict[str, Any]) -> None:
    """Assert what the SDK does not look at."""
    if block["type"] == "section":
        assert block.get("text") or block.get("fields")
        assert 0 < len(block.get("text", {"text": "x"})["text"]) <= 3000
        assert len(block.get("fields", ())) <= 10
        assert all(0 < len(field["text"]) <= 2000 for field in block.get("fields", ()))
    if block["type"] == "actions":
        assert 1 <= len(block["elements"]) <= 25
        assert len({each["action_id"] for each in block["elements"]}) == len(block["elements"])
        assert all(len(each["url"]) <= 3000 and len(each["text"]["text"]) <= 75 for each in block["elements"])


def slack_mrkdwn(value: Any) -> Iterator[str]:
    """Give every text that Slack reads as markup; each is verbatim."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            assert value["verbatim"] is True
            yield value["text"]
        for each in value.values():
            yield from slack_mrkdwn(each)
    elif isinstance(value, list):
        for each in value:
            yield from slack_mrkdwn(each)


def check_markdown(text: str, *, pings: bool = True) -> None:
    """Markdown of ours: no mention, no control sequence; links lead to http(s) only.

    `pings`: what stands in a code block is looked at for mentions as well.
    """
    assert text.count("```") in {0, 2}, text
    outside = "".join(text.split("```")[::2])
    assert not re.search(rf"@(?!{BREAK})", html.unescape(without_addresses(outside))), text
    assert not re.search(rf"<(?!{BREAK}|t:)", without_addresses(outside)), text
    assert not (pings and re.search(rf"@(?!{BREAK})|<[!@#]", without_addresses(text))), text
    for target in _MASKED_LINK.findall(outside):
        assert re.match(r"https?://", target), target


def without_addresses(text: str) -> str:
    """Leave out the targets of links, in which nothing is read."""
    return _MASKED_LINK.sub("]", text)


def check_mattermost(request: HttpRequest) -> None:
    """Mattermost: a post and its properties fit; nobody is mentioned."""
    payload = document(request)
    assert 0 < len(payload["text"]) <= 16_383
    assert len(json.dumps(payload["attachments"], ensure_ascii=False)) <= 8_000
    for text in texts({name: value for name, value in payload.items() if name != "channel"}):
        if not text.startswith("http"):
            check_markdown(text)


def check_rocketchat(request: HttpRequest) -> None:
    """Rocket.Chat: the whole body is no longer than a message may be; never empty; nobody is mentioned."""
    payload = document(request)
    assert payload["text"]
    assert len(json.dumps(payload, ensure_ascii=False)) <= 5_000
    for text in texts({name: value for name, value in payload.items() if name != "channel"}):
        if not text.startswith("http"):
            check_markdown(text)


def check_discord(request: HttpRequest) -> None:
    """Discord: every limit of an embed and of their sum; no mention is allowed to be one."""
    payload = document(request)
    assert payload["allowed_mentions"] == {"parse": []}
    assert "content" not in payload
    (embed,) = payload["embeds"]
    limits = ((embed["title"], 256), (embed["description"], 4096), (embed["author"]["name"], 256))
    sized = [*limits, (embed["footer"]["text"], 2048)]
    for field in embed["fields"]:
        sized += [(field["name"], 256), (field["value"], 1024)]
        assert field["name"]
        assert field["value"]
    assert len(embed["fields"]) <= 25
    assert all(units(text) <= limit for text, limit in sized)
    assert sum(units(text) for text, _ in sized) <= 6000
    assert embed["title"]
    check_markdown(embed["description"], pings=False)
    check_markdown(embed["title"])
    assert "wait=true" in request.url


def check_msteams(request: HttpRequest) -> None:
    """Teams: one adaptive card below 28 KB; what an event says is in text runs, or inert."""
    assert len(request.body) <= 28_000
    payload = document(request)
    assert payload["type"] == "message"
    (attachment,) = payload["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["contentUrl"] is None
    card = attachment["content"]
    CARD_SCHEMA.validate({name: value for name, value in card.items() if name != "msteams"})
    assert card["version"] == "1.4"
    assert all(each["type"] == "Action.OpenUrl" for each in card["actions"])
    for text in texts(card):
        assert not re.search(rf"<(?!{BREAK})", text), text
    for element in elements(card["body"]):
        assert element["type"] != "TextBlock"
        if element["type"] == "FactSet":
            for fact in element["facts"]:
                check_markdown(fact["title"])
                check_markdown(fact["value"])


def elements(body: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give every element of a card, those in containers too."""
    for element in body:
        yield element
        yield from elements(element.get("items", []))


class _Tags(HTMLParser):
    """Checks that tags are Telegram's, nested and closed; collects the text outside code, and the links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag's beginning."""
        assert tag in {"a", "b", "code", "i", "pre"}, tag
        assert [name for name, _ in attrs] == (["href"] if tag == "a" else [])
        self.links += [value or "" for _, value in attrs]
        self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        """Take a tag's end."""
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        """Take text."""
        self.text += data


def check_telegram(request: HttpRequest) -> None:
    """Telegram: at most 4,096 units, well-formed HTML of its tags, links to http(s), no mention."""
    payload = document(request)
    text = payload["text"]
    assert 0 < units(text) <= 4096
    assert payload["parse_mode"] == "HTML"
    assert payload["link_preview_options"] == {"is_disabled": True}
    tags = _Tags()
    tags.feed(text)
    tags.close()
    assert not tags.open
    assert all(link.startswith(("http://", "https://")) for link in tags.links)
    assert not re.search(rf"@(?!{BREAK})", tags.text)
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;)", text)
    assert html.unescape(text).strip()


def check_ntfy(request: HttpRequest) -> None:
    """The server's root is posted to; message, title, buttons and the whole fit; the priority is 1 to 5."""
    payload = document(request)
    assert request.url.endswith("/")
    assert 0 < len(payload["message"].encode()) <= 4096
    assert 0 < len(payload["title"].encode()) <= 300
    assert len(request.body) <= 8192
    assert payload["priority"] in range(1, 6)
    assert len(payload.get("actions", ())) <= 3
    assert all(each["action"] == "view" for each in payload.get("actions", ()))
    assert payload.get("markdown", False) is False
    assert re.fullmatch(r"[-_A-Za-z0-9]{1,64}", payload["topic"])
