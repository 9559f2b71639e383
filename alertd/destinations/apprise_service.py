"""The library apprise, held to what alertd promises: loaded when first needed, in bounds of time, silent, without a cache.

Everything here blocks and belongs into a thread, but for the look at a URL's form.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

from typing_extensions import override

from alertd.destinations.base import unpermitted
from alertd.destinations.faults import EgressRefusedError
from alertd.destinations.limits import fit
from alertd.destinations.thread_guard import ThreadGuard
from alertd.log import Listener

if TYPE_CHECKING:
    from alertd.destinations.base import Permit

INSTALL: Final = "pip install 'apprise>=2.2'"
"""How to get the library, in the environment that alertd is installed in."""
MISSING: Final = f"the library apprise beside alertd, which is not installed: {INSTALL}"
"""What was expected where it is not."""
TEMPLATE: Final = "a service without a template: alertd writes the text, and sends no file of this machine"
BUSY: Final = "a service that can be read without connecting, and without starting programs or threads"
UNREADABLE: Final = "a URL that apprise can read: see its documentation for the service's form"
LOCAL: Final = frozenset({"blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""Schemes of services on the machine itself, not over the network."""
CONNECT_SECONDS: Final = 5.0
LINES_MAX: Final = 50
"""Lines of its log that are kept for one message."""

_SCHEME: Final = re.compile(r"([a-z][a-z0-9]*)://[!-~]+", re.ASCII | re.IGNORECASE)
_LOGGER: Final = "apprise"
_TALKATIVE: Final = (_LOGGER, "urllib3", "requests", "oauthlib", "requests_oauthlib", "paho", "slixmpp")
"""Loggers of the library and of what it uses: what they say may hold secrets, so it never reaches the log."""
_BREAK: Final = 2
"""Characters between a title and a text that are one."""
_loading: Final = threading.Lock()
_asset: Final[list[Any]] = []
"""What all services share, once the library was loaded."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said. `kind` is apprise's word: info, success, warning or failure."""

    title: str
    body: str
    kind: str


@dataclass(frozen=True, slots=True)
class Report:
    """What became of it.

    Shapes: `said` are lines of apprise's log, secrets and all; `refused` is why the egress guard forbade a connection
    (empty: it did not); `connections` counts those that it permitted.
    """

    delivered: bool
    said: tuple[str, ...] = ()
    refused: str = ""
    connections: int = 0


class UnusableServiceError(ValueError):
    """A service that cannot be used, in words for people that never repeat its URL."""


def scheme_of(url: str) -> str:
    """Return a URL's scheme. Raises UnusableServiceError."""
    found = _SCHEME.fullmatch(url)
    if found is None:
        raise UnusableServiceError("a URL such as json://hooks.example.com/x: printable ASCII, without spaces")
    return found[1].lower()


def is_installed() -> bool:
    """Whether the library is there."""
    return find_spec("apprise") is not None


def is_loaded() -> bool:
    """Whether reading a URL is quick: the first time takes seconds."""
    return bool(_asset)


def service_of(url: str) -> Any:
    """Return apprise's object for a URL. Blocks for seconds the first time. Raises UnusableServiceError."""
    with _loading:
        if not is_installed():
            raise UnusableServiceError(MISSING)
        asset = _asset[0] if _asset else _load()
        import apprise  # noqa: PLC0415 - optional, and slow to import

        with ThreadGuard(unpermitted) as guard:
            made = apprise.Apprise.instantiate(url, asset=asset)
    if guard.refused:
        raise UnusableServiceError(BUSY)
    if made is None:
        raise UnusableServiceError(UNREADABLE)
    if _has_template(made):
        raise UnusableServiceError(TEMPLATE)
    return made


def send(url: str, letter: Letter, timeout_seconds: float, permit: Permit) -> Report:
    """Send one message through the service, watched by the egress guard. Raises as `service_of`, and whatever foreign code does."""
    service = service_of(url)
    service.socket_connect_timeout = min(CONNECT_SECONDS, timeout_seconds)
    service.socket_read_timeout = timeout_seconds
    service.redirects = False
    overflow = None if "overflow=" in url.lower() else "truncate"
    letter = letter if overflow is None else fitting(letter, service)
    done = False
    with _Lines() as listener, ThreadGuard(permit) as guard, contextlib.suppress(EgressRefusedError):
        done = service.notify(
            body=letter.body, title=letter.title, notify_type=letter.kind, body_format="text", overflow=overflow
        )
    return Report(bool(done), tuple(listener.lines), guard.refused, guard.connections)


def fitting(letter: Letter, service: Any) -> Letter:
    """Cut a letter to what a service takes of plain text, so that the cut is marked: the library marks none."""
    title = fit(letter.title, service.title_maxlen) if service.title_maxlen > 0 else letter.title
    taken = 0
    if service.overflow_amalgamate_title:
        taken = len(title) + service.overflow_max_display_count_width + max(_BREAK, service.overflow_buffer)
    elif service.title_maxlen <= 0:
        taken = len(title) + _BREAK
    return replace(letter, title=title, body=fit(letter.body, service.body_maxlen - taken) or letter.body)


def _load() -> Any:
    """Import the library with all of its services, unwatched: their modules look round this machine. Return their asset."""
    import apprise  # noqa: PLC0415 - as above

    for name in _TALKATIVE:
        logging.getLogger(name).propagate = False
    asset = apprise.AppriseAsset(storage_mode="memory", secure_logging=True)
    apprise.Apprise.instantiate("json://localhost", asset=asset)
    _asset.append(asset)
    return asset


def _has_template(service: Any) -> bool:
    """Whether it would send what a file says, on this machine or elsewhere, in place of the message."""
    import apprise  # noqa: PLC0415 - as above

    template = getattr(service, "template", None)  # of some services only a name that they know, as a text
    return isinstance(template, apprise.AppriseAttachment) and len(template) > 0


class _Lines(Listener):
    """Keeps what apprise logs in this thread, debugging lines as well: only these tell why a connection failed."""

    def __init__(self) -> None:
        super().__init__(_LOGGER, logging.DEBUG)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    @override
    def __enter__(self) -> Self:
        """Begin to listen."""
        logging.getLogger(_LOGGER).setLevel(logging.DEBUG)
        return super().__enter__()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if record.thread == self._thread and len(self.lines) < LINES_MAX:
            self.lines.append(record.getMessage()[:1000])
