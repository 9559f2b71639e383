"""The language of templates: a sandbox of jinja2 in which every step is counted against a budget of time and size."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from json import JSONEncoder
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS
from jinja2.utils import htmlsafe_json_dumps
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

OUTPUT_MAX: Final = 262_144
"""Characters that a template may make, in all and in any text on the way."""
NUMBER_MAX: Final = 2**63
"""The greatest number that may be calculated with."""
INDENT_MAX: Final = 8
"""Blanks by which JSON may be indented."""
DIGITS_MAX: Final = 15
"""Digits behind the point, or before it, to which a number may be rounded: it has no more."""


class TemplateLimitError(Exception):
    """A template took too long, or made too much."""


class Budget:
    """What one rendering may still take: time until `deadline` (of the monotonic clock), and characters."""

    __slots__ = ("_deadline", "_left")

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._left = OUTPUT_MAX

    def tick(self) -> None:
        """Take note of a step. Raises TemplateLimitError."""
        if monotonic() > self._deadline:
            raise TemplateLimitError("the template took too long")

    def counted(self, pieces: Iterable[str]) -> Iterator[str]:
        """Pass text on. Raises TemplateLimitError."""
        for piece in pieces:
            self.tick()
            self._left -= len(piece)
            if self._left < 0:
                raise TemplateLimitError(f"the template made more than {OUTPUT_MAX} characters")
            yield piece


_running: ContextVar[Budget] = ContextVar("alertd_template_budget")


@contextmanager
def limited(budget: Budget) -> Iterator[Budget]:
    """Let a budget count until the block ends."""
    token = _running.set(budget)
    try:
        yield budget
    finally:
        _running.reset(token)


def _paced(items: Any) -> Iterator[Any]:
    """Give the items of a loop, each a step."""
    budget = _running.get()
    for item in items:
        budget.tick()
        yield item


def _joined(parts: tuple[Any, ...]) -> str:
    return "".join(_running.get().counted(map(str, parts)))


def _filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make each use of a filter a step, and bound the text that it makes."""

    @wraps(function)
    def stepped(*arguments: Any, **options: Any) -> Any:
        _running.get().tick()
        return _bounded(function(*arguments, **options))

    return stepped


def _test(function: Any) -> Callable[..., Any]:
    """Make each use of a test a step: a filter such as `select` makes thousands of them."""

    @wraps(function)
    def stepped(*arguments: Any, **options: Any) -> Any:
        _running.get().tick()
        return function(*arguments, **options)

    return stepped


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > OUTPUT_MAX:
        raise TemplateLimitError(f"a text has more than {OUTPUT_MAX} characters")
    return value


def _replace(text: Any, old: Any, new: Any) -> str:
    whole, part, other = str(text), str(old), str(new)
    if len(whole) + (len(whole) // max(1, len(part)) + 1) * len(other) > OUTPUT_MAX:
        raise TemplateLimitError(f"a text has more than {OUTPUT_MAX} characters")
    return whole.replace(part, other)


def _join(items: Any, between: Any = "", attribute: str | None = None) -> str:
    values = (item[attribute] for item in items) if attribute is not None else items
    pieces = (piece for value in values for piece in (str(between), str(value)))
    return "".join(_running.get().counted(pieces))[len(str(between)) :]


def _tojson(value: Any, indent: Any = None) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises, and says what is undefined
    if indent is None:
        return htmlsafe_json_dumps(value, sort_keys=True)
    if not isinstance(indent, int) or not 0 <= indent <= INDENT_MAX:
        raise ValueError(f"tojson indents by 0 to {INDENT_MAX}")
    return htmlsafe_json_dumps(value, dumps=_indented, indent=indent)


def _indented(value: Any, indent: int) -> str:
    """Write JSON piece by piece, as blanks make far more of it than there is of the value."""
    return "".join(_running.get().counted(JSONEncoder(sort_keys=True, indent=indent).iterencode(value)))


def _round(value: Any, precision: Any = 0, method: Any = "common") -> Any:
    if not isinstance(precision, int) or abs(precision) > DIGITS_MAX:
        raise ValueError(f"round keeps {-DIGITS_MAX} to {DIGITS_MAX} digits")
    return JINJA_FILTERS["round"](value, precision, method)


_PLAIN: Final = [
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "sort",
    "string",
    "title",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
]
_OWN: Final[dict[str, Callable[..., Any]]] = {"join": _join, "replace": _replace, "round": _round, "tojson": _tojson}
FILTERS: Final = frozenset({*_PLAIN, *_OWN})
TESTS: Final = frozenset(JINJA_TESTS) - {"callable", "filter", "test", "sameas", "escaped"}
NODES: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.With, nodes.Scope),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Keyword),
    *(nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or, nodes.CondExpr, nodes.Concat, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
    *(nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair),
)
"""Everything that the language has; what is not here is refused when a template is read."""


class Language(SandboxedEnvironment):
    """The sandbox: data has items and no attributes, sums are of numbers and of short texts."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look into data; of a loop, at where it stands."""
        if isinstance(obj, LoopContext) and attribute in {"index", "index0", "first", "last", "length", "revindex"}:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    @override
    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look into data."""
        _running.get().tick()  # filters such as `sort` look thousands of times
        if isinstance(obj, Undefined):
            return obj[argument]  # which says what is undefined
        try:
            if isinstance(obj, (dict, list, tuple, str)):
                return obj[argument]
        except (LookupError, TypeError):
            pass
        return self.undefined(obj=obj, name=argument)

    @override
    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculate, within bounds."""
        _running.get().tick()
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return _bounded(left + right)
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # raises, and says what is undefined
            if not isinstance(value, (int, float)) or abs(value) > NUMBER_MAX:
                raise TypeError(f"{operator} is for numbers")
        return super().call_binop(context, operator, left, right)


def _environment() -> Language:
    made = Language(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    made.filters = {name: _filter(_OWN.get(name) or JINJA_FILTERS[name]) for name in FILTERS}
    made.filters["alertd_paced"], made.filters["alertd_joined"] = _paced, _joined
    made.tests = {name: _test(JINJA_TESTS[name]) for name in TESTS}
    made.globals = {}
    return made


ENVIRONMENT: Final = _environment()
"""Compiles templates; it holds nothing of them."""


def paced(tree: nodes.Template) -> nodes.Template:
    """Let loops and joined texts of a judged template count as steps."""
    for loop in tree.find_all(nodes.For):
        loop.iter = _through(loop.iter, "alertd_paced")
    for concat in list(tree.find_all(nodes.Concat)):
        concat.nodes = [_through(nodes.Tuple(concat.nodes, "load", lineno=concat.lineno), "alertd_joined")]
    return tree


def _through(node: nodes.Node, name: str) -> nodes.Filter:
    made = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    made.set_environment(ENVIRONMENT)
    return made
