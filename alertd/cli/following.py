"""Following the live stream through lost connections: it goes on behind the last entry that was read."""

import http.client
import random
import time
from collections.abc import Iterator
from typing import Any

from alertd.cli.client import Client, Refusal
from alertd.cli.options import note

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15.0
"""Waits between tries grow from the one to the other, each up to half as long by chance."""
_COMES_BACK = ("slow", "store")
"""The reasons of the daemon's after which it can be followed further at once."""
_PASSING = (429, 502, 503, 504)
"""Refusals that do not stay."""


class Follower:
    """Entries of one stream, each once. `last` is the id of the last one read."""

    def __init__(self, client: Client, path: str, give_up_seconds: float) -> None:
        self._client = client
        self._path = path
        self._give_up = give_up_seconds
        self._connected = False
        self._heard_at = 0.0
        self._wait = FIRST_WAIT_SECONDS
        self.last: str | None = None

    def entries(self) -> Iterator[tuple[str, Any]]:
        """Give (event, data) pairs until the daemon ends the stream in order.

        Raises as `Client.stream` when there never was a connection, ConnectionError when it is lost for too long.
        """
        while True:
            try:
                for kind, item in self._once():
                    if kind == "end" and item.get("reason") in _COMES_BACK:
                        note(f"the daemon ended the stream: {item['reason']}")
                        break
                    yield kind, item
                    if kind == "end":
                        return
            except Refusal as refusal:
                if not self._connected or refusal.status not in _PASSING:
                    raise
                self._rest(str(refusal.args[0]))
            except (OSError, http.client.HTTPException) as error:
                if not self._connected:
                    raise
                self._rest(str(error) or type(error).__name__)
            else:
                self._rest("the connection ended")

    def _once(self) -> Iterator[tuple[str, Any]]:
        """Follow one connection to its end."""
        self._client.close()
        for kind, number, item in self._client.stream(self._path, self.last):
            self._heard_at = time.monotonic()
            if kind == "ready":
                if self._connected:
                    note("connected again")
                    continue
                self._connected = True
            elif kind != "alive":
                self._wait = FIRST_WAIT_SECONDS
            yield from () if kind == "alive" else ((kind, item),)
            self.last = number or self.last

    def _rest(self, why: str) -> None:
        """Wait before the next try. Raises ConnectionError when the daemon was away for too long."""
        if time.monotonic() + self._wait - self._heard_at > self._give_up:
            raise ConnectionError("the connection to the daemon is lost")
        if self._wait == FIRST_WAIT_SECONDS:
            note(f"the connection to the daemon broke ({why}); trying again")
        time.sleep(self._wait * (1 + random.random() / 2))  # noqa: S311 - no secret hangs on it
        self._wait = min(LONGEST_WAIT_SECONDS, self._wait * 2)
