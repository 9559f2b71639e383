"""How alertd logs: one wide event per line, as JSON or for a terminal, without secrets and without floods.

Nothing is configured at import; `configure_logging` does it once for the process, also for the standard library's loggers.
Hot paths keep a bound logger (`log = structlog.get_logger(...).bind()` in a constructor): a filtered call then costs 0.1 us,
through the module's proxy 2.4 us.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TextIO, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import orjson
import structlog
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat: TypeAlias = Literal["auto", "json", "pretty"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]

MASK: Final = "***"
_taps: Final[list[Callable[[str], None]]] = []

# Libraries that say at a lower level what is of no use to an operator.
_FLOORS: Final = {"asyncio": logging.INFO, "aiohttp.access": logging.WARNING, "aiokafka": logging.WARNING}
_FLOODING: Final = "aiokafka"
_DEPTH: Final = 6

_SECRET_KEY: Final = re.compile(
    r"(?:^|[_\-. ])(?:secret|password|passwd|passphrase|token|authorization|api_?-?key|private_?-?key|cookie|credentials?)s?$",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"[a-z][a-z0-9+.\-]*://[^\s'\"<>`]+", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(bearer|basic)\s+[\w\-.~+/]{6,}=*", re.IGNORECASE)
_OPAQUE: Final = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[\w\-.~:+=%]{20,}")


def configure_logging(log_format: LogFormat = "auto", level: LogLevel = "info", stream: TextIO | None = None) -> None:
    """Set up logging for the whole process; `auto` is pretty on a terminal and JSON elsewhere.

    The stream is stderr unless given. Calling again replaces what was set up before.
    """
    out = sys.stderr if stream is None else stream
    pretty = log_format == "pretty" or (log_format == "auto" and out.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    flood = FloodGuard()
    structlog.configure(
        processors=_processors(flood, pretty=pretty, colors=out.isatty() and "NO_COLOR" not in os.environ),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Lines(out),
        cache_logger_on_first_use=False,
    )
    _route_standard_logging(flood, number)


@contextmanager
def tapped(tap: Callable[[str], None]) -> Iterator[None]:
    """Let a function hear every line that is written, while the block runs. It must neither log nor fail."""
    _taps.append(tap)
    try:
        yield
    finally:
        _taps.remove(tap)


class Listener(logging.Handler):
    """Hears what a library logs while the block is open: `emit` is given each record of its logger from a level on."""

    def __init__(self, logger: str, level: int) -> None:
        super().__init__(level)
        self._logger = logging.getLogger(logger)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._logger.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Listen no more."""
        self._logger.removeHandler(self)


def redact_url(url: str) -> str:
    """Write a URL without what is secret in it: user, values of the query, fragment, and opaque segments of the path."""
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")
    except ValueError:
        return MASK
    host = f"{MASK}@{netloc[2]}" if netloc[1] else netloc[2]
    path = "/".join(MASK if _OPAQUE.fullmatch(segment) else segment for segment in parts.path.split("/"))
    scheme, mark, _ = url.partition("://") if "://" in url else url.partition(":") if parts.scheme else ("", "", "")
    query = _redact_query(parts.query)
    return f"{scheme}{mark}{host}{path}{'?' if query else ''}{query}"


def redact_text(text: str) -> str:
    """Redact the URLs and the authorization values that stand in a text."""
    if "://" in text:
        text = _URL.sub(lambda found: redact_url(found.group()), text)
    if "earer " in text or "asic " in text:
        text = _BEARER.sub(rf"\1 {MASK}", text)
    return text


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask, as a step of structlog, values whose key names a secret, and secrets within texts."""
    return {key: _redact_value(key, value, _DEPTH) for key, value in event.items()}


class FloodGuard(logging.Filter):
    """Lets through a few lines per place in the code and window from loggers that flood, and counts the others.

    aiokafka writes a line per broker and connection attempt, about 150 a second when the brokers are down. The number
    of suppressed lines is logged when the window is over.
    """

    def __init__(
        self, *, lines: int = 3, window_seconds: float = 10.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._lines = lines
        self._window = window_seconds
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._counts: dict[tuple[str, int], int] = {}
        self._due = 0.0

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record may be shown."""
        if record.name.partition(".")[0] != _FLOODING:
            return True
        self.summarise()
        place = (record.name, record.lineno)
        with self._lock:
            if not self._counts:
                self._due = self._monotonic() + self._window
            count = self._counts[place] = self._counts.get(place, 0) + 1
        return count <= self._lines

    def summarise(self) -> None:
        """Log what was suppressed if a window is over."""
        if not self._counts or self._monotonic() < self._due:
            return
        with self._lock:
            counts, self._counts = self._counts, {}
        for (name, line), count in counts.items():
            if count > self._lines:
                structlog.get_logger(name).warning(
                    "log.suppressed", place=line, lines=count - self._lines, window_seconds=self._window
                )

    def processor(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Let any line, as a step of structlog, carry a due summary out before it."""
        self.summarise()
        return event


class _Bridge(logging.Handler):
    """Hands the records of the standard library's loggers to structlog; a level of a library's own counts as the one below."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        try:
            log.log(level, record.getMessage(), exc_info=record.exc_info or None)
        except Exception as error:  # noqa: BLE001 - a logging handler must not raise into the code that logs
            log.warning("log.unreadable", place=record.lineno, error=f"{type(error).__name__}: {error}")


class _Line:
    """What structlog wraps: writes one line; a stream that is gone must not end the daemon."""

    def __init__(self, stream: TextIO, lock: threading.RLock, name: str) -> None:
        self.name = name
        self._stream = stream
        self._lock = lock

    def msg(self, line: str) -> None:
        try:
            with self._lock:
                if _taps:
                    _taps[-1](line)
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = exception = fatal = log = msg


class _Lines:
    """Makes the loggers of one stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()

    def __call__(self, *args: Any) -> _Line:
        return _Line(self._stream, self._lock, str(args[0]) if args else "alertd")


def _processors(flood: FloodGuard, *, pretty: bool, colors: bool) -> list[Processor]:
    shared: list[Processor] = [
        flood.processor,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _add_logger,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if pretty:
        console = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
        return [*shared, structlog.processors.format_exc_info, redact, console]
    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
    return [*shared, structlog.processors.ExceptionRenderer(frames), redact, _render_json]


def _route_standard_logging(flood: FloodGuard, level: int) -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Bridge)]:
        root.removeHandler(handler)
    bridge = _Bridge()
    bridge.addFilter(flood)
    root.addHandler(bridge)
    root.setLevel(level)
    for name, floor in _FLOORS.items():
        logging.getLogger(name).setLevel(max(level, floor))
    logging.captureWarnings(capture=True)


def _add_logger(logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["logger"] = getattr(logger, "name", "alertd")
    return event


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    first = {key: event.pop(key, None) for key in ("timestamp", "level", "event")}
    line = {**first, **event}
    try:
        return _dump(line)
    except (TypeError, ValueError):  # beyond 64 bits, lone surrogates, cycles: what JSON cannot say is said as text
        return _dump({ascii(key).strip("'"): _sayable(value) for key, value in line.items()})


def _dump(value: object) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _sayable(value: object) -> object:
    try:
        _dump(value)
    except (TypeError, ValueError):
        return ascii(value)
    return value


def _redact_query(query: str) -> str:
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    return "&".join(f"{name}={MASK}" for name in names)


def _redact_value(key: object, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(key, str) and _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, (str, bytes)):
        return redact_text(value if isinstance(value, str) else value.decode(errors="backslashreplace"))
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return _redact_within(key, value, depth - 1)
    return redact_text(str(value))


def _redact_within(key: object, value: Any, depth: int) -> Any:
    if depth <= 0:
        return "…"
    if isinstance(value, dict):
        return {own: _redact_value(own, item, depth) for own, item in value.items()}
    return [_redact_value(key, item, depth) for item in value]
