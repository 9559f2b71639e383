"""Resources over HTTP, every kind in the same manner: list, create, read, replace, patch, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from alertd.api.auth import caller
from alertd.api.context import body_of, json
from alertd.api.destination_examples import DESTINATIONS
from alertd.api.examples import MADE, PATCHED
from alertd.api.operation import PAGE, Operation, Parameter, page_of, ref, route
from alertd.api.query import FLAG, Query, write_name_cursor
from alertd.api.shapes import RESOURCE_STATUS, STATUS
from alertd.clock import rfc3339_or_none
from alertd.errors import ConflictError
from alertd.model.token import Role
from alertd.resources.change import Precondition, find
from alertd.resources.documents import FOLLOWING
from alertd.sources.base import UnsupportedMediaTypeError
from alertd.words import with_article

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from alertd.api.context import Context
    from alertd.model.fields import Resource
    from alertd.resources.change import Noted
    from alertd.resources.entry import Entry
    from alertd.resources.kinds import Kind

BELOW: Final = "/api/v1/workspaces/{workspace}"
PATCH_TYPES: Final = ("application/merge-patch+json", "application/json")
_NO_FILTER: Final = (
    frozenset({"title", "description", "limit", "settings", "data_schema", "owner", "collaborators"}) | FOLLOWING
)
_FLAGS: Final = frozenset({"provisioned", "built_in", "learnt"})
"""Of what is shown besides the fields, what is true or false."""
_CASCADE: Final = (
    "true: take it out of those who use it; one who needs it and has no other, such as a subscription whose only channel"
    " or destination it is, is deleted altogether"
)


class Collection:
    """One kind below a workspace."""

    choices: tuple[str, ...] = ()
    """Of what is shown besides the fields, what a list can be filtered by."""
    lists_defaults = False
    """Whether a list holds what is there by default without being asked for it by `built_in=true`."""

    lives = False
    """Whether what it shows besides its fields changes by itself: then no tag says that nothing has changed."""

    def __init__(self, context: Context, kind: Kind) -> None:
        self.context = context
        self.kind = kind
        own = (name for name in kind.model.model_fields if name not in _NO_FILTER)
        self.filters = (*own, "provisioned", *self.choices)
        self._flags = flags_of(kind)
        self._only_shown = RESOURCE_STATUS.keys() | STATUS.get(kind.model.__name__, {}).keys()

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        path, one = f"{BELOW}/{self.kind.path}", f"{BELOW}/{self.kind.path}/{{name}}"
        documented = operations(self.kind, self.filters)
        route(app, "GET", path, self.list, documented["list"])
        route(app, "POST", path, self.create, documented["create"])
        route(app, "GET", one, self.show, documented["show"])
        route(app, "PUT", one, self.replace, documented["replace"])
        route(app, "PATCH", one, self.patch, documented["patch"])
        route(app, "DELETE", one, self.remove, documented["remove"])

    def status(self, entry: Entry) -> dict[str, Any]:
        """Say what an entry shows besides its fields (`STATUS` has the shapes)."""
        return {}

    def built_in(self, workspace: str) -> Iterable[dict[str, Any]]:
        """Give what exists without having been made."""
        return ()

    # -- handlers -------------------------------------------------------------------------------------------------

    async def list(self, request: web.Request) -> web.Response:
        """List, ordered by name."""
        workspace = self.enter(request, Role.VIEWER)
        query = Query(request, (*self.filters, "limit", "cursor"))
        given = ((name, query.word(name, FLAG) if name in self._flags else query.text(name)) for name in self.filters)
        wanted = {name: text for name, text in given if text is not None}
        limit, behind = query.limit(), query.name_cursor()
        query.check()
        defaults = self.made_by_nobody(workspace) if self.lists_defaults or wanted.get("built_in") == "true" else ()
        entries = (*self.entries(request, workspace), *defaults)
        views = [*self.built_in(workspace), *(self.view(each, request) for each in entries)]
        found = sorted(
            (v for v in views if _fits(v, wanted) and v["name"] > behind), key=lambda view: str(view["name"])
        )
        more = len(found) > limit
        return json(
            {"items": found[:limit], "next_cursor": write_name_cursor(found[limit - 1]["name"]) if more else None}
        )

    async def show(self, request: web.Request) -> web.Response:
        """Show one."""
        workspace, name = self.enter(request, Role.VIEWER), request.match_info["name"]
        for view in self.built_in(workspace):
            if view["name"] == name:
                return json(view)
        entry = find(self.context.registry.snapshot, (self.kind.word, workspace, name))
        if not self.lives and request.headers.get("If-None-Match") == entry.etag:
            return web.Response(status=304, headers={"ETag": entry.etag})
        return self.answer(entry, request)

    async def create(self, request: web.Request) -> web.Response:
        """Make one."""
        workspace = self.enter(request, Role.ADMIN)
        document = self._own_fields(await body_of(request))
        entry = await self.make(workspace, document, caller(request).name)
        return self.answer(entry, request, 201)

    async def replace(self, request: web.Request) -> web.Response:
        """Put another in its place."""
        key, document = self._key(request), self._own_fields(await body_of(request))
        entry = await self.context.registry.replace(key, document, _given(request), caller(request).name)
        return self.answer(entry, request)

    async def patch(self, request: web.Request) -> web.Response:
        """Change some of its fields."""
        key = self._key(request)
        patch = self._own_fields(await patch_of(request))
        entry = await self.context.registry.patch(key, patch, _given(request), caller(request).name)
        return self.answer(entry, request)

    async def remove(self, request: web.Request) -> web.Response:
        """Delete it."""
        key = self._key(request)
        query = Query(request, ("cascade",))
        cascade = query.flag("cascade") or False
        query.check()
        given = Precondition(request.headers.get("If-Match"))
        also = [*self.ended_with(key[2])]
        await self.context.registry.remove(key, given, caller(request).name, cascade=cascade, also=also)
        return web.Response(status=204)

    # -- parts ----------------------------------------------------------------------------------------------------

    def enter(self, request: web.Request, least: Role) -> str:
        """Return the workspace of the path. Raises ForbiddenError, NotFoundError."""
        return self.context.enter(request, least)

    async def make(self, workspace: str, document: dict[str, Any], actor: str) -> Entry:
        """Make one of a document."""
        return await self.context.registry.create(self.kind, workspace, document, actor)

    def ended_with(self, name: str) -> Iterable[Noted]:
        """Say what goes with one that is deleted and is no resource."""
        return ()

    def entries(self, request: web.Request, workspace: str) -> Sequence[Entry]:
        """List what is there."""
        return self.context.registry.snapshot.entries(self.kind.word, workspace)

    def made_by_nobody(self, workspace: str) -> Sequence[Entry]:
        """List what is there by default."""
        return self.context.registry.snapshot.built_in(self.kind.word, workspace) if workspace else ()

    def _key(self, request: web.Request) -> tuple[str, str, str]:
        workspace, name = self.enter(request, Role.ADMIN), request.match_info["name"]
        if any(view["name"] == name and view["built_in"] for view in self.built_in(workspace)):
            raise ConflictError(f"the {self.kind.noun} {name!r} is built in and cannot be changed")
        return (self.kind.word, workspace, name)

    def _own_fields(self, document: dict[str, Any]) -> dict[str, Any]:
        """Leave out what is only shown, so that what was read can be given back."""
        return {key: value for key, value in document.items() if key not in self._only_shown}

    def view(self, entry: Entry, request: web.Request) -> dict[str, Any]:
        """Write an entry as it is shown: every field, its origin, its status."""
        return {**fields_of(entry.model), **self.context.registry.shown(entry), **_origin(entry), **self.status(entry)}

    def answer(self, entry: Entry, request: web.Request, status: int = 200) -> web.Response:
        """Answer with one, and its tag."""
        answer = json(self.view(entry, request), status)
        answer.headers["ETag"] = entry.etag
        return answer


async def patch_of(request: web.Request) -> dict[str, Any]:
    """Read the body of a merge patch. Raises UnsupportedMediaTypeError for what says that it is another kind of patch."""
    if request.headers.get("Content-Type") and request.content_type not in PATCH_TYPES:
        sent, accepted = request.content_type[:64], " or ".join(PATCH_TYPES)
        raise UnsupportedMediaTypeError(f"content type {sent!r} is not read here, send {accepted}")
    return await body_of(request)


def operations(kind: Kind, filters: tuple[str, ...]) -> dict[str, Operation]:
    """Document a kind's routes."""
    noun, tag, shape = kind.noun, kind.path, ref(kind.model.__name__)
    choices = tuple(_choice(name, flag=name in flags_of(kind)) for name in filters)
    cascade = Parameter("cascade", _CASCADE, {"type": "boolean", "default": False})
    one = with_article(noun)
    return {
        "list": Operation(f"List {noun}s", tag, query=(*choices, *PAGE), answers={200: page_of(shape)}),
        "create": Operation(
            f"Make {one}",
            tag,
            Role.ADMIN,
            body=shape,
            answers={201: shape},
            errors=(409,),
            example=MADE[kind.word],
            examples=DESTINATIONS if kind.word == "destination" else {},
        ),
        "show": Operation(f"Show {one}", tag, answers={200: shape, 304: None}),
        "replace": Operation(
            f"Replace {one}",
            tag,
            Role.ADMIN,
            body=shape,
            answers={200: shape},
            errors=(409,),
            conditional=True,
            example=MADE[kind.word],
        ),
        "patch": Operation(
            f"Change some fields of {one} (RFC 7396)",
            tag,
            Role.ADMIN,
            body={"type": "object"},
            body_types=PATCH_TYPES,
            answers={200: shape},
            errors=(409, 415),
            conditional=True,
            example=PATCHED[kind.word],
        ),
        "remove": Operation(f"Delete {one}", tag, Role.ADMIN, query=(cascade,), answers={204: None}, errors=(409, 412)),
    }


def flags_of(kind: Kind) -> frozenset[str]:
    """Name what a list of this kind is filtered by that is true or false."""
    return _FLAGS.union(name for name, field in kind.model.model_fields.items() if field.annotation is bool)


def _choice(name: str, *, flag: bool) -> Parameter:
    schema = {"type": "boolean"} if flag else {"type": "string"}
    return Parameter(name, f"only those whose {name} is this, or holds it", schema)


def _given(request: web.Request) -> Precondition:
    return Precondition(request.headers.get("If-Match"), needed=True)


def fields_of(model: Resource) -> dict[str, Any]:
    """Give every field with its default, but for those that follow other defaults."""
    return model.model_dump(mode="json", exclude=set(FOLLOWING))


def _origin(entry: Entry) -> dict[str, Any]:
    return {
        "provisioned": entry.origin is not None,
        "origin": entry.origin,
        "created_at": rfc3339_or_none(entry.created_at_ms),
        "updated_at": rfc3339_or_none(entry.updated_at_ms),
    }


def _fits(view: dict[str, Any], wanted: dict[str, str]) -> bool:
    return all(_holds(view.get(name), text) for name, text in wanted.items())


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return str(value).lower() == text
    if isinstance(value, list):
        return text in map(str, value)
    if isinstance(value, int | float):
        return _number(text) == value
    return value is not None and str(value) == text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
