"""The JSON Schema of a type's data, compiled: what violates it, place by place.

Patterns in a schema run in linear time, nothing is fetched from anywhere, and a schema cannot refer to itself: what
checking one event may cost is bounded by the schema and the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs

from alertd.errors import AlertdError
from alertd.model.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VIOLATIONS_MAX: Final = 10
"""How many violations of one event are told."""
EXPANDED_MAX: Final = 5_000
"""How many parts a schema may have when each reference is replaced by what it refers to."""
DEPTH_MAX: Final = 64
"""How deep a schema may be nested."""
_DETAIL_MAX: Final = 200
_REFERENCES: Final = frozenset({"$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "$id", "id"})
_OWN_NAME: Final = frozenset({"$id", "id"})
"""What a whole schema may be called."""
_LITERAL: Final = frozenset({"const", "enum", "default", "examples"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})


class SchemaError(AlertdError):
    """A JSON Schema that cannot be used; `pointer` says where (empty: the whole), `reason` what was expected instead."""

    def __init__(self, pointer: str, reason: str) -> None:
        self.pointer = pointer
        self.reason = reason
        super().__init__(f"{pointer}: {reason}" if pointer else reason)


class Schema:
    """One compiled schema."""

    __slots__ = ("_validator",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Compile; raises SchemaError."""
        schema = dict(document)
        _check_cost(schema)
        try:
            self._validator = jsonschema_rs.validator_for(
                schema, pattern_options=jsonschema_rs.RegexOptions(), offline=True
            )
        except (jsonschema_rs.ValidationError, ValueError) as error:
            place = list(getattr(error, "instance_path", ()))
            reason = getattr(error, "message", None) or str(error)
            raise SchemaError(pointer_of(place), f"a valid JSON Schema: {reason[:_DETAIL_MAX]}") from error

    def violations(self, data: Any) -> tuple[Violation, ...]:
        """Say what in an event's data is not as it must be; data that is absent is an empty object."""
        value = {} if data is None else data
        if self._validator.is_valid(value):
            return ()
        return tuple(self._tell(value))

    def _tell(self, value: Any) -> Iterator[Violation]:
        for position, error in enumerate(self._validator.iter_errors(value)):
            if position == VIOLATIONS_MAX:
                return
            yield Violation(pointer_of(["data", *error.instance_path]), error.message[:_DETAIL_MAX])


def pointer_of(place: list[str | int]) -> str:
    """Write a place as an RFC 6901 pointer."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)


def _check_cost(schema: dict[str, Any]) -> None:
    """Refuse what could make the check of a small event take for ever: loops of references, and their explosion."""
    _Cost(schema).check()


class _Cost:
    """Counts the parts of a schema with its references resolved."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[str, int] = {}
        self._open: set[str] = set()

    def check(self) -> None:
        if self._of(self._root, [], 0) > EXPANDED_MAX:
            raise SchemaError("", f"a schema of at most {EXPANDED_MAX} parts, with its references resolved")

    def _of(self, value: Any, place: list[str | int], depth: int) -> int:
        if depth > DEPTH_MAX:
            raise SchemaError(pointer_of(place[:8]), f"a schema of at most {DEPTH_MAX} levels")
        if isinstance(value, list):
            return 1 + sum(self._of(each, [*place, index], depth + 1) for index, each in enumerate(value))
        if not isinstance(value, dict):
            return 1
        total = 1
        for key, inner in value.items():
            at = [*place, key]
            if key == "$ref":
                total += self._referred(inner, at, depth)
            elif key in _REFERENCES and isinstance(inner, str) and (place or key not in _OWN_NAME):
                raise SchemaError(pointer_of(at), "a schema without it: only $ref is resolved, inside of the schema")
            elif key in _NAMED and isinstance(inner, dict):
                total += sum(self._of(each, [*at, name], depth + 1) for name, each in inner.items())
            elif key not in _LITERAL:
                total += self._of(inner, at, depth + 1)
            if total > EXPANDED_MAX:
                break
        return total

    def _referred(self, target: Any, place: list[str | int], depth: int) -> int:
        if not isinstance(target, str) or not target.startswith("#/"):
            raise SchemaError(pointer_of(place), "a reference inside of the schema, such as #/$defs/name")
        if target in self._open:
            raise SchemaError(pointer_of(place), "a schema that does not refer to itself")
        if target not in self._known:
            self._open.add(target)
            self._known[target] = self._of(self._find(target, place), [*target[2:].split("/")], depth + 1)
            self._open.discard(target)
        return self._known[target]

    def _find(self, target: str, place: list[str | int]) -> Any:
        value: Any = self._root
        for part in target[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                raise SchemaError(pointer_of(place), f"a reference to what is there ({target[:80]!r} is not)")
        return value
