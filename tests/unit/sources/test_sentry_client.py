"""A real Sentry SDK: what it makes of errors, messages, logging, asyncio, check-ins and feedback is decoded for what it is."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
import sentry_sdk
from sentry_sdk.crons import MonitorStatus, capture_checkin, monitor
from sentry_sdk.envelope import Envelope as Sent
from sentry_sdk.envelope import Item, PayloadRef
from sentry_sdk.integrations.asyncio import AsyncioIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport
from typing_extensions import override

from alertd.sources.sentry_event import is_error
from tests.unit.sources.sentry_samples import envelope, item, received

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from sentry_sdk.integrations import Integration

    from alertd.model.event import Event

DSN = "http://publickey@127.0.0.1:1/42"


class Capture(Transport):
    """Keeps what would have been sent, as bytes."""

    sent: list[bytes]

    @override
    def capture_envelope(self, envelope: Sent) -> None:
        """Write an envelope as it would go onto the wire."""
        self.sent.append(envelope.serialize())


class World:
    """An application that uses the SDK; what it sends is decoded on demand."""

    def __init__(self, *integrations: Integration, **options: Any) -> None:
        self.sent: list[bytes] = []
        transport = type("Own", (Capture,), {"sent": self.sent})
        sentry_sdk.init(
            DSN,
            transport=transport,
            default_integrations=False,
            integrations=integrations,
            release="shop@1.2.3",
            environment="prod",
            server_name="web-1",
            in_app_include=[__name__],
            **options,
        )

    def events(self) -> list[Event]:
        """Decode all that was sent into events."""
        sentry_sdk.flush()
        return [event for body in self.sent for event in received(body).events]

    def only(self) -> dict[str, Any]:
        """Decode the one event that was sent."""
        (event,) = self.events()
        return event.body

    def skipped(self) -> Counter[str]:
        """Add up what was sent and is not kept."""
        sentry_sdk.flush()
        return sum((received(body).skipped for body in self.sent), start=received(envelope()).skipped)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Give each test scopes of its own and no client afterwards."""
    with sentry_sdk.isolation_scope():
        yield
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def checkout(prices: dict[str, int]) -> int:
    """Fail as applications do: one error out of another."""
    try:
        return prices["sku"]
    except KeyError as error:
        raise ValueError("no such article: " + str(error)) from error


def crash() -> None:
    """Report the failure of a checkout."""
    try:
        checkout({})
    except ValueError:
        sentry_sdk.capture_exception()


def test_a_chained_exception() -> None:
    """The raised exception is the event's, its cause stands before it, the crash frame is the last."""
    world = World()
    sentry_sdk.set_tag("team", "payments")
    sentry_sdk.set_user({"id": 7, "email": "ann@example.com"})
    crash()
    body = world.only()
    assert (body["type"], body["message"], body["severity"]) == ("sentry.error", "no such article: 'sku'", "error")
    assert (body["environment"], body["labels"]) == ("prod", {"team": "payments"})
    data = body["data"]
    assert is_error(data)
    assert (data["release"], data["server_name"], data["user"]["id"]) == ("shop@1.2.3", "web-1", "7")
    assert data["title"] == "ValueError: no such article: 'sku'"
    cause, raised = data["exception"]["values"]
    assert (cause["type"], cause["value"]) == ("KeyError", "'sku'")
    assert (raised["type"], raised["value"]) == ("ValueError", "no such article: 'sku'")
    frame = raised["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["in_app"]) == ("checkout", True)
    assert frame["filename"].endswith("test_sentry_client.py")
    assert "raise ValueError" in frame["context_line"]
    assert "vars" not in frame
    assert "trimmed" not in data


def test_the_same_error_twice_is_two_events() -> None:
    """Each occurrence has an id of its own."""
    world = World()
    crash()
    crash()
    assert len({event.id for event in world.events()}) == 2


def test_a_group_of_exceptions() -> None:
    """An exception group is a chain as well."""
    world = World()
    try:
        raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])  # noqa: TRY301 - as below
    except ExceptionGroup:
        sentry_sdk.capture_exception()
    data = world.only()["data"]
    assert data["exception"]["type"] == "ExceptionGroup"
    assert {value["type"] for value in data["exception"]["values"]} == {"ExceptionGroup", "ValueError", "KeyError"}
    assert any(value["mechanism"].get("is_exception_group") for value in data["exception"]["values"])


def test_a_deep_recursion() -> None:
    """A stack of a thousand frames is kept at both ends and says what it lost."""
    world = World()

    def dig(depth: int) -> None:
        dig(depth + 1)

    try:
        dig(0)
    except RecursionError:
        sentry_sdk.capture_exception()
    data = world.only()["data"]
    stacktrace = data["exception"]["values"][-1]["stacktrace"]
    assert len(stacktrace["frames"]) == 50
    assert stacktrace["omitted"] > 0
    assert "exception.values.stacktrace.frames" in data["trimmed"]


def test_half_a_character() -> None:
    """A text that is no Unicode, as file names may be, loses no error."""
    world = World()
    try:
        raise ValueError("no file a\udcffb")  # noqa: TRY301 - the shortest way to an exception with a stack
    except ValueError:
        sentry_sdk.capture_exception()
    assert world.only()["message"] == "no file a\ufffdb"


def test_a_message() -> None:
    """A message has its level and its text."""
    world = World()
    sentry_sdk.capture_message("Cache is cold", level="warning")
    body = world.only()
    assert (body["type"], body["message"], body["severity"]) == ("sentry.message", "Cache is cold", "warning")
    assert body["data"]["logentry"] == {"formatted": "Cache is cold"}


@pytest.mark.parametrize("level", ["fatal", "error", "warning", "info", "debug"])
def test_every_level(level: Any) -> None:
    """Each of the SDK's levels is a severity."""
    world = World()
    sentry_sdk.capture_message("x", level=level)
    assert world.only()["severity"] == {"fatal": "critical"}.get(level, level)


def test_a_fingerprint() -> None:
    """A fingerprint that the application sets is kept."""
    world = World()
    with sentry_sdk.new_scope() as scope:
        scope.fingerprint = ["{{ default }}", "cold"]
        sentry_sdk.capture_message("x")
    assert world.only()["data"]["fingerprint"] == ["{{ default }}", "cold"]


def test_an_event_id_is_the_answer() -> None:
    """The id that the SDK returned to the application is the event's."""
    world = World()
    event_id = sentry_sdk.capture_message("x")
    assert world.only()["id"] == event_id


def test_logging() -> None:
    """What is logged as an error keeps its template and parameters; with an exception it is an error of that."""
    world = World(LoggingIntegration())
    log = logging.getLogger("shop.cart")
    log.error("Order %s failed for %s", 17, "ann")
    try:
        checkout({})
    except ValueError:
        log.exception("Order %d crashed", 18)
    logged, crashed = (event.body for event in world.events())
    assert (logged["type"], logged["message"]) == ("sentry.message", "Order 17 failed for ann")
    assert logged["data"]["logger"] == "shop.cart"
    assert logged["data"]["logentry"] == {
        "formatted": "Order 17 failed for ann",
        "message": "Order %s failed for %s",
        "params": [17, "ann"],
    }
    assert (crashed["type"], crashed["message"]) == ("sentry.error", "no such article: 'sku'")
    assert crashed["data"]["exception"]["values"][-1]["mechanism"]["type"] == "logging"
    assert crashed["data"]["logentry"]["message"] == "Order %d crashed"


def test_asyncio() -> None:
    """A task that dies is an error of its own."""

    async def fail() -> None:
        await asyncio.sleep(0)
        checkout({})

    async def main() -> list[Event]:
        world = World(AsyncioIntegration())
        await asyncio.gather(asyncio.create_task(fail(), name="doomed"), return_exceptions=True)
        return world.events()

    (event,) = asyncio.run(main())
    assert event.type == "sentry.error"
    raised = event.body["data"]["exception"]
    assert (raised["type"], raised["handled"]) == ("ValueError", False)
    assert raised["values"][-1]["stacktrace"]["frames"][-1]["function"] == "checkout"


def test_check_ins() -> None:
    """A monitored job reports its beginning and its end as one check-in, also when it fails."""
    world = World()

    @monitor(monitor_slug="nightly", monitor_config={"schedule": {"type": "crontab", "value": "0 * * * *"}})
    def job() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        job()
    begun, ended = (event.body for event in world.events())
    assert (begun["type"], ended["type"]) == ("sentry.check_in", "sentry.check_in")
    assert [body["data"]["check_in"]["status"] for body in (begun, ended)] == ["in_progress", "error"]
    assert begun["data"]["check_in"]["check_in_id"] == ended["data"]["check_in"]["check_in_id"]
    assert begun["data"]["check_in"]["monitor_config"] == {"schedule": {"type": "crontab", "value": "0 * * * *"}}
    assert (ended["severity"], ended["key"], ended["environment"]) == ("error", "nightly", "prod")
    assert ended["data"]["check_in"]["duration_seconds"] >= 0
    assert begun["id"] != ended["id"]


def test_a_check_in_by_hand() -> None:
    """A check-in that the application sends itself is one as well."""
    world = World()
    check_in_id = capture_checkin(monitor_slug="nightly", status=MonitorStatus.OK, duration=1.5)
    assert world.only()["id"] == f"check_in:{check_in_id}:ok"


def send(envelope_: Sent) -> None:
    """Send an envelope that was made by hand."""
    transport = sentry_sdk.get_client().transport
    assert transport is not None
    transport.capture_envelope(envelope_)


def test_feedback() -> None:
    """What users say, in the newer form and the older, is feedback about the error."""
    world = World()
    about = sentry_sdk.capture_message("x")
    assert about is not None
    sent = Sent(headers={"event_id": "9ec79c33ec9942ab8353589fcb2e04dc"})
    said = {"message": "It broke", "contact_email": "a@example.com", "associated_event_id": about}
    sent.add_item(Item(PayloadRef(json={"contexts": {"feedback": said}}), type="feedback"))
    send(sent)
    older = Sent(headers={"event_id": about})
    older.add_item(Item(PayloadRef(json={"event_id": about, "comments": "It broke too"}), type="user_report"))
    send(older)
    _, newer, report = (event.body for event in world.events())
    assert [body["type"] for body in (newer, report)] == ["sentry.feedback"] * 2
    assert [body["message"] for body in (newer, report)] == ["It broke", "It broke too"]
    assert [body["key"] for body in (newer, report)] == [about] * 2


def test_what_is_not_kept_is_counted() -> None:
    """Transactions, sessions, attachments and logs are read without complaint and counted."""
    world = World(traces_sample_rate=1.0, enable_logs=True)
    with sentry_sdk.start_transaction(name="t", op="test"), sentry_sdk.start_span(op="inner"):
        pass
    scope = sentry_sdk.get_isolation_scope()
    scope.start_session()
    scope.end_session()
    sentry_sdk.logger.info("hello {name}", name="ann")
    with sentry_sdk.new_scope() as own:
        own.add_attachment(bytes=b"\n{\n\x00\xff\n", filename="dump.bin")
        sentry_sdk.capture_message("x")
    assert [event.type for event in world.events()] == ["sentry.message"]
    skipped = world.skipped()
    assert skipped["transaction"] == 1
    assert skipped["session"] + skipped["sessions"] == 1
    assert skipped["attachment"] == 1
    assert skipped["log"] == 1
    assert skipped["other"] == 0


def test_our_own_framing_is_theirs() -> None:
    """The SDK reads the envelopes that the tests make, so that they stand for real ones."""
    read = Sent.deserialize(envelope(item("event", {"message": "x"}), item("attachment", b"\n\n")) + b"\n")
    assert [each.type for each in read.items] == ["event", "attachment"]
