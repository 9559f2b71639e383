"""Export: a workspace as the YAML that the configuration takes back.

The text depends only on what the resources are and on their order, not on where they come from: fields in the order of
their models, nothing that only repeats a default. A secret stands as `stored:` and its place, and stays in the store.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from alertd.resources.documents import FOLLOWING, document_of
from alertd.resources.kinds import KINDS, WORKSPACE, Kind

if TYPE_CHECKING:
    from alertd.resources.documents import Document
    from alertd.resources.entry import Entry
    from alertd.resources.secrecy import Secrecy
    from alertd.resources.snapshot import Snapshot

STORED: Final = "stored:"
"""What a reference to a secret begins with that stays in the store."""
HEAD: Final = """\
# The resources of one workspace. Settings of the daemon are not among them: take store, egress (what destinations on private
# or loopback addresses need), mail and the like from the file that the daemon runs with, else `alertd check` misses them.
# `stored:` stands for a secret that stays in the store, and works where that store is.
"""
"""What an export says of itself."""


def export(snapshot: Snapshot, workspace: str, secrecy: Secrecy) -> tuple[str, dict[str, str]]:
    """Write a workspace as YAML; the second value maps the places of its secrets to the secrets themselves."""
    secrets: dict[str, str] = {}
    head = snapshot.get((WORKSPACE.word, workspace, workspace))
    written: Document = {"name": workspace} if head is None else _dollars(_lean(head))
    for kind in KINDS:
        entries = snapshot.entries(kind.word, workspace)
        documents = [_without_secrets(kind, entry, secrecy, secrets) for entry in entries]
        if documents:
            written[kind.field] = documents
    return HEAD + dump({"workspaces": [written]}), secrets


class _Dumper(yaml.SafeDumper):
    """Writes in quotes what would be read as something else: texts that are numbers in YAML 1.2 alone, such as `09` and
    `1e3` (PyYAML knows 1.1), and those with a next-line character.
    """  # noqa: D205 - one thought, two lines

    def text(self, text: str) -> yaml.Node:
        """Write a text."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\x85" in text else None)


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    list("-+.0123456789"),
)
_Dumper.add_representer(str, _Dumper.text)


def dump(document: Any) -> str:
    """Write a document as YAML, its keys in their order."""
    form: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 120, "default_flow_style": False}
    text: str = yaml.dump(document, Dumper=_Dumper, **form)
    return text


class _Stored(str):
    """A reference to a secret in the store, told apart from a text that only looks like one."""

    __slots__ = ()


def _without_secrets(kind: Kind, entry: Entry, secrecy: Secrecy, secrets: dict[str, str]) -> Document:
    def name(place: tuple[str, ...], text: str) -> str:
        inside = place[1:] if place[:1] == ("settings",) else place
        found = "/".join((kind.path, entry.name, *inside))
        secrets[found] = text
        return _Stored(STORED + found)

    written: Document = _dollars(secrecy.named(kind, _lean(entry), name))
    return written


def _lean(entry: Entry) -> Document:
    """Write a resource without what only repeats a default, in the order of its model; references stay texts."""
    model, fields = entry.model, type(entry.model).model_fields
    document = document_of(model)
    lean: Document = {}
    for name, field in fields.items():
        if name not in document:
            continue
        default = field.get_default(call_default_factory=True)
        if field.is_required() or name in FOLLOWING or getattr(model, name) != default:
            lean[name] = document[name]
    return lean


def _dollars(value: Any) -> Any:
    """Write each `$` so that it stands for itself when the file is read."""
    match value:
        case _Stored():
            return str(value)
        case str():
            return value.replace("$", "$$")
        case list():
            return [_dollars(each) for each in value]
        case dict():
            return {key: _dollars(each) for key, each in value.items()}
    return value
