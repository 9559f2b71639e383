"""What is kept takes no more room than it needs."""

from __future__ import annotations

import subprocess
import sys

import orjson

from alertd.model.compact import compact

KEEP = """
import sys
import orjson
from alertd.model.compact import compact

def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096

before, kept = resident(), []
for number in range(10_000):
    text = orjson.dumps({"id": number, "text": "x" * 400})
    kept.append((compact(text) if sys.argv[1] == "compact" else text, {number: [number]}))
print((resident() - before) // len(kept))
"""


def test_it_is_the_same_text() -> None:
    """Bytes, not a view of them."""
    text = orjson.dumps({"a": "ä"})
    assert compact(text) == text
    assert type(compact(text)) is bytes


def test_what_orjson_cut_off_is_free_again() -> None:
    """Payloads that are kept side by side with other things take less than half of the memory."""
    found = [
        int(subprocess.run([sys.executable, "-c", KEEP, how], check=True, capture_output=True, timeout=60).stdout)  # noqa: S603 - ourselves
        for how in ("compact", "as it is")
    ]
    assert found[0] < found[1] / 2
