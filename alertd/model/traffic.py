"""Traffic: how often one issue happens, as far as the detector of spikes remembers it.

It is the detector's whole memory of an issue: some numbers, and one array once an hour has been seen. What they mean
is decided in `alertd.engine.issues.spike`; here is only what they are, how they are copied and how they are stored.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import Final

SLOT_MS: Final = 5_000
"""The grain of time, in milliseconds."""
SLOT_MINUTES: Final = SLOT_MS / 60_000
"""The same in minutes."""
HOURS: Final = 24
"""Slots of a day's rhythm, hours of UTC."""
UNKNOWN: Final = -1.0
"""In an hour of the rhythm: nothing learnt yet."""

_LAYOUT: Final = struct.Struct("<q16dB")
_SPIKING: Final = 1
_HOUR_SPIKED: Final = 2


@dataclass(slots=True)
class Traffic:
    """The memory of one issue. Spans are minutes, rates events a minute.

    `slot`: the slot of time under way, numbered since 1970, and `slot_count` what it has brought. `evidence`: of the
    slots before, for a spike (while spiking: for its end). `pending_*`: since evidence was last zero. `fresh_*`:
    trusted, not yet in the baseline. `base_*`: the baseline, a fading count and span. `expected`: the rate that counts
    as usual, as of `expected_at` (minutes since 1970); `loss`: what that takes from the evidence in a slot;
    `threshold`: the evidence that makes a spike, 0 during the cold start. `spike_*`: count and span of the spike under
    way, or of the last. `hour_*`: of the hour under way, which `hour_spiked` if a spike touched it. `rates`: by hour of
    the day, the usual rate and behind it the rate seen in a spike; None before the first hour.
    """

    slot: int
    slot_count: float = 0.0
    evidence: float = 0.0
    pending_count: float = 0.0
    pending_span: float = 0.0
    fresh_count: float = 0.0
    fresh_span: float = 0.0
    base_count: float = 0.0
    base_span: float = 0.0
    expected: float = 0.0
    expected_at: float = 0.0
    loss: float = 0.0
    threshold: float = 0.0
    spike_count: float = 0.0
    spike_span: float = 0.0
    hour_count: float = 0.0
    hour_span: float = 0.0
    spiking: bool = False
    hour_spiked: bool = False
    rates: array[float] | None = None

    def copy(self) -> Traffic:
        """Return an equal one that shares nothing."""
        return Traffic(
            self.slot,
            self.slot_count,
            self.evidence,
            self.pending_count,
            self.pending_span,
            self.fresh_count,
            self.fresh_span,
            self.base_count,
            self.base_span,
            self.expected,
            self.expected_at,
            self.loss,
            self.threshold,
            self.spike_count,
            self.spike_span,
            self.hour_count,
            self.hour_span,
            self.spiking,
            self.hour_spiked,
            None if self.rates is None else self.rates[:],
        )

    @property
    def at(self) -> float:
        """The beginning of the slot under way, in minutes since 1970."""
        return self.slot * SLOT_MINUTES

    @property
    def factor(self) -> float:
        """How many times its usual rate the spike under way has; 1 while there is none."""
        if not self.spiking or not self.expected:
            return 1.0
        return (self.spike_count + self.slot_count) / (self.spike_span + SLOT_MINUTES) / self.expected


def make_rates() -> array[float]:
    """Make the rates of a day of which nothing is known."""
    return array("f", [UNKNOWN] * (2 * HOURS))


def encode_traffic(traffic: Traffic) -> bytes:
    """Write it in its stored form: 137 bytes, and 192 more once an hour has been seen."""
    head = _LAYOUT.pack(
        traffic.slot,
        traffic.slot_count,
        traffic.evidence,
        traffic.pending_count,
        traffic.pending_span,
        traffic.fresh_count,
        traffic.fresh_span,
        traffic.base_count,
        traffic.base_span,
        traffic.expected,
        traffic.expected_at,
        traffic.loss,
        traffic.threshold,
        traffic.spike_count,
        traffic.spike_span,
        traffic.hour_count,
        traffic.hour_span,
        traffic.spiking * _SPIKING | traffic.hour_spiked * _HOUR_SPIKED,
    )
    return head if traffic.rates is None else head + traffic.rates.tobytes()


def decode_traffic(stored: bytes) -> Traffic:
    """Read it back."""
    *numbers, flags = _LAYOUT.unpack_from(stored)
    traffic = Traffic(*numbers)
    traffic.spiking, traffic.hour_spiked = bool(flags & _SPIKING), bool(flags & _HOUR_SPIKED)
    if len(stored) > _LAYOUT.size:
        traffic.rates = array("f", stored[_LAYOUT.size :])
    return traffic
