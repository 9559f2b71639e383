"""What the breaker promises."""

from __future__ import annotations

from math import inf

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alertd.delivery.breaker import Breaker, BreakerState


def opened(cool_seconds: float = 30) -> Breaker:
    """A breaker that opened at time 0."""
    breaker = Breaker(3, cool_seconds)
    assert [breaker.failed(0, probe=0) for _ in range(3)] == [False, False, True]
    return breaker


def test_it_opens_at_the_bound_and_not_before() -> None:
    """Three failures in a row open it; two do not."""
    breaker = Breaker(3, 30)
    breaker.failed(0, probe=0)
    breaker.failed(0, probe=0)
    assert breaker.wait_seconds(0) == 0
    assert breaker.state(0) is BreakerState.CLOSED
    assert breaker.failed(0, probe=0)
    assert breaker.wait_seconds(0) == 30
    assert breaker.state(0) is BreakerState.OPEN


def test_one_success_resets_the_count() -> None:
    """Failures must be in a row."""
    breaker = Breaker(2, 30)
    for _ in range(5):
        assert not breaker.failed(0, probe=0)
        assert not breaker.succeeded()
    assert not breaker.opened


def test_after_cooling_one_probe_at_a_time() -> None:
    """While a probe is out nothing else may begin."""
    breaker = opened()
    assert breaker.wait_seconds(29) == 1
    assert breaker.wait_seconds(30) == 0
    assert breaker.begin()
    assert breaker.wait_seconds(30) == inf
    assert breaker.state(30) is BreakerState.HALF_OPEN


def test_a_failed_probe_opens_again() -> None:
    """And the cooling begins anew."""
    breaker = opened()
    probe = breaker.begin()
    assert breaker.failed(40, probe=probe)
    assert breaker.wait_seconds(40) == 30


def test_a_probe_that_succeeds_closes() -> None:
    """One success resets everything."""
    breaker = opened()
    breaker.begin()
    assert breaker.succeeded()
    assert breaker.state(30) is BreakerState.CLOSED
    assert breaker.wait_seconds(30) == 0


def test_a_neutral_probe_allows_the_next_one() -> None:
    """A rejection says nothing about health: still half-open."""
    breaker = opened()
    probe = breaker.begin()
    breaker.neutral(probe=probe)
    assert breaker.opened
    assert breaker.wait_seconds(30) == 0


def test_late_failures_of_earlier_attempts_do_not_lengthen_the_rest() -> None:
    """Attempts that began before it opened are no probes."""
    breaker = opened()
    assert not breaker.failed(20, probe=0)
    assert breaker.wait_seconds(20) == 10


def test_a_rejection_of_an_earlier_attempt_allows_no_second_probe() -> None:
    """What began before it opened says nothing about the probe that is out."""
    breaker = opened()
    probe = breaker.begin()
    breaker.neutral(probe=0)
    assert breaker.wait_seconds(30) == inf
    breaker.neutral(probe=probe)
    assert breaker.wait_seconds(30) == 0


def test_a_probe_that_outlived_its_time_is_not_taken_for_the_present_one() -> None:
    """A late success closed it, failures opened it again, and only then does the first probe end: the second one decides."""
    breaker = opened()
    old = breaker.begin()
    breaker.succeeded()
    for _ in range(3):
        breaker.failed(40, probe=0)
    present = breaker.begin()
    assert not breaker.failed(75, probe=old)
    breaker.neutral(probe=old)
    assert breaker.wait_seconds(75) == inf
    assert breaker.failed(80, probe=present)
    assert breaker.wait_seconds(80) == 30


class BreakerMachine(RuleBasedStateMachine):
    """Any history: compared with what its definition says."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(3, 10)
        self.now = 0.0
        self.streak = 0
        self.open = False
        self.cooled = 0.0
        self.flying: list[int] = []
        self.probe = 0

    @rule(seconds=st.floats(0, 20))
    def passes(self, seconds: float) -> None:
        """Time goes on."""
        self.now += seconds

    @precondition(lambda self: self.breaker.wait_seconds(self.now) == 0)
    @rule()
    def begins(self) -> None:
        """An attempt begins where one is allowed."""
        probe = self.breaker.begin()
        assert bool(probe) == self.open
        assert probe not in self.flying or not probe
        self.flying.append(probe)
        self.probe = probe or self.probe

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), how=st.sampled_from(["ok", "fail", "neutral"]))
    def ends(self, data: st.DataObject, how: str) -> None:
        """An attempt ends in any way, in any order."""
        probe = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        if how == "ok":
            assert self.breaker.succeeded() == self.open
            self.open, self.streak = False, 0
            self.probe = 0
        elif how == "neutral":
            self.breaker.neutral(probe=probe)
            self.probe = 0 if probe == self.probe else self.probe
        else:
            self.streak += not self.open
            present = bool(probe) and probe == self.probe
            opens = (self.open and present) or (not self.open and self.streak >= 3)
            assert self.breaker.failed(self.now, probe=probe) == opens
            if opens:
                self.open, self.cooled, self.probe = True, self.now + 10, 0

    @invariant()
    def waits_as_defined(self) -> None:
        """Never more than one probe, never an attempt while it cools."""
        assert self.breaker.opened == self.open
        wait = self.breaker.wait_seconds(self.now)
        if not self.open:
            assert wait == 0
        elif self.probe:
            assert wait == inf
        else:
            assert wait == max(0, self.cooled - self.now)


TestBreakerMachine = BreakerMachine.TestCase
