"""Both senders, held to the contract of senders on both event loops."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import uvloop
from typing_extensions import override

from alertd.destinations.egress import AiohttpSender
from alertd.destinations.http1.sender import FastSender
from tests.conformance.sender_suite import SenderSuite

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine

    from alertd.destinations.guard import EgressPolicy
    from tests.conformance.sender_case import Lookup


class TestFastSender(SenderSuite):
    """The fast sender, on the standard loop."""

    @override
    def make(
        self, policy: EgressPolicy, *, ssl_context: ssl.SSLContext | None = None, lookup: Lookup | None = None
    ) -> FastSender:
        """Make one."""
        return FastSender(policy, ssl_context=ssl_context, lookup=lookup)


class TestAiohttpSender(SenderSuite):
    """The sender over aiohttp, on the standard loop.

    It is less exact behind an answer's end: it may lose the answer to what follows in the same segment, or overlook less
    than an answer there; and it understands one header that it should not.
    """

    lenient = frozenset(
        {
            "garbage behind the body",
            "half of a second answer behind the body",
            "204 with a body",
            "204 with a length and a body",
            "304 with a body",
            "trailers without end",
            "a blank before a header's colon",
        }
    )

    @override
    def make(
        self, policy: EgressPolicy, *, ssl_context: ssl.SSLContext | None = None, lookup: Lookup | None = None
    ) -> AiohttpSender:
        """Make one."""
        return AiohttpSender(policy, ssl_context=ssl_context, lookup=lookup)


def _on_uvloop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        uvloop.run(test(*args, **kwargs))

    return run


def _suite_on_uvloop(suite: type[SenderSuite]) -> type[SenderSuite]:
    """Make the same suite on the loop that the daemon uses."""
    tests = inspect.getmembers(suite, inspect.iscoroutinefunction)
    moved = {name: _on_uvloop(test) for name, test in tests if name.startswith("test_")}
    name = f"{suite.__name__}OnUvloop"
    return type(name, (suite,), {"__doc__": "The same on the daemon's loop.", "__module__": __name__} | moved)


TestFastSenderOnUvloop = _suite_on_uvloop(TestFastSender)
TestAiohttpSenderOnUvloop = _suite_on_uvloop(TestAiohttpSender)
