"""Secrets that are planted: unique texts put where secrets belong, and looked for where none may be."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any, Final, get_args

import re2
from pydantic import BaseModel, SecretBytes, SecretStr

from alertd.destinations.apprise_service import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECE: Final = 12
"""Characters at either end of a secret that must not be seen either: what is cut is still a secret."""
MATCHER_BYTES: Final = 1 << 28
"""What the matcher of all planted secrets may take: thousands of texts at once."""


class Planter:
    """Makes secrets, and remembers where each was put."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self._needles: dict[bytes, str] = {}
        self._any: Any = None

    def plant(self, place: str, length: int = 24) -> str:
        """Make a secret of so many letters and digits for a place (`webhook.secret`)."""
        made = secrets.token_hex(length)[:length]
        self.places[made] = place
        for needle in _needles(made):
            self._needles[needle] = place
        self._any = None
        return made

    def forget(self, secret: str) -> None:
        """Look for one no more: it may be seen."""
        for needle in _needles(secret):
            del self._needles[needle]
        self._any = None

    def seen_in(self, data: bytes) -> set[str]:
        """Give the places of the secrets that are in some bytes, whole or in part, plain or as base64 or hex.

        One pass says whether there is any at all; only then is each looked for.
        """
        if self._any is None:
            self._any = re2.compile(b"|".join(map(re2.escape, self._needles)), _roomy())
        if not self._any.search(data):
            return set()
        return {place for needle, place in self._needles.items() if needle in data}


def _roomy() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = MATCHER_BYTES
    return options


def _needles(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield from (raw, raw[:PIECE], raw[-PIECE:], raw.hex().encode())
    for shift in range(3):  # where the secret may begin within a group of three bytes
        yield base64.b64encode(b"x" * shift + raw)[4:-4]


def secret_places(model: type[BaseModel], place: tuple[str, ...] = ()) -> Iterator[str]:
    """List the settings of a model that hold secrets, at any depth (`security.password`)."""
    for name, info in model.model_fields.items():
        if _holds_secret(info.annotation):
            yield ".".join((*place, name))
        for inner in _models(info.annotation):
            yield from secret_places(inner, (*place, name))


def _holds_secret(annotation: Any) -> bool:
    return annotation in {SecretStr, SecretBytes} or any(map(_holds_secret, get_args(annotation)))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


class Peers:
    """Whom planted destinations speak to: `http` and `mail` answer, at `nobody` nothing listens; `pem` is a key that is
    encrypted with another password, and its certificate.
    """  # noqa: D205 - one thought, two lines

    def __init__(self, http: int, mail: int, nobody: int, pem: Path | str = "missing.pem") -> None:
        self.http = f"http://127.0.0.1:{http}"
        self.tls = f"https://127.0.0.1:{http}"
        self.mail = mail
        self.nobody = nobody
        self.pem = pem


def planted(planter: Planter, peers: Peers, mark: str) -> dict[str, dict[str, Any]]:
    """Write destinations of every type, a secret in each of their secret settings; `mark` begins their names."""
    made = {
        **_webhooks(planter, peers),
        **_chats(planter, peers),
        **_incidents(planter, peers),
        **_others(planter, peers),
    }
    return {
        f"{mark}-{way}": {"name": f"{mark}-{way}", "type": way.partition("-")[0], "settings": settings}
        for way, settings in made.items()
    }


def _key(planter: Planter, place: str) -> str:
    """Write a private key: 32 bytes in base64, most of which is the secret."""
    return f"whsk_{planter.plant(place, 42)}A="


def _tls(planter: Planter, peers: Peers, kind: str) -> dict[str, str]:
    return {"cert_file": str(peers.pem), "key_password": planter.plant(f"{kind}.tls.key_password")}


def _webhooks(planter: Planter, peers: Peers) -> dict[str, dict[str, Any]]:
    plant, url = planter.plant, f"{peers.http}/webhook"
    return {
        "webhook": {
            "url": url,
            "secret": plant("webhook.secret"),
            "previous_secret": plant("webhook.previous_secret"),
            "headers": {"X-Key": plant("webhook.headers"), "Authorization": f"Bearer {plant('webhook.headers')}"},
            "query": {"k": f"{plant('webhook.query')} &\u00fc", "l": plant("webhook.query")},
        },
        "webhook-keys": {
            "url": url,
            "private_key": _key(planter, "webhook.private_key"),
            "previous_private_key": _key(planter, "webhook.previous_private_key"),
        },
        "webhook-tls": {"url": f"{peers.tls}/webhook", "tls": _tls(planter, peers, "webhook")},
        "webhook-hub": {"url": url, "secret": plant("webhook.secret"), "signature": "hub"},
        "alertmanager": {"url": peers.http, "token": plant("alertmanager.token")},
        "alertmanager-basic": {
            "url": peers.http,
            "username": "alertd",
            "password": plant("alertmanager.password"),
        },
        "alertmanager-tls": {"url": peers.tls, "tls": _tls(planter, peers, "alertmanager")},
    }


def _chats(planter: Planter, peers: Peers) -> dict[str, dict[str, Any]]:
    plant, http = planter.plant, peers.http
    return {
        "slack": {"url": f"{http}/services/T0/B0/{plant('slack.url')}"},
        "slack-bot": {"token": f"xoxb-{plant('slack.token')}", "channel": "C0123", "api_url": f"{http}/api"},
        "mattermost": {"url": f"{http}/hooks/{plant('mattermost.url')}"},
        "mattermost-tls": {"url": f"{peers.tls}/hooks/x", "tls": _tls(planter, peers, "mattermost")},
        "rocketchat": {"url": f"{http}/hooks/{plant('rocketchat.url')}/{plant('rocketchat.url')}"},
        "rocketchat-tls": {"url": f"{peers.tls}/hooks/x/y", "tls": _tls(planter, peers, "rocketchat")},
        "discord": {"url": f"{http}/api/webhooks/1/{plant('discord.url')}"},
        "msteams": {"url": f"{http}/workflows/x?api-version=1&sig={plant('msteams.url')}"},
        "telegram": {"token": f"123456:{plant('telegram.token')}", "chat_id": "1", "api_url": http},
        "ntfy": {"topic": plant("ntfy.topic"), "token": plant("ntfy.token"), "url": http},
        "ntfy-basic": {"topic": plant("ntfy.topic"), "username": "u", "password": plant("ntfy.password"), "url": http},
        "ntfy-tls": {"topic": "x", "url": peers.tls, "tls": _tls(planter, peers, "ntfy")},
    }


def _incidents(planter: Planter, peers: Peers) -> dict[str, dict[str, Any]]:
    return {
        "pagerduty": {"routing_key": planter.plant("pagerduty.routing_key", 32), "api_url": peers.http},
        "opsgenie": {"api_key": planter.plant("opsgenie.api_key"), "api_url": peers.http},
    }


def _others(planter: Planter, peers: Peers) -> dict[str, dict[str, Any]]:
    plant, broker = planter.plant, [f"127.0.0.1:{peers.nobody}"]
    sasl = {
        "protocol": "SASL_PLAINTEXT",
        "mechanism": "PLAIN",
        "username": "u",
        "password": plant("kafka.security.password"),
    }
    tls = {"protocol": "SSL", "cert_file": str(peers.pem), "key_password": plant("kafka.security.key_password")}
    service = {"url": f"{peers.http.replace('http', 'json')}/{plant('apprise.url')}"} if is_installed() else None
    return {
        **({"apprise": service} if service else {}),
        "email": {
            "to": ["ops@example.com"],
            "host": "127.0.0.1",
            "port": peers.mail,
            "tls": "none",
            "username": "u",
            "password": plant("email.password"),
        },
        "kafka": {"bootstrap_servers": broker, "topic": "x", "security": sasl},
        "kafka-tls": {"bootstrap_servers": broker, "topic": "x", "security": tls},
    }
