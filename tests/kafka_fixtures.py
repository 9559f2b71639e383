"""Pytest fixtures around the Kafka broker: one broker per run for all workers, one per test for tests that break it.

The broker starts when the first test asks for it. The controlling pytest process (the only one without pytest-xdist)
holds the folder of the run; the broker's keeper ends with that hold, however the run ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import broker as brokers
from tests.machine import lacks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from aiokafka.admin import AIOKafkaAdminClient

    from tests.broker import Broker

    MakeTopic = Callable[..., Awaitable[str]]

TOPIC_SECONDS = 60.0
CLOSE_SECONDS = 30.0

_folder = pytest.StashKey[Path]()
_hold = pytest.StashKey[contextlib.ExitStack]()
_used = pytest.StashKey[dict[str, dict[str, Any]]]()


# --- Fixtures --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Broker:
    """One broker without security for the whole run; use fresh topics and groups, do not break it."""
    return _shared(pytestconfig, secure=False)


@pytest.fixture(scope="session")
def shared_kafka_secure(pytestconfig: pytest.Config) -> Broker:
    """One broker with all security listeners for the whole run; tests use ``kafka_secure``."""
    return _shared(pytestconfig, secure=True)


@pytest.fixture
async def kafka_secure(shared_kafka_secure: Broker) -> AsyncIterator[Broker]:
    """One broker with all security listeners for the whole run; ``require(kafka_secure, "sasl", "tls")`` first.

    aiokafka does not wait until its TLS connections are closed. Closing the loop before that leaves an "unclosed
    transport" warning, which would fail whichever test the garbage collector happens to run in.
    """
    from tests.daemon import eventually  # noqa: PLC0415 - as below

    before = _sockets()
    yield shared_kafka_secure
    with contextlib.suppress(AssertionError):  # a real leak then shows itself by the warning
        await eventually(lambda: not _sockets() - before, "closed sockets", CLOSE_SECONDS)


@pytest.fixture
def own_kafka(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Broker]:
    """A running broker for this test alone, which may kill, freeze and restart it."""
    broker = _unless_lacking(brokers.make_broker, tmp_path / "kafka")
    _note(pytestconfig, broker)
    brokers.require(broker, "control")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
async def make_topic(kafka: Broker) -> MakeTopic:
    """Make as many fresh topics as a test needs: the returned function takes ``partitions``, and ``broker`` if not the shared one."""

    async def make(partitions: int = 1, *, broker: Broker = kafka) -> str:
        return await create_topic(broker.bootstrap, partitions)

    return make


@pytest.fixture
async def topic(request: pytest.FixtureRequest, make_topic: MakeTopic) -> str:
    """A fresh topic with one partition, or as many as ``@pytest.mark.partitions(n)`` says."""
    marker = request.node.get_closest_marker("partitions")
    return await make_topic(*(marker.args if marker else ()))


async def create_topic(bootstrap: str, partitions: int = 1) -> str:
    """Create a topic with a fresh name and return when the broker shows all its partitions."""
    from aiokafka.admin import NewTopic  # noqa: PLC0415 - 0.17 s that a run of unit tests need not wait

    from tests.daemon import eventually  # noqa: PLC0415 - as above

    name = f"test-{uuid.uuid4()}"
    async with asyncio.timeout(TOPIC_SECONDS), _admin(bootstrap) as admin:

        async def complete() -> bool:
            return len((await admin.describe_topics([name]))[0]["partitions"]) == partitions

        await admin.create_topics([NewTopic(name, partitions, 1)])
        await eventually(complete, f"all partitions of {name}", TOPIC_SECONDS)
    return name


@contextlib.asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - as above

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def _sockets() -> set[str]:
    """The open sockets of this process, where the system tells."""
    links = set()
    for descriptor in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            links.add(str(descriptor.readlink()))
    return {link for link in links if link.startswith("socket:")}


def _shared(config: pytest.Config, *, secure: bool) -> Broker:
    broker = _unless_lacking(brokers.shared_broker, config.stash[_folder], secure=secure)
    _note(config, broker)
    return broker


def _unless_lacking(choose: Callable[..., Broker], folder: Path, **options: bool) -> Broker:
    try:
        return choose(folder, **options)
    except brokers.BrokerUnavailableError as error:
        lacks(f"there is no Kafka broker on this machine: {error}")


def _note(config: pytest.Config, broker: Broker) -> None:
    config.stash[_used][broker.kind] = {"note": broker.note, "skipped": []}


# --- The run: its folder, and what it used ---------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Take the folder of the run from the controller, or be the controller and make it."""
    config.addinivalue_line("markers", "partitions(n): how many partitions the topic fixture gets")
    config.stash[_used] = {}
    if worker_input := getattr(config, "workerinput", None):
        config.stash[_folder] = Path(worker_input["kafka_folder"])
        return
    config.stash[_folder] = Path(tempfile.mkdtemp(prefix="alertd-kafka-"))
    config.stash[_hold] = contextlib.ExitStack()
    config.stash[_hold].callback(shutil.rmtree, config.stash[_folder], ignore_errors=True)
    config.stash[_hold].enter_context(brokers.hold_shared(config.stash[_folder]))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the shared brokers of the run and remove its folder."""
    if hold := config.stash.get(_hold, None):
        hold.close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a pytest-xdist worker the folder of the run."""
    node.workerinput["kafka_folder"] = str(node.config.stash[_folder])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Report what this process used; the controller of a failed run keeps the broker's log."""
    used = session.config.stash[_used]
    for kind, names in brokers.skipped.items():
        used.setdefault(kind, {"note": "", "skipped": []})["skipped"] = sorted(names)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["kafka"] = used
    elif exitstatus:
        _keep_logs(session.config.stash[_folder])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Merge what a pytest-xdist worker used."""
    used = node.config.stash[_used]
    for kind, news in getattr(node, "workeroutput", {}).get("kafka", {}).items():
        known = used.setdefault(kind, news)
        known["note"] = known["note"] or news["note"]
        known["skipped"] = sorted({*known["skipped"], *news["skipped"]})


def summary(config: pytest.Config) -> list[str]:
    """Say in lines which brokers the run used, why, and for which missing capabilities tests could not run."""
    lines = []
    for kind, facts in sorted(config.stash[_used].items()):
        lines.append(f"Kafka broker: {kind}" + (f" (because {facts['note']})" if facts["note"] else ""))
        if facts["skipped"]:
            lines.append(f"  capabilities it lacks, for which tests could not run: {', '.join(facts['skipped'])}")
    return lines


def _keep_logs(folder: Path) -> None:
    for log in folder.glob("*/broker.log"):
        brokers.CACHE.mkdir(parents=True, exist_ok=True)
        shutil.copy(log, brokers.CACHE / f"last-failed-run-{log.parent.name}.log")
