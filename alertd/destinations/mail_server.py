"""Through which server e-mail leaves: the platform's settings (`mail`), and what a destination lays over them."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, create_model

from alertd.destinations.guard import is_loopback, parse_url
from alertd.destinations.mail_address import Mailbox, parse_mailbox
from alertd.destinations.whereto import Whereto
from alertd.model.fields import Resource

Tls = Literal["starttls", "tls", "none"]
PORTS: Final[dict[Tls, int]] = {"starttls": 587, "tls": 465, "none": 25}
"""The TCP port that goes with each way to be private, where none is set."""
LOGIN_MAX: Final = 1024
"""Characters of a user name, and of a password."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_LOGIN: Final = re.compile(r"[^\x00-\x1f\x7f]+")


def _check_host(host: str) -> str:
    if not _is_host(host):
        raise ValueError("a host name or an address, such as smtp.example.com, without a port")
    return host


def _is_host(host: str) -> bool:
    try:
        if ":" in host:
            IPv6Address(host)
        else:
            parse_url(f"http://{host}/")
    except ValueError:
        return False
    return "%" not in host and (":" in host or _NAME.fullmatch(host) is not None)


def _check_from(text: str) -> str:
    parse_mailbox(text)
    return text


def _check_username(text: str) -> str:
    if not _LOGIN.fullmatch(text) or len(text) > LOGIN_MAX:
        raise ValueError(f"text on one line, of 1 to {LOGIN_MAX} characters")
    return text


def _check_password(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not _LOGIN.fullmatch(text) or len(text) > LOGIN_MAX:
        raise ValueError(f"a secret on one line, of 1 to {LOGIN_MAX} characters")
    return secret


Host = Annotated[str, AfterValidator(_check_host), Whereto.HOST]
Port = Annotated[int, Field(ge=1, le=65535)]
From = Annotated[str, AfterValidator(_check_from)]
Username = Annotated[str, AfterValidator(_check_username)]
Password = Annotated[SecretStr, AfterValidator(_check_password)]


def with_from(base: type[Resource], otherwise: str) -> type[Resource]:
    """Give settings a field `from`: being a word of Python's own, no class can say it. `otherwise`: what null means."""
    about = f"who writes: alerts@example.com, or Alerts <alerts@example.com>; null: {otherwise}"
    own: dict[str, Any] = {"from": (From | None, Field(None, description=about))}
    return create_model("_Sender", __base__=base, **own)


if TYPE_CHECKING:
    _Sender = Resource
else:
    _Sender = with_from(Resource, "alertd@ and the host")


class MailServer(_Sender):
    """A server that takes e-mail for delivery."""

    host: Host | None = Field(None, description="the SMTP server; null: none, e-mail is not configured")
    port: Port | None = Field(None, description="its TCP port; null: 587 with starttls, 465 with tls, 25 with none")
    tls: Tls = Field(
        "starttls",
        description="starttls (the connection becomes private before anything is said), tls (private from the start),"
        " or none (only to a server on this machine)",
    )
    username: Username | None = Field(None, description="the name to log in with; null: no login")
    password: Password | None = Field(None, description="the password to log in with; a secret")

    @property
    def sender(self) -> Mailbox:
        """Who writes."""
        own: str | None = getattr(self, "from")
        if own is not None:
            return parse_mailbox(own)
        host = self.host or ""
        named = not (":" in host or host.replace(".", "").isdigit()) and bool(host)
        return Mailbox(f"alertd@{host.rstrip('.').lower() if named else 'localhost'}", "alertd")

    @property
    def bare(self) -> str | None:
        """Why nothing can be sent, when it would go to another machine without TLS; None: it would not."""
        return bare_reason(self.host) if self.tls == "none" and self.host is not None else None

    @property
    def effective_port(self) -> int:
        """The port to connect to."""
        return self.port or PORTS[self.tls]


def bare_reason(host: str) -> str | None:
    """Say why a host, a name or an address, must not be spoken to without TLS; None: it is this machine."""
    return None if is_loopback(host) else f"tls: none is for this machine alone, and {host} is not it"


def laid_over(
    base: MailServer,
    *,
    host: str | None,
    port: int | None,
    tls: Tls | None,
    username: str | None,
    password: SecretStr | None,
    sender: str | None,
) -> MailServer:
    """Lay a destination's own settings (None: not set) over the platform's.

    The platform's login is for the platform's server alone: it never goes to a host that a destination names itself. A
    port goes with its `tls`: where only that is set, the port is the usual one for it.
    """
    same = host is None or host.lower() == (base.host or "").lower()
    login = (base.username, base.password) if same and username is None else (username, password)
    if same and username is None and password is not None:
        login = (base.username, password)
    inherited = base.port if tls is None or tls == base.tls else None
    return base.model_copy(
        update={
            "host": host or base.host,
            "port": port if port is not None else inherited,
            "tls": tls or base.tls,
            "username": login[0],
            "password": login[1],
            "from": sender if sender is not None else getattr(base, "from"),
        }
    )
