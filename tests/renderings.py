"""Golden renderings: what each destination type makes of the same few alerts, kept under `docs/renderings/`.

`make renderings` writes them anew; a test says when they are not current. A new type adds a line to `WAYS`.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alertd.delivery.naming import Naming
from alertd.destinations.base import Previewing, World
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import Delivery
from alertd.model.digest import DIGEST_TYPE, EMPTY, Listed
from alertd.model.severity import Severity
from tests.conformance.destination_suite import FixedClock, ScriptedSender
from tests.conformance.messages import TEXTS, everywhere, make_event, make_issue, make_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.base import Message, Preview

FOLDER: Final = Path(__file__).parents[1] / "docs" / "renderings"
PAGE: Final = "<!doctype html>"
ALERTS: Final = "https://alerts.example.com/alerts"
HOOK: Final = "https://hooks.example.com/x"
SIGNED: Final = "an example, no secret"
MADE_UP: Final = "made-up-for-this-example"
"""The token in most of the settings below; nothing that is made of them may show it."""
MADE_MS: Final = 1_778_112_000_000
TEMPLATE: Final = '{"text": {{ (event.severity | upper ~ ": " ~ message) | tojson }}, "link": {{ alert.url | tojson }}}'
"""A template that knows nothing of digests."""

WAYS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "webhook-standard": ("webhook", {"url": HOOK, "secret": SIGNED}),
    "webhook-rustrak": ("webhook", {"url": HOOK, "secret": SIGNED, "format": "rustrak"}),
    "webhook-nora": ("webhook", {"url": HOOK, "secret": SIGNED, "format": "nora"}),
    "webhook-alertmanager": ("webhook", {"url": HOOK, "format": "alertmanager"}),
    "webhook-cloudevents": ("webhook", {"url": HOOK, "format": "cloudevents"}),
    "webhook-template": ("webhook", {"url": HOOK, "format": "template", "template": TEMPLATE}),
    "console": ("console", {}),
    "file": ("file", {"path": "/var/lib/alertd/alerts.ndjson"}),
    "slack": ("slack", {"url": f"https://hooks.slack.com/services/T012345AB/B012345AB/{MADE_UP}"}),
    "slack-bot": ("slack", {"token": f"xoxb-{MADE_UP}", "channel": "#ops"}),
    "mattermost": ("mattermost", {"url": f"https://chat.example.com/hooks/{MADE_UP}"}),
    "rocketchat": ("rocketchat", {"url": f"https://chat.example.com/hooks/0123456789abcdef01234567/{MADE_UP}"}),
    "discord": ("discord", {"url": f"https://discord.com/api/webhooks/123456789012345678/{MADE_UP}"}),
    "msteams": (
        "msteams",
        {"url": f"https://prod-00.westeurope.logic.azure.com/workflows/0123456789abcdef/run?sig={MADE_UP}"},
    ),
    "telegram": ("telegram", {"token": "123456:ABC-DEF1234ghIkl", "chat_id": "-1001234567890"}),
    "pagerduty": ("pagerduty", {"routing_key": "0123456789abcdef0123456789abcdef"}),
    "pagerduty-changes": ("pagerduty", {"routing_key": "0123456789abcdef0123456789abcdef", "events": "changes"}),
    "alertmanager": ("alertmanager", {"url": "http://alertmanager.example.com:9093"}),
    "kafka": ("kafka", {"bootstrap_servers": ["kafka-1.example.com:9092"], "topic": "alerts"}),
    "apprise": ("apprise", {"url": f"jsons://hooks.example.com/{MADE_UP}"}),
    "opsgenie": ("opsgenie", {"api_key": "00000000-0000-0000-0000-000000000000", "tags": ["alertd"]}),
    "ntfy": ("ntfy", {"topic": "alerts-example"}),
    "email": (
        "email",
        {
            "to": ["ops@example.com", "Ann <ann@example.com>"],
            "host": "smtp.example.com",
            "from": "Alerts <alerts@example.com>",
            "username": "alerts",
            "password": MADE_UP,
            "subject_prefix": "PROD",
        },
    ),
}
"""Each way to use a type, with settings."""


def _crash() -> dict[str, Any]:
    frames = [
        {"filename": "lib/wsgi.py", "lineno": 1421, "function": "__call__", "in_app": False},
        {"filename": "shop/views.py", "lineno": 88, "function": "checkout", "in_app": True},
        {"filename": "shop/cart.py", "lineno": 12, "function": "total", "in_app": True},
    ]
    values = [{"type": "KeyError", "value": "'sku'", "stacktrace": {"frames": frames}}]
    return {"title": "KeyError: 'sku'", "exception": {"type": "KeyError", "value": "'sku'", "values": values}}


def _about_issue(trigger: str | None, **changes: Any) -> Message:
    return make_message(
        event=make_event(message="'sku'", data=_crash()),
        event_type="sentry.error",
        issue=make_issue(**changes),
        trigger=trigger,
        url=f"{ALERTS}/alt_0001",
        acknowledge_url=f"{ALERTS}/alt_0001/acknowledge?until=1778115600&signature=x",
    )


def _event(number: int) -> bytes:
    kinds = (
        ("run:failed", "error", "Run {} failed after 3 attempts"),
        ("deploy:failed", "critical", "Deploy {} failed"),
    )
    type_, severity, text = kinds[number % 7 == 3]
    time = f"2026-05-07T00:{number % 60:02}:00Z"
    return make_event(type=type_, severity=severity, message=text.format(number), time=time, key=f"run-{number}")


def _digest() -> Message:
    """Make the message of a digest as a lane does."""
    first = MADE_MS << 20
    listed = [Listed(first + number, first + number, None, _event(number)) for number in range(1, 21)]
    digest = EMPTY.with_more(500, listed, Severity.CRITICAL)
    naming = Naming(
        {1: "production-runs", 2: "runs"},
        lambda alert_id: f"{ALERTS}/{alert_id}",
        list_link=lambda workspace, digest_id: f"{ALERTS}?digest_id={digest_id}",
    )
    delivery = Delivery(first, first + 1, 3, 1, 2, 0, MADE_MS, DIGEST_TYPE, b"{}", created_at_ms=MADE_MS, digest=digest)
    return naming.message(delivery, "default")


def _hostile() -> Message:
    said = "\n".join(
        TEXTS[name] for name in ("mentions", "entities", "markdown", "html", "links", "right_to_left", "control")
    )
    return everywhere(f"{said}\n{TEXTS['emoji'][:60]}", test=True)


CASES: Final[dict[str, Message]] = {
    "new-issue": _about_issue("new", event_count=1, user_count=1, first_seen="2026-05-07T00:00:00Z"),
    "regression": _about_issue("regression", state="regressed"),
    "resolved": _about_issue(None, state="resolved"),
    "digest-of-500": _digest(),
    "hostile": _hostile(),
    "hostile-100-kb": everywhere(TEXTS["long_words"]),
}
"""The alerts, by the name of their files."""


def rendering(way: str, case: str) -> str:
    """Render one case as one way to use a type does, secrets left out."""
    type_name, settings = WAYS[way]
    world = World(FixedClock(), ScriptedSender(), print)
    opened = REGISTRY[type_name].open(parse_settings(type_name, settings), 10.0, world)
    if not isinstance(opened, Previewing):
        raise TypeError(f"{type_name} has no preview")
    return _written(opened.preview(CASES[case]))


def files() -> Iterator[tuple[Path, str]]:
    """Give every file with what should be in it."""
    for way in WAYS:
        for case in CASES:
            made = rendering(way, case)
            yield FOLDER / way / f"{case}.json", made
            if (page := _page(made)) is not None:
                yield FOLDER / way / f"{case}.html", page


def _page(made: str) -> str | None:
    """Give the HTML part of a letter as a page that a browser shows; None where there is none."""
    lines = json.loads(made)["body"]
    if not isinstance(lines, list) or PAGE not in lines:
        return None
    return "\n".join(lines[lines.index(PAGE) : lines.index("</html>") + 1]) + "\n"


def _written(shown: Preview) -> str:
    try:
        body = json.loads(shown.body)
    except ValueError:
        body = shown.body.splitlines()
    whole = {"target": shown.target, "headers": dict(shown.headers), "body": body}
    return _visible(json.dumps(whole, ensure_ascii=False, indent=2)) + "\n"


def _visible(text: str) -> str:
    """Write what nobody sees (zero-width spaces, turned directions) as JSON's escapes."""
    return "".join(
        _escaped(each) if unicodedata.category(each) in {"Cf", "Zl", "Zp", "Co", "Cn"} else each for each in text
    )


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def write() -> None:
    """Write all files anew; files of types that are no more go."""
    for old in FOLDER.glob("*/*.*"):
        old.unlink()
    for path, text in files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
