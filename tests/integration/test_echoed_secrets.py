"""Providers that tell back what they hear: no secret of a destination's settings is in what is kept of it."""

from __future__ import annotations

import asyncio
import socket
import traceback
from typing import TYPE_CHECKING, Any, Final

import pytest

from alertd.destinations.base import Previewing, SendError, World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.registry import REGISTRY
from tests.conformance.destination_suite import FixedClock
from tests.conformance.messages import make_event, make_issue, make_message
from tests.echo_peer import MODES, echoing
from tests.planting import Peers, Planter, planted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from alertd.destinations.base import Sender

PATIENCE: Final = 60.0
LOOPBACK: Final = EgressPolicy(["127.0.0.0/8"])
WAYS: Final = sorted(name.partition("-")[2] for name in planted(Planter(), Peers(1, 2, 3), "x"))
SENDERS: Final[dict[str, Callable[[EgressPolicy], Sender]]] = {"fast": FastSender, "aiohttp": AiohttpSender}


@pytest.fixture
async def peers(tmp_path: Path) -> AsyncIterator[Peers]:
    """Run providers that tell everything back."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with echoing() as (http, mail):
            yield Peers(http, mail, closed.getsockname()[1], tmp_path / "missing.pem")


@pytest.mark.parametrize("kind", SENDERS)
@pytest.mark.parametrize("way", WAYS)
async def test_outcomes(peers: Peers, way: str, kind: str) -> None:
    """Whatever is answered, and however it is cut, outcome, preview and settings show no secret, not even a part of one."""
    planter = Planter()
    destination = planted(planter, peers, "x")[f"x-{way}"]
    type_ = REGISTRY[destination["type"]]
    settings = type_.settings_model.model_validate(destination["settings"])
    sender = SENDERS[kind](LOOPBACK)
    connector = GuardedConnector(LOOPBACK)
    world = World(FixedClock(), sender, print, connect=connector.connect, permit=LOOPBACK.check_address)
    opened = type_.open(settings, 0.5, world)
    said: list[Any] = [repr(settings), str(settings), repr(opened)]
    heard = 0
    for mode in MODES:
        message = make_message(event=make_event(message=f"mode-{mode}"), issue=make_issue(title=f"mode-{mode}"))
        async with asyncio.timeout(PATIENCE):
            outcome = await opened.attempt(message)
        heard += bool(outcome.status)
        said.append(repr(outcome))
        if isinstance(opened, Previewing):
            said.append(repr(opened.preview(message)))
    await opened.close()
    await sender.close()
    connector.close()
    leaks = {(place, text[:300]) for text in said for place in planter.seen_in(text.encode("utf-8", "replace"))}
    assert not leaks
    assert heard >= (0 if way in {"kafka", "kafka-tls"} or way.endswith("-tls") else 1)


@pytest.mark.parametrize("way", WAYS)
def test_settings_that_are_refused(way: str, tmp_path: Path) -> None:
    """What is wrong with settings is told without the secrets beside it, in the error and in its traceback with locals."""
    planter = Planter()
    destination = planted(planter, Peers(1, 2, 3, tmp_path / "x.pem"), "x")[f"x-{way}"]
    model = REGISTRY[destination["type"]].settings_model
    with pytest.raises(ValueError, match="extra") as caught:
        model.model_validate({**destination["settings"], "unknown": planter.plant("unknown")})
    shown = traceback.TracebackException.from_exception(caught.value)
    text = "".join(shown.format()) + str(caught.value) + repr(caught.value)
    assert not planter.seen_in(text.encode())


@pytest.mark.parametrize("kind", SENDERS)
async def test_errors_of_senders(peers: Peers, kind: str) -> None:
    """No failure to send says what was sent, nor does what it was caused by."""
    from alertd.destinations.base import HttpRequest  # noqa: PLC0415 - beside its only use

    planter, sender = Planter(), SENDERS[kind](LOOPBACK)
    headers = {"x-key": planter.plant("header")}
    body = planter.plant("body").encode()
    bases = (peers.http, f"http://127.0.0.1:{peers.nobody}", peers.tls, "http://nowhere.invalid", "http://10.0.0.1")
    for base in bases:
        for mode in ("reset", "hang", "garbage"):
            request = HttpRequest(
                f"{base}/{planter.plant('path')}/mode-{mode}?k={planter.plant('query')}", body, headers
            )
            with pytest.raises(SendError) as caught:
                await sender.send(request, 0.5)
            text = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(request)
            assert planter.seen_in(text.encode()) == set(), text
    await sender.close()
