"""What the rules of a workspace have to agree on: groups that there are, references of rules that make events, schemas,
and that no derived type feeds itself.
"""  # noqa: D205 - one thought, two lines

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from alertd.config.names import items, names_in, refuse_unknown, shown_names
from alertd.engine.derivation import DerivationError
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.engine.schema import Schema, SchemaError
from alertd.errors import PatternError
from alertd.matching.index import RulesetTooLargeError
from alertd.model.catalogue import groups, known_types
from alertd.model.channel import SYSTEM_CHANNELS, Channel, ChannelKind
from alertd.model.derived_type import DerivedType
from alertd.model.event_type import EventType
from alertd.model.workspace import Workspace, WorkspaceSettings
from alertd.places import value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alertd.config.problems import Problems
    from alertd.model.fields import Resource
    from alertd.places import Place

R = TypeVar("R", bound="Resource")
_SETTINGS = "name", "catalogues"


def check_rules(root: Any, place: Place, problems: Problems) -> None:
    """Note what does not agree in the rules of one workspace."""
    base = _workspace(root, place)
    _check_schemas(root, (*place, "event_types"), problems)
    _check_groups(root, place, base, problems)
    for collection in ("derived_types", "metric_alerts"):
        _check_names(root, place, collection, "channel", "channel", SYSTEM_CHANNELS, problems)
    for noun in ("subscription", "destination"):
        _check_names(root, place, "metric_alerts", f"{noun}s", noun, (), problems)
    _check_derivations(root, place, base, problems)


def _check_schemas(root: Any, collection: Place, problems: Problems) -> None:
    for place, event_type in items(root, collection):
        document, at = event_type.get("data_schema"), (*place, "data_schema")
        if isinstance(document, dict) and not problems.has(at):
            try:
                Schema(document)
            except SchemaError as error:
                where = f" (at {error.pointer})" if error.pointer else ""
                problems.add(at, problems.show(at, document), f"{error.reason}{where}", at_key=True)


def _check_groups(root: Any, place: Place, base: Workspace, problems: Problems) -> None:
    known = groups(known_types(base))
    for at, channel in items(root, (*place, "channels")):
        pattern, where = channel.get("pattern"), (*at, "pattern")
        if channel.get("kind") == ChannelKind.GROUP.value and isinstance(pattern, str) and pattern not in known:
            refuse_unknown(where, pattern, sorted(known), "group", problems)


def _check_names(
    root: Any, place: Place, collection: str, field: str, noun: str, built_in: Iterable[str], problems: Problems
) -> None:
    known = names_in(root, (*place, f"{noun}s"))
    for at, item in items(root, (*place, collection)):
        for where, name in _names(item.get(field), (*at, field)):
            if name not in known and name not in built_in:
                refuse_unknown(where, name, [*shown_names(known, problems), *built_in], noun, problems)


def _names(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    for index, name in enumerate(value if isinstance(value, list) else ()):
        if isinstance(name, str):
            yield (*place, index), name


def _check_derivations(root: Any, place: Place, base: Workspace, problems: Problems) -> None:
    """Compile what there is of derived types and their channels; what is broken in itself is noted elsewhere."""
    derived = list(_read(root, (*place, "derived_types"), DerivedType))
    if not derived:
        return
    channels = {c.name: c for _, c in _read(root, (*place, "channels"), Channel)}
    sound = tuple(d for _, d in derived if d.channel is None or d.channel in channels or d.channel in SYSTEM_CHANNELS)
    whole = base.model_copy(update={"channels": tuple(channels.values()), "derived_types": sound})
    ids = {key: number for number, key in enumerate(name_keys([whole]), 1)}
    try:
        compile_ruleset([whole], ids, 0)
    except DerivationError as error:
        own = [at for at, each in derived if each.name in error.names]
        problems.add(own[0], f"{error}", "derived types whose chain comes to an end", at_key=True)
    except (PatternError, RulesetTooLargeError):
        return


def _workspace(root: Any, place: Place) -> Workspace:
    """Read what can be read of a workspace's catalogues and types."""
    workspace = value_at(root, place)
    given = {name: workspace[name] for name in _SETTINGS if name in workspace}
    try:
        head = WorkspaceSettings.model_validate(given)
    except ValidationError:
        head = WorkspaceSettings(name="unreadable")
    types = tuple(
        each.model_copy(update={"data_schema": None}) for _, each in _read(root, (*place, "event_types"), EventType)
    )
    return Workspace(name=head.name, catalogues=head.catalogues, event_types=types)


def _read(root: Any, collection: Place, model: type[R]) -> Iterator[tuple[Place, R]]:
    for place, item in items(root, collection):
        try:
            yield place, model.model_validate(item)
        except ValidationError:
            continue
