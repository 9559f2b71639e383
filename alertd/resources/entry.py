"""An entry: one resource as it is live, with where it comes from and how often it was changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from alertd.resources.documents import document_of

if TYPE_CHECKING:
    from alertd.model.fields import Resource
    from alertd.store.resource import ResourceKey


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource: `origin` says where the configuration holds it (`alertd.yml:42`; None: made over the API)."""

    kind: str
    workspace: str
    name: str
    model: Resource = field(repr=False)
    version: int = 0
    origin: str | None = None
    created_at_ms: int | None = None
    updated_at_ms: int | None = None

    @property
    def built_in(self) -> bool:
        """Whether nobody made it."""
        return self.origin is None and self.version == 0

    @property
    def key(self) -> ResourceKey:
        """What it is found by."""
        return (self.kind, self.workspace, self.name)

    @property
    def etag(self) -> str:
        """The entity tag of its present state, quotes included."""
        if self.origin is None:
            return f'"{self.version}"'
        text = orjson.dumps(document_of(self.model), option=orjson.OPT_SORT_KEYS)
        return f'"p{hashlib.sha256(text).hexdigest()[:16]}"'
