"""The baseline: a consumer that takes batches and throws them away. `python -m benchmarks.bare_getmany FILE`.

FILE is JSON: bootstrap, topic, group and limit. Prints JSON: the records a second from the first batch to the last.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer

BATCH = 500


async def main(options: dict[str, Any]) -> None:
    """Read so many records."""
    consumer = AIOKafkaConsumer(
        options["topic"],
        bootstrap_servers=options["bootstrap"],
        group_id=options["group"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    taken, first, begun = 0, 0, 0.0
    while taken < options["limit"]:
        batches = await consumer.getmany(timeout_ms=200, max_records=BATCH)
        taken += sum(map(len, batches.values()))
        if taken and not begun:
            begun, first = time.monotonic(), taken
    print(json.dumps({"rate": (taken - first) / (time.monotonic() - begun)}), flush=True)
    await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
