"""Addresses and networks as they are written."""

from __future__ import annotations

import pytest

from alertd.config.network import allowed_peer, split_address, valid_peer


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:0", "::1", 0), ("a-b.example:65535", "a-b.example", 65535)],
)
def test_addresses_are_split(text: str, host: str, port: int) -> None:
    """The brackets of an IPv6 host are taken off."""
    assert split_address(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    ["", ":80", "a", "a:", "a:b", "a:65536", "::1:80", "[::1]", "[x]:80", "a b:80", "http://a:80", "a:+1", "a:٣"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Host and port both have to be there."""
    with pytest.raises(ValueError, match="host:port"):
        split_address(text)


def test_a_peer_has_a_port() -> None:
    """Port 0 means any free one, which nobody can connect to."""
    with pytest.raises(ValueError, match="from 1 to 65535"):
        valid_peer("a:0")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("10.20.0.0/16", "10.20.0.0/16"),
        ("10.20.0.1", "10.20.0.1/32"),
        ("::1/128", "::1/128"),
        ("fd00::/8", "fd00::/8"),
        ("Hooks.Internal", "hooks.internal"),
        ("localhost", "localhost"),
        ("dead.beef", "dead.beef"),
    ],
)
def test_exceptions_to_the_guard(text: str, read: str) -> None:
    """Networks and addresses in their usual form, hosts in lower case."""
    assert allowed_peer(text) == read


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0", "a:80", "*.internal", "http://a", "a/8", "1::2::3", "-a"])
def test_what_is_no_exception_is_refused(text: str) -> None:
    """Neither ports nor wildcards nor half addresses."""
    with pytest.raises(ValueError, match=r"network|address"):
        allowed_peer(text)
