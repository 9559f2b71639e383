"""Loading: a YAML file and the environment become one frozen Config, or a ConfigError with everything that is wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from alertd.config.advice import advice
from alertd.config.agreement import check_agreement
from alertd.config.egress import check_egress
from alertd.config.environment import override
from alertd.config.lines import WHOLE, Document, read_document
from alertd.config.names import items
from alertd.config.problems import Problems, show
from alertd.config.references import References, UnresolvedError
from alertd.config.resources import COLLECTIONS
from alertd.config.settings import Config, Store
from alertd.config.shape import Shape, in_settings
from alertd.config.stored import StoredSecrets
from alertd.config.validation import refuse_numbers_from_booleans, report_invalid
from alertd.errors import ConfigError, ConfigProblem, StoreError
from alertd.model.workspace import DEFAULT
from alertd.places import Place, value_at
from alertd.resources.export import STORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from alertd.config.settings import Origin
    from alertd.errors import ConfigWarning

MAX_FILE_BYTES = 64 << 20
"""How large a configuration file may be."""
EMPTY_SECONDS: Final = 1.0
"""For how long a file that is read again must have been empty to be meant so ..."""
LOOK_SECONDS: Final = 0.02
"""... and how often it is looked at meanwhile."""
ENVIRONMENT = "environment"
"""What stands for the file's name when there is no file."""


def load_config(path: Path | str | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration; `path` None means defaults and environment alone.

    Raises ConfigError with every problem: of the document, of single values, and of what has to agree.
    """
    return _config(*_read(path, environ, _text_of))


def reload_config(path: Path | str | None, environ: Mapping[str, str]) -> Config:
    """Read it again, as `load_config`. A file that is written in place is empty at first: its content is waited for a moment.

    One that has nothing in it is refused: nobody means to take every destination away, and what waits for them, without a word.
    """
    return _config(*_read(path, environ, _text_when_written, may_be_empty=False))


def check_config(path: Path | str | None, environ: Mapping[str, str]) -> tuple[Config, list[ConfigWarning]]:
    """Read the configuration as its writer wants it looked at; give also what is allowed and odd in it, in file order.

    Raises ConfigError as `load_config`, and for places where the egress guard lets nothing be sent.
    """
    root, problems = _read(path, environ, _text_of)
    check_egress(root, problems)
    config = _config(root, problems)
    first = len(root.get("workspaces") or ()) - len(config.workspaces)  # `default` stands first when it is not written
    warnings = [problems.warning(each.place, each.message) for each in advice(config, first)]
    return config, sorted(warnings, key=lambda warning: warning.line or float("inf"))


def _read(
    path: Path | str | None, environ: Mapping[str, str], text_of: Callable[[Path], str], *, may_be_empty: bool = True
) -> tuple[dict[str, Any], Problems]:
    document = Document(ENVIRONMENT, {}) if path is None else read_document(text_of(Path(path)), str(path))
    if document.root is None and not document.problems and not may_be_empty:
        raise _unreadable(Path(document.file), None, "an empty file", "a configuration, or {} to take everything away")
    root = _mapping(document)
    problems = Problems(document.file, Shape(root), document.marks)
    for place, problem in document.problems:
        problems.take(problem, place)
    override(root, environ, problems)
    _name_null_types(root, document)
    folder = Path() if path is None else Path(path).parent
    _Resolver(root, References(environ, folder), problems).resolve(root, ())
    return root, problems


def _config(root: dict[str, Any], problems: Problems) -> Config:
    check_agreement(root, problems)
    config = None
    try:
        config = Config.model_validate(root, context={"origins": dict(_origins(root, problems))})
    except ValidationError as invalid:
        report_invalid((), invalid, root, problems)
    problems.check(_secrets(root, (), problems))
    if config is None:
        raise AssertionError("an invalid configuration without a problem")
    return config


def _text_when_written(path: Path) -> str:
    until = time.monotonic() + EMPTY_SECONDS
    while not (text := _text_of(path)) and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    return text


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "an impossible name"
        reason = "a directory" if isinstance(error, IsADirectoryError) else reason
        raise _unreadable(path, None, f"{reason}".lower(), "a readable YAML file") from None
    if len(raw) > MAX_FILE_BYTES:
        raise _unreadable(path, None, "a larger file", f"at most {MAX_FILE_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _unreadable(path, line, "bytes that are not UTF-8", "UTF-8 text") from None


def _unreadable(path: Path, line: int | None, found: str, expected: str) -> ConfigError:
    return ConfigError([ConfigProblem(str(path), line, WHOLE, found, expected)])


def _mapping(document: Document) -> dict[str, Any]:
    if document.root is None:
        return {}
    if isinstance(document.root, dict):
        return document.root
    found = show(document.root) if isinstance(document.root, list) else "a single value"
    line = document.marks[()].value
    raise ConfigError([ConfigProblem(document.file, line, WHOLE, found, "a mapping of settings")])


def _name_null_types(root: dict[str, Any], document: Document) -> None:
    """Read `type: null` as the destination type of that name, though YAML says that it is nothing."""
    for workspace, _ in items(root, ("workspaces",)):
        for place, destination in items(root, (*workspace, "destinations")):
            if (*place, "type") in document.nulls:
                destination["type"] = "null"


class _Resolver:
    """Puts into a document, in place, what its texts refer to, and looks at every single value on the way."""

    def __init__(self, root: dict[str, Any], references: References, problems: Problems) -> None:
        self._root = root
        self._references = references
        self._problems = problems
        self._secrets: StoredSecrets | None = None

    def resolve(self, value: Any, place: Place) -> Any:
        """Give what a value stands for; lists and mappings are changed in place."""
        match value:
            case dict():
                for key, inner in value.items():
                    value[key] = self.resolve(inner, (*place, key))
            case list():
                value[:] = [self.resolve(inner, (*place, index)) for index, inner in enumerate(value)]
            case bool():
                refuse_numbers_from_booleans(place, value, self._problems)
            case str() if "$" in value or value.startswith(("file:", "credential:", STORED)):
                return self._text(value, place)
        return value

    def _text(self, text: str, place: Place) -> str:
        secret = in_settings(place) or self._problems.shape.is_secret(place)
        try:
            if secret and text.startswith(STORED):
                resolved = self._stored(text.removeprefix(STORED), place)
            else:
                variables = not self._problems.is_from_environment(place)
                resolved = self._references.resolve(text, variables=variables, files=secret)
        except UnresolvedError as error:
            self._problems.add(place, error.found, error.expected)
            return ""
        if resolved != text:
            self._problems.referenced[place] = resolved
        return resolved

    def _stored(self, name: str, place: Place) -> str:
        """Look a secret up in the store that the document itself names."""
        workspace = value_at(self._root, (*place[:2], "name"))
        try:
            if self._secrets is None:
                self._secrets = _stored_secrets(self._root, self._references)
            found = self._secrets.find(str(workspace), name)
        except (StoreError, ValueError, UnresolvedError) as error:
            raise UnresolvedError(f"the reference {STORED}{name}", f"the store to hold it: {error}") from None
        if found is None:
            raise UnresolvedError(f"the reference {STORED}{name}", "the secret itself: this store does not hold it")
        return found


def _stored_secrets(root: dict[str, Any], references: References) -> StoredSecrets:
    url, key = value_at(root, ("store", "url")), value_at(root, ("store", "secrets_key"))
    url = references.resolve(url, variables=True, files=False) if isinstance(url, str) else None
    key = references.resolve(key, variables=True, files=True) if isinstance(key, str) else None
    return StoredSecrets((Store(url=url) if url else Store()).path, key)


def _origins(root: dict[str, Any], problems: Problems) -> Iterator[tuple[Origin, str]]:
    for workspace_place, workspace in items(root, ("workspaces",)):
        name = str(workspace.get("name"))
        yield (name, "workspaces", name), problems.where(workspace_place)
        for collection in COLLECTIONS:
            for place, resource in items(root, (*workspace_place, collection)):
                yield (name, collection, str(resource.get("name"))), problems.where(place)
    for place, token in items(root, ("tokens",)):
        workspace_name = token.get("workspace", DEFAULT)
        yield (str(workspace_name or ""), "tokens", str(token.get("name"))), problems.where(place)


def _secrets(value: Any, place: Place, problems: Problems) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _secrets(inner, (*place, key), problems)
        case list():
            for index, inner in enumerate(value):
                yield from _secrets(inner, (*place, index), problems)
        case str() if problems.shape.is_known_secret(place):
            yield value
