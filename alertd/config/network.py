"""Addresses and networks as they are written in the configuration; each ValueError reads as what was expected."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_network

MAX_PORT = 65535
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]/\s@]+)):(?P<port>[0-9]{1,5})", re.ASCII)
_NUMERIC = re.compile(r"[0-9.]+|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*", re.ASCII | re.IGNORECASE)
_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*", re.ASCII | re.IGNORECASE
)


def split_address(text: str) -> tuple[str, int]:
    """Split `host:port` or `[IPv6]:port`; raises ValueError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > MAX_PORT:
        raise ValueError("host:port, such as 127.0.0.1:8080 or [::1]:8080")
    if found["v6"] is not None:
        try:
            IPv6Address(found["v6"])
        except ValueError:
            raise ValueError("host:port with an IPv6 address in the brackets, such as [::1]:8080") from None
    return found["v6"] or found["host"], int(found["port"])


def valid_address(text: str) -> str:
    """Return the text when it is `host:port`; raises ValueError."""
    split_address(text)
    return text


def valid_peer(text: str) -> str:
    """Return the text when it is the address of somebody else's server: port 0 is none; raises ValueError."""
    if split_address(text)[1] == 0:
        raise ValueError("host:port with a port from 1 to 65535")
    return text


def allowed_peer(text: str) -> str:
    """Return a network, an address or a host name in lower case; raises ValueError."""
    network, slash, _ = text.partition("/")
    if slash or _NUMERIC.fullmatch(network):
        return _network(text)
    if _HOST.fullmatch(text) is None:
        raise ValueError("a network such as 10.20.0.0/16, an address, or a host name without port and wildcards")
    return text.lower()


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        pass
    try:
        widened = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("a network such as 10.20.0.0/16 or an address") from None
    raise ValueError(f"a network without host bits: {widened}")
