"""What Opsgenie says of a request that it accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.destinations.base import HttpAnswer
from alertd.destinations.opsgenie_result import Fate, fate_of, request_of
from alertd.model.delivery import Outcome, OutcomeKind


@pytest.mark.parametrize(
    ("kind", "status", "answer", "number"),
    [
        (OutcomeKind.DELIVERED, 202, b'{"result":"Request will be processed","requestId":"43a2"}', "43a2"),
        (OutcomeKind.DELIVERED, 202, b'{"requestId":"' + b"x" * 101 + b'"}', ""),
        (OutcomeKind.DELIVERED, 202, b'{"requestId":7}', ""),
        (OutcomeKind.DELIVERED, 202, b"", ""),
        (OutcomeKind.DELIVERED, 200, b'{"requestId":"43a2"}', ""),
        (OutcomeKind.REJECTED, 422, b'{"requestId":"43a2"}', ""),
    ],
)
def test_an_accepted_request_has_a_number(kind: OutcomeKind, status: int, answer: bytes, number: str) -> None:
    """What was not accepted has none to ask for."""
    assert request_of(Outcome(kind, status, "", answer)) == number


@pytest.mark.parametrize(
    ("status", "body", "fate", "said"),
    [
        (200, b'{"data":{"isSuccess":true,"status":"Created alert"}}', Fate.DONE, "Created alert"),
        (200, b'{"data":{"success":true}}', Fate.DONE, ""),
        (200, b'{"data":{"success":false,"isSuccess":false,"status":"no"},"took":1}', Fate.FAILED, "no"),
        (200, b'{"data":{"isSuccess":"yes"}}', Fate.UNKNOWN, ""),
        (200, b'{"data":[]}', Fate.UNKNOWN, ""),
        (200, b"<html>", Fate.UNKNOWN, ""),
        (404, b'{"message":"Request not found. It might not be processed, yet."}', Fate.NOT_YET, ""),
        (202, b'{"data":{"isSuccess":true}}', Fate.UNKNOWN, ""),
        (429, b"", Fate.NOT_YET, ""),
        (500, b"", Fate.NOT_YET, ""),
        (503, b"<html>", Fate.NOT_YET, ""),
        (501, b"", Fate.UNKNOWN, ""),
        (401, b"", Fate.UNKNOWN, ""),
    ],
)
def test_its_fate(status: int, body: bytes, fate: Fate, said: str) -> None:
    """Worth asking again is what is not done yet, and a server that has too much to do."""
    assert fate_of(HttpAnswer(status, {}, body)) == (fate, said)


@given(st.sampled_from([200, 404]), st.binary(max_size=200))
def test_whatever_it_says_is_read(status: int, body: bytes) -> None:
    """Garbage is no fate."""
    fate_of(HttpAnswer(status, {}, body))
    request_of(Outcome(OutcomeKind.DELIVERED, 202, "", body))
