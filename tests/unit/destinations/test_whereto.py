"""Which settings name a place on the network, and which of these the guard forbids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from alertd.destinations.guard import EgressPolicy
from alertd.destinations.mail_server import Host
from alertd.destinations.ports import Ports
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.destinations.settings_fields import SecretUrl, Url
from alertd.destinations.whereto import Whereto, forbidden
from alertd.model.fields import Resource

NOTHING_ALLOWED = EgressPolicy()
SERVICES = {"url", "api_url", "host", "bootstrap_servers", "proxy"}
"""What settings are called that name a place."""


class Inner(Resource):
    """A part of settings."""

    url: Url = "http://10.0.0.1/"


class Everything(Resource):
    """A place in every shape that settings may have."""

    plain: Url = "http://127.0.0.1/"
    secret: SecretUrl | None = SecretStr("http://127.0.0.1/token")
    absent: SecretUrl | None = None
    several: tuple[Url, ...] = ("https://example.com/", "http://0.0.0.0/")
    named: Mapping[str, Url] = Field(default_factory=lambda: {"a": "http://[::1]/"})
    host: Host | None = "169.254.169.254"
    servers: tuple[Annotated[str, Whereto.SERVER], ...] = ("example.com:9092", "10.1.1.1:9092", "[fc00::1]:9092")
    inner: Inner = Inner()
    word: str = "http://127.0.0.1/"


def test_every_shape() -> None:
    """Each place is found with its way there, whatever holds it; other texts are left alone; no reason has a path in it."""
    found = dict(forbidden(Everything(), NOTHING_ALLOWED))
    assert list(found) == [
        ("plain",),
        ("secret",),
        ("several", 1),
        ("named", "a"),
        ("host",),
        ("servers", 1),
        ("servers", 2),
        ("inner", "url"),
    ]
    assert "token" not in "".join(found.values())


def test_what_is_allowed() -> None:
    """What the policy permits is not told of."""
    policy = EgressPolicy(["127.0.0.0/8", "10.0.0.0/8", "169.254.169.254", "::1", "fc00::/7", "0.0.0.0"])  # noqa: S104 - nothing is bound
    assert not list(forbidden(Everything(), policy))


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_type_says_where_it_sends_to(name: str) -> None:
    """A setting with the name of a place carries the mark by which it is looked at before anything is sent."""
    from alertd.destinations.whereto import _marks  # noqa: PLC0415 - the one test that looks inside

    model = REGISTRY[name].settings_model
    assert SERVICES & set(model.model_fields) <= set(_marks(model))


@pytest.mark.parametrize(
    ("name", "settings", "place"),
    [
        ("webhook", {"url": "http://127.0.0.1/"}, ("url",)),
        ("slack", {"url": "http://127.0.0.1/"}, ("url",)),
        ("slack", {"token": "xoxb-1", "channel": "C1", "api_url": "http://127.0.0.1/"}, ("api_url",)),
        ("mattermost", {"url": "http://127.0.0.1/"}, ("url",)),
        ("rocketchat", {"url": "http://127.0.0.1/"}, ("url",)),
        ("discord", {"url": "http://127.0.0.1/"}, ("url",)),
        ("msteams", {"url": "http://127.0.0.1/"}, ("url",)),
        (
            "telegram",
            {"token": "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11", "chat_id": "1", "api_url": "http://127.0.0.1/"},
            ("api_url",),
        ),
        ("pagerduty", {"routing_key": "R" * 32, "api_url": "http://127.0.0.1/"}, ("api_url",)),
        ("opsgenie", {"api_key": "K" * 36, "api_url": "http://127.0.0.1/"}, ("api_url",)),
        ("ntfy", {"topic": "x", "url": "http://127.0.0.1/"}, ("url",)),
        ("alertmanager", {"url": "http://127.0.0.1/"}, ("url",)),
        (
            "kafka",
            {"bootstrap_servers": ["example.com:9092", "127.0.0.1:9092"], "topic": "x"},
            ("bootstrap_servers", 1),
        ),
        ("email", {"to": ["a@example.com"], "host": "127.0.0.1"}, ("host",)),
        ("apprise", {"url": "json://user:word@127.0.0.1:8080/x"}, ("url",)),
        ("apprise", {"url": "forms://localhost"}, ("url",)),
        ("apprise", {"url": "rsyslog://10.0.0.1"}, ("url",)),
        ("apprise", {"url": "mmosts://10.0.0.1/abcdefghijklmnopqrst"}, ("url",)),
    ],
)
def test_types(name: str, settings: dict[str, object], place: tuple[str, ...]) -> None:
    """Each type is asked about the setting that names its service; its defaults are public."""
    assert [at for at, _ in forbidden(parse_settings(name, settings), NOTHING_ALLOWED)] == [place]


@pytest.mark.parametrize(
    ("name", "settings", "place"),
    [
        ("kafka", {"bootstrap_servers": ["8.8.8.8:22"], "topic": "x"}, ("bootstrap_servers", 0)),
        ("email", {"to": ["a@example.com"], "host": "8.8.8.8", "port": 22}, ("host",)),
        ("webhook", {"url": "https://8.8.8.8:22/"}, ("url",)),
    ],
)
def test_a_port_that_is_never_reached(name: str, settings: dict[str, object], place: tuple[str, ...]) -> None:
    """A public address where nothing may be at that port is refused when it is written down, not when it is needed."""
    policy = EgressPolicy(("127.0.0.0/8",), Ports("443, 587, 9092"))
    ((at, reason),) = forbidden(parse_settings(name, settings), policy)
    assert at == place
    assert "egress.ports" in reason
