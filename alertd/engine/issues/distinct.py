"""How many different ones: an estimate in at most 256 bytes (HyperLogLog), exact for the first 31.

A sketch is bytes: empty at first, then the sorted 8-byte digests of what was seen, from the 32nd on 256 registers. The
order in which things are seen does not matter, and seeing one again changes nothing: then the same object is returned.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from math import log
from typing import Final

EXACT: Final = 31
"""So many are counted exactly; above it the standard error is 6.5 %."""

_DIGEST: Final = 8
_REGISTERS: Final = 256
_REST_BITS: Final = 56
_BIAS: Final = 0.7213 / (1 + 1.079 / _REGISTERS)
_RECENT: Final = 8192


def add(sketch: bytes, text: str) -> bytes:
    """Return the sketch with a text seen."""
    digest, place, rank = _digest(text)
    if len(sketch) == _REGISTERS:
        if rank <= sketch[place]:
            return sketch
    elif (at := sketch.find(digest)) >= 0 and not at % _DIGEST:
        return sketch
    return _add_digest(sketch, digest)


@lru_cache(_RECENT)
def count(sketch: bytes) -> int:
    """Estimate how many different texts were seen; sketches soon stop changing, so the answers are kept."""
    if len(sketch) != _REGISTERS:
        return len(sketch) // _DIGEST
    zeros = sketch.count(0)
    estimate = _BIAS * _REGISTERS**2 / sum(2.0**-rank for rank in sketch)
    if zeros and estimate <= 2.5 * _REGISTERS:
        estimate = _REGISTERS * log(_REGISTERS / zeros)
    return round(estimate)


def union(one: bytes, other: bytes) -> bytes:
    """Return the sketch of all that either has seen."""
    if len(other) == _REGISTERS:
        one, other = other, one
    if len(other) == _REGISTERS:
        return bytes(map(max, one, other))
    for digest in _digests(other):
        one = _add_digest(one, digest)
    return one


def _add_digest(sketch: bytes, digest: bytes) -> bytes:
    if len(sketch) == _REGISTERS:
        return _register(sketch, digest)
    place = _place(sketch, digest)
    if sketch[place : place + _DIGEST] == digest:
        return sketch
    known = sketch[:place] + digest + sketch[place:]
    if len(known) <= EXACT * _DIGEST:
        return known
    sketch = bytes(_REGISTERS)
    for each in _digests(known):
        sketch = _register(sketch, each)
    return sketch


def _place(sketch: bytes, digest: bytes) -> int:
    """Find where a digest stands among those sorted, or would stand."""
    low, high = 0, len(sketch) // _DIGEST
    while low < high:
        middle = (low + high) // 2
        if sketch[middle * _DIGEST : (middle + 1) * _DIGEST] < digest:
            low = middle + 1
        else:
            high = middle
    return low * _DIGEST


def _register(sketch: bytes, digest: bytes) -> bytes:
    place, rank = digest[0], _rank(digest)
    if rank <= sketch[place]:
        return sketch
    return b"%b%c%b" % (sketch[:place], rank, sketch[place + 1 :])


def _digests(sketch: bytes) -> list[bytes]:
    return [sketch[start : start + _DIGEST] for start in range(0, len(sketch), _DIGEST)]


def _rank(digest: bytes) -> int:
    return _REST_BITS + 1 - int.from_bytes(digest[1:]).bit_length()


@lru_cache(_RECENT)
def _digest(text: str) -> tuple[bytes, int, int]:
    """Return a text's digest, its register and its rank there; users come again, so the answers are kept."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
    return digest, digest[0], _rank(digest)
