"""Addresses of e-mail: which ones SMTP and a header can carry. Pure.

Stricter than the standards: a local part is words with dots between them, a domain is a host name (a name in another
script is written as DNS holds it). So no address can end a header or a command, whatever its author wanted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final

from alertd.destinations.clean import line

ADDRESS_MAX: Final = 254
"""Characters of an address (RFC 5321: a path of 256 with its brackets)."""
LOCAL_MAX: Final = 64
"""Characters before the @."""
NAME_MAX: Final = 100
"""Characters of a name beside an address."""

_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_EXPECTED: Final = "an address such as ops@example.com"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address that is known to be sendable, and a name (empty: none)."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.address.rpartition("@")[2]

    def header(self) -> Address:
        """Write it as the e-mail library takes it."""
        return Address(display_name=self.name, addr_spec=self.address)


def parse_address(text: str) -> str:
    """Read an address alone. Raises ValueError with what was expected."""
    local, at, domain = text.rpartition("@")
    if not at or len(local) > LOCAL_MAX or not _LOCAL.fullmatch(local):
        raise ValueError(_EXPECTED)
    address = f"{local}@{_domain(domain)}"
    if len(address) > ADDRESS_MAX:
        raise ValueError(f"{_EXPECTED}, of {ADDRESS_MAX} characters at most")
    return address


def parse_mailbox(text: str) -> Mailbox:
    """Read an address, or a name with one: `Alerts <alerts@example.com>`. Raises ValueError with what was expected."""
    if any(not character.isprintable() for character in text):
        raise ValueError(f"{_EXPECTED}, or Alerts <alerts@example.com>, on one line")
    name, address = parseaddr(text) if "<" in text else ("", text)
    return Mailbox(parse_address(address), line(name, NAME_MAX))


def _domain(text: str) -> str:
    try:
        name = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(_EXPECTED) from None
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(_EXPECTED)
    return name.lower()
