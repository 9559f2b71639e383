"""The detector of spikes: it tells when an issue happens much more often than it usually does.

Time is cut into slots of five seconds, and each is weighed by a cumulative sum of Poisson log-likelihoods: `evidence`
grows by log(FACTOR) with each event and falls by (FACTOR - 1) times the expected count with each slot, never below zero.
It is the quickest test there is for a step of FACTOR at a given rate of false alarms, needs one number, and has no
window: a strong step is seen in seconds, a weak one when enough has come. The threshold is the logarithm of how many
events a month brings, so that false alarms are equally rare at every rate.

What is expected is the greater of two: a fading mean of some hours, raised by what chance may have hidden in it and by
what a daily rhythm may have added since; and what this hour of the day had before. Neither learns from a spike: what
came since the evidence was last zero is not trusted yet, and is thrown away when it was the beginning of a spike. A
spike that lasts `SETTLED_MINUTES` is the new usual; one that comes again at the same hour is a rhythm.

Nothing is weighed before there is a baseline (cold start: the issue is new, and said so). At least `LEAST_EVENTS` make
a spike, and a slot brings a third of the threshold at most: a single burst is not a spike until it goes on. A spike ends
when the rate has been below 1.5 times the expected for long enough, by the same test turned round.

Work per event is constant (a gap of days costs at most 24 steps). `alertd.model.traffic.Traffic` is all it remembers.
"""

from __future__ import annotations

from enum import Enum
from math import log, sqrt
from typing import TYPE_CHECKING, Final

from alertd.model.traffic import HOURS, SLOT_MINUTES, SLOT_MS, UNKNOWN, make_rates

if TYPE_CHECKING:
    from alertd.model.traffic import Traffic

FACTOR: Final = 4.0
"""The step that the evidence is tuned to; a lasting rise of less than 2.16 times is none."""
LEAST_EVENTS: Final = 10
"""So many events at least make a spike."""
COLD_MINUTES: Final = 15.0
"""No spike before the baseline has seen so much time."""
BASE_EVENTS: Final = 100.0
"""The baseline fades so slowly that about so many events are in it ..."""
BASE_MINUTES: Final = (60.0, 720.0)
"""... but within these bounds."""
GROWTH_PER_HOUR: Final = 0.1
"""What a rhythm may add in an hour, while this hour of the day is not known."""
MARGIN: Final = 1.0
"""The baseline is taken so many standard deviations above its mean ..."""
RHYTHM_MARGIN: Final = 0.5
"""... and so is an hour of the day."""
SILENCE: Final = (15.0, 10.0)
"""A gap teaches the baseline at most so many minutes, or the time of so many expected events: it may be an outage."""
SETTLED_MINUTES: Final = 360.0
"""A spike that lasts so long is the new usual."""
RISE: Final = 0.5
FALL: Final = 0.15
"""How much of a day a slot of the rhythm learns: more when it rises than when it falls, so that it keeps working days
in mind over a weekend."""
FRESH_MINUTES: Final = 5.0
"""What is expected is looked at anew after so long, even when nothing was learnt: the hour may be another."""
LATE_SLOTS: Final = 60
"""An event that is more slots than this behind the newest says nothing about now, and is not weighed."""

_GAIN: Final = log(FACTOR)
_LOSS: Final = FACTOR - 1.0
_ALARMS: Final = 3.0 * 43_200.0
_THRESHOLD: Final = (9.0, 30.0)
_STEPS: Final = 2.999  # a little less than three, so that three slots are enough
_END_FACTOR: Final = 2.2
_END_GAIN: Final = _END_FACTOR - 1.0
_END_LOSS: Final = log(_END_FACTOR)
_END_THRESHOLD: Final = 6.0
_HOUR: Final = 60.0
_HALF_HOUR: Final = 30.0


class Signal(Enum):
    """What one observation changed."""

    NONE = 0
    BEGAN = 1
    ENDED = 2


_NONE: Final = Signal.NONE


def observe(traffic: Traffic, at_ms: int, count: int = 1, *, quietly: bool = False) -> Signal:
    """Weigh `count` events at one moment; changes `traffic`. `quietly`: the next one may begin a spike, not this."""
    slot = at_ms // SLOT_MS
    gap = slot - traffic.slot
    signal = _NONE
    if gap > 0:
        signal = _close(traffic, slot, gap)
    elif gap < -LATE_SLOTS:
        return _NONE
    traffic.slot_count = seen = traffic.slot_count + count
    threshold = traffic.threshold
    if traffic.spiking or not threshold:
        return signal
    gain, most = seen * _GAIN - traffic.loss, threshold / _STEPS
    evidence = traffic.evidence + (gain if gain < most else most)  # noqa: FURB136 - min() takes twice as long
    if evidence < threshold or quietly or traffic.pending_count + seen < LEAST_EVENTS:
        return signal
    _begin(traffic)
    return Signal.BEGAN


def settle(traffic: Traffic, at_ms: int) -> Signal:
    """Let time pass without an event, so that a spike can end by quiet; changes `traffic`."""
    slot = at_ms // SLOT_MS
    gap = slot - traffic.slot
    return _close(traffic, slot, gap) if gap > 0 else _NONE


def accept(traffic: Traffic) -> None:
    """Take the spike under way for the usual, for somebody knows of it and waits for another; changes `traffic`."""
    if not traffic.spiking:
        return
    traffic.spike_count += traffic.slot_count
    traffic.spike_span += SLOT_MINUTES
    traffic.slot_count = 0.0
    _end(traffic, is_usual=True)


def join(traffic: Traffic, other: Traffic) -> None:
    """Expect from now on what two issues together have, for they are one; changes `traffic`, which keeps its spike."""
    if other.base_span and traffic.base_span:
        traffic.base_count += other.base_count / other.base_span * traffic.base_span
    elif other.base_span:
        traffic.base_count, traffic.base_span = other.base_count, other.base_span
    if other.rates is not None:
        rates = traffic.rates = make_rates() if traffic.rates is None else traffic.rates
        for slot, rate in enumerate(other.rates[:HOURS]):
            if rate != UNKNOWN:
                rates[slot] = rate + max(rates[slot], 0.0)
    _expect(traffic)


def _close(traffic: Traffic, slot: int, gap: int) -> Signal:
    """Weigh the slot that is over, and the empty ones behind it, and go on to another."""
    traffic.slot = slot
    count, span = traffic.slot_count, gap * SLOT_MINUTES
    traffic.slot_count = 0.0
    if traffic.spiking:
        return _close_spike(traffic, count, span)
    traffic.pending_count += count
    traffic.pending_span += span
    threshold, loss = traffic.threshold, traffic.loss
    evidence = traffic.evidence + min(count * _GAIN - loss, threshold / _STEPS)
    if gap > 1 and evidence > 0.0:
        evidence -= loss * (gap - 1)
    if evidence > 0.0 and threshold:
        traffic.evidence = min(evidence, threshold)
        if traffic.at - traffic.expected_at > FRESH_MINUTES:
            _expect(traffic)
        return _NONE
    traffic.evidence = 0.0
    traffic.fresh_count += traffic.pending_count
    traffic.fresh_span += traffic.pending_span
    traffic.pending_count = traffic.pending_span = 0.0
    if traffic.fresh_span >= 1.0:
        _learn(traffic)
    return _NONE


def _begin(traffic: Traffic) -> None:
    traffic.spiking = True
    traffic.hour_spiked = True
    traffic.evidence = 0.0
    traffic.spike_count, traffic.spike_span = traffic.pending_count, traffic.pending_span
    traffic.pending_count = traffic.pending_span = 0.0


def _close_spike(traffic: Traffic, count: float, span: float) -> Signal:
    traffic.spike_count += count
    traffic.spike_span += span
    _hour(traffic, count, span)
    evidence = traffic.evidence + _END_GAIN * traffic.expected * span - count * _END_LOSS
    traffic.evidence = max(0.0, evidence)
    settled = traffic.spike_span >= SETTLED_MINUTES
    if evidence < _END_THRESHOLD and not settled:
        return _NONE
    _end(traffic, is_usual=settled)
    return Signal.ENDED


def _end(traffic: Traffic, *, is_usual: bool) -> None:
    """End a spike; what it had may be the usual from now on."""
    traffic.spiking = False
    traffic.evidence = 0.0
    if is_usual:
        _adopt(traffic)
    _expect(traffic)


def _adopt(traffic: Traffic) -> None:
    """Make what a long spike had the usual."""
    share = BASE_MINUTES[0] / traffic.spike_span
    traffic.base_count, traffic.base_span = traffic.spike_count * share, BASE_MINUTES[0]
    rates = traffic.rates
    if rates is not None:
        hour = int(traffic.at / _HOUR)
        for back in range(1 + int(traffic.spike_span / _HOUR)):
            slot = (hour - back) % HOURS
            rates[slot] = max(rates[slot], rates[HOURS + slot])


def _learn(traffic: Traffic) -> None:
    """Take what is trusted into the baseline and into the hour, and say anew what is expected."""
    count, span = traffic.fresh_count, traffic.fresh_span
    traffic.fresh_count = traffic.fresh_span = 0.0
    known, memory = traffic.base_span, BASE_MINUTES[0]
    longest = _HOUR * HOURS
    if known:
        rate = traffic.base_count / known
        longest = max(SILENCE[0], SILENCE[1] / (rate + 1.0 / known))
        memory = min(max(BASE_EVENTS / rate, memory), BASE_MINUTES[1]) if rate else BASE_MINUTES[1]
    if span > longest:
        span = longest
        _skip(traffic, count, span)
    else:
        _hour(traffic, count, span)
    keep = 1.0 / (1.0 + span / memory)
    traffic.base_count = (traffic.base_count + count) * keep
    traffic.base_span = (known + span) * keep
    _expect(traffic)


def _hour(traffic: Traffic, count: float, span: float) -> None:
    """Count into the hour under way; when the time is in another by now, teach the rhythm what it was."""
    hour = int(traffic.at / _HOUR)
    within = traffic.at - hour * _HOUR
    if span <= within:
        traffic.hour_count += count
        traffic.hour_span += span
        return
    full, rest = divmod(span - within, _HOUR)
    traffic.hour_span += rest
    for each in range(hour - 1 - min(int(full), HOURS), hour):
        _teach(traffic, each % HOURS)
        traffic.hour_count, traffic.hour_span, traffic.hour_spiked = 0.0, _HOUR, traffic.spiking
    traffic.hour_count, traffic.hour_span = count, within


def _skip(traffic: Traffic, count: float, span: float) -> None:
    """Begin a new hour after a silence that tells nothing; what the hour before it was is lost."""
    traffic.hour_count, traffic.hour_spiked = count, traffic.spiking
    traffic.hour_span = min(span, traffic.at % _HOUR)


def _teach(traffic: Traffic, slot: int) -> None:
    if traffic.hour_span < _HALF_HOUR:
        return
    rates = traffic.rates
    if rates is None:
        rates = traffic.rates = make_rates()
    seen, usual = traffic.hour_count / traffic.hour_span, rates[slot]
    if traffic.hour_spiked:
        before, rates[HOURS + slot] = rates[HOURS + slot], seen
        if before != UNKNOWN:  # at the same hour of another day, too: a rhythm
            rates[slot] = max(usual, min(before, seen))
    elif usual == UNKNOWN:
        rates[slot] = seen
    else:
        rates[slot] = usual + (seen - usual) * (RISE if seen > usual else FALL)


def _expect(traffic: Traffic) -> None:
    """Say what is expected now, and which evidence makes a spike; neither before the cold start is over."""
    traffic.expected_at = traffic.at
    count, span = traffic.base_count, traffic.base_span
    if span < COLD_MINUTES:
        traffic.expected = traffic.threshold = traffic.loss = 0.0
        return
    expected = (count + MARGIN * sqrt(count + 1.0)) / span
    usual = _usual(traffic)
    expected = expected * (1.0 + GROWTH_PER_HOUR * span / _HOUR) if usual == UNKNOWN else max(expected, usual)
    traffic.expected = expected
    traffic.loss = _LOSS * expected * SLOT_MINUTES
    traffic.threshold = min(max(log(_ALARMS * expected), _THRESHOLD[0]), _THRESHOLD[1])


def _usual(traffic: Traffic) -> float:
    """What this hour of the day had, or the one that is near, whichever is more; UNKNOWN before the first day."""
    rates = traffic.rates
    if rates is None:
        return UNKNOWN
    hours = traffic.at / _HOUR
    hour = int(hours)
    part = hours - hour
    near = hour + 1 if part > 0.75 else hour - 1 if part < 0.25 else hour  # noqa: PLR2004 - quarters of an hour
    here = rates[hour % HOURS]
    if here == UNKNOWN:
        return UNKNOWN
    rate = max(here, rates[near % HOURS])
    return rate + RHYTHM_MARGIN * sqrt(rate / _HOUR)
