"""The destination type `apprise`: whatever service the library of that name reaches, for the long tail. An optional extra.

The library blocks, says only yes or no, and connects by itself. So it runs in threads of its own, a bounded number of them,
which end with the process whatever they wait for; why it failed is read from its log; and the egress guard watches the
threads.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from alertd.destinations.answers import one_line, usual_kind
from alertd.destinations.apprise_service import (
    INSTALL,
    LOCAL,
    MISSING,
    Letter,
    Report,
    UnusableServiceError,
    is_installed,
    is_loaded,
    scheme_of,
    send,
    service_of,
)
from alertd.destinations.base import Preview
from alertd.destinations.composing import content_of
from alertd.destinations.content import State
from alertd.destinations.email_text import text_of
from alertd.destinations.limits import fit
from alertd.destinations.markdown import quiet
from alertd.destinations.own_thread import in_own_thread
from alertd.destinations.redaction import REDACTED, Redactor
from alertd.destinations.settings_fields import RepeatingSettings
from alertd.destinations.whereto import Whereto
from alertd.model.delivery import Outcome, OutcomeKind
from alertd.model.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

    from alertd.destinations.base import Message, World

T = TypeVar("T")

NAME: Final = "apprise"
THREADS_MAX: Final = 16
"""Threads of one destination; while that many are busy, nothing more is begun."""
LOAD_SECONDS: Final = 60.0
"""How long loading the library may take, the first time."""
TITLE_MAX: Final = 250
BODY_MAX: Final = 32_000
"""Characters; most services take less, and then apprise cuts."""
PART_MIN: Final = 6
"""Characters from which on a part of the URL is a secret by itself."""

_GONE: Final = 410
_STATUS: Final = re.compile(r"\berror=(\d{3})\b")
_UNSENT: Final = re.compile(
    r"NewConnectionError|ConnectTimeout|NameResolutionError|SSLError|CertificateError|ProxyError"
)


def _check_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not is_installed():
        raise ValueError(MISSING)
    if scheme_of(text) in LOCAL:
        raise ValueError(f"a service over the network: {scheme_of(text)}:// is one of this machine")
    if is_loaded() or not _in_loop():
        service_of(text)
    return url


def _in_loop() -> bool:
    """Whether an event loop runs in this thread, which must not wait until the library is loaded."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class AppriseSettings(RepeatingSettings):
    """Which service."""

    url: Annotated[SecretStr, AfterValidator(_check_url), Whereto.SERVICE] = Field(
        description="apprise's URL for the service and the recipient, see its documentation; a secret; needs the"
        f" library beside alertd: {INSTALL}",
        examples=["jsons://hooks.example.com/x"],
    )


class AppriseDestination:
    """Sends through one service."""

    def __init__(self, settings: AppriseSettings, timeout_seconds: float, world: World) -> None:
        self._settings = settings
        self._url = settings.url.get_secret_value()
        self._timeout_seconds = timeout_seconds
        self._world = world
        self._redactor = Redactor(secrets_in(self._url))
        self._busy = 0

    async def attempt(self, message: Message) -> Outcome:
        """Send once and say what came of it."""
        if self._busy >= THREADS_MAX:
            words = f"{THREADS_MAX} earlier attempts have not ended yet"
            return Outcome(OutcomeKind.RETRY_LATER, detail=f"{NAME}: {words}")
        letter = letter_of(message)
        try:
            if not (is_loaded() or await self._load()):
                words = f"the library was not loaded in {LOAD_SECONDS:g} s"
                return Outcome(OutcomeKind.RETRY_LATER, detail=f"{NAME}: {words}")
            async with asyncio.timeout(self._timeout_seconds):
                report = await self._in_thread(
                    lambda: send(self._url, letter, self._timeout_seconds, self._world.permit)
                )
        except TimeoutError:
            return self._ambiguous(f"{NAME}: timed out after {self._timeout_seconds:g} s")
        except UnusableServiceError as error:
            return Outcome(OutcomeKind.REJECTED, detail=f"{NAME}: {error}")
        except _ForeignError as error:
            return Outcome(OutcomeKind.RETRY_LATER, detail=f"{NAME}: the service's code failed: {error}")
        return self._outcome(report)

    def preview(self, message: Message) -> Preview:
        """Show what is said; to whom is a secret."""
        letter = letter_of(message)
        target = f"apprise {scheme_of(self._url)}://{REDACTED}"
        return Preview(target, {"title": letter.title, "type": letter.kind}, letter.body)

    async def close(self) -> None:
        """Wait for nothing: threads that still run end with what they wait for, or with the process."""

    async def _load(self) -> bool:
        """Load the library, for whose seconds the service is not to blame; False: it took too many. Raises as `_in_thread`."""
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                await self._in_thread(lambda: service_of(self._url))
        except TimeoutError:
            return False
        return True

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do it in a thread that the end of the process does not wait for. Raises UnusableServiceError, _ForeignError."""
        done = in_own_thread(partial(_done, work), NAME, self._ended)
        self._busy += 1
        return await done

    def _ended(self) -> None:
        self._busy -= 1

    def _outcome(self, report: Report) -> Outcome:
        if report.delivered:
            return Outcome(OutcomeKind.DELIVERED)
        if report.refused:
            return Outcome(OutcomeKind.REJECTED, detail=f"{NAME}: egress refused: {report.refused}")
        text = "\n".join(report.said)
        status = _STATUS.search(text)
        if status is not None:
            return self._answered(int(status[1]), text)
        detail = f"{NAME}: {self._words(report)}"
        if report.connections and "onnection" in text and not _UNSENT.search(text):
            return self._ambiguous(detail)
        return Outcome(OutcomeKind.RETRY_LATER, detail=detail)

    def _answered(self, status: int, text: str) -> Outcome:
        kind = OutcomeKind.GONE if status == _GONE else usual_kind(status)
        if kind is OutcomeKind.DELIVERED:
            kind = OutcomeKind.RETRY_LATER
        line = next(line for line in text.splitlines() if _STATUS.search(line))
        return Outcome(kind, status, f"{NAME}: returned {status}: {one_line(self._redactor.text(line))}")

    def _words(self, report: Report) -> str:
        line = next((line for line in report.said if "onnection" in line or "ail" in line), "")
        return one_line(self._redactor.text(line)) or "the service did not take it"

    def _ambiguous(self, detail: str) -> Outcome:
        if self._settings.on_ambiguous == "dead":
            return Outcome(OutcomeKind.REJECTED, detail=f"{detail}; it may have arrived (on_ambiguous: dead)")
        return Outcome(OutcomeKind.AMBIGUOUS, detail=detail)


class _ForeignError(Exception):
    """What the library or a service's code in it raised; its name is all that is said, as its words may hold secrets."""


def _done(work: Callable[[], T]) -> T:
    """Do it. Raises UnusableServiceError, and _ForeignError in place of all else."""
    try:
        return work()
    except UnusableServiceError:
        raise
    except BaseException as error:  # noqa: BLE001 - foreign code may raise anything, also what would end its thread
        raise _ForeignError(type(error).__name__) from None


class AppriseType:
    """The type `apprise`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "Any of the services that the library [Apprise](https://github.com/caronc/apprise) reaches, for those that have no"
        f" type of their own here. It needs the library beside alertd: `{INSTALL}`. `url` is Apprise's own form,"
        " such as `jsons://hooks.example.com/x`. Its connections are made by the library: the egress guard watches the"
        " thread that it runs in and all that it starts, and lets no program be started; where a proxy connects to that"
        " HTTPS_PROXY names, it does not see. Prefer a type of its own where there is one: this one learns from a service only whether it worked."
    )
    settings_model: ClassVar[type[BaseModel]] = AppriseSettings

    def rate_per_second(self, settings: AppriseSettings) -> float | None:
        """No pace: the library keeps that of each service."""
        return None

    def shows_links(self, settings: AppriseSettings) -> bool:
        """People read it."""
        return True

    def open(self, settings: AppriseSettings, timeout_seconds: float, world: World) -> AppriseDestination:
        """Open one."""
        return AppriseDestination(settings, timeout_seconds, world)


def letter_of(message: Message) -> Letter:
    """Write a message; nothing that it quotes mentions anybody. Pure."""
    content = content_of(message)
    return Letter(
        fit(content.subject, TITLE_MAX, escape=quiet), fit(text_of(content), BODY_MAX, escape=quiet), _kind(content)
    )


def secrets_in(url: str) -> Iterator[str]:
    """List a URL and its parts: which of them is the secret depends on the service."""
    yield url
    parts = urlsplit(url)
    written = [*re.split(r"[@:/]", f"{parts.netloc}/{parts.path}"), *(value for _, value in parse_qsl(parts.query))]
    for piece in {form for text in written for form in (text, unquote(text))}:
        if len(piece) >= PART_MIN:
            yield piece


def _kind(content: Any) -> str:
    if content.state is State.RESOLVED:
        return "success"
    if content.severity >= Severity.ERROR:
        return "failure"
    return "warning" if content.severity >= Severity.WARNING else "info"
