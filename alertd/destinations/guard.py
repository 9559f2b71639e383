"""The egress guard: which URLs and addresses may be connected to. Pure: it resolves nothing and opens nothing.

Two questions, asked at different moments. `check_url` looks at what a user wrote, before anything is sent;
`check_address` looks at an address at the moment of connecting, after the name was resolved. The second is the one
that protects; the first gives a better answer sooner. The URL is read with the parser of the HTTP client, so that both
see the same host.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alertd.destinations.ports import Ports

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HOST_MAX: Final = 253
"""Characters in a host name (RFC 1035)."""

_HINT: Final = "; name it in egress.allow to permit it"
_UNWANTED: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]")
_AUTHORITY: Final = re.compile(r"^[^/]*//([^/?#]*)|$")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMERIC: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)

_SPECIAL: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(network), word)
    for network, word in (
        ("169.254.169.254/32", "a metadata service"),
        ("169.254.170.2/32", "a metadata service"),
        ("100.100.100.200/32", "a metadata service"),
        ("168.63.129.16/32", "a metadata service"),
        ("192.0.0.192/32", "a metadata service"),
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared (carrier) space"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved for documentation"),
        ("192.31.196.0/24", "reserved"),
        ("192.52.193.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "reserved"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("198.51.100.0/24", "reserved for documentation"),
        ("203.0.113.0/24", "reserved for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
        ("fd00:ec2::254/128", "a metadata service"),
        ("fd00:ec2::23/128", "a metadata service"),
        ("fd20:ce::254/128", "a metadata service"),
        ("fd00:c1::a9fe:a9fe/128", "a metadata service"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "reserved for documentation"),
        ("3fff::/20", "reserved for documentation"),
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_V4_IN_V6: Final = tuple(
    (IPv6Network(network), shift)
    for network, shift in (("::ffff:0:0/96", 0), ("64:ff9b::/96", 0), ("2002::/16", 80), ("::ffff:0:0:0/96", 0))
)
"""Blocks whose addresses stand for an IPv4 address, and how far right of it they go on, in bits."""
_ISATAP: Final = 0x5EFE
"""What stands before the IPv4 address in an interface's part of an address, but for the bit that calls it unique."""

_LOOPBACK: Final = ("127.0.0.1", "::1")
_METADATA: Final = ("169.254.169.254",)
_NAMED: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"), _LOOPBACK),
    **dict.fromkeys(("metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"), _METADATA),
}
"""Names that stand for forbidden addresses wherever they resolve, and these addresses."""


class EgressPolicy:
    """What `egress.allow` permits beyond public addresses, and at which ports these may be (None: any).

    Shape: each entry is a CIDR, an address, or a host name (exact, case-insensitive; whatever that host's addresses are,
    they are permitted). What is permitted by an entry is so at any port. Raises ValueError that names the first bad entry.
    """

    __slots__ = ("_hosts", "_networks", "_ports", "allow")

    def __init__(self, allow: Sequence[str] = (), ports: Ports | None = None) -> None:
        self.allow = tuple(allow)
        self._ports = ports
        entries = [_entry(text) for text in self.allow]
        self._networks = tuple(entry for entry in entries if not isinstance(entry, str))
        self._hosts = frozenset(entry for entry in entries if isinstance(entry, str))

    def check_url(self, url: str) -> str | None:
        """Say why a URL may not be used, or None. A host name passes here; its addresses are checked when it resolves."""
        try:
            parsed = parse_url(url)
        except ValueError as error:
            return str(error)
        return self.check_host(parsed.raw_host or "", parsed.port or 0)

    def check_host(self, host: str, port: int = 0) -> str | None:
        """Say why a host, an address or a name, may not be connected to at a port (0: at none), or None."""
        return self.check_address(host, host, port) if literal(host) else self.check_name(host, port)

    def check_name(self, host: str, port: int = 0) -> str | None:
        """Say why a host name cannot be permitted whatever it resolves to (port 0: at no port), or None."""
        if _plain(host) in self._hosts:
            return None
        reasons = [self.check_address(host, address, port) for address in _named(host)]
        if reasons and all(reasons):
            return reasons[0]
        return None if reasons or self._networks else self._check_port(port)

    def check_address(self, host: str, ip: str, port: int = 0) -> str | None:
        """Say why `ip`, to which `host` resolved (empty: no host known), may not be connected to, or None.

        `port` is the one to be connected to (0: not known yet).
        """
        if _plain(host) in self._hosts:
            return None
        address = literal(ip.partition("%")[0])
        if address is None:
            return f"{ip!r} is not an address"
        if any(self._permits(form) for form in _forms(address)):
            return None
        reason = _why_special(address)
        if reason is None:
            return self._check_port(port)
        named = f"{host} resolves to {ip}, which" if host and host != ip else ip
        return f"{named} {reason}{_HINT}"

    def _check_port(self, port: int) -> str | None:
        if self._ports is None or not port or port in self._ports:
            return None
        return f"port {port} is none of {self._ports} (egress.ports), where public addresses may be"

    def _permits(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def parse_url(url: str) -> URL:
    """Read a URL as the HTTP client will. Raises ValueError with a sentence for people (which never repeats the URL)."""
    if _UNWANTED.search(url):
        raise ValueError("the URL has a space, a control character or a backslash in it")
    try:
        parsed = URL(url)
        port = parsed.port
    except ValueError:
        raise ValueError("the URL cannot be read: is its host or port valid?") from None
    if parsed.scheme not in {"http", "https"}:
        raise ValueError("the URL must begin with http:// or https://")
    authority = _AUTHORITY.findall(url)[0]
    if "@" in authority:
        raise ValueError("the URL has a user name or password in it; use a header instead")
    if not parsed.raw_host:
        raise ValueError("the URL has no host")
    if not port:
        raise ValueError("the URL's port must be 1 to 65535")
    if "[" in authority and literal(parsed.raw_host.partition("%")[0]) is None:
        raise ValueError("what stands in brackets is no IPv6 address")
    _check_host(parsed.raw_host)
    return parsed


def is_loopback(host: str) -> bool:
    """Say whether a host, an address or a name, is this machine whatever names resolve to."""
    address = literal(host.partition("%")[0])
    if address is not None:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address).is_loopback
    return _named(host) == _LOOPBACK


def _check_host(host: str) -> None:
    if ":" in host:
        if "%" in host:
            raise ValueError(f"host {host} has a zone id")
        return
    labels = _plain(host).split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        _check_numeric(host)
    elif len(host) > HOST_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{host!r} is not a host name")


def _check_numeric(host: str) -> None:
    """Refuse what some resolver would read as an address although it is not written as one."""
    if literal(host) is not None:
        return
    try:
        meant = IPv4Address(socket.inet_aton(_plain(host)))
    except OSError:
        raise ValueError(f"host {host} is not an address") from None
    raise ValueError(f"host {host} is another way to write {meant}; write that")


def _entry(text: str) -> Network | str:
    """Read one entry of `egress.allow`: a network, or a host name in its plain form."""
    return _network(text) or _name(text)


def _network(text: str) -> Network | None:
    if "%" in text:
        return None
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if ip_address(text.partition("/")[0]) != network.network_address:
        raise ValueError(f"{text!r} has bits set beyond its prefix; did you mean {network}?")
    return network


def _name(text: str) -> str:
    try:
        host = URL.build(scheme="http", host=text).raw_host or ":"
        _check_host(host)
    except ValueError:
        host = ":"
    if ":" in host:
        raise ValueError(f"{text!r} is neither an address range (10.20.0.0/16) nor an address nor a host name")
    return _plain(host)


def _named(host: str) -> tuple[str, ...]:
    """Give the addresses that a name stands for wherever it resolves; none for most names."""
    name = _plain(host)
    return _NAMED.get("localhost" if name.endswith(".localhost") else name, ())


def _plain(host: str) -> str:
    return host.removesuffix(".").lower()


def literal(host: str) -> Address | None:
    """Read a host as an address; None: it is a name, or nothing."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _forms(address: Address) -> Iterator[Address]:
    """An address and the IPv4 address that it stands for."""
    yield address
    if (inner := _embedded(address)) is not None:
        yield inner


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv6Address):
        for network, shift in _V4_IN_V6:
            if address in network:
                return IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return None


def _why_special(address: Address) -> str | None:
    """Say what keeps an address from being public (`is private`), or None."""
    inner = _embedded(address)
    if inner is None:
        if word := _kind(address):
            return f"is {word}"
        inner = _tunnelled(address)
    word = _kind(inner) if inner is not None else None
    return word and f"stands for {inner}, which is {word}"


def _tunnelled(address: Address) -> IPv4Address | None:
    """Read the IPv4 address to which ISATAP (RFC 5214) would send what is for an address, under whatever network."""
    number = int(address)
    found = isinstance(address, IPv6Address) and number >> 32 & 0xFDFFFFFF == _ISATAP
    return IPv4Address(number & 0xFFFFFFFF) if found else None


def _kind(address: Address) -> str | None:
    for network, word in _SPECIAL:
        if address in network:
            return word
    return None if isinstance(address, IPv4Address) or address in _GLOBAL_V6 else "reserved"
