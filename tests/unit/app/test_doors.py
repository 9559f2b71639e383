"""The doors of outside services: what an intake endpoint may take, whatever the store says of it."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from alertd.app.doors import EndpointDoors
from alertd.clock import SystemClock
from alertd.errors import InvalidError
from alertd.intake.sentry_body import Bodies
from alertd.model.intake_endpoint import HELD_MAX_BYTES
from alertd.resources.change import Precondition
from alertd.resources.kinds import INTAKE_ENDPOINT
from alertd.store.memory import MemoryStore
from tests.unit.resources.test_registry import Live, registry_on

ENDPOINT = {"name": "hub", "source": "github", "max_body_bytes": HELD_MAX_BYTES}


def test_the_bound_is_what_may_be_held() -> None:
    """A body of as much as an endpoint may be given finds room when nothing else is held."""
    assert Bodies()._most == HELD_MAX_BYTES


async def test_no_endpoint_takes_more_than_may_be_held() -> None:
    """One byte more is refused with the bound; a store from before still starts, and a larger body is refused for good."""
    store = MemoryStore(SystemClock())
    registry = registry_on(store, Live())
    await registry.load({})
    with pytest.raises(InvalidError, match=f"at most {HELD_MAX_BYTES}"):
        await registry.create(INTAKE_ENDPOINT, "default", {**ENDPOINT, "max_body_bytes": HELD_MAX_BYTES + 1}, "ann")
    await registry.create(INTAKE_ENDPOINT, "default", ENDPOINT, "ann")
    (stored,) = [each for each in await store.resources() if each.kind == INTAKE_ENDPOINT.word]
    document = orjson.dumps({**orjson.loads(stored.document), "max_body_bytes": 2 * HELD_MAX_BYTES})
    await store.change_resources([replace(stored, document=document, version=stored.version + 1)], [], [])

    again = registry_on(store, Live())
    (entry,) = (await again.load({})).entries(INTAKE_ENDPOINT.word, "default")
    found = EndpointDoors(again).find("github", again.url_token(entry))
    assert found is not None
    assert found.max_body_bytes == HELD_MAX_BYTES
    with pytest.raises(InvalidError, match=f"at most {HELD_MAX_BYTES}"):
        await again.patch(entry.key, {"title": "Hub"}, Precondition(), "ann")
