"""Settings from the environment: `ALERTD_SERVER__LISTEN=0.0.0.0:80` overrides `server.listen`.

Two underscores go one level down. What is a text is taken as it is; everything else is read as YAML (`10`, `true`,
`null`, `[a, b]`); an empty value is null. `${…}` is not looked for, as this is the environment already; secrets may be
`file:PATH` or `credential:NAME`. Lists are given as a whole; workspaces only in a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.config.lines import Mark, dotted, read_document
from alertd.config.settings import Config
from alertd.config.shape import is_text
from alertd.errors import ConfigError, ConfigProblem
from alertd.places import Place, is_model, plain
from alertd.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from alertd.config.problems import Problems

PREFIX: Final = "ALERTD_"
RESERVED: Final = frozenset({"ALERTD_TOKEN", "ALERTD_URL", "ALERTD_CONFIG"})
"""Variables of the command line."""
RESERVED_PREFIX: Final = "ALERTD_TEST_"
"""How variables of the tests begin."""
_NULLS = frozenset({"", "~", "null"})


def override(root: dict[str, Any], environ: Mapping[str, str], problems: Problems) -> None:
    """Lay the environment's settings over a document's value, in place."""
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and name not in RESERVED and not name.startswith(RESERVED_PREFIX):
            _apply(root, name, text, problems)


def variable_of(place: Place) -> str:
    """Name the variable that sets a place."""
    return PREFIX + "__".join(str(part).upper() for part in place)


def _apply(root: dict[str, Any], name: str, text: str, problems: Problems) -> None:
    place: Place = tuple(name.removeprefix(PREFIX).lower().split("__"))
    annotation = problems.shape.annotation(place)
    if annotation is None or place[0] == "workspaces":
        _refuse(name, place, problems)
        return
    try:
        value = _read(annotation, text)
    except ConfigError:
        expected = "a value as YAML writes it, such as 10, true or [a, b]"
        problems.take(ConfigProblem(name, None, dotted(place), "malformed YAML", expected), place)
        return
    _put(root, place, value, Mark(name, None, None), problems)


def _refuse(name: str, place: Place, problems: Problems) -> None:
    if place[0] == "workspaces":
        found, expected = f"the variable {name}", "workspaces in a configuration file"
    else:
        near = suggestion(name, map(variable_of, _settings(Config, ())))
        found, expected = f"unknown variable {name}", f"{PREFIX}SECTION__SETTING of a known setting{near}"
    problems.take(ConfigProblem(name, None, dotted(tuple(filter(None, place))), found, expected), None)


def _read(annotation: Any, text: str) -> Any:
    if is_text(annotation):
        return None if text.lower() in _NULLS else text
    document = read_document(text, "")
    if document.problems:
        raise ConfigError([problem for _, problem in document.problems])
    return document.root


def _put(root: dict[str, Any], place: Place, value: Any, mark: Mark, problems: Problems) -> None:
    mapping = root
    for depth, part in enumerate(place[:-1], start=1):
        inner = mapping.get(str(part))
        if inner is None:
            inner = mapping[str(part)] = {}
            problems.marks[place[:depth]] = mark
        if not isinstance(inner, dict):
            return
        mapping = inner
    for inside in [known for known in problems.marks if known[: len(place)] == place]:
        del problems.marks[inside]
    problems.marks[place] = mark
    mapping[str(place[-1])] = value


def _settings(model: Any, place: Place) -> Iterator[Place]:
    for name, field in model.model_fields.items():
        annotation = plain(field.annotation)
        yield (*place, name)
        if is_model(annotation) and name != "workspaces":
            yield from _settings(annotation, (*place, name))
