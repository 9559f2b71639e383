"""The retry matrix: for each type, what each answer of its provider means. One row, one promise."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from typing_extensions import override

from alertd.destinations.base import HttpAnswer, SendError, World
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import DEADLINE, FixedClock, ScriptedSender, make_message

if TYPE_CHECKING:
    from collections.abc import Mapping

OK: Final = OutcomeKind.DELIVERED
RETRY: Final = OutcomeKind.RETRY_LATER
PERMANENT: Final = OutcomeKind.REJECTED
DISABLE: Final = OutcomeKind.GONE
AMBIGUOUS: Final = OutcomeKind.AMBIGUOUS

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "webhook": {"url": "https://hooks.example.com/x"},
}
"""Settings with which each type is tried."""


@dataclass(frozen=True, slots=True)
class Row:
    """An answer and what it must mean; `wait` is the seconds that the provider asked for."""

    type: str
    status: int
    kind: OutcomeKind
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float | None = None

    @override
    def __str__(self) -> str:
        said = self.body[:40].decode("ascii", "replace")
        return f"{self.type}-{self.status}-{said}-{self.kind.word}"


ROWS: Final = [
    Row("webhook", 200, OK),
    Row("webhook", 204, OK),
    Row("webhook", 429, RETRY, headers={"Retry-After": "7"}, wait=7),
    Row("webhook", 502, RETRY, headers={"Retry-After": "7"}, wait=7),
    Row("webhook", 504, RETRY),
    Row("webhook", 500, RETRY),
    Row("webhook", 410, DISABLE),
    Row("webhook", 302, PERMANENT),
    Row("webhook", 404, PERMANENT),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_an_answer_means(row: Row) -> None:
    """The outcome is the documented one, with the wait that was asked for, and says which type and status."""
    settings = parse_settings(row.type, SETTINGS[row.type])
    sender = ScriptedSender([HttpAnswer(row.status, row.headers, row.body)])
    opened = REGISTRY[row.type].open(settings, 10.0, World(FixedClock(), sender, print))
    async with asyncio.timeout(DEADLINE):
        outcome = await opened.attempt(make_message())
    assert (outcome.kind, outcome.retry_after_seconds) == (row.kind, row.wait)
    assert outcome.status == row.status
    assert outcome.detail.startswith(f"{row.type}: ") == (row.kind is not OK)


@pytest.mark.parametrize("type_name", SETTINGS)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SendError("connection refused"), RETRY),
        (SendError("timed out after 10 s", ambiguous=True), AMBIGUOUS),
        (SendError("egress refused: 10.0.0.5 is private", refused=True), PERMANENT),
    ],
    ids=["unreachable", "ambiguous", "refused"],
)
async def test_no_answer_means(type_name: str, error: SendError, kind: OutcomeKind) -> None:
    """Without an answer: try again, unless the guard forbids it; a repeat that may arrive twice is ambiguous."""
    settings = parse_settings(type_name, SETTINGS[type_name])
    opened = REGISTRY[type_name].open(settings, 10.0, World(FixedClock(), ScriptedSender([error]), print))
    async with asyncio.timeout(DEADLINE):
        assert (await opened.attempt(make_message())).kind is kind
