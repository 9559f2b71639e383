"""What is private to aiokafka and used all the same: all of it is listed, looked for, and missed in clear words."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection

from alertd.destinations import kafka_client, kafka_inside
from alertd.destinations.base import SendError, World
from alertd.destinations.kafka import KafkaType
from alertd.destinations.kafka_inside import CLIENT, CONNECTION, WANTED, UnknownClientError
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import FixedClock, ScriptedSender, make_message

ROOT = Path(__file__).parents[3]


async def test_what_is_installed_has_all_of_it() -> None:
    """The aiokafka that is pinned passes."""
    producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:9")
    kafka_inside.check_producer(producer)
    kafka_inside.check_connection(AIOKafkaConnection("127.0.0.1", 9))
    await producer.stop()


def test_what_is_missing_is_named_with_what_to_install() -> None:
    """All of it at once."""
    value = SimpleNamespace(**dict.fromkeys(set(CLIENT) - {"_conns", "cluster"}))
    with pytest.raises(UnknownClientError) as caught:
        kafka_inside.check("AIOKafkaClient", value, CLIENT)
    assert "(no AIOKafkaClient._conns, AIOKafkaClient.cluster)" in str(caught.value)
    assert str(caught.value).endswith(f"install {WANTED}")


@pytest.mark.parametrize(("name", "listed"), [("GuardedClient", CLIENT), ("GuardedConnection", CONNECTION)])
def test_all_that_is_used_is_listed(name: str, listed: tuple[str, ...]) -> None:
    """Whatever our class uses of itself, and overrides, is its own or stands in the list; the list holds nothing else."""
    tree = ast.parse(Path(kafka_client.__file__).read_text("utf-8"))
    (ours,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    nodes = list(ast.walk(ours))
    used = {
        n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "self"
    }
    made = {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))}
    own = {"_reach", "reach", "_reached", "_introduced", "_judged", "__init__"}
    kept = {"_conns", "_sync_task"} if name == "GuardedClient" else {"close", "connect", "connected"}
    assert (used | made) - own | kept == set(listed)


@pytest.mark.parametrize("missing", ["PRODUCER", "SENDER", "CLIENT", "CONNECTION"])
async def test_an_attempt_says_so_and_connects_to_nothing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Nothing is lost: the attempt is made again when somebody has installed what is wanted."""
    monkeypatch.setattr(kafka_inside, missing, (*getattr(kafka_inside, missing), "_nowhere"))
    asked: list[Any] = []

    async def connect(host: str, port: int, ports: Any = ()) -> Any:
        asked.append((host, port))
        raise SendError("connection refused")

    settings = {"bootstrap_servers": ["127.0.0.1:9"], "topic": "alerts"}
    world = World(FixedClock(), ScriptedSender(), print, connect=connect)
    opened = KafkaType().open(KafkaType.settings_model.model_validate(settings), 20.0, world)
    outcome = await opened.attempt(make_message())
    await opened.close()
    assert outcome.kind is OutcomeKind.RETRY_LATER
    assert outcome.detail.startswith("kafka: aiokafka ")
    assert "._nowhere" in outcome.detail
    assert outcome.detail.endswith(f"install {WANTED}")
    assert not asked


def test_the_bounds_are_those_of_the_package() -> None:
    """What is said is what pyproject.toml asks for."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    (bound,) = (each for each in needed if each.startswith("aiokafka"))
    assert bound.replace("[lz4,snappy,zstd]", "") == WANTED
