"""Loading: what is read from good files, and that everything wrong with a bad one is said at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import alertd.config.load
from alertd.config.load import EMPTY_SECONDS, load_config, reload_config
from alertd.config.settings import Config, Store
from alertd.errors import ConfigError
from alertd.model.channel import ChannelKind
from alertd.model.event import Bounds
from tests.unit.config.files import VALID, load, problems, write

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "{}\n", "null\n", "\ufeff"])
def test_an_empty_file_means_the_defaults(tmp_path: Path, text: str) -> None:
    """The smallest valid file is empty."""
    assert load(tmp_path, text) == Config()


class Waiting:
    """A clock that goes on when somebody sleeps; with every look the file's writer does the next thing."""

    def __init__(self, *done: Callable[[], object]) -> None:
        self.now = 0.0
        self._done = list(done)

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Pass the time."""
        self.now += seconds
        if self._done:
            self._done.pop(0)()


def test_a_file_that_is_being_written_is_not_read_while_it_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is written in place is empty at first, which would take every destination away."""
    file = tmp_path / "alertd.yml"
    file.touch()
    monkeypatch.setattr(
        alertd.config.load, "time", Waiting(lambda: None, lambda: file.write_text("log: {level: debug}"))
    )
    assert reload_config(file, {}).log.level == "debug"


def test_a_file_that_stays_empty_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second: who means nothing says so. None at all, and one that is not there, is not waited for."""
    file = tmp_path / "alertd.yml"
    file.touch()
    clock = Waiting()
    monkeypatch.setattr(alertd.config.load, "time", clock)
    assert reload_config(None, {}) == Config()
    with pytest.raises(ConfigError, match="no such file"):
        reload_config(tmp_path / "nowhere.yml", {})
    assert clock.now == 0
    with pytest.raises(ConfigError, match=r"found an empty file; expected a configuration, or \{\} to take"):
        reload_config(file, {})
    assert clock.now == pytest.approx(EMPTY_SECONDS, abs=0.1)
    for nothing in ("\n", "# nothing\n", "---\n", "null\n", "\ufeff"):
        file.write_text(nothing)
        with pytest.raises(ConfigError, match="found an empty file"):
            reload_config(file, {})
    file.write_text("{}")
    assert reload_config(file, {}) == Config()


def test_no_file_means_the_defaults() -> None:
    """Without a file there are defaults and the environment."""
    assert load_config(None, {}) == Config()


def test_every_section_is_read(tmp_path: Path) -> None:
    """What a file says is what the configuration holds."""
    config = load(tmp_path, VALID)
    assert config.server.host == "127.0.0.1"
    assert config.server.port == 8080
    assert config.store.path == Path("/var/lib/alertd/alertd.db")
    assert config.intake.bounds == Bounds()
    assert config.intake.kafka is not None
    assert config.intake.kafka.topics[0].name == "events"
    assert config.tokens[0].value.get_secret_value() == "hunter2-token"
    workspace = config.workspaces[0]
    assert workspace.channels[0].kind is ChannelKind.REGEX
    assert config.delivery.for_destination(workspace.destinations[0]).queue.concurrency == 4
    assert workspace.subscriptions[0].channels == ("runs", "run:failed")


def test_the_configuration_is_frozen(tmp_path: Path) -> None:
    """Nobody changes a configuration that is in use."""
    with pytest.raises(ValueError, match="frozen"):
        load(tmp_path, VALID).server.listen = "0.0.0.0:80"  # type: ignore[misc]  # that it is refused is the test


def test_the_default_workspace_is_always_there(tmp_path: Path) -> None:
    """A file that lists other workspaces only still has `default`, first and once."""
    config = load(tmp_path, "workspaces: [{name: team}]")
    assert [workspace.name for workspace in config.workspaces] == ["default", "team"]
    assert [w.name for w in load(tmp_path, "workspaces: [{name: team}, {name: default}]").workspaces] == [
        "team",
        "default",
    ]


def test_every_resource_knows_where_it_is_written(tmp_path: Path) -> None:
    """The 409 for provisioned resources can name file and line."""
    path = write(tmp_path, VALID)
    config = load_config(path, {})
    lines = VALID.splitlines()
    for collection, name in [
        ("projects", "shop"),
        ("channels", "runs"),
        ("destinations", "ops-hook"),
        ("subscriptions", "production-runs"),
    ]:
        line = next(i for i, text in enumerate(lines, start=1) if f"name: {name}" in text)
        assert config.origin("default", collection, name) == f"{path}:{line}"
    assert config.origin("default", "tokens", "producers") == f"{path}:20"
    assert config.origin("default", "channels", "budge") is None
    assert Config().origin("default", "channels", "runs") is None


def test_the_null_type_needs_no_quotes(tmp_path: Path) -> None:
    """`type: null` is the destination type of that name; a type left out is still missing."""
    text = "workspaces: [{name: default, destinations: [{name: a, type: null}]}]"
    assert load(tmp_path, text).workspaces[0].destinations[0].type == "null"
    (missing,) = problems(tmp_path, text.replace("null", ""))
    assert missing.path == "workspaces[0].destinations[0].type"


def test_yaml_is_read_as_1_2(tmp_path: Path) -> None:
    """`no` is a text and 0o17 is octal: YAML 1.1's surprises are not there."""
    text = "workspaces: [{name: no, title: on}]\ndelivery: {queue: {capacity: 0o17}}"
    config = load(tmp_path, text)
    assert config.workspaces[1].title == "on"
    assert config.delivery.queue.capacity == 15


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Broken values, unknown keys, references, patterns, settings and duplicates are reported in one go."""
    text = """\
    server: {listen: 8080}
    store: {retention_days: 0}
    store: {}
    delivery: {queue: {concurency: 3}}
    tokens:
      - {name: a, role: boss, value: "${NOPE}"}
    workspaces:
      - name: default
        channels:
          - {name: x, kind: regex, pattern: "a(?=b)"}
          - {name: x, kind: glob, pattern: "b"}
        destinations:
          - {name: d, type: webhook, settings: {urll: x}}
          - {name: e, type: smoke, settings: {urll: x}}
        subscriptions:
          - {name: s, channels: [y], destinations: [f], matchers: [oops]}
    """
    found = problems(tmp_path, text, {"ALERTD_SERVR__LISTEN": "x"})
    assert sorted((p.line or 99, p.path) for p in found) == [
        (1, "server.listen"),
        (2, "store.retention_days"),
        (3, "store"),
        (4, "delivery.queue.concurency"),
        (6, "tokens[0].role"),
        (6, "tokens[0].value"),
        (10, "workspaces[0].channels[0].pattern"),
        (11, "workspaces[0].channels[1].name"),
        (13, "workspaces[0].destinations[0].settings.url"),
        (13, "workspaces[0].destinations[0].settings.urll"),
        (14, "workspaces[0].destinations[1].type"),
        (16, "workspaces[0].subscriptions[0].channels[0]"),
        (16, "workspaces[0].subscriptions[0].destinations[0]"),
        (16, "workspaces[0].subscriptions[0].matchers[0]"),
        (99, "servr.listen"),
    ]
    assert [p.line or 99 for p in found] == sorted(p.line or 99 for p in found)


def test_problems_name_the_file_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor can jump to what `check` prints."""
    write(tmp_path, "a: 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^alertd\.yml:1: a: found unknown key 'a'"):
        load_config(Path("alertd.yml"), {})


def _folder(path: Path) -> None:
    path.mkdir()


def _latin(path: Path) -> None:
    path.write_bytes(b"server:\n  public_url: caf\xe9\n")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)


@pytest.mark.parametrize(
    ("make", "line", "found"),
    [
        (lambda path: None, None, "no such file or directory"),
        (_folder, None, "a directory"),
        (_latin, 2, "bytes that are not UTF-8"),
        (_huge, None, "a larger file"),
    ],
    ids=["missing", "folder", "latin-1", "huge"],
)
def test_an_unreadable_file_is_a_problem(
    tmp_path: Path, make: Callable[[Path], None], line: int | None, found: str
) -> None:
    """What cannot be read is said like everything else that is wrong."""
    path = tmp_path / "bad.yml"
    make(path)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.path, problem.found) == (str(path), line, "(file)", found)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///",
        "sqlite:////",
        "sqlite://x",
        "sqlite:x.db",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=ro",
        "sqlite:///folder/",
        "postgresql://h/db",
        "x.db",
        "",
    ],
)
def test_a_store_url_that_is_no_sqlite_file_is_refused(url: str) -> None:
    """Only files are stores; nothing in memory, no options."""
    with pytest.raises(ValueError, match="sqlite:///relative/file"):
        Store(url=url)


def test_three_slashes_are_relative_and_four_absolute() -> None:
    """The rule of SQLAlchemy's URLs."""
    assert Store(url="sqlite:///state/a.db").path == Path("state/a.db")
    assert Store(url="sqlite:////state/a.db").path == Path("/state/a.db")


def test_a_token_for_all_workspaces_knows_where_it_is_written(tmp_path: Path) -> None:
    """Such a token belongs to no workspace."""
    config = load(tmp_path, "tokens:\n  - {name: root, role: admin, workspace: null, value: x}\n")
    assert config.tokens[0].workspace is None
    assert config.origin(None, "tokens", "root") == f"{tmp_path / 'alertd.yml'}:2"
