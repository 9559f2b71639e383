"""The harness against itself: `python -m benchmarks --self-check`.

A daemon that is stopped four fifths of the time must show a fraction of the rate and the same CPU per event, and a receiver
that counts one post too many must be noticed. Both say that the clock is the receiver's and that counts are compared.
"""

from __future__ import annotations

import signal
import threading
import urllib.request
from typing import TYPE_CHECKING

from benchmarks.bench import check_counts, rate_of
from benchmarks.figures import Line, Result, Run
from benchmarks.workload import Rules

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.process import Process

WHOLE = "the daemon as it is"
BRAKED = "stopped 4/5 of the time"
RUN_SECONDS = 0.01
STOP_SECONDS = 0.04


def run(bench: Bench) -> Result:
    """Run pairs, then spoil a count."""
    result = Result()
    for _ in range(bench.size.pairs):
        for subject in (WHOLE, BRAKED):
            made = _run(bench, subject, spoil=False)
            bench.note(made)
            result.runs.append(made)
    try:
        _run(bench, WHOLE, spoil=True)
        noticed = 0.0
    except RuntimeError as error:
        noticed = float("do not agree" in str(error))
    result.lines = [
        Line(BRAKED, "of the whole rate, at most", result.ratio(BRAKED, WHOLE), limit=0.5, sense="most"),
        Line(BRAKED, "of the whole rate, at least", result.ratio(BRAKED, WHOLE), limit=0.1),
        Line(BRAKED, "of the whole rate, by CPU", result.ratio_by_cpu(BRAKED, WHOLE), limit=0.7),
        Line("one post too many", "noticed", [noticed], "", 1.0),
    ]
    return result


def _run(bench: Bench, subject: str, *, spoil: bool) -> Run:
    count = bench.size.events
    bench.sink.tell("reset webhook")
    with bench.daemon(Rules(), bench.filled_topic(count)) as daemon:
        meter, over = bench.meter(daemon.process), threading.Event()
        brake = threading.Thread(target=_brake, args=(daemon.process, over), daemon=True)
        if subject == BRAKED:
            brake.start()
        try:
            stats, cpu = bench.wait_posts(daemon.process, count, meter)
        finally:
            over.set()
            if brake.ident is not None:
                brake.join()
        daemon.stop()
    if spoil:
        request = urllib.request.Request(bench.url(0), data=b"{}", method="POST")  # noqa: S310 - our own receiver
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - the same
    check_counts(daemon, bench.sink.tell(), count)
    return Run(subject, rate_of(stats), cpu)


def _brake(process: Process, over: threading.Event) -> None:
    while not over.wait(RUN_SECONDS):
        process.signal(signal.SIGSTOP)
        over.wait(STOP_SECONDS)
        process.signal(signal.SIGCONT)
