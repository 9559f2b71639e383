"""A small application that uses the real Sentry SDK: `python sentry_child.py DSN WHAT [OPTIONS AS JSON]`."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any
from wsgiref.util import setup_testing_defaults

import sentry_sdk
from sentry_sdk import logger
from sentry_sdk.crons import monitor


def checkout(prices: dict[str, int]) -> int:
    """Fail as applications do: one error out of another."""
    try:
        return prices["sku"]
    except KeyError as error:
        raise ValueError("no such article") from error


def plain() -> None:
    """Report an error and a message by hand."""
    sentry_sdk.set_user({"id": "7"})
    sentry_sdk.set_tag("team", "payments")
    try:
        checkout({})
    except ValueError:
        sentry_sdk.capture_exception()
    sentry_sdk.capture_message("Cache is cold", level="warning")


def crash() -> None:
    """Die of an error that nobody handles."""
    checkout({})


def logged() -> None:
    """Log errors."""
    log = logging.getLogger("shop.cart")
    log.error("Order %s failed", 17)
    try:
        checkout({})
    except ValueError:
        log.exception("Order %s crashed", 18)


def tasks() -> None:
    """Lose a task."""

    async def main() -> None:
        from sentry_sdk.integrations.asyncio import enable_asyncio_integration  # noqa: PLC0415 - needs the loop

        enable_asyncio_integration()

        async def fail() -> None:
            checkout({})

        await asyncio.gather(asyncio.create_task(fail()), return_exceptions=True)

    asyncio.run(main())


def job() -> None:
    """Run a monitored job."""

    @monitor(monitor_slug="nightly")
    def nightly() -> None:
        """Do nothing, well."""

    nightly()


def django() -> None:
    """Serve a request that fails."""
    from django.conf import settings  # type: ignore[import-untyped]  # noqa: PLC0415 - only where it is used
    from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
    from django.urls import path  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    def pay(request: Any, order: int) -> None:
        checkout({})

    globals()["urlpatterns"] = [path("pay/<int:order>/", pay)]
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="x",  # noqa: S106 - nothing is kept secret here
        LOGGING_CONFIG=None,
    )
    request: dict[str, Any] = {"PATH_INFO": "/pay/17/", "QUERY_STRING": "card=4111", "HTTP_COOKIE": "card=4111"}
    setup_testing_defaults(request)
    answer = get_wsgi_application()(request, lambda status, headers: None)
    answer.close()


def chatter() -> None:
    """Say three things, waiting each time until it is sent."""
    for word in ("one", "two", "three"):
        sentry_sdk.capture_message(word)
        sentry_sdk.flush(timeout=10)


def telemetry() -> None:
    """Send what is not kept: a transaction, a session, an attachment, a log line."""
    with sentry_sdk.start_transaction(name="t", op="test"):
        pass
    scope = sentry_sdk.get_isolation_scope()
    scope.start_session()
    scope.end_session()
    logger.info("hello")
    with sentry_sdk.new_scope() as own:
        own.add_attachment(bytes=b"\n\x00\xff\n" * 50_000, filename="dump.bin")
        sentry_sdk.capture_message("x")


if __name__ == "__main__":
    dsn, what, *rest = sys.argv[1:]
    sentry_sdk.init(dsn, release="shop@1.2.3", environment="prod", **json.loads(rest[0] if rest else "{}"))
    globals()[what]()
    sentry_sdk.get_client().close(timeout=10)
