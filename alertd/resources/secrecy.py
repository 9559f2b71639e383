"""Secrecy: which texts of a document are secrets, and what becomes of them when it is shown, stored or taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.errors import InvalidError, NotFoundError, Problem
from alertd.resources.documents import REDACTED, document_of, map_secrets
from alertd.resources.judge import pointer
from alertd.resources.kinds import BY_WORD, DESTINATION
from alertd.resources.vault import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.resources.documents import Document
    from alertd.resources.entry import Entry
    from alertd.resources.judge import DestinationTypes
    from alertd.resources.kinds import Kind
    from alertd.resources.vault import Vault


class Secrecy:
    """Knows secrets by the models of their kinds, those of destinations by their type's settings."""

    def __init__(self, types: DestinationTypes, vault: Vault) -> None:
        self._types = types
        self._vault = vault

    def shown(self, entry: Entry) -> Document:
        """Return a resource's document to show."""
        return self.redacted(BY_WORD[entry.kind], document_of(entry.model))

    def redacted(self, kind: Kind, document: Document) -> Document:
        """Return a document to show: `***` for every secret, of a key its beginning."""
        shown = self._map(kind, document, lambda place, text: REDACTED)
        return {**shown, "name": kind.told(shown["name"])} if kind.is_key else shown

    def sealed(self, kind: Kind, document: Document) -> Document:
        """Return a document to store."""
        return self._map(kind, document, lambda place, text: self._vault.seal(text))

    def opened(self, kind: Kind, document: Document) -> Document:
        """Return a stored document as it was. Raises StoreError when the key is another one."""
        return self._map(
            kind, document, lambda place, text: self._vault.open(text) if text.startswith(PREFIX) else text
        )

    def named(self, kind: Kind, document: Document, name: Callable[[tuple[str, ...], str], str]) -> Document:
        """Return a document with a name for every secret, made of its place and the secret itself."""
        return self._map(kind, document, name)

    def url_token(self, entry: Entry) -> str:
        """Return the token in the URL of an intake endpoint: of one that is made anew another one."""
        return self._vault.derive(f"{entry.workspace}/{entry.name}/{entry.created_at_ms or ''}")

    def seal(self, secret: str) -> str:
        """Seal one secret on its own."""
        return self._vault.seal(secret)

    def restored(self, kind: Kind, document: Document, before: Document | None) -> Document:
        """Put back the secrets that a caller gave back as `***`. Raises InvalidError for one that was not there."""
        problems: list[Problem] = []

        def put_back(place: tuple[str, ...], text: str) -> Any:
            if text != REDACTED:
                return text
            known = _at(before, place)
            if known is None:
                problems.append(
                    Problem(pointer(place), f"{REDACTED} stands for a secret that is kept, and none is here")
                )
            return known

        restored = self._map(kind, document, put_back)
        if problems:
            raise InvalidError(problems)
        return restored

    def _map(self, kind: Kind, document: Document, change: Callable[[tuple[str, ...], str], Any]) -> Document:
        mapped: Document = map_secrets(kind.model, document, change)
        settings = mapped.get("settings")
        if kind is DESTINATION and isinstance(settings, dict) and isinstance(mapped.get("type"), str):
            try:
                model = self._types.settings_model(mapped["type"])
            except NotFoundError:
                return mapped
            mapped = {**mapped, "settings": map_secrets(model, settings, change, ("settings",))}
        return mapped


def _at(document: Any, place: tuple[str, ...]) -> Any:
    value = document
    for part in place:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
