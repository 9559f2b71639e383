"""What tears a consumer out looks inside aiokafka, and takes what is not there for ended: so all of it must be there."""

from __future__ import annotations

import inspect

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState

USED = {
    AIOKafkaConsumer: ("_client", "_closed", "_coordinator", "_fetcher", "_subscription"),
    SubscriptionState: ("_fetch_count",),
    AIOKafkaClient: ("_conns", "_sync_task"),
    GroupCoordinator: ("_commit_refresh_task", "_coordination_task", "_heartbeat_task"),
    Fetcher: ("_fetch_task", "_pending_tasks"),
}


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in USED.items() for name in names])
def test_it_is_there(owner: type, name: str) -> None:
    """The aiokafka that is installed sets it."""
    assert f"self.{name} = " in inspect.getsource(owner).replace(f"self.{name}: ", f"self.{name} = ")


def test_a_connection_can_be_closed() -> None:
    """At once, without being waited for."""
    assert not inspect.iscoroutinefunction(AIOKafkaConnection.close)
