"""Sets of ports."""

from __future__ import annotations

import pytest

from alertd.destinations.ports import HTTP_PORTS, Ports, checked_ports


@pytest.mark.parametrize(
    ("text", "plain", "inside", "outside"),
    [
        ("80", "80", [80], [79, 81, 0]),
        (" 80 ,443", "80, 443", [80, 443], [81, 442]),
        ("1-65535", "1-65535", [1, 65535], [0, 65536]),
        ("5-5", "5", [5], [4, 6]),
        (HTTP_PORTS, HTTP_PORTS, [80, 443, 1024, 8443, 65535], [22, 25, 465, 587, 1023]),
    ],
)
def test_what_is_in_it(text: str, plain: str, inside: list[int], outside: list[int]) -> None:
    """Numbers and ranges, both ends included, written in one plain form."""
    ports = Ports(text)
    assert checked_ports(text) == str(ports) == plain
    assert all(port in ports for port in inside)
    assert not any(port in ports for port in outside)


@pytest.mark.parametrize(
    "text", ["", ",", "80,", "0", "65536", "x", "8 0", "-1", "80-", "90-80", "0-5", "1-99999", "\u0661"]
)
def test_bad_entry(text: str) -> None:
    """What is no port, or a range from high to low, is an error that shows how ports are written."""
    with pytest.raises(ValueError, match="such as 80, 443"):
        Ports(text)
