"""The headers of an answer."""

from __future__ import annotations

import pytest

from alertd.destinations.http1.fields import Fields

FIELDS = Fields([(b"Retry-After", b"5"), (b"X", b"\xc3\xa9\xff"), (b"x", b"second")])


def test_names_in_any_case() -> None:
    """A header is found however its name is written; the first of several counts."""
    assert FIELDS["retry-after"] == FIELDS["RETRY-AFTER"] == "5"
    assert FIELDS["x"] == "é\udcff"


def test_absent() -> None:
    """What is not there is None, or an error, as in any mapping."""
    assert FIELDS.get("y") is None
    assert "y" not in FIELDS
    with pytest.raises(KeyError):
        FIELDS["y"]


def test_all() -> None:
    """All of them can be walked through."""
    assert [name.lower() for name in FIELDS] == ["retry-after", "x"]
    assert len(FIELDS) == 2
    assert not Fields(())
