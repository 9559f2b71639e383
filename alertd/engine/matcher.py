"""A matcher: one condition on an event, in Alertmanager's syntax (`team="payments"`, `data.run.id=~"1.*"`).

A name is looked up as a label first, then as a field of the event, and as a path into `data` when it begins with
`data.`; what is missing reads as the empty string, as in Alertmanager. Regular expressions are RE2 and match the
whole value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
import re2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FIELDS: Final = frozenset(
    {"type", "id", "workspace", "project", "environment", "source", "severity", "time", "key", "message", "url"}
)
_QUOTED: Final = r'"(?:[^"\\\n]|\\.)*"'
_NAME: Final = r'[^\s"=!~{},]+'
_VALUE: Final = r'[^\s"{},]*'
"""Unquoted ones."""
_SYNTAX, _STORED = (
    re.compile(rf"\s*(?P<name>{_QUOTED}|{name})\s*(?P<op>=~|!~|!=|=)\s*(?P<value>{_QUOTED}|{value})\s*", re.DOTALL)
    for name, value in ((rf"{_NAME}(?<![<>])", rf"(?![=~<>]){_VALUE}"), (_NAME, _VALUE))
)
"""What is written, where `>=` and `==` are no operators, and what was stored when they were part of the name or the value."""
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One compiled condition; `text` is as the user wrote it."""

    text: str
    name: str
    test: Callable[[str], bool]

    def matches(self, body: Mapping[str, Any]) -> bool:
        """Whether the condition holds for an event's body."""
        return self.test(value_of(self.name, body))


def parse_matcher(text: str, *, stored: bool = False) -> Matcher:
    """Compile one matcher; one that is `stored` means what it meant then. Raises ValueError that says what is wrong."""
    found = (_STORED if stored else _SYNTAX).fullmatch(text)
    if found is None:
        raise ValueError(_what_is_wrong(text))
    name = _unquote(found["name"])
    if not name:
        raise ValueError("the name before the operator is empty")
    return Matcher(text, name, _test(found["op"], _unquote(found["value"])))


def _what_is_wrong(text: str) -> str:
    if not re.search(r"=|!~", text):
        return "expected NAME=VALUE with one of the operators =, !=, =~, !~"
    return (
        'expected NAME="VALUE" (operators =, !=, =~, !~); a name or value with spaces, commas, braces or quotes,'
        " or with < > = ~ beside the operator, must be quoted"
    )


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", _unescape, text[1:-1], flags=re.DOTALL)


def _unescape(found: re.Match[str]) -> str:
    char = _ESCAPES.get(found[1])
    if char is None:
        raise ValueError(f'unknown escape \\{found[1]} (known: \\n, \\t, \\r, \\", \\\\)')
    return char


def _test(operator: str, value: str) -> Callable[[str], bool]:
    if operator == "=":
        return value.__eq__
    if operator == "!=":
        return value.__ne__
    matches = _compile(value).fullmatch
    if operator == "=~":
        return lambda text: matches(text) is not None
    return lambda text: matches(text) is None


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"the regular expression {pattern!r} is not RE2: {shown}") from error


def value_of(name: str, body: Mapping[str, Any]) -> str:
    """Look a name up in an event's body and read it as text; empty when missing."""
    return _text(raw_value_of(name, body))


def raw_value_of(name: str, body: Mapping[str, Any]) -> Any:
    """Look a name up in an event's body: label, field, or path below `data`; None when missing."""
    labels = body.get("labels")
    if labels and name in labels:
        return labels[name]
    if name in _FIELDS:
        return body.get(name)
    if name.startswith("labels."):
        return (labels or {}).get(name[7:])
    if name.startswith("data."):
        return _walk(body.get("data"), name[5:].split("."))
    return None


def _walk(value: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()
