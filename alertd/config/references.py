"""References: values that stand somewhere else, in the environment or in files of their own.

| written | stands for |
|---|---|
| `${NAME}` in any text | the environment variable NAME |
| `${NAME:-text}` | the same, or the text when NAME is unset or empty |
| `$$` | one `$` |
| `file:PATH`, the whole value | what the file holds, without one final newline; relative to the configuration file |
| `credential:NAME`, the whole value | the same for `$CREDENTIALS_DIRECTORY/NAME`, as systemd passes credentials |
| `stored:PLACE`, the whole value | a secret that the store holds, as `alertd export` writes it (alertd.config.stored) |

Files are for secrets and settings of destinations; elsewhere `file:` is a text like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SECRET_BYTES = 1 << 20
"""How large a file may be that a reference names."""
FILE = "file:"
CREDENTIAL = "credential:"
_DIRECTORY = "CREDENTIALS_DIRECTORY"
_REFERENCE = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<broken>\{))", re.ASCII
)


class UnresolvedError(Exception):
    """A reference to what is not there; `found` names the reference and `expected` what would do."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(f"found {found}; expected {expected}")


@dataclass(frozen=True, slots=True)
class References:
    """Resolves references; `folder` is where relative files are looked for."""

    environ: Mapping[str, str]
    folder: Path

    def resolve(self, text: str, *, variables: bool, files: bool) -> str:
        """Give what a text stands for; `variables` and `files` say what may be referred to. Raises UnresolvedError."""
        if files and text.startswith(FILE):
            return self._file(text.removeprefix(FILE), variables=variables)
        if files and text.startswith(CREDENTIAL):
            return self._credential(text.removeprefix(CREDENTIAL))
        return self._expand(text) if variables else text

    def _expand(self, text: str) -> str:
        return _REFERENCE.sub(self._variable, text)

    def _variable(self, found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        if found["broken"]:
            raise UnresolvedError(
                "a malformed reference ${…", "${NAME} or ${NAME:-default}; $${ for the text ${ itself"
            )
        name, default = found["name"], found["default"]
        value = self.environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            raise UnresolvedError(f"the reference ${{{name}}}", f"the environment variable {name} to be set")
        return value

    def _file(self, name: str, *, variables: bool) -> str:
        written = f"the reference {FILE}{name}"
        path = self.folder / (self._expand(name) if variables else name)
        return _contents(path, written)

    def _credential(self, name: str) -> str:
        written = f"the reference {CREDENTIAL}{name}"
        folder = self.environ.get(_DIRECTORY)
        if not name or "/" in name or name in {".", ".."}:
            raise UnresolvedError(written, "credential:NAME with the plain name of a systemd credential")
        if not folder:
            raise UnresolvedError(written, f"{_DIRECTORY} to be set, as systemd does for services with credentials")
        return _contents(Path(folder) / name, written)


def _contents(path: Path, written: str) -> str:
    try:
        if path.exists() and not path.is_file():
            raise UnresolvedError(written, "a file, not a folder or device")
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "impossible name"
        raise UnresolvedError(written, f"a readable file ({reason})") from None
    if len(raw) > MAX_SECRET_BYTES:
        raise UnresolvedError(written, f"a file of at most {MAX_SECRET_BYTES} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise UnresolvedError(written, "a file of UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise UnresolvedError(written, "a file that is not empty")
    return text
