"""Messages for tests of destinations: a usual one, one of each kind that is told apart, and hostile ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from alertd.destinations.base import Digest, DigestEntry, Message


def make_message(**changes: Any) -> Message:
    """Make a message like those that lanes make."""
    event = {"type": "run:failed", "time": "2026-05-07T00:00:00Z", "severity": "error", "message": "Run 17 failed"}
    usual: dict[str, Any] = {
        "delivery_id": "dlv_0001",
        "alert_id": "alt_0001",
        "attempt": 1,
        "workspace": "default",
        "subscription": "production-runs",
        "channel": "runs",
        "trigger": None,
        "event_type": "run:failed",
        "event": json.dumps(event).encode(),
        "url": "http://127.0.0.1:8080/alerts/alt_0001",
    }
    return Message(**(usual | changes))


def make_issue(**changes: Any) -> bytes:
    """Make an issue as interface.md describes it."""
    usual: dict[str, Any] = {
        "id": "iss_0042",
        "short_id": "SHOP-42",
        "title": "KeyError: 'sku'",
        "level": "error",
        "state": "ongoing",
        "project": "shop",
        "event_count": 1240,
        "user_count": 31,
        "first_seen": "2026-05-01T08:00:00Z",
        "last_seen": "2026-05-07T00:00:00Z",
        "url": "https://alerts.example.com/issues/SHOP-42",
        "suspect_commits": [
            {
                "id": "4f2a91c7d0",
                "title": "Read the SKU from the cart",
                "author": "Ann",
                "url": "https://git.example.com/shop/commit/4f2a91c7d0",
                "reasons": ["changed checkout.py", "2 hours before"],
            }
        ],
    }
    return json.dumps(usual | changes).encode()


def make_event(**changes: Any) -> bytes:
    """Make an event with everything in it."""
    usual: dict[str, Any] = {
        "type": "sentry.error",
        "id": "e-1",
        "workspace": "default",
        "project": "shop",
        "environment": "prod",
        "severity": "error",
        "time": "2026-05-07T00:00:00Z",
        "key": "iss_0042",
        "message": "KeyError: 'sku'\n  in checkout at checkout.py:88\n  in total at cart.py:12",
        "url": "https://shop.example.com/runs/17",
        "labels": {"team": "payments", "release": "2026.5.1"},
        "data": {"run_id": 17},
    }
    return json.dumps(usual | changes).encode()


def make_digest(count: int = 500) -> Digest:
    """Make a digest of so many alerts."""
    entries = [
        DigestEntry(
            make_event(message=f"Run {number} failed", type="run:failed"), f"https://alerts.example.com/alerts/{number}"
        )
        for number in range(1, min(count, 30) + 1)
    ]
    return Digest(tuple(entries), count, "More came than this destination's queue holds.")


def everywhere(text: str, **changes: Any) -> Message:
    """Make a message that says `text` in every place where an event, an issue or a name has room for one."""
    issue = {
        "short_id": text,
        "title": text,
        "level": text,
        "state": text,
        "first_seen": text,
        "url": text,
        "suspect_commits": [{"id": text, "title": text, "author": text, "url": text, "reasons": [text]}] * 7,
    }
    labels = {f"{text}{number}"[:128]: text[:1024] for number in range(64)}
    event = {"message": text, "project": text, "environment": text, "time": text, "url": text, "labels": labels}
    return make_message(
        **{
            "event": encode(event | {"source": text, "key": text, "severity": "critical"}),
            "issue": encode(issue | {"id": text}),
            "subscription": text,
            "channel": text,
            "url": text,
            "acknowledge_url": text,
        }
        | changes
    )


def digest_of(text: str) -> Message:
    """Make a digest in which every alert says `text`."""
    event = encode({"type": "run:failed", "message": text, "project": text, "environment": text, "time": text})
    return everywhere(text, digest=Digest((DigestEntry(event, text, text),) * 30, 500, text))


def encode(value: Any) -> bytes:
    """Write JSON; events and issues are always UTF-8, so a lone surrogate is not in them."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


TEXTS: Final = {
    "empty": "",
    "markdown": "*b* _i_ **b** __u__ ~~s~~ `c` ```block``` # h\n> q\n- l\n1. n [t](https://x.example) ![i](https://x) \\ | a |",
    "html": "<b>x</b><script>alert(1)</script><a href='javascript:1'>x</a>&lt;&amp;&#64; <at>x</at> ]]>",
    "mentions": "@channel @here @everyone @all <!channel> <!here> <!everyone> <!subteam^S1> <@U123> <#C1> <@&1> <@!1> @ann",
    "entities": "&#64;channel &#x40;here &commat;everyone &lt;!here&gt; &amp;#64;all \\@channel",
    "links": "https://evil.example/ [x](javascript:alert(1)) <https://x.example|label> mailto:a@x.example tel:1 ftp://x",
    "templates": "{{7*7}} {% raw %} ${HOME} $(id) `id` %s %n {0} {title}",
    "right_to_left": "\u202eevil\u202c \u2067x\u2069 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u200f",
    "control": "a\x00b\x07c\x1b[31md\x7f\x9b\r\ne\u2028f\u2029g\x0bh\ufffe\uffff",
    "surrogates": "a\ud800b\udfffc\udc80",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466\U0001f3f4\u2764\ufe0f :fire: :x:" * 600,
    "combining": "e" + "\u0301" * 5000,
    "long": "x" * 100_000,
    "long_words": "word " * 20_000,
    "long_lines": "line\n" * 20_000,
    "long_escapes": "<&>" * 34_000,
    "long_markdown": "*_`[]()~>#+-=|{}.!\\" * 5_000,
    "long_mentions": "@everyone <!here> <@U1> " * 4_000,
    "long_astral": "\U0001f600" * 100_000,
    "long_wide": "\u754c" * 100_000,
    "spaces": " \n\t\u3000\u00a0" * 1000,
    "address": "https://x.example/" + "a" * 1900 + "?q='\"<>)(|`\\",
    "slack_escape": "<https://x.example|" + "&" * 10_000,
}
"""Texts that are known to break something somewhere."""

HOSTILE: Final[dict[str, Message]] = {
    **{name: everywhere(text) for name, text in TEXTS.items()},
    **{f"digest_{name}": digest_of(text) for name, text in TEXTS.items()},
    "no_event": make_message(event=b""),
    "no_json": make_message(event=b"{", issue=b"\xff"),
    "no_object": make_message(event=b"[]", issue=b"7"),
    "wrong_types": make_message(
        event=b'{"message": {}, "labels": [1], "severity": 7, "time": [], "url": 1, "project": null, "key": {}}',
        issue=b'{"suspect_commits": [1, null, {}, {"id": 1}], "event_count": -1, "first_seen": 5, "title": []}',
    ),
    "deep": make_message(event=b'{"a":' * 60 + b"1" + b"}" * 60),
    "empty_digest": make_message(digest=Digest((), 0)),
    "vast_digest": make_message(digest=Digest((), 10**15)),
}
"""Messages that no type may stumble over."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text, said so many times in every place of an alert or of a digest; small to look at, however long it gets."""

    text: str
    times: int
    digest: bool

    def message(self) -> Message:
        """Make the message."""
        return (digest_of if self.digest else everywhere)(self.text * self.times)


def hostile() -> st.SearchStrategy[Said]:
    """Make messages of any text, mixed from what is known to be hostile and from all characters there are."""
    pieces = st.sampled_from([each[:300] for each in TEXTS.values() if each])
    text = st.lists(st.text(max_size=40) | pieces, max_size=8).map("".join)
    return st.builds(Said, text, st.sampled_from([1, 1, 3, 40]), st.booleans())
