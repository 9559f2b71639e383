"""A lane keeps to the pace that was configured, or else to its provider's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from alertd.app.pacing import HEADROOM
from alertd.app.rules import Rules
from alertd.clock import SystemClock
from alertd.config.settings import Config
from alertd.delivery.acknowledging import AcknowledgeLinks
from alertd.destinations.mail_server import MailServer
from alertd.model.workspace import Workspace
from alertd.store.memory import MemoryStore

if TYPE_CHECKING:
    from alertd.delivery.spec import LaneSpec

FULL: Final = Path(__file__).parents[3] / "config/alertd.full.yml"
SLACK = {"name": "ops", "type": "slack", "settings": {"url": "https://hooks.slack.com/services/T0/B0/X"}}
NTFY = {"name": "ops", "type": "ntfy", "settings": {"topic": "alerts-example"}}
NULL = {"name": "ops", "type": "null"}


async def _lane(destination: dict[str, Any], config: dict[str, Any] | None = None) -> LaneSpec:
    """Compile a configuration with one destination and return its lane."""
    clock = SystemClock()
    rules = Rules(MemoryStore(clock), clock, print, AcknowledgeLinks("secret", clock))
    workspace = Workspace.model_validate({"name": "default", "destinations": [destination]})
    compiled = await rules.compiling.compile([workspace], MailServer())
    try:
        (spec,) = rules.lanes(Config.model_validate(config or {}), compiled) or ()
    finally:
        await rules.close()
    return spec


async def test_a_provider_that_asks_for_a_pace_gets_it() -> None:
    """A little slower than it allows; other options stay as they were."""
    spec = await _lane(SLACK | {"queue": {"capacity": 7}})
    assert spec.options.queue.rate_per_second == pytest.approx(HEADROOM)
    assert spec.options.queue.capacity == 7
    assert spec.burst is None


async def test_a_provider_that_takes_many_at_once_gets_them() -> None:
    """60 at once and then one in 5 seconds, less the headroom."""
    spec = await _lane(NTFY)
    assert (spec.options.queue.rate_per_second, spec.burst) == pytest.approx((0.2 * HEADROOM, 60 * HEADROOM))


async def test_a_type_without_a_pace_is_not_held_back() -> None:
    """Unlimited, as ever."""
    assert (await _lane(NULL)).options.queue.rate_per_second is None


@pytest.mark.parametrize("rate", [None, 9.0])
async def test_what_the_destination_says_goes_first(rate: float | None) -> None:
    """Null too: it means no pace at all."""
    spec = await _lane(NTFY | {"queue": {"rate_per_second": rate}})
    assert (spec.options.queue.rate_per_second, spec.burst) == (rate, None)


async def test_what_the_configuration_says_of_all_goes_before_the_provider() -> None:
    """Somebody chose it."""
    spec = await _lane(NTFY, {"delivery": {"queue": {"rate_per_second": 9.0}}})
    assert (spec.options.queue.rate_per_second, spec.burst) == (9.0, None)


async def test_the_full_configuration_changes_no_pace_and_no_limit() -> None:
    """Whoever begins with a copy of it has written every default, and nothing else."""
    written = yaml.safe_load(FULL.read_text("utf-8"))["delivery"]
    spec, plain = await _lane(NTFY, {"delivery": written}), await _lane(NTFY)
    assert (spec.options.queue.rate_per_second, spec.burst) == (plain.options.queue.rate_per_second, plain.burst)
    assert [each.options.retry.used_up(12, 1) for each in (spec, plain)] == [False, False]


async def test_other_defaults_of_the_queue_choose_no_pace() -> None:
    """Only the rate itself counts as chosen."""
    spec = await _lane(SLACK, {"delivery": {"queue": {"capacity": 9}}})
    assert spec.options.queue.rate_per_second == pytest.approx(HEADROOM)
    assert spec.options.queue.capacity == 9
