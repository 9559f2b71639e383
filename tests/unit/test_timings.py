"""The histogram of the hot path says what prometheus_client's own would say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from alertd.timings import Timings

BOUNDS = (0.001, 0.5, 1, 10)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 20) | st.sampled_from(BOUNDS)), max_size=50))
def test_it_exposes_what_the_library_would(spans: list[tuple[str, float]]) -> None:
    """The same spans give the same text, line for line, but for the time of creation."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    quick = Timings("wait_seconds", "How long.", ["who"], BOUNDS, ours)
    usual = Histogram("wait_seconds", "How long.", ["who"], buckets=BOUNDS, registry=theirs)
    for who, seconds in spans:
        quick.labels(who).observe(seconds)
        usual.labels(who).observe(seconds)
    assert _lines(ours) == _lines(theirs)


def test_without_labels_there_is_one_series() -> None:
    """A histogram without labels is observed directly, and is shown before that, as the library's is."""
    registry, theirs = CollectorRegistry(), CollectorRegistry()
    timings = Timings("wait_seconds", "How long.", (), BOUNDS, registry)
    Histogram("wait_seconds", "How long.", buckets=BOUNDS, registry=theirs)
    assert _lines(registry) == _lines(theirs)
    timings.observe(0.7)
    assert registry.get_sample_value("wait_seconds_count") == 1
    assert registry.get_sample_value("wait_seconds_bucket", {"le": "0.5"}) == 0
    assert registry.get_sample_value("wait_seconds_bucket", {"le": "1.0"}) == 1


def _lines(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
