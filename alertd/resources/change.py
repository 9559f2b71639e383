"""Changes: what one call of an operator does to a snapshot, decided without doing it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from alertd.errors import ConflictError, InvalidError, NotFoundError, Problem, StaleError, UnconditionalError
from alertd.model.workspace import DEFAULT
from alertd.resources.assembly import without
from alertd.resources.documents import document_of
from alertd.resources.entry import Entry
from alertd.resources.joined_groups import group_of, stranded
from alertd.resources.judge import Findings, patched, read, read_model
from alertd.resources.kinds import BY_WORD, CHANNEL, OWNED_KINDS, SUBSCRIPTION, WORKSPACE, referred
from alertd.words import with_article

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from alertd.model.fields import Resource
    from alertd.resources.documents import Document
    from alertd.resources.judge import DestinationTypes
    from alertd.resources.kinds import Kind
    from alertd.resources.secrecy import Secrecy
    from alertd.resources.snapshot import Snapshot
    from alertd.store.resource import ResourceKey


@dataclass(frozen=True, slots=True)
class Noted:
    """One line of the log to be: what was done to what; the documents are redacted."""

    action: str
    key: ResourceKey
    before: Document | None
    after: Document | None


@dataclass(slots=True)
class Change:
    """What a call does: entries kept and keys removed, what the log will say, the entry that it is answered with."""

    kept: list[Entry] = field(default_factory=list)
    removed: list[ResourceKey] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Precondition:
    """What `If-Match` said; `needed` says whether saying nothing is an error."""

    tags: str | None = None
    needed: bool = False

    def check(self, noun: str, name: str, etag: str) -> None:
        """Ask whether something has this tag now. Raises UnconditionalError, StaleError."""
        if self.tags is None:
            if self.needed:
                raise UnconditionalError("say which state this changes: If-Match with the ETag of a GET")
        elif self.tags.strip() != "*" and etag not in [tag.strip() for tag in self.tags.split(",")]:
            raise StaleError(f"the {noun} {name!r} has changed: its ETag is now {etag}")


class Changes:
    """Decides about changes. Pure but for the secrets, which the vault holds."""

    def __init__(self, types: DestinationTypes, secrecy: Secrecy) -> None:
        self._types = types
        self._secrecy = secrecy

    def create(self, snapshot: Snapshot, kind: Kind, workspace: str, document: Document) -> Change:
        """Make a resource. Raises ConflictError when the name is taken, InvalidError.

        A workspace begins empty: what the API made in one of that name which the configuration had ends with it.
        """
        name = document.get("name")
        if isinstance(name, str):
            home = name if kind is WORKSPACE else workspace
            known = snapshot.get((kind.word, home, name))
            if known is not None:
                at = f" ({known.origin})" if known.origin else ""
                raise ConflictError(f"there is {with_article(kind.noun)} {name!r} already{at}")
            _refuse_built_in(kind, name)
        if kind is not WORKSPACE and snapshot.get((WORKSPACE.word, workspace, workspace)) is None:
            raise NotFoundError(f"there is no workspace {workspace!r}")
        document = self._secrecy.restored(kind, document, None)
        model = read(kind, workspace, document, snapshot, self._types)
        if kind is not WORKSPACE:
            _refuse_stranding(snapshot, kind, (workspace, str(name)), model)
        entry = Entry(kind.word, model.name if kind is WORKSPACE else workspace, model.name, model, 1)  # type: ignore[attr-defined]  # what has a kind has a name
        change = self._cleared(snapshot, entry) if kind is WORKSPACE else Change()
        change.kept, change.entry = [entry], entry
        change.noted.append(Noted("created", entry.key, None, self._secrecy.shown(entry)))
        return change

    def _cleared(self, snapshot: Snapshot, workspace: Entry) -> Change:
        """Remove what is left in the place of a new workspace; with its key the store ends its tokens."""
        left = [each for each in snapshot.owned.values() if each.workspace == workspace.name]
        return Change(
            removed=[each.key for each in left] + [workspace.key],
            noted=[Noted("deleted", each.key, self._secrecy.shown(each), None) for each in left],
        )

    def replace(self, snapshot: Snapshot, key: ResourceKey, document: Document, given: Precondition) -> Change:
        """Put another document in the place of one."""
        kind, before = BY_WORD[key[0]], find(snapshot, key)
        _refuse_fixed(before)
        given.check(_noun(before.kind), before.name, before.etag)
        return self._update(snapshot, kind, before, {"name": key[2], **document})

    def patch(self, snapshot: Snapshot, key: ResourceKey, patch: Document, given: Precondition) -> Change:
        """Apply a merge patch."""
        kind, before = BY_WORD[key[0]], find(snapshot, key)
        _refuse_fixed(before)
        given.check(_noun(before.kind), before.name, before.etag)
        return self._update(snapshot, kind, before, patched(document_of(before.model), patch))

    def _update(self, snapshot: Snapshot, kind: Kind, before: Entry, document: Document) -> Change:
        if document.get("name") != before.name:
            raise InvalidError([Problem("/name", f"cannot be changed: this is the {kind.noun} {before.name!r}")])
        known = document_of(before.model)
        document = self._secrecy.restored(kind, document, known)
        model = read(kind, before.workspace, document, snapshot, self._types, before=known)
        _refuse_stranding(snapshot, kind, before.key[1:], model)
        entry = replace(before, model=model, version=before.version + 1)
        return Change(
            [entry], [], [Noted("updated", entry.key, self._secrecy.shown(before), self._secrecy.shown(entry))], entry
        )

    def remove(self, snapshot: Snapshot, key: ResourceKey, given: Precondition, *, cascade: bool) -> Change:
        """Remove a resource. Raises ConflictError that lists those who use it, unless `cascade` takes it out of them."""
        before = find(snapshot, key)
        _refuse_fixed(before)
        given.check(_noun(before.kind), before.name, before.etag)
        if key[0] == SUBSCRIPTION.word and before.built_in:
            raise ConflictError(f"the subscription {key[2]!r} is built in: switch it off instead (enabled: false)")
        if key[0] == WORKSPACE.word:
            return self._remove_workspace(snapshot, before, cascade=cascade)
        going, staying = _cascaded(snapshot, before, cascade=cascade)
        kept = [replace(entry, model=_released(entry, going), version=entry.version + 1) for entry in staying]
        deleted = [Noted("deleted", entry.key, self._secrecy.shown(entry), None) for entry in going.values()]
        updated = [
            Noted("updated", was.key, self._secrecy.shown(was), self._secrecy.shown(now))
            for was, now in zip(staying, kept, strict=True)
        ]
        return Change(kept, [*going], [*deleted, *updated])

    def _remove_workspace(self, snapshot: Snapshot, before: Entry, *, cascade: bool) -> Change:
        if before.name == DEFAULT:
            raise ConflictError("the workspace 'default' always exists")
        inside = [entry for kind in OWNED_KINDS for entry in snapshot.entries(kind.word, before.name)]
        if inside and not cascade:
            raise _in_use(before, inside)
        return Change(
            removed=[entry.key for entry in (*inside, before)],
            noted=[Noted("deleted", entry.key, self._secrecy.shown(entry), None) for entry in (*inside, before)],
        )


def _cascaded(snapshot: Snapshot, first: Entry, *, cascade: bool) -> tuple[dict[ResourceKey, Entry], list[Entry]]:
    """Say what goes with an entry, since it needs what goes and has no other; and who uses what goes, and stays.

    Raises ConflictError that lists those who use one that goes, unless `cascade` may change all of them.
    """
    going, looked_at = {first.key: first}, [first]
    using: dict[ResourceKey, Entry] = {}
    for entry in looked_at:
        joining = stranded(snapshot, BY_WORD[entry.kind], entry.key[1:], None)
        users = {user.key: user for user in (*joining, *(user for user, _ in snapshot.users(entry.key)))}
        fixed = [user for user in users.values() if user.origin is not None]
        if users and (fixed or not cascade):
            raise _in_use(entry, fixed if cascade else [*users.values()])
        using |= users
        for key, user in users.items():
            if key not in going and _is_lost(user, going):
                going[key] = user
                looked_at.append(user)
    return going, [entry for key, entry in using.items() if key not in going]


def _released(entry: Entry, going: Collection[ResourceKey]) -> Resource:
    """Return a resource without the names of what goes."""
    references = BY_WORD[entry.kind].references
    names = {
        field: [name for name in referred(entry.model, field) if (noun, entry.workspace, name) not in going]
        for field, noun in references
    }
    return without(entry.model, names.items())


def _is_lost(entry: Entry, going: Collection[ResourceKey]) -> bool:
    """Whether a resource needs a name that goes, and has no other: what is left could not be read at the next start."""
    if entry.kind == CHANNEL.word:  # it uses nothing but the types of its group, and that has none
        return True
    left = document_of(_released(entry, going))
    return read_model(BY_WORD[entry.kind].kept, left, Findings()) is None


def find(snapshot: Snapshot, key: ResourceKey) -> Entry:
    """Return an entry, also one that is built in. Raises NotFoundError, ConflictError for system channels."""
    entry = snapshot.get(key)
    if entry is None:
        for each in _built_in(snapshot, key):
            return each
        _refuse_built_in(BY_WORD[key[0]], key[2])
        where = "" if key[0] == WORKSPACE.word else f" in the workspace {key[1]!r}"
        raise NotFoundError(f"there is no {_noun(key[0])} {key[2]!r}{where}")
    return entry


def _built_in(snapshot: Snapshot, key: ResourceKey) -> list[Entry]:
    kind, workspace, name = key
    known = snapshot.get((WORKSPACE.word, workspace, workspace)) is not None and snapshot.knows(kind, workspace, name)
    return [each for each in snapshot.built_in(kind, workspace) if each.name == name] if known else []


def _refuse_fixed(entry: Entry) -> None:
    """Raise ConflictError for what cannot be changed here."""
    refuse_provisioned(entry)
    if entry.built_in:
        _refuse_built_in(BY_WORD[entry.kind], entry.name)


def refuse_provisioned(entry: Entry) -> None:
    """Raise ConflictError when an entry belongs to the configuration."""
    if entry.origin is not None:
        raise ConflictError(f"the {_noun(entry.kind)} {entry.name!r} is provisioned by {entry.origin}: change it there")


def _refuse_stranding(snapshot: Snapshot, kind: Kind, key: tuple[str, str], after: Resource) -> None:
    """Raise ConflictError when a change takes the last type of a group that channels join."""
    channels = stranded(snapshot, kind, key, after)
    if channels:
        group = f"the group {group_of(channels[0])!r}"
        problems = [Problem(f"/{CHANNEL.path}/{each.name}", f"joins the group {group_of(each)!r}") for each in channels]
        raise ConflictError(f"{group} would have no type left, and channel {channels[0].name} joins it", problems)


def _refuse_built_in(kind: Kind, name: str) -> None:
    if name in kind.built_in:
        raise ConflictError(f"the {kind.noun} {name!r} is built in and cannot be changed")


def _in_use(entry: Entry, users: Sequence[Entry]) -> ConflictError:
    seen = list({user.key: user for user in users}.values())
    problems = [
        Problem(
            f"/{BY_WORD[user.kind].path}/{user.name}",
            f"uses it{f', and is provisioned by {user.origin}' if user.origin else ''}",
        )
        for user in seen
    ]
    named = ", ".join(f"{_noun(user.kind)} {user.name}" for user in seen[:10])
    more = f" and {len(seen) - 10} more" if len(seen) > 10 else ""  # noqa: PLR2004 - as many as are named
    return ConflictError(
        f"the {_noun(entry.kind)} {entry.name!r} is in use by {named}{more}{_way_out(entry, seen)}", problems
    )


def _way_out(entry: Entry, users: Sequence[Entry]) -> str:
    """Say what `cascade` does, where it would be allowed to."""
    if any(user.origin for user in users):
        return ""
    if entry.kind == WORKSPACE.word:
        return "; ?cascade=true deletes them all"
    return "; ?cascade=true takes it out of them, and deletes altogether what has no other"


def _noun(word: str) -> str:
    return BY_WORD[word].noun


def as_json(document: Any) -> bytes:
    """Write a document for the store."""
    return orjson.dumps(document)
