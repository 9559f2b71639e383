"""What decoding one event costs, beside bare reading and writing of its JSON: `python -m benchmarks.decode [--json]`.

Single-threaded CPU time in microseconds per event of about 470 bytes, and per body of outside services: the least and the
median of interleaved rounds, and the ratio of the medians to reading and writing the JSON of the event of 470 bytes and
nothing else, measured in the same rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import statistics
import time
from typing import TYPE_CHECKING

import orjson

from alertd.errors import DecodeError
from alertd.sources.base import Context
from alertd.sources.compression import decompress
from alertd.sources.detect import decode_http, decode_kafka
from alertd.sources.native import decode_json, decode_ndjson, decode_record
from benchmarks.outside import outside_cases

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT = {
    "type": "run:failed",
    "id": "run-0000017-failed",
    "workspace": "default",
    "project": "shop",
    "environment": "prod",
    "source": "scheduler",
    "severity": "error",
    "time": "2026-05-07T00:00:00Z",
    "key": "run-17",
    "message": "Run 17 failed after 3 attempts",
    "url": "https://shop.example/runs/17",
    "labels": {"team": "payments"},
    "data": {"run_id": 17, "attempts": 3, "note": "x" * 120},
}
CLOUDEVENT = {
    "specversion": "1.0",
    "type": "com.example.error",
    "source": "/svc/checkout",
    "id": "A-0000017",
    "time": "2026-11-20T22:00:00Z",
    "datacontenttype": "application/json",
    "severity": "error",
    "team": "payments",
    "data": {"message": "KeyError", "note": "x" * 240},
}
ARRAY = 100
CALLS = 2000
BASELINE = "bare loads + dumps"


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=25, help="interleaved rounds (default 25)")
    options = parser.parse_args()
    figures = measure(max(1, options.rounds))
    if options.json:
        print(json.dumps({"unit": "us/event", "event_bytes": len(orjson.dumps(EVENT)), "decode": figures}, indent=2))
        return
    print(f"us of CPU per event of {len(orjson.dumps(EVENT))} bytes, {options.rounds} interleaved rounds")
    print(f"{'':38}{'least':>8}{'median':>8}{'ratio':>8}")
    for name, figure in figures.items():
        print(f"{name:38}{figure['least']:8.2f}{figure['median']:8.2f}{figure['ratio']:8.2f}")


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Run every case once a round; figures are per event."""
    cases = make_cases()
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (events, call) in cases.items():
            calls = max(1, CALLS // events)
            begin = time.process_time()
            for _ in range(calls):
                call()
            times[name].append((time.process_time() - begin) / calls / events * 1e6)
    base = statistics.median(times[BASELINE])
    return {
        name: {
            "least": round(min(taken), 3),
            "median": round(statistics.median(taken), 3),
            "ratio": round(statistics.median(taken) / base, 3),
        }
        for name, taken in times.items()
    }


def make_cases() -> dict[str, tuple[int, Callable[[], object]]]:
    """Name the cases: how many events one call decodes, and the call."""
    context = Context(workspace="default", now_ms=1_778_112_000_000, workspaces=frozenset({"default"}))
    raw = orjson.dumps(EVENT)
    lean = orjson.dumps({"type": "run:failed", "id": "run-0000017-failed", "data": {"run_id": 17, "note": "x" * 400}})
    array = b"[" + b",".join([raw] * ARRAY) + b"]"
    lines = b"\n".join([raw] * ARRAY)
    zipped = gzip.compress(array)
    structured = orjson.dumps(CLOUDEVENT)
    headers = [
        (f"ce_{name}", str(text).encode())
        for name, text in CLOUDEVENT.items()
        if name not in {"data", "datacontenttype"}
    ] + [("content-type", b"application/json")]
    data = orjson.dumps(CLOUDEVENT["data"])
    wrong = b'{"typ":"run:failed","severity":"bad","labels":{"team":5}}'
    return {
        BASELINE: (1, lambda: orjson.dumps(orjson.loads(raw))),
        "Kafka value": (1, lambda: decode_record(raw, context)),
        "bare, only type, id and data": (1, lambda: orjson.dumps(orjson.loads(lean))),
        "Kafka value, only type, id and data": (1, lambda: decode_record(lean, context)),
        "HTTP object": (1, lambda: decode_http("application/json", {}, raw, context)),
        f"HTTP array of {ARRAY}": (ARRAY, lambda: decode_json(array, context)),
        f"NDJSON of {ARRAY} lines": (ARRAY, lambda: decode_ndjson(lines, context)),
        f"gunzip, then an array of {ARRAY}": (
            ARRAY,
            lambda: decode_json(decompress("gzip", zipped, 1 << 20), context),
        ),
        "CloudEvent, structured": (1, lambda: decode_kafka("cloudevents", [], structured, context)),
        "CloudEvent, binary": (1, lambda: decode_kafka("auto", headers, data, context)),
        "refused, 4 problems": (1, lambda: refuse(wrong, context)),
        **outside_cases(context),
    }


def refuse(body: bytes, context: Context) -> None:
    """Decode what is no event, and be content that it is refused."""
    with contextlib.suppress(DecodeError):
        decode_json(body, context)


if __name__ == "__main__":
    main()
