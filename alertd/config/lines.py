"""A YAML document as plain values, with the line of every key and value.

YAML 1.2's core schema: only `true` and `false` are booleans, there are no dates and no octal `0644`. Duplicate keys,
tags and keys that are no text are problems. Anchors and aliases work, within bounds. It knows nothing of settings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from typing_extensions import override

from alertd.errors import ConfigError, ConfigProblem
from alertd.resources.judge import DEPTH_MAX

if TYPE_CHECKING:
    from alertd.places import Place

WHOLE = "(file)"
"""The path of a problem that belongs to no setting."""
MAX_REPEATED = 100_000
"""Values in one document that aliases repeat."""
MAX_DEPTH = 2 * DEPTH_MAX
"""Levels of nesting in one document: a resource that is deeper than it may be is still named, with its line."""


class Mark(NamedTuple):
    """Where a value is written: 1-based lines of its key (of an item: of its beginning) and of itself."""

    file: str
    key: int | None
    value: int | None


@dataclass(slots=True)
class Document:
    """A document's values, where they are written, and what was wrong with it as a document.

    Shapes: `nulls` are the places where null is written as a word and not just left out; of `problems` those with a
    place mean that the value there is not what was written.
    """

    file: str
    root: Any = None
    marks: dict[Place, Mark] = field(default_factory=dict)
    nulls: set[Place] = field(default_factory=set)
    problems: list[tuple[Place | None, ConfigProblem]] = field(default_factory=list)


def dotted(place: Place) -> str:
    """Write a place for people: `workspaces[0].channels[2].pattern`; an empty key is written as two quotes."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part or "''"
            text += f".{name}" if text else name
    return text or WHOLE


def read_document(text: str, file: str) -> Document:
    """Read one YAML document; raises ConfigError when it is not YAML, with the line."""
    loader = _Loader(text.encode(errors="replace"))
    try:
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        line = min(_line_of(error, text), text.rstrip().count("\n") + 1)
        raise ConfigError([ConfigProblem(file, line, WHOLE, *_syntax(error, text, line))]) from None
    finally:
        loader.dispose()
    document = Document(file)
    if node is not None:
        document.root = _Reader(document, anchored="&" in text).value(node, (), node.start_mark.line + 1)
    return document


class _Loader(yaml.CBaseLoader):
    """PyYAML's C parser, with YAML 1.2's idea of what a plain scalar is, and a bound: it recurses on the C stack."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML copies it on the first addition

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.depth = -1  # the root stands in nothing

    @override
    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=current_node.start_mark)

    @override
    def ascend_resolver(self) -> None:
        self.depth -= 1


_TOO_DEEP = "deeper nesting"
_TAG = "tag:yaml.org,2002:"
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(
    f"{_TAG}int", re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)


@dataclass(slots=True)
class _Reader:
    """Turns nodes into values and notes where each of them is; only where there is an anchor may a node be met twice."""

    document: Document
    anchored: bool = True
    seen: set[int] = field(default_factory=set)
    repeated: int = 0
    texts: dict[str, str] = field(default_factory=dict)

    def value(self, node: yaml.Node, place: Place, key_line: int) -> Any:
        self._count(node)
        line = node.start_mark.line + 1
        line = key_line if line == key_line else line  # most often, and then one object is enough
        self.document.marks[place] = Mark(self.document.file, key_line, line)
        if len(place) > MAX_DEPTH:
            self._problem(place, line, _TOO_DEEP, f"at most {MAX_DEPTH} levels")
            return None
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(item, (*place, i), item.start_mark.line + 1) for i, item in enumerate(node.value)]
        return self._scalar(node, place, line)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_TAG}str":
                shown = f"the key {key}" if isinstance(key, str) and key else "a key that is no text"
                self._problem(place, line, shown, "a text as key (in quotes, if need be)", spoils=False)
            elif key in values:
                first = self.document.marks[(*place, key)].key
                expected = f"each key once (it is on line {first})"
                self._problem((*place, key), line, f"the key {key!r} again", expected, spoils=False)
            else:
                key = self._once(key)
                values[key] = self.value(value_node, (*place, key), line)
        return values

    def _scalar(self, node: yaml.Node, place: Place, line: int) -> Any:
        if isinstance(node, yaml.ScalarNode):
            if node.tag == f"{_TAG}null" and node.value:
                self.document.nulls.add(place)
            convert = _CONVERT.get(node.tag)
            try:
                if convert is str:
                    return self._once(node.value)
                if convert is not None:
                    return convert(node.value)
            except (ValueError, KeyError):
                self._problem(
                    place,
                    line,
                    "a malformed or enormous value",
                    f"what is called !!{node.tag.removeprefix(_TAG)} in YAML",
                )
                return None
        self._problem(place, line, "a YAML tag (!…)", "a value without a tag (in quotes, if it begins with !)")
        return None

    def _once(self, text: str) -> str:
        """Give each text once, as a copy: what stays of a document must not lie among its nodes, which are many times as
        large and whose memory goes back only where nothing else is.
        """  # noqa: D205 - one thought, two lines
        known = self.texts.get(text)
        if known is None:
            known = self.texts[text] = text.encode(errors="surrogatepass").decode(errors="surrogatepass")
        return known

    def _count(self, node: yaml.Node) -> None:
        if not self.anchored:
            return
        self.repeated += id(node) in self.seen
        self.seen.add(id(node))
        if self.repeated > MAX_REPEATED:
            line = node.start_mark.line + 1
            found = f"aliases that repeat more than {MAX_REPEATED} values"
            raise ConfigError([ConfigProblem(self.document.file, line, WHOLE, found, "a smaller document")])

    def _problem(self, place: Place, line: int, found: str, expected: str, *, spoils: bool = True) -> None:
        problem = ConfigProblem(self.document.file, line, dotted(place), found, expected)
        self.document.problems.append((place if spoils else None, problem))


def _integer(text: str) -> int:
    return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)


def _float(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan")) if "." in text[:2] else float(text)


_BOOLEANS = {"true": True, "false": False}
_CONVERT: dict[str, Any] = {
    f"{_TAG}str": str,
    f"{_TAG}null": lambda _: None,
    f"{_TAG}bool": lambda text: _BOOLEANS[text.lower()],
    f"{_TAG}int": _integer,
    f"{_TAG}float": lambda text: _float(text.lower()),
}


def _line_of(error: yaml.YAMLError, text: str) -> int:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return mark.line + 1 if mark is not None else 1
    position = getattr(error, "position", 0)
    return text.encode(errors="replace")[:position].count(b"\n") + 1


def _syntax(error: yaml.YAMLError, text: str, line: int) -> tuple[str, str]:
    """Give found and expected; never the text itself, which may be half a secret."""
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return "a tab", "spaces for indentation"
    if not isinstance(error, yaml.MarkedYAMLError):
        return "a control character", "printable text"
    problem, context = error.problem or "", error.context or ""
    for words, found, expected in _KNOWN_ERRORS:
        if words in f"{problem} {context}":
            return found, expected
    return f"a syntax error: {problem}{f' ({context})' if context else ''}", "valid YAML"


_KNOWN_ERRORS = (
    (_TOO_DEEP, _TOO_DEEP, f"at most {MAX_DEPTH} levels"),
    ("alias", "an alias (*…) whose anchor is not defined before it", "a value (in quotes, if it begins with *)"),
    ("anchor", "an anchor (&…) that is malformed or defined twice", "a value (in quotes, if it begins with &)"),
    ("single document", "a second document", "one YAML document"),
)
"""What PyYAML says in words that may hold a part of the text, or that say little."""
