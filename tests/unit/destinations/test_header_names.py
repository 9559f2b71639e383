"""Names of headers."""

from __future__ import annotations

import pytest

from alertd.destinations.header_names import FRAMING, check_names


def test_usual_names() -> None:
    """What destinations send passes."""
    check_names(("POST", "content-type", "webhook-id", "X-Hub-Signature-256", "Authorization", "content-encoding"))


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä", "a\0", "(a)"])
def test_name_that_is_none(name: str) -> None:
    """A name with anything but the characters of a token is refused, and not repeated."""
    with pytest.raises(ValueError, match="characters that HTTP does not allow"):
        check_names((name,))


@pytest.mark.parametrize("name", sorted(FRAMING))
def test_framing(name: str) -> None:
    """What frames a request is the sender's, in any case."""
    for form in (name, name.upper(), name.title()):
        with pytest.raises(ValueError, match=f"the header {name} is set by the sender"):
            check_names((form,))
