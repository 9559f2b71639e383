"""Logging: one JSON object per line, no secrets, no floods, and cheap when filtered."""

from __future__ import annotations

import io
import json
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from alertd.log import MASK, FloodGuard, configure_logging, redact, redact_text, redact_url, tapped

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def process_logging() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level, show = root.handlers[:], root.level, warnings.showwarning
    names = ("asyncio", "aiohttp.access", "aiokafka")
    levels = [logging.getLogger(name).level for name in names]
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    warnings.showwarning = show
    for name, before in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(before)


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    """Read what was logged as JSON."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_has_one_object_per_line_with_the_usual_keys_first() -> None:
    """Time, level and event come first; then what the caller gave."""
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    structlog.get_logger("alertd.test").info("delivery.attempted", status=200, seconds=0.1)
    (line,) = lines_of(stream)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert (line["level"], line["event"], line["status"]) == ("info", "delivery.attempted", 200)
    assert line["logger"] == "alertd.test"
    assert line["timestamp"].endswith("Z")


def test_auto_is_json_when_the_stream_is_no_terminal() -> None:
    """A pipe gets JSON without being asked."""
    stream = io.StringIO()
    configure_logging("auto", "info", stream)
    structlog.get_logger().info("a.b")
    assert lines_of(stream)[0]["event"] == "a.b"


def test_pretty_is_for_people() -> None:
    """The pretty form is one plain line, without secrets either."""
    stream = io.StringIO()
    configure_logging("pretty", "info", stream)
    structlog.get_logger("x").info("a.b", count=3, authorization="hunter22")
    text = stream.getvalue()
    assert "a.b" in text
    assert "count=3" in text
    assert "hunter22" not in text


def test_the_level_filters_both_kinds_of_loggers() -> None:
    """Below the level nothing is written, through structlog or the standard library."""
    stream = io.StringIO()
    configure_logging("json", "warning", stream)
    structlog.get_logger("x").info("no")
    logging.getLogger("y").info("no")
    structlog.get_logger("x").warning("yes")
    logging.getLogger("y").warning("yes %s", 1)
    assert [line["event"] for line in lines_of(stream)] == ["yes", "yes 1"]


def test_configuring_again_replaces_what_was_there() -> None:
    """The second call wins, also for loggers that were made before, and no line is written twice."""
    first, second = io.StringIO(), io.StringIO()
    log = structlog.get_logger("x")
    configure_logging("json", "info", first)
    log.info("one")
    configure_logging("json", "info", second)
    log.info("two")
    logging.getLogger("y").warning("three")
    assert [line["event"] for line in lines_of(first)] == ["one"]
    assert [line["event"] for line in lines_of(second)] == ["two", "three"]


def test_an_exception_is_structured_and_shows_no_variables() -> None:
    """JSON gets type, message and frames; local variables, where secrets live, stay out."""
    stream = io.StringIO()
    configure_logging("json", "info", stream)

    def fail(value: str) -> None:
        raise ValueError(f"bad thing at https://u:{value}@h.example/")

    try:
        fail("hunter22")
    except ValueError:
        structlog.get_logger("x").exception("a.failed")
    (line,) = lines_of(stream)
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert line["exception"][0]["exc_value"] == f"bad thing at https://{MASK}@h.example/"
    assert "hunter22" not in stream.getvalue()


def test_a_record_that_cannot_be_written_is_told_without_what_it_held(capsys: pytest.CaptureFixture[str]) -> None:
    """A library whose arguments do not fit its text costs one line, which shows none of them."""
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    handlers = logging.getLogger().handlers
    handlers[:] = handlers[-1:]  # ours: those of pytest raise
    logging.getLogger("library").warning("so many: %d", "hunter22")
    (line,) = lines_of(stream)
    assert (line["level"], line["event"], line["logger"]) == ("warning", "log.unreadable", "library")
    assert line["error"] == "TypeError: %d format: a real number is required, not str"
    assert "hunter22" not in stream.getvalue() + capsys.readouterr().err


@pytest.mark.parametrize(
    ("level", "word"), [(logging.INFO + 9, "info"), (logging.ERROR + 1, "error"), (99, "critical")]
)
def test_a_level_between_is_the_one_below(level: int, word: str) -> None:
    """Libraries have levels of their own; what they say at them is shown."""
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    logging.getLogger("library").log(level, "old")
    assert [(line["level"], line["event"]) for line in lines_of(stream)] == [(word, "old")]


@pytest.mark.parametrize("value", [1 << 70, "\ud800", {("a",): "b"}, object(), b"\xff", {1, 2}, float("nan")])
def test_any_value_can_be_logged(value: object) -> None:
    """A value that JSON cannot say costs its own form, never the line or the caller."""
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    structlog.get_logger("x").info("a.b", value=value, other=1)
    (line,) = lines_of(stream)
    assert line["other"] == 1


def test_a_stream_that_is_gone_harms_nobody() -> None:
    """Logging into a closed stream does nothing."""
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    stream.close()
    structlog.get_logger("x").info("a.b")
    logging.getLogger("y").warning("c")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/x", "https://h.example/x"),
        ("https://user:pass@h.example:8443/x", "https://***@h.example:8443/x"),
        ("https://token@h.example/", "https://***@h.example/"),
        ("https://h.example/x?token=abc&n=1#frag", "https://h.example/x?token=***&n=***"),
        ("https://hooks.example/services/T0/B0/Xy12Xy12Xy12Xy12Xy12", "https://hooks.example/services/T0/B0/***"),
        ("https://api.example/bot123456:AAbbCCddEEffGGhhIIjj/send", "https://api.example/***/send"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://[broken", MASK),
        ("sqlite:////var/lib/alertd/alertd.db", "sqlite:////var/lib/alertd/alertd.db"),
        ("kafka-1:9092", "kafka-1:9092"),
    ],
)
def test_a_url_is_shown_without_what_is_secret_in_it(url: str, shown: str) -> None:
    """User, query values, fragment and opaque path segments are masked; the rest stays readable."""
    assert redact_url(url) == shown


def test_secrets_within_a_text_are_masked() -> None:
    """Messages of libraries carry URLs and headers; those are redacted in place."""
    text = "Cannot connect to https://a:b@h.example/ with Bearer abcdef123456, giving up"
    assert redact_text(text) == f"Cannot connect to https://{MASK}@h.example/ with Bearer {MASK}, giving up"


@pytest.mark.parametrize(
    "key",
    [
        "secret",
        "password",
        "token",
        "Authorization",
        "X-Api-Key",
        "signing_secret",
        "sasl_password",
        "cookie",
        "tokens",
    ],
)
def test_values_of_keys_that_name_a_secret_are_masked(key: str) -> None:
    """A secret is masked at any depth, and in bytes too."""
    event = redact(None, "info", {"settings": [{key: "hunter22"}], key: b"hunter22"})
    assert event == {"settings": [{key: MASK}], key: MASK}


@pytest.mark.parametrize("key", ["token_id", "tokens_created", "secretary", "passwordless", "cookies_allowed"])
def test_keys_that_only_resemble_a_secret_are_shown(key: str) -> None:
    """Masking too much hides what an operator needs."""
    assert redact(None, "info", {key: "plain"}) == {key: "plain"}


def test_a_flood_of_aiokafka_is_thinned_and_summed_up() -> None:
    """Of 150 equal lines three are shown, and the next line of anybody brings the count of the rest."""
    stream = io.StringIO()
    now = 100.0
    configure_logging("json", "info", stream)
    guard = FloodGuard(lines=3, window_seconds=10.0, monotonic=lambda: now)
    bridge = logging.getLogger().handlers[-1]
    bridge.filters[:] = [guard]
    for number in range(150):
        logging.getLogger("aiokafka.client").error("Unable connect to node with id %s", number)
    logging.getLogger("aiokafka.client").error("another place")
    logging.getLogger("alertd.other").error("not limited")
    assert len(lines_of(stream)) == 5
    now = 111.0
    guard.processor(None, "info", {})
    last = lines_of(stream)[-1]
    assert (last["event"], last["logger"], last["lines"]) == ("log.suppressed", "aiokafka.client", 147)
    guard.processor(None, "info", {})
    logging.getLogger("aiokafka.client").error("Unable again")
    assert lines_of(stream)[-1]["event"] == "Unable again"


def test_a_summary_comes_with_the_next_line_of_any_logger() -> None:
    """The guard is a step of structlog's chain, so that the last count of a flood is not lost when it ends."""
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    guard = next(each for each in logging.getLogger().handlers[-1].filters if isinstance(each, FloodGuard))
    for _ in range(9):
        logging.getLogger("aiokafka.conn").error("down")
    guard._due = 0.0
    structlog.get_logger("alertd").info("daemon.stopped")
    assert [line["event"] for line in lines_of(stream)[-2:]] == ["log.suppressed", "daemon.stopped"]


def test_a_line_that_comes_while_one_is_written_is_written_too() -> None:
    """As when garbage that is collected meanwhile has something to say: it is the same thread, which must not wait for itself."""
    stream, said = io.StringIO(), []
    configure_logging("json", "info", stream)
    log = structlog.get_logger("x")

    def hear(line: str) -> None:
        said.append(line)
        if len(said) == 1:
            log.info("within")

    with tapped(hear):
        writing = threading.Thread(target=lambda: log.info("outer"), daemon=True)
        writing.start()
        writing.join(10)
        assert not writing.is_alive()
    assert [line["event"] for line in lines_of(stream)] == ["within", "outer"]
