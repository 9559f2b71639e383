"""The senders: the daemon from Kafka with either of them, plain and over TLS; and all that there are, alone.

The pairs are neighbours, and every second round goes backwards. `by CPU` is what counts: both daemons do the same work
around their senders, so what is left of the ratio is the sender's. The latencies are at the same rate, half of what the
daemon reaches with aiohttp.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import ssl
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from benchmarks.bench import rate_of
from benchmarks.figures import Line, Result, Run, ratios
from benchmarks.process import module
from benchmarks.rounds import rounds
from benchmarks.rows.latency import SETTLE_SECONDS, paced
from benchmarks.workload import DESTINATIONS, Rules, egress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.bench import Bench

FAST = "Kafka -> webhook, fast"
AIOHTTP = "Kafka -> webhook, aiohttp"
FAST_TLS = "Kafka -> webhook over TLS, fast"
AIOHTTP_TLS = "Kafka -> webhook over TLS, aiohttp"
SLOW_LATENCY = "latency from Kafka, aiohttp"
FAST_LATENCY = "latency from Kafka, fast"
ALONE = "sender alone, "
TLS = " over TLS"
AUTHORITY: Final = ssl.get_default_verify_paths().openssl_cafile_env
"""The variable that names the file of those whom the system trusts."""
ALONE_FACTOR = 2
"""A sender alone is faster than a daemon: it gets so many times the posts."""


def run(bench: Bench) -> Result:
    """Run all rounds, then the latencies, and compare."""
    result = Result()
    rounds(bench, result, _subjects(bench))
    rate = statistics.median(result.rates(AIOHTTP)) / 2
    rounds(bench, result, [partial(_latency, bench, *pair, rate) for pair in ((AIOHTTP, "aiohttp"), (FAST, "fast"))])
    result.lines = [*_lines(result), *_alone_lines(result)]
    return result


def _subjects(bench: Bench) -> Sequence[Callable[[], Run]]:
    pairs = [
        (FAST, "fast", False),
        (AIOHTTP, "aiohttp", False),
        (FAST_TLS, "fast", True),
        (AIOHTTP_TLS, "aiohttp", True),
    ]
    daemons = [partial(_daemon, bench, subject, sender, tls=tls) for subject, sender, tls in pairs]
    return daemons + [partial(_alone, bench, name, tls=tls) for name in kinds() for tls in (False, True)]


def kinds() -> list[str]:
    """List the senders that are there; pycurl only where it is installed (the extra `bench`)."""
    return ["fast", "aiohttp"] + ["pycurl"] * (importlib.util.find_spec("pycurl") is not None)


def _daemon(bench: Bench, subject: str, sender: str, *, tls: bool) -> Run:
    count = bench.size.events
    with patch.dict(os.environ, {AUTHORITY: str(bench.authority)} if tls else {}):
        return bench.ours(subject, Rules(tls=tls), bench.filled_topic(count), count, egress=egress(sender))


def _alone(bench: Bench, kind: str, *, tls: bool) -> Run:
    """Post through one sender as fast as it can on the subject's core."""
    bench.sink.tell("reset none")
    count = bench.size.events * ALONE_FACTOR
    place = bench.sink.secure if tls else bench.sink.address
    urls = [f"http{'s' * tls}://{place}/d{number}" for number in range(DESTINATIONS)]
    options = {"kind": kind, "urls": urls, "limit": count, "authority": str(bench.authority)}
    with module("send_loop", bench.cores.subject, bench.fresh(), options) as process:
        stats, cpu = bench.wait_posts(process, count, bench.meter(process))
    return Run(ALONE + kind + TLS * tls, rate_of(stats), cpu)


def _latency(bench: Bench, which: str, sender: str, rate: float) -> Run:
    bench.sink.tell("reset webhook")
    topic = bench.new_topic()
    with bench.daemon(Rules(), topic, egress=egress(sender)) as daemon:
        time.sleep(SETTLE_SECONDS)
        made = paced(bench, SLOW_LATENCY if which == AIOHTTP else FAST_LATENCY, daemon.process, topic, rate)
        daemon.stop()
    shutil.rmtree(daemon.folder)
    return made


def _lines(result: Result) -> list[Line]:
    tails = ratios(result.more(FAST_LATENCY, "p99"), result.more(SLOW_LATENCY, "p99"))
    return [
        Line(FAST, "of aiohttp, by CPU", result.ratio_by_cpu(FAST, AIOHTTP), limit=2.5),
        Line(FAST, "of aiohttp", result.ratio(FAST, AIOHTTP)),
        Line(FAST_TLS, "of aiohttp, by CPU", result.ratio_by_cpu(FAST_TLS, AIOHTTP_TLS), limit=1.5),
        Line(FAST_TLS, "of aiohttp", result.ratio(FAST_TLS, AIOHTTP_TLS)),
        Line(FAST_LATENCY, "p99 of aiohttp's", tails, limit=1.0, sense="most"),
        Line(FAST_LATENCY, "p99", result.more(FAST_LATENCY, "p99"), "ms"),
        Line(SLOW_LATENCY, "p99", result.more(SLOW_LATENCY, "p99"), "ms"),
    ]


def _alone_lines(result: Result) -> list[Line]:
    return [
        Line(
            ALONE + "fast" + tls, f"of {other}, by CPU", result.ratio_by_cpu(ALONE + "fast" + tls, ALONE + other + tls)
        )
        for tls in ("", TLS)
        for other in kinds()[1:]
    ]
