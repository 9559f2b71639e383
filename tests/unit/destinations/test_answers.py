"""Reading providers' answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.destinations.answers import members_of, one_line, outcome_of, seconds_in, usual_kind
from alertd.destinations.base import HttpAnswer
from alertd.model.delivery import ANSWER_MAX, Outcome, OutcomeKind

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def answer(body: bytes, status: int = 200) -> HttpAnswer:
    """Make an answer."""
    return HttpAnswer(status, {}, body)


@given(st.dictionaries(st.text(), json_values, max_size=5), st.data())
def test_members_before_a_cut_are_read(members: dict[str, Any], data: st.DataObject) -> None:
    """Of an object that was cut off anywhere, what is there in full is read, and nothing else."""
    text = json.dumps(members)
    cut = text[: data.draw(st.integers(0, len(text)))]
    found = members_of(answer(cut.encode()))
    assert list(found.items()) == list(members.items())[: len(found)]
    assert text != cut or found == members


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"[1]", b"{", b"{]", b'{"a"', b"{1: 2}", b"\xff", b"{" * 5000, b'{"a":12']
)
def test_what_is_no_object_has_no_members(body: bytes) -> None:
    """Garbage is read as nothing, without an error; an unfinished number too."""
    assert members_of(answer(body)) == {}


def test_a_deep_answer_is_no_error() -> None:
    """An answer nested beyond reason has the members before it."""
    assert members_of(answer(b'{"ok": true, "a": ' + b"[" * 100_000)) == {"ok": True}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, OutcomeKind.DELIVERED),
        (299, OutcomeKind.DELIVERED),
        (199, OutcomeKind.REJECTED),
        (300, OutcomeKind.REJECTED),
        (404, OutcomeKind.REJECTED),
        (408, OutcomeKind.RETRY_LATER),
        (425, OutcomeKind.RETRY_LATER),
        (429, OutcomeKind.RETRY_LATER),
        (499, OutcomeKind.REJECTED),
        (500, OutcomeKind.RETRY_LATER),
        (599, OutcomeKind.RETRY_LATER),
    ],
)
def test_usual_meaning(status: int, kind: OutcomeKind) -> None:
    """What a status means where the provider says nothing else."""
    assert usual_kind(status) is kind


def test_outcomes_are_worded_alike() -> None:
    """Type, status and the provider's reason on one line; at least a second's wait, and only where it is retried."""
    said = answer(b"x" * 5000, 429)
    assert outcome_of("slack", said, OutcomeKind.RETRY_LATER, reason="slow\n down", wait=0.2) == Outcome(
        OutcomeKind.RETRY_LATER, 429, "slack: returned 429: slow down", b"x" * ANSWER_MAX, 1.0
    )
    assert outcome_of("slack", said, OutcomeKind.REJECTED, wait=5).retry_after_seconds is None
    assert outcome_of("slack", answer(b"ok"), OutcomeKind.DELIVERED, reason="fine") == Outcome(
        OutcomeKind.DELIVERED, 200, "", b"ok"
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(5, 5.0), (0.3, 0.3), (0, 0.0), (-1, None), (True, None), ("5", None), (None, None), (1e300, None)],
)
def test_seconds_in_an_answer(value: Any, seconds: float | None) -> None:
    """A number of seconds is one that makes sense."""
    assert seconds_in(value) == seconds


@given(st.text())
def test_a_reason_is_one_line(text: str) -> None:
    """A provider's words are one printable line of at most 200 characters."""
    said = one_line(text)
    assert len(said) <= 200
    assert said.isprintable()
