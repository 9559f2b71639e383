"""Templates: what users write to say it in their own words, as text with jinja2's `{{ … }}` and `{% … %}`.

The language is cut down to what cannot do harm: there is nothing to call, to define or to import, and nothing that grows
faster than the text itself, so that a template cannot take memory or reach objects; what it may still waste is time, which
is bounded too. Undefined names are errors. Errors of a template's own are found when it is read, with line and column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from jinja2 import TemplateError, meta, nodes

from alertd.destinations.template_language import (
    ENVIRONMENT,
    FILTERS,
    NODES,
    OUTPUT_MAX,
    TESTS,
    Budget,
    TemplateLimitError,
    limited,
    paced,
)
from alertd.destinations.template_places import Place, column_of, failed_at, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

SOURCE_MAX: Final = 16_384
"""Characters of a template."""
DEPTH_MAX: Final = 40
"""Levels of what stands within something else, a filter behind a filter and a sum of a sum included."""
SECONDS_MAX: Final = 0.1
"""Seconds that rendering may take."""
NAMES: Final = frozenset(
    {"event", "issue", "digest", "alert", "workspace", "subscription", "channel", "delivery_id", "message"}
)
"""What a template knows."""

_FAILURES: Final = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(MemoryError, RecursionError, TypeError, ValueError),
)
"""What comes of filters that were given what they do not take."""


class TemplateProblemError(ValueError):
    """A template that cannot be used: where and why, for people."""

    def __init__(self, place: Place, reason: str) -> None:
        self.line = place.line
        self.column = place.column
        super().__init__(f"line {place.line}, column {place.column}: {reason}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What came of a template: its text, or why there is none (empty: there is)."""

    text: str
    problem: str = ""


def check(source: str) -> None:
    """Read a template. Raises TemplateProblemError, a ValueError."""
    _compiled(source)


def render(source: str, values: Mapping[str, Any]) -> Rendered:
    """Render a template that was checked, within the bounds of time and size. Never raises."""
    try:
        template = _compiled(source)
        with limited(Budget(monotonic() + SECONDS_MAX)) as budget:
            return Rendered("".join(budget.counted(template.generate(**values))))
    except (TemplateError, TemplateLimitError, TemplateProblemError) as error:
        return Rendered("", _sentence(error))
    except _FAILURES as error:
        return Rendered("", _sentence(error))


@lru_cache(maxsize=1024)
def _compiled(source: str) -> Template:
    if len(source) > SOURCE_MAX:
        raise TemplateProblemError(Place(1, 1), f"the template has more than {SOURCE_MAX} characters")
    try:
        tree = parse(source)
        _measure(source, tree)
        _judge(source, tree)
        return ENVIRONMENT.from_string(paced(tree))
    except TemplateProblemError:
        raise
    except (TemplateError, ValueError) as error:  # the latter of a number that is too long to be read
        raise TemplateProblemError(failed_at(error), _sentence(error)) from error
    except (RecursionError, SyntaxError) as error:  # Python has bounds of its own, as for loops in loops
        raise TemplateProblemError(Place(1, 1), "the template is nested too deeply") from error


def _measure(source: str, tree: nodes.Template) -> None:
    """Refuse what is nested so deeply that compiling it would take seconds."""
    level: list[nodes.Node] = [tree]
    for _ in range(DEPTH_MAX):
        level = [inner for each in level for inner in each.iter_child_nodes()]
    if level:
        raise _problem(source, level[0], "", f"the template is nested more than {DEPTH_MAX} levels deep")


def _judge(source: str, tree: nodes.Template) -> None:
    """Refuse what the language does not have."""
    for node in tree.find_all(nodes.Node):
        word = type(node).__name__
        if not isinstance(node, NODES):
            raise _problem(source, node, _HINTS.get(word, ""), f"{_WORDS.get(word, word.lower())} cannot be used here")
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise _problem(
                source, node, node.name, f"unknown filter {node.name!r}; there are {', '.join(sorted(FILTERS))}"
            )
        if isinstance(node, nodes.Test) and node.name not in TESTS:
            raise _problem(source, node, node.name, f"unknown test {node.name!r}; there are {', '.join(sorted(TESTS))}")
        if isinstance(node, (nodes.List, nodes.Tuple, nodes.Dict)) and not _constant(node):
            raise _problem(source, node, "[", "a list, tuple or mapping may hold constants alone")
        if isinstance(node, nodes.Assign) and not isinstance(node.target, nodes.Name):
            raise _problem(source, node, "set", "only a single name can be set")
    unknown = sorted(meta.find_undeclared_variables(tree) - NAMES)
    if unknown:
        name = next(n for n in tree.find_all(nodes.Name) if n.name == unknown[0])
        raise _problem(source, name, name.name, f"unknown name {name.name!r}; there are {', '.join(sorted(NAMES))}")


def _constant(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Tuple) and node.ctx == "store":
        return True  # `for name, value in …`
    return all(isinstance(each, (nodes.Const, nodes.Pair)) for each in node.iter_child_nodes())


def _problem(source: str, node: nodes.Node, hint: str, reason: str) -> TemplateProblemError:
    return TemplateProblemError(Place(node.lineno, column_of(source, node.lineno, hint)), reason)


def _sentence(error: Exception) -> str:
    text = (getattr(error, "message", None) or str(error) or type(error).__name__).strip().partition("\n")[0]
    return "".join(character if character.isprintable() else "?" for character in text)[:200]


_WORDS: Final = {
    "Call": "a call",
    "Pow": "a power",
    "AssignBlock": "a block of set",
    "FilterBlock": "a block of filter",
}
"""What people call a node."""
_HINTS: Final = {"Call": "(", "Pow": "**", "AssignBlock": "set", "FilterBlock": "filter", "Macro": "macro"}
"""What to look for in the line where a node is."""

__all__ = [
    "DEPTH_MAX",
    "NAMES",
    "OUTPUT_MAX",
    "SECONDS_MAX",
    "SOURCE_MAX",
    "Rendered",
    "TemplateProblemError",
    "check",
    "render",
]
