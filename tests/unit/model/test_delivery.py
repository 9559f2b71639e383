"""What a delivery reads out of its payload."""

from __future__ import annotations

import orjson
import pytest

from alertd.model.delivery import Delivery
from alertd.model.event import SIMULATION

TIME = "2026-11-21T09:00:00.123Z"


@pytest.mark.parametrize("is_simulated", [False, True])
def test_when_is_read_once(*, is_simulated: bool) -> None:
    """It says the same before and after, and a copy that has not read it yet is equal."""
    source = {"source": SIMULATION} if is_simulated else {}
    payload = orjson.dumps({"id": "a", "type": "t", **source, "severity": "info", "time": TIME, "key": "t"})
    delivery, other = (Delivery(2, 1, 1, 1, 1, 0, 0, "t", payload) for _ in range(2))
    assert delivery.is_simulated == is_simulated
    first = delivery.when()
    assert first == (TIME, is_simulated)
    assert delivery.when() is first
    assert delivery.is_simulated == is_simulated
    assert delivery == other
