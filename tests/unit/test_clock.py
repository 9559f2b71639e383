"""The machine's clock, guarded against steps back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from alertd.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 1_000_000_000


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], None]:
    """Set the wall clock and the monotonic one, in seconds."""

    def set_both(wall: float, monotonic: float) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: int(wall * SECOND))
        monkeypatch.setattr(time, "time", lambda: wall)
        monkeypatch.setattr(time, "monotonic", lambda: monotonic)

    return set_both


def test_a_step_back_leaves_the_pace(tell: Callable[[float, float], None]) -> None:
    """Time goes on by what the monotonic clock measures, until the wall clock has caught up."""
    tell(1000, 5)
    clock = SystemClock()
    assert clock.now_ms() == 1_000_000
    for wall, monotonic, now_ms in (
        (400, 5, 1_000_000),
        (401, 6.5, 1_001_500),
        (402, 7.25, 1_002_250),
        (2000, 8, 2_000_000),
    ):
        tell(wall, monotonic)
        assert clock.now_ms() == now_ms


def test_parts_of_milliseconds_are_not_lost(tell: Callable[[float, float], None]) -> None:
    """However often it is asked after a step back, it goes on at its pace."""
    tell(1000, 5)
    clock = SystemClock()
    clock.now_ms()
    for n in range(1, 1001):
        tell(400, 5 + n * 0.0019)
        now_ms = clock.now_ms()
    assert now_ms == pytest.approx(1_001_900, abs=1)


def test_what_receivers_believe_is_the_wall_clock(tell: Callable[[float, float], None]) -> None:
    """Signatures carry it as it is, stepped back or not."""
    tell(1000, 5)
    clock = SystemClock()
    clock.now_ms()
    tell(400, 5)
    assert clock.wall_seconds() == 400
