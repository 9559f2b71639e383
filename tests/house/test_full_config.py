"""The example configurations are true: the full one names every setting with its default, and all of them load."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic_core import PydanticUndefined

from alertd.config.handbook import DESCRIPTIONS, EXAMPLES, describe, element, full_config
from alertd.config.load import load_config
from alertd.config.restart import NEED_RESTART
from alertd.config.settings import Config
from alertd.destinations.registry import REGISTRY
from alertd.places import is_model, plain

if TYPE_CHECKING:
    from pydantic import BaseModel

FOLDER = Path(__file__).parents[2] / "config"
FULL = FOLDER / "alertd.full.yml"
ABSENT = re.compile(r"^(\s*)#((?:  )*(?:[^ #]|# ).*)$", re.MULTILINE)
"""A line that is absent by default: an even number of spaces behind the first `#`; with one it is an explanation."""
ELSEWHERE = ("workspaces.destinations.queue", "workspaces.destinations.retry", "workspaces.destinations.breaker")
"""Sections that are explained under `delivery`."""


@cache
def written() -> Any:
    """Read the full file with everything in it that is absent by default."""
    text = ABSENT.sub(r"\1\2", FULL.read_text("utf-8"))
    return yaml.safe_load(text)


def settings_of(model: type[BaseModel], name: str = "") -> dict[str, tuple[type[BaseModel], str]]:
    """List every setting of the models by its path, without indices."""
    found: dict[str, tuple[type[BaseModel], str]] = {}
    for key, field in model.model_fields.items():
        path = f"{name}.{key}" if name else key
        inner = element(field.annotation) or plain(field.annotation)
        found[path] = (model, key)
        if is_model(inner) and path not in ELSEWHERE:
            found |= settings_of(inner, path)
    return found


SETTINGS = settings_of(Config)


def values_at(tree: Any, path: str) -> list[Any]:
    """Give the values at a path, one for each item of a list on the way that has it."""
    values = [tree]
    for key in path.split("."):
        items = [item for value in values for item in (value if isinstance(value, list) else [value])]
        values = [item[key] for item in items if key in item]
    return values


def test_the_full_file_is_what_the_models_say() -> None:
    """The file is generated; write it again with `python -m tests.house.test_full_config`."""
    assert FULL.read_text("utf-8") == full_config()


def test_the_full_file_is_the_default() -> None:
    """Loaded as it is, it changes nothing."""
    assert load_config(FULL, {}) == Config()


@pytest.mark.parametrize("path", SETTINGS)
def test_every_setting_is_in_the_full_file(path: str) -> None:
    """Each is written with its default; only what is required, or an example, has another value."""
    model, key = SETTINGS[path]
    field = model.model_fields[key]
    values = values_at(written(), path)
    assert values, f"{path} is missing"
    default = field.get_default(call_default_factory=True)
    inner = element(field.annotation) or plain(field.annotation)
    if path in ELSEWHERE:
        assert values == [{}]
    elif default is not PydanticUndefined and not is_model(inner) and path != "workspaces.destinations.settings":
        assert values[0] == EXAMPLES.get(path, list(default) if isinstance(default, tuple) else default)


@pytest.mark.parametrize("path", SETTINGS)
def test_every_setting_is_explained(path: str) -> None:
    """A setting without a word on what it is for is not finished."""
    model, key = SETTINGS[path]
    assert describe(path, model.model_fields[key])


def test_every_destination_type_is_in_the_full_file() -> None:
    """Each type stands there with all of its settings."""
    destinations = {each["type"]: each for each in written()["workspaces"][0]["destinations"]}
    assert destinations.keys() == REGISTRY.keys()
    for name, kind in REGISTRY.items():
        assert destinations[name].get("settings", {}).keys() == kind.settings_model.model_fields.keys()


def test_what_is_absent_loads_when_it_is_taken_in(tmp_path: Path) -> None:
    """The commented parts are valid configuration, once what they refer to is there."""
    (tmp_path / "token").write_text("secret")
    text = ABSENT.sub(r"\1\2", FULL.read_text("utf-8")).replace("/etc/alertd/producers.token", "token")
    path = tmp_path / "alertd.yml"
    path.write_text(text, encoding="utf-8")
    config = load_config(path, {"OPS_HOOK_SECRET": "secret"})
    assert config.intake.kafka is not None
    assert config.workspaces[0].subscriptions[0].name == "production-runs"


def test_units_are_in_the_names() -> None:
    """A setting that is a fraction says what it counts: seconds, days, or how often a second; or it is a plain ratio or value."""
    for path, (model, key) in SETTINGS.items():
        if plain(model.model_fields[key].annotation) is float:
            assert key.endswith(("_seconds", "_days", "_per_second")) or key in {"factor", "limit"}, path


def test_explanations_are_of_settings_that_there_are() -> None:
    """A renamed setting takes its explanation and its place in the list of restarts along."""
    assert SETTINGS.keys() >= DESCRIPTIONS.keys()
    assert SETTINGS.keys() >= set(NEED_RESTART)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda path: path.name)
def test_examples_load(path: Path) -> None:
    """Every example is a valid configuration without any variable set."""
    load_config(path, {})


def test_the_small_file_delivers_at_once() -> None:
    """It listens on loopback, keeps its file under state/, and its subscription takes any event to the console."""
    config = load_config(FOLDER / "alertd.yml", {})
    assert config.server.listen == "127.0.0.1:8080"
    assert config.store.path == Path("state/alertd.db")
    assert config.egress.allow == ("127.0.0.0/8", "::1/128")
    workspace = config.workspaces[0]
    (subscription,) = workspace.subscriptions
    patterns = {channel.name: channel.pattern for channel in workspace.channels}
    assert [patterns[name] for name in subscription.channels] == ["*"]
    assert [destination.type for destination in workspace.destinations] == ["console"]


if __name__ == "__main__":
    FULL.write_text(full_config(), encoding="utf-8")
