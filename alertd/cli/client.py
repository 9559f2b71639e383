"""How commands talk to a running daemon: its HTTP interface over one connection. It knows nothing of commands.

The standard library's client is enough here, and starts five times faster than a larger one.
"""

import http.client
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import orjson
from typing_extensions import override

from alertd.cli.options import Server, fail, note
from alertd.cli.whereabouts import find_server

T = TypeVar("T")

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
"""How long an answer may take."""
SILENCE_SECONDS = 60.0
"""How long a live stream may say nothing; the daemon says something every 15 seconds."""
IDLE_SECONDS = 10.0
"""A connection that rested longer than this is made anew: the other side may be about to close it."""
WAIT_SECONDS = 60.0
"""How long, in all, a daemon that says "later" (429, 503) is waited for."""
_LATER = (429, 503)
_NOT_FOUND = 404


class Refusal(Exception):  # noqa: N818 - it is the daemon's answer, not our failure
    """The daemon refused: `status`, its own words, and the places that it named as (pointer, detail)."""

    def __init__(self, status: int, text: str, places: list[tuple[str, str]], retry_after: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.places = places
        self.retry_after = retry_after

    def named(self, name_of: Callable[[str], str | None]) -> "Refusal":
        """Return the same with places called as `name_of` calls a pointer (None: as it is)."""
        text, places = str(self.args[0]), []
        for pointer, detail in self.places:
            name = name_of(pointer) or pointer
            text = text.replace(f"{pointer}: {detail}", f"{name}: {detail}") if pointer else text
            places.append((name, detail))
        return Refusal(self.status, text, places, self.retry_after)

    @override
    def __str__(self) -> str:
        """Read as a sentence, and a line for each place."""
        places = [f"  {pointer}: {detail}" if pointer else f"  {detail}" for pointer, detail in self.places]
        text = str(self.args[0])
        return "\n".join([text, *(place for place in places if place.strip() not in text)])


class NotAlertdError(Exception):
    """Something else than alertd answered."""


class Client:
    """A connection to one daemon. Methods raise Refusal, OSError, http.client.HTTPException, NotAlertdError."""

    def __init__(self, base_url: str, token: str, patience_seconds: float = WAIT_SECONDS) -> None:
        parts = urlsplit(base_url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self.base_url = base_url
        self._prefix = parts.path.rstrip("/")
        self._connection = kind(str(parts.hostname), parts.port, timeout=CONNECT_SECONDS)
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "alertd-cli"}
        self._patience = patience_seconds
        self._used = 0.0

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        needs: Collection[str] = (),
        seconds: float = ANSWER_SECONDS,
    ) -> dict[str, Any]:
        """Make one call and return its JSON object, which holds at least what is needed."""
        data = None if body is None else encoded(body)
        return self.send(method, path, data, "application/json", needs, seconds)

    def send(
        self,
        method: str,
        path: str,
        data: bytes | None,
        kind: str,
        needs: Collection[str] = (),
        seconds: float = ANSWER_SECONDS,
    ) -> dict[str, Any]:
        """Send raw bytes and return the answer's JSON object; when told to come later, come later."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                answer = self._once(method, path, data, kind, seconds)
            except Refusal as refusal:
                wait = seconds_of(refusal.retry_after)
                if refusal.status not in _LATER or time.monotonic() + wait > deadline:
                    raise
                note(f"{refusal.args[0]}; trying again in {wait:g} s")
                time.sleep(wait)
            else:
                if not answer.keys() >= set(needs):
                    raise NotAlertdError
                return answer

    def find(self, path: str, needs: Collection[str]) -> dict[str, Any] | None:
        """Read what stands at a path, as `call` does; None when nothing is there."""
        try:
            return self.call("GET", path, needs=needs)
        except Refusal as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            return None

    def _once(self, method: str, path: str, data: bytes | None, kind: str, seconds: float) -> dict[str, Any]:
        answer = self._request(method, path, data, {"Content-Type": kind} if data is not None else {}, seconds)
        raw = answer.read()
        try:
            found = orjson.loads(raw or b"{}")
        except ValueError:
            raise NotAlertdError from None
        if not isinstance(found, dict):
            raise NotAlertdError
        return found

    def _request(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str], seconds: float
    ) -> http.client.HTTPResponse:
        """Make a request and return what it is answered with, not read yet. Raises Refusal."""
        answer = self._exchange(method, path, data, headers, seconds)
        if answer.status >= 300:  # noqa: PLR2004 - redirects are not followed: the token is for this address
            raise refusal_of(answer.status, answer.read(), answer.headers)
        return answer

    def _exchange(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str], seconds: float
    ) -> http.client.HTTPResponse:
        connection = self._connection
        if time.monotonic() - self._used > IDLE_SECONDS:
            connection.close()
        if connection.sock is None:
            connection.connect()
        connection.sock.settimeout(seconds)
        try:
            connection.request(method, self._prefix + path, data, {**self._headers, **headers})
        except (BrokenPipeError, ConnectionResetError):
            # The daemon may have refused the body before it had read all of it: its answer says why.
            with suppress(http.client.HTTPException, OSError):
                return connection.getresponse()
            raise
        answer = connection.getresponse()
        self._used = time.monotonic()
        return answer

    def text(self, method: str, path: str, kind: str, seconds: float = ANSWER_SECONDS) -> str:
        """Make one call whose answer is a text of this kind, and return it."""
        answer = self._request(method, path, None, {}, seconds)
        raw = answer.read()
        if answer.headers.get_content_type() != kind:
            raise NotAlertdError
        return raw.decode()

    def stream(self, path: str, last: str | None = None) -> Iterator[tuple[str, str | None, Any]]:
        """Listen to server-sent events behind the one with the id `last` until the daemon ends them.

        Gives (event, id, data), of comments (`ready`, `alive`) without data.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last is not None else {})
        answer = self._request("GET", path, None, headers, SILENCE_SECONDS)
        if answer.headers.get_content_type() != "text/event-stream":
            raise NotAlertdError
        return _events(answer)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def encoded(body: Any) -> bytes:
    """Write a body as JSON. Raises UnicodeEncodeError for an argument that is no text."""
    try:
        return orjson.dumps(body)
    except TypeError:
        for text in _texts(body):
            text.encode()
        raise


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in chain(value, value.values() if isinstance(value, dict) else ()):
            yield from _texts(each)


def below(workspace: str, *parts: str) -> str:
    """Write a path below a workspace."""
    return api("workspaces", workspace, *parts)


def api(*parts: str) -> str:
    """Write a path of the API."""
    return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)


def seconds_of(retry_after: str | None) -> float:
    """How long a Retry-After (seconds, or a date) asks to wait; a second at least."""
    if retry_after is None:
        return 1.0
    if retry_after.isascii() and retry_after.isdigit():
        return max(1.0, float(retry_after[:9]))
    from email.utils import parsedate_to_datetime

    try:
        return max(1.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 1.0


def refusal_of(status: int, raw: bytes, headers: Any) -> Refusal:
    """Turn an answer into a Refusal; a problem document speaks for itself."""
    later = headers.get("Retry-After")
    try:
        problem = orjson.loads(raw)
        own = problem.get("token_workspace")
        text = f"{problem['title']} ({status}): {problem['detail']}{f'; try -w {own}' if own else ''}"
        places = [(str(each["pointer"]), str(each["detail"])) for each in problem.get("errors", ())]
    except (ValueError, KeyError, TypeError):
        where = headers.get("Location")
        shown = f"leads to {where}" if where else raw[:200].decode("utf-8", "replace").strip()
        return Refusal(status, f"HTTP {status} {shown}".rstrip(), [], later)
    return Refusal(status, text, places, later)


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, str | None, Any]]:
    kind, number, rest = "message", None, b""
    data: Any = None
    while block := answer.read1(65536):  # unlike readline it tells a broken connection from an end
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            field, _, value = line.rstrip(b"\r").partition(b": ")
            if field == b"event":
                kind = value.decode()
            elif field == b"id":
                number = value.decode()
            elif field == b"data":
                data = orjson.loads(value)
            elif not field and value:
                kind = "ready" if value == b"ready" else "alive"
            elif not field and kind != "message":
                yield kind, number, data
                kind, number, data = "message", None, None


def with_client(server: Server, work: Callable[[Client], T]) -> T:
    """Run something against the daemon; ends the program with 1 and a sentence when it cannot."""
    base_url, token, origin = find_server(*server)
    with explained(base_url, origin):
        client = Client(base_url, token)
        try:
            return work(client)
        finally:
            client.close()


def each_of(names: Iterable[str], about_one: Collection[int], work: Callable[[str], None]) -> int:
    """Do something to each; what is refused with a status that is about that one alone is said, and the others go on.

    Return how many were refused so. Raises Refusal for any other.
    """
    left = 0
    for name in names:
        try:
            work(name)
        except Refusal as refusal:
            if refusal.status not in about_one:
                raise
            left += 1
            note(f"{name}: {refusal}")
    return left


@contextmanager
def explained(base_url: str, origin: str) -> Iterator[None]:
    """Turn what can go wrong between two programs into a sentence and exit code 1."""
    try:
        yield
    except Refusal as refusal:
        hint = f" (asked: {base_url}, with the token from {origin})" if refusal.status in (401, 403) else ""
        fail(f"{refusal}{hint}")
    except UnicodeEncodeError:
        raise
    except (NotAlertdError, ValueError):
        fail(f"what answers at {base_url} is not alertd, or not its API")
    except TimeoutError:
        fail(f"{base_url} did not answer in time")
    except BrokenPipeError:
        raise
    except http.client.RemoteDisconnected:
        fail(f"{base_url} closed the connection without an answer")
    except http.client.HTTPException:
        fail(f"what answers at {base_url} does not speak HTTP as alertd does")
    except OSError as error:
        reason = error.strerror or str(error)
        fail(f"cannot reach {base_url}: {reason[:1].lower()}{reason[1:]}. Is the daemon running? Start it: alertd run")
