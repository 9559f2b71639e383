"""The judge: says whether a document is a resource, and every place where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from typing_extensions import override

from alertd.destinations.templates import TemplateProblemError, check
from alertd.engine.matcher import parse_matcher
from alertd.engine.schema import Schema, SchemaError
from alertd.errors import InvalidError, NotFoundError, PatternError, Problem
from alertd.matching.pattern import PatternKind, compile_pattern
from alertd.model.catalogue import groups, known_types
from alertd.model.channel import ChannelKind
from alertd.places import annotation_at, keys_at, place_of, seems_short, value_at
from alertd.resources.documents import merge_patch
from alertd.sources.document import is_deeper
from alertd.words import expected_of, one_of, suggestion, unknown_key, with_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails

    from alertd.model.fields import Resource
    from alertd.places import Place
    from alertd.resources.kinds import Kind
    from alertd.resources.snapshot import Snapshot

DEPTH_MAX: Final = 64
"""How many levels of objects and arrays a resource may have."""
AROUND: Final = 2
"""How many more there are around resources that stand in their workspace's document."""
M = TypeVar("M", bound=BaseModel)


class DestinationTypes(Protocol):
    """What the judge must know of destination types."""

    def names(self) -> Iterable[str]:
        """Every type."""

    def settings_model(self, name: str) -> type[BaseModel]:
        """Return a type's settings. Raises NotFoundError."""

    def forbidden(self, settings: BaseModel) -> Iterable[tuple[Place, str]]:
        """Say which settings name a place where nothing may be sent, each with the reason."""


class Findings:
    """Problems of one document, at most one for each place, none quoting what was put in as a secret."""

    def __init__(self) -> None:
        self._found: dict[Place, str] = {}

    def add(self, place: Place, detail: str) -> None:
        """Note a problem, unless there is one here or around."""
        if not self.has(place):
            self._found[place] = detail

    def has(self, place: Place) -> bool:
        """Whether there is a problem at a place or around it."""
        return any(place[:length] in self._found for length in range(len(place) + 1))

    def take(self, error: ValidationError, document: Any, model: type[BaseModel], at: Place = ()) -> None:
        """Note what a model found wrong; `at` is where the document stands in what was given."""
        for each in error.errors(include_url=False, include_input=False):
            place = place_of(each, document)
            if not seems_short(each, value_at(document, place)):
                self.add((*at, *place), _sentence(each, model, place))

    def check(self) -> None:
        """Raise InvalidError when there is any problem."""
        if self._found:
            raise InvalidError(self.problems())

    def problems(self) -> list[Problem]:
        """Every problem, in the order in which they were noted."""
        return [Problem(pointer(place), detail) for place, detail in self._found.items()]

    @override
    def __str__(self) -> str:
        """Read as the problems one after the other."""
        return "; ".join(map(str, self.problems()))


def read(
    kind: Kind,
    workspace: str,
    document: Mapping[str, Any],
    snapshot: Snapshot,
    types: DestinationTypes,
    *,
    before: Mapping[str, Any] | None = None,
) -> Resource:
    """Turn a document into its resource; `before` is what is known of it (None: it is new).

    Raises InvalidError with every bad place.
    """
    findings = _shallow(document, DEPTH_MAX)
    model: Resource | None = read_model(kind.model if before is None else kind.kept, document, findings)
    for judge in _CHECKS.get(kind.word, ()):
        judge(document, findings, types)
    if kind.word == "destination":
        _check_egress(document, before or {}, findings, types)
    if kind.word == "channel":
        _check_group(document, findings, workspace, snapshot)
    for name, referred in kind.references:
        _check_references(document.get(name), name, (referred, workspace), snapshot, findings)
    return _sound(model, findings)


def read_alone(model: type[M], document: Mapping[str, Any]) -> M:
    """Read a document that refers to nothing. Raises InvalidError with every bad place."""
    findings = _shallow(document, DEPTH_MAX + AROUND)
    return _sound(read_model(model, document, findings), findings)


def patched(before: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Apply an RFC 7396 merge patch to a document. Raises InvalidError where it is nested too deeply to be merged."""
    _shallow(patch, DEPTH_MAX)
    merged: dict[str, Any] = merge_patch(before, patch)
    return merged


def deep_fields(document: Mapping[str, Any], most: int = DEPTH_MAX) -> list[str]:
    """Name the fields that make a document more than so many levels deep, itself the first: it is not read any further."""
    return [name for name, value in document.items() if is_deeper(value, most - 1)]


def shallow_enough(most: int = DEPTH_MAX) -> str:
    """Say how deep a resource may be."""
    return f"at most {most} levels of nesting, the resource itself included"


def _shallow(document: Mapping[str, Any], most: int) -> Findings:
    """Begin to judge a document. Raises InvalidError at each field that is nested too deeply to be read."""
    findings = Findings()
    for name in deep_fields(document, most):
        findings.add((name,), f"expected {shallow_enough(most)}")
    findings.check()
    return findings


def _sound(model: M | None, findings: Findings) -> M:
    findings.check()
    if model is None:
        raise AssertionError("an invalid document without a problem")
    return model


def read_model(model: type[M], document: Mapping[str, Any], findings: Findings) -> M | None:
    """Read a document as a model, as strictly as JSON is typed; None when that fails, which is then noted."""
    try:
        return model.model_validate_json(orjson.dumps(document), strict=True)
    except ValidationError as error:
        findings.take(error, document, model)
    except orjson.JSONEncodeError:
        findings.add((), "holds text that is not valid Unicode")
    return None


def _check_pattern(document: Mapping[str, Any], findings: Findings, types: DestinationTypes) -> None:
    kind, pattern = document.get("kind"), document.get("pattern")
    known = {each.value: each for each in PatternKind}
    if isinstance(kind, str) and kind in known and isinstance(pattern, str) and not findings.has(("pattern",)):
        try:
            compile_pattern(known[kind], pattern)
        except PatternError as error:
            at = "" if error.position is None else f" (at position {error.position})"
            findings.add(("pattern",), f"is no valid {kind}: {error.reason}{at}")


def _check_schema(document: Mapping[str, Any], findings: Findings, types: DestinationTypes) -> None:
    schema = document.get("data_schema")
    if isinstance(schema, dict) and not findings.has(("data_schema",)):
        try:
            Schema(schema)
        except SchemaError as error:
            findings.add(("data_schema", *error.pointer.split("/")[1:]), f"expected {error.reason}")


def _check_group(document: Mapping[str, Any], findings: Findings, workspace: str, snapshot: Snapshot) -> None:
    kind, pattern = document.get("kind"), document.get("pattern")
    if kind == ChannelKind.GROUP and isinstance(pattern, str) and not findings.has(("pattern",)):
        known = groups(known_types(snapshot.workspace(workspace)))
        if pattern not in known:
            findings.add(("pattern",), f"unknown group {pattern[:80]!r}{suggestion(pattern, known)}")


def _check_settings(document: Mapping[str, Any], findings: Findings, types: DestinationTypes) -> None:
    name, settings = document.get("type"), document.get("settings", {})
    if not isinstance(name, str) or findings.has(("type",)):
        return
    try:
        model = types.settings_model(name)
    except NotFoundError:
        names = sorted(types.names())
        findings.add(("type",), f"unknown destination type; expected {one_of(names)}{suggestion(name, names)}")
        return
    if isinstance(settings, dict):
        try:
            model.model_validate(settings)
        except ValidationError as error:
            findings.take(error, settings, model, ("settings",))


def _check_egress(
    document: Mapping[str, Any], before: Mapping[str, Any], findings: Findings, types: DestinationTypes
) -> None:
    """Note where nothing may be sent, unless it stood there before: what was permitted once can still be changed."""
    name, settings = document.get("type"), document.get("settings", {})
    if findings.has(("type",)) or (name, settings) == (before.get("type"), before.get("settings", {})):
        return
    try:
        read_settings = types.settings_model(str(name)).model_validate(settings)
    except (NotFoundError, ValidationError):
        return
    for place, reason in types.forbidden(read_settings):
        findings.add(("settings", *place), f"egress refused: {reason}")


def _check_templates(document: Mapping[str, Any], findings: Findings, types: DestinationTypes) -> None:
    given = document.get("templates")
    for name, source in given.items() if isinstance(given, dict) else ():
        if isinstance(source, str) and not findings.has(("templates", name)):
            try:
                check(source)
            except TemplateProblemError as error:
                findings.add(("templates", name), f"is no valid template: {error}")


def _check_matchers(document: Mapping[str, Any], findings: Findings, types: DestinationTypes) -> None:
    for place, text in _texts(document.get("matchers"), "matchers"):
        if not findings.has(place):
            try:
                parse_matcher(text)
            except ValueError as error:
                findings.add(place, str(error))


_CHECKS = {
    "channel": (_check_pattern,),
    "destination": (_check_settings, _check_templates),
    "subscription": (_check_matchers,),
    "event_type": (_check_schema,),
}


def _check_references(names: Any, field: str, where: tuple[str, str], snapshot: Snapshot, findings: Findings) -> None:
    for place, name in _texts(names, field):
        if not snapshot.knows(*where, name) and not findings.has(place):
            near = suggestion(name, frozenset(snapshot.names(*where)))
            findings.add(place, f"unknown {where[0].replace('_', ' ')} {name[:80]!r}{near}")


def _texts(value: Any, field: str) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield (field,), value
    for index, text in enumerate(value if isinstance(value, list) else ()):
        if isinstance(text, str):
            yield (field, index), text


def pointer(place: Place) -> str:
    """Write a place as an RFC 6901 pointer."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')[:128]}" for part in place)


def _sentence(error: ErrorDetails, model: type[BaseModel], place: Place) -> str:
    if error["type"] == "extra_forbidden":
        found, expected = unknown_key(str(place[-1])[:80], keys_at(model, place[:-1]))
        return f"{found}; expected {expected}"
    if error["type"] == "missing":
        return "is required"
    return f"expected {with_unit(expected_of(error, annotation_at(model, place)), place[-1] if place else '')}"
