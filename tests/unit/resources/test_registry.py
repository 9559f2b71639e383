"""The registry: every change judged, stored, logged, made live, and only then answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml
from cryptography.fernet import Fernet

from alertd.app.known_types import KnownTypes
from alertd.clock import SystemClock
from alertd.destinations.guard import EgressPolicy
from alertd.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    StaleError,
    StoreError,
    StoreUnavailableError,
    UnconditionalError,
)
from alertd.model.ids import IdSource
from alertd.model.workspace import Workspace
from alertd.resources.change import Precondition
from alertd.resources.dangling import dangling
from alertd.resources.documents import document_of
from alertd.resources.kinds import (
    CHANNEL,
    DERIVED_TYPE,
    DESTINATION,
    METRIC_ALERT,
    PROJECT,
    SUBSCRIPTION,
    WORKSPACE,
)
from alertd.resources.registry import Registry
from alertd.resources.secrecy import Secrecy
from alertd.resources.snapshot import provisioned_entries
from alertd.resources.vault import Vault
from alertd.store.memory import MemoryStore
from alertd.store.resource import AuditFilter, RulesetDocument

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from alertd.resources.snapshot import Snapshot

KEY = Fernet.generate_key()
RUNS = {"name": "runs", "kind": "regex", "pattern": "run:.*"}
HOOK = {"name": "hook", "type": "webhook", "settings": {"url": "https://hooks.example.com/x", "secret": "s3cr3t"}}
TELL = {"name": "tell", "channels": ["runs"], "destinations": ["hook"]}
MANY = {"name": "many", "type": "run:many", "channel": "runs", "occurrences": [2]}
SLOW = {"name": "slow", "field": "data.s", "when": "above", "limit": 1}
FREE = Precondition()


class Live:
    """Counts what is made live; refuses a snapshot in which a channel has the name that is `refused`."""

    def __init__(self) -> None:
        self.refused = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.rested = asyncio.Event()
        self.rested.set()
        self.applied: list[Snapshot] = []

    async def prepare(self, snapshot: Snapshot) -> Snapshot:
        """Refuse or pass."""
        await self.gate.wait()
        if any(c.name == self.refused for w in snapshot.workspaces() for c in w.channels):
            raise InvalidError("the patterns do not fit")
        return snapshot

    def document(self, prepared: Snapshot) -> RulesetDocument:
        """Explain nothing."""
        return RulesetDocument(1, ())

    async def apply(self, prepared: Snapshot) -> None:
        """Take note."""
        self.applied.append(prepared)

    async def give_way(self, took_seconds: float) -> None:
        """Rest until told otherwise."""
        assert took_seconds >= 0
        await self.rested.wait()


@pytest.fixture
def store() -> MemoryStore:
    """Keep what the registry stores."""
    return MemoryStore(SystemClock())


@pytest.fixture
def live() -> Live:
    """See what is made live."""
    return Live()


def registry_on(store: MemoryStore, live: Live, key: bytes = KEY) -> Registry:
    """Make a registry."""
    clock = SystemClock()
    return Registry(store, clock, IdSource(clock), KnownTypes(), Secrecy(KnownTypes(), Vault(key)), live)


@pytest.fixture
async def registry(store: MemoryStore, live: Live) -> Registry:
    """Make a registry over an empty store and an empty configuration."""
    registry = registry_on(store, live)
    await registry.load({})
    return registry


async def log_of(store: MemoryStore) -> list[tuple[str, str, str, str]]:
    """Read the log: who did what to which, oldest first."""
    found = await store.audit(AuditFilter("default", limit=1000))
    return [(e.actor, e.action, e.kind, e.name) for e in reversed(found)]


async def filled(registry: Registry) -> None:
    """Make a channel, a destination and a subscription to both."""
    await registry.create(CHANNEL, "default", RUNS, "ann")
    await registry.create(DESTINATION, "default", HOOK, "ann")
    await registry.create(SUBSCRIPTION, "default", TELL, "ann")


async def test_made_is_stored_logged_and_live(registry: Registry, store: MemoryStore, live: Live) -> None:
    """What is answered is in the store, in the log, and in what was made live, before the answer."""
    entry = await registry.create(CHANNEL, "default", RUNS, "ann")
    assert (entry.version, entry.etag) == (1, '"1"')
    assert entry.created_at_ms is not None
    assert [r.key for r in await store.resources()] == [("channel", "default", "runs")]
    assert await log_of(store) == [("ann", "created", "channel", "runs")]
    assert [c.name for c in live.applied[-1].workspace("default").channels] == ["runs", "critical-types"]


async def test_everything_is_there_after_a_restart(registry: Registry, store: MemoryStore, live: Live) -> None:
    """A registry that is opened on the same store holds the same resources, secrets and all."""
    await filled(registry)
    again = registry_on(store, live)
    snapshot = await again.load({})
    workspace = snapshot.workspace("default")
    assert workspace.destinations[0].settings["secret"] == "s3cr3t"  # noqa: S105 - a test
    assert workspace.subscriptions[0].channels == ("runs",)
    assert [e.version for e in snapshot.entries("channel", "default")] == [1]


async def test_secrets_are_sealed_in_the_store_and_hidden_elsewhere(registry: Registry, store: MemoryStore) -> None:
    """The store holds no secret in the clear, neither in the document nor in the log; what is shown says `***`."""
    await filled(registry)
    kept = b"".join(r.document for r in await store.resources())
    logged = b"".join((e.before or b"") + (e.after or b"") for e in await store.audit(AuditFilter("default")))
    assert b"s3cr3t" not in kept + logged
    assert b"sealed:" in kept
    entry = registry.snapshot.get(("destination", "default", "hook"))
    assert entry is not None
    assert registry.shown(entry)["settings"]["secret"] == "***"  # noqa: S105 - a test
    assert "s3cr3t" not in repr(entry)


async def test_another_key_is_said(registry: Registry, store: MemoryStore, live: Live) -> None:
    """A store whose secrets were sealed with another key is refused with a sentence that says what to bring back."""
    await filled(registry)
    with pytest.raises(StoreError, match=r"secrets\.key"):
        await registry_on(store, live, Fernet.generate_key()).load({})


async def test_given_back_stars_keep_the_secret(registry: Registry) -> None:
    """A document that is read, changed and put back keeps its secrets; a new secret replaces the old one."""
    await filled(registry)
    key = ("destination", "default", "hook")
    shown = registry.shown(registry.snapshot.get(key))  # type: ignore[arg-type]  # it is there
    shown["settings"]["url"] = "https://hooks.example.com/y"
    await registry.replace(key, shown, FREE, "ann")
    settings: dict[str, Any] = registry.snapshot.get(key).model.settings  # type: ignore[union-attr]  # it is there
    assert settings == {"url": "https://hooks.example.com/y", "secret": "s3cr3t"}
    await registry.patch(key, {"settings": {"secret": "new"}}, FREE, "ann")
    assert registry.snapshot.get(key).model.settings["secret"] == "new"  # type: ignore[union-attr]  # noqa: S105 - it is there; made up


async def test_stars_that_stand_for_nothing_are_refused(registry: Registry) -> None:
    """`***` in a new destination is not taken for its secret."""
    with pytest.raises(InvalidError) as caught:
        await registry.create(
            DESTINATION, "default", {**HOOK, "settings": {**HOOK["settings"], "secret": "***"}}, "ann"
        )
    assert [p.pointer for p in caught.value.problems] == ["/settings/secret"]


@pytest.mark.parametrize(
    ("kind", "document", "pointers"),
    [
        (CHANNEL, {"name": "Runs", "kind": "regexp", "pattern": 5}, ["/name", "/kind", "/pattern"]),
        (CHANNEL, {**RUNS, "pattern": "(?=x)"}, ["/pattern"]),
        (CHANNEL, {**RUNS, "colour": "red"}, ["/colour"]),
        (CHANNEL, {"kind": "glob", "pattern": "*"}, ["/name"]),
        (DESTINATION, {"name": "x", "type": "fax", "settings": {"a": 1}}, ["/type"]),
        (
            DESTINATION,
            {"name": "x", "type": "webhook", "settings": {"colour": 1}},
            ["/settings/url", "/settings/colour"],
        ),
        (DESTINATION, {**HOOK, "settings": {"url": "http://10.0.0.1/"}}, ["/settings/url"]),
        (DESTINATION, {**HOOK, "settings": {"url": "http://10.0.0.1/", "colour": 1}}, ["/settings/colour"]),
        (
            DESTINATION,
            {"name": "x", "type": "webhook", "settings": {"url": "http://10.0.0.1/"}, "queue": {"capacity": True}},
            ["/settings/url", "/queue/capacity"],
        ),
        (DESTINATION, {**HOOK, "queue": {"capacity": True}}, ["/queue/capacity"]),
        (DESTINATION, {**HOOK, "queue": {"capacity": "5"}}, ["/queue/capacity"]),
        (SUBSCRIPTION, {"name": "x", "channels": ["run"], "destinations": []}, ["/channels/0", "/destinations"]),
        (SUBSCRIPTION, {**TELL, "matchers": ["a=b", "=x"]}, ["/channels/0", "/destinations/0", "/matchers/1"]),
        (WORKSPACE, {"name": "lab", "channels": []}, ["/channels"]),
    ],
)
async def test_bad_documents_name_every_place(
    registry: Registry, live: Live, store: MemoryStore, kind: Any, document: dict[str, Any], pointers: list[str]
) -> None:
    """A broken document is refused with every bad place, and nothing has changed."""
    with pytest.raises(InvalidError) as caught:
        await registry.create(kind, "default", document, "ann")
    assert sorted(p.pointer for p in caught.value.problems) == sorted(pointers)
    assert (live.applied, await store.resources(), await log_of(store)) == ([], [], [])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"url": "nowhere"},
            "expected an address such as https://hooks.example.com/x: the URL must begin with http:// or https://",
        ),
        ({**HOOK["settings"], "secret": ""}, "expected a secret that is not empty"),  # type: ignore[dict-item]  # HOOK has values of two types
        ({**HOOK["settings"], "method": "GET"}, "expected one of POST, PUT"),  # type: ignore[dict-item]  # HOOK has values of two types
    ],
)
async def test_a_refused_setting_is_told_in_words_that_are_true(
    registry: Registry, settings: dict[str, Any], words: str
) -> None:
    """What a validator says stands beside what is expected, never as what is expected."""
    with pytest.raises(InvalidError) as caught:
        await registry.create(DESTINATION, "default", {**HOOK, "settings": settings}, "ann")
    (problem,) = caught.value.problems
    assert problem.detail.startswith(words)


@pytest.mark.parametrize("document", [{"owner": {"nam": "Ann"}}, {"collaborators": [{"nam": "bob"}]}])
async def test_an_unknown_key_deep_inside_is_told_what_there_is(registry: Registry, document: dict[str, Any]) -> None:
    """What may be left out, and what stands in a list, has keys as well."""
    with pytest.raises(InvalidError) as caught:
        await registry.create(PROJECT, "default", {"name": "shop", **document}, "ann")
    words = [problem.detail for problem in caught.value.problems if problem.pointer.endswith("/nam")]
    assert words == ["unknown key 'nam'; expected one of name, email; did you mean 'name'?"]


async def test_forbidden_place_of_a_known_destination(store: MemoryStore, live: Live) -> None:
    """What was permitted when it was made can still be changed when it no longer is, but not be sent elsewhere."""
    allowed = ["10.0.0.1"]
    types, clock = KnownTypes(lambda: EgressPolicy(allowed)), SystemClock()
    registry = Registry(store, clock, IdSource(clock), types, Secrecy(types, Vault(KEY)), live)
    await registry.load({})
    inside = {"url": "http://10.0.0.1/", "secret": "s3cr3t"}
    entry = await registry.create(DESTINATION, "default", {**HOOK, "settings": inside}, "ann")
    allowed.clear()
    await registry.patch(entry.key, {"title": "T"}, FREE, "ann")
    await registry.replace(entry.key, {**HOOK, "settings": {**inside, "secret": "***"}}, FREE, "ann")
    for settings in ({"url": "http://10.0.0.2/"}, {"secret": "new"}):
        with pytest.raises(InvalidError) as caught:
            await registry.patch(entry.key, {"settings": settings}, FREE, "ann")
        (problem,) = caught.value.problems
        assert problem.pointer == "/settings/url"
        assert "is private; name it in egress.allow to permit it" in problem.detail
    await registry.patch(entry.key, {"settings": {"url": "https://hooks.example.com/y"}}, FREE, "ann")


async def test_taken_names_are_refused(registry: Registry) -> None:
    """A name is taken by another one, by one of the configuration, or by what is built in."""
    await filled(registry)
    for document in (RUNS, {"name": "run:failed", "kind": "literal", "pattern": "x"}):
        with pytest.raises(ConflictError):
            await registry.create(CHANNEL, "default", document, "ann")


async def test_changes_are_conditional(registry: Registry) -> None:
    """A stale tag is refused, the right one or `*` pass; where a condition is needed, none is refused."""
    await registry.create(CHANNEL, "default", RUNS, "ann")
    key = ("channel", "default", "runs")
    with pytest.raises(UnconditionalError):
        await registry.patch(key, {"title": "x"}, Precondition(None, needed=True), "ann")
    assert (await registry.patch(key, {"title": "x"}, Precondition('"1"', needed=True), "ann")).etag == '"2"'
    with pytest.raises(StaleError):
        await registry.patch(key, {"title": "y"}, Precondition('"1"', needed=True), "ann")
    assert (await registry.patch(key, {"title": "y"}, Precondition("*", needed=True), "ann")).version == 3
    with pytest.raises(StaleError):
        await registry.remove(key, Precondition('"1"'), "ann")
    await registry.remove(key, FREE, "ann")
    with pytest.raises(NotFoundError):
        await registry.patch(key, {}, FREE, "ann")


async def test_names_stay(registry: Registry) -> None:
    """A resource cannot be renamed; a document without its name means the one of the path."""
    await registry.create(CHANNEL, "default", RUNS, "ann")
    key = ("channel", "default", "runs")
    with pytest.raises(InvalidError) as caught:
        await registry.replace(key, {**RUNS, "name": "other"}, FREE, "ann")
    assert caught.value.problems[0].pointer == "/name"
    assert (await registry.replace(key, {"kind": "glob", "pattern": "*"}, FREE, "ann")).name == "runs"


async def test_used_is_not_removed(registry: Registry, store: MemoryStore) -> None:
    """Removing what others use is refused with the list of them, unless it is to be taken out of them."""
    await filled(registry)
    await registry.create(CHANNEL, "default", {**RUNS, "name": "more"}, "ann")
    await registry.create(SUBSCRIPTION, "default", {**TELL, "name": "both", "channels": ["runs", "more"]}, "ann")
    key = ("channel", "default", "runs")
    with pytest.raises(ConflictError) as caught:
        await registry.remove(key, FREE, "bob")
    assert [p.pointer for p in caught.value.problems] == ["/subscriptions/tell", "/subscriptions/both"]
    await registry.remove(key, FREE, "bob", cascade=True)
    left = registry.snapshot.entries("subscription", "default")
    assert [(e.name, e.model.channels, e.version) for e in left] == [("both", ("more",), 2)]  # type: ignore[attr-defined]  # an entry of that kind
    assert [line for line in await log_of(store) if line[0] == "bob"] == [
        ("bob", "deleted", "channel", "runs"),
        ("bob", "deleted", "subscription", "tell"),
        ("bob", "updated", "subscription", "both"),
    ]
    again = registry_on(store, Live())
    assert dangling(await again.load({})) == []


async def test_a_cascade_leaves_no_name_of_what_it_took(registry: Registry, store: MemoryStore) -> None:
    """Who uses what is removed and what goes with it loses both names, in one change; a reference leads nowhere never."""
    await filled(registry)
    alert = {**SLOW, "types": ["run"], "subscriptions": ["tell"], "destinations": ["hook"]}
    await registry.create(METRIC_ALERT, "default", alert, "ann")
    await registry.remove(("destination", "default", "hook"), FREE, "bob", cascade=True)
    (left,) = registry.snapshot.entries("metric_alert", "default")
    shown = document_of(left.model)
    assert (shown["destinations"], shown["subscriptions"], shown["enabled"]) == ([], [], False)
    assert dangling(registry.snapshot) == []
    assert [line for line in await log_of(store) if line[0] == "bob"] == [
        ("bob", "deleted", "destination", "hook"),
        ("bob", "deleted", "subscription", "tell"),
        ("bob", "updated", "metric_alert", "slow"),
    ]


async def test_a_cascade_leaves_nothing_that_cannot_be_read(registry: Registry, store: MemoryStore, live: Live) -> None:
    """Rules whose only source is removed go with it; all that is left is there after a restart, and is an export."""
    await filled(registry)
    await registry.create(DERIVED_TYPE, "default", MANY, "ann")
    await registry.create(METRIC_ALERT, "default", {**SLOW, "channel": "runs"}, "ann")
    await registry.create(METRIC_ALERT, "default", {**SLOW, "name": "own", "types": ["t"]}, "ann")
    await registry.remove(("channel", "default", "runs"), FREE, "bob", cascade=True)
    again = registry_on(store, live)
    left = await again.load({})
    assert [e.name for kind in ("derived_type", "metric_alert") for e in left.entries(kind, "default")] == ["own"]
    assert [line[1:] for line in await log_of(store) if line[0] == "bob"] == [
        ("deleted", "channel", "runs"),
        ("deleted", "subscription", "tell"),
        ("deleted", "derived_type", "many"),
        ("deleted", "metric_alert", "slow"),
    ]
    written = yaml.safe_load(await again.export("default"))["workspaces"][0]
    assert [each["name"] for each in Workspace.model_validate(written).model_dump()["metric_alerts"]] == ["own"]


async def test_provisioned_is_read_only(registry: Registry) -> None:
    """What the configuration holds is changed there, and the refusal says where; not even a cascade changes it."""
    workspace = Workspace.model_validate(
        {"name": "default", "destinations": [HOOK], "channels": [RUNS], "subscriptions": [TELL]}
    )
    entries = provisioned_entries([workspace], lambda w, collection, name: f"alertd.yml:{len(name)}")
    await registry.load(entries)
    for key in (("channel", "default", "runs"), ("workspace", "default", "default")):
        with pytest.raises(ConflictError, match=r"alertd\.yml:\d"):
            await registry.replace(key, RUNS, FREE, "ann")
        with pytest.raises(ConflictError, match=r"alertd\.yml:\d|always exists"):
            await registry.remove(key, FREE, "ann", cascade=True)
    await registry.create(CHANNEL, "default", {**RUNS, "name": "own"}, "ann")
    await registry.create(SUBSCRIPTION, "default", {**TELL, "name": "own", "channels": ["own", "runs"]}, "ann")
    with pytest.raises(ConflictError):
        await registry.remove(("channel", "default", "own"), FREE, "ann")


async def test_workspaces_are_made_and_removed(registry: Registry) -> None:
    """A workspace is made, filled and, with what is in it, removed; `default` stays for ever."""
    entry = await registry.create(WORKSPACE, "", {"name": "lab", "title": "Lab"}, "root")
    assert entry.key == ("workspace", "lab", "lab")
    await registry.create(CHANNEL, "lab", RUNS, "root")
    with pytest.raises(ConflictError):
        await registry.remove(entry.key, FREE, "root")
    await registry.remove(entry.key, FREE, "root", cascade=True)
    assert registry.snapshot.workspace_names() == ["default"]
    with pytest.raises(NotFoundError):
        await registry.create(CHANNEL, "lab", RUNS, "root")
    with pytest.raises(ConflictError):
        await registry.remove(("workspace", "default", "default"), FREE, "root", cascade=True)


async def test_waiting_changes_are_made_together(registry: Registry, live: Live, store: MemoryStore) -> None:
    """What piles up while one change is under way is compiled and stored once, each judged after the one before."""
    live.gate.clear()
    first = asyncio.create_task(registry.create(CHANNEL, "default", RUNS, "ann"))
    await asyncio.sleep(0)
    rest = [
        asyncio.create_task(registry.create(CHANNEL, "default", {**RUNS, "name": f"c{n % 50}"}, "ann"))
        for n in range(60)
    ]
    await asyncio.sleep(0)
    live.gate.set()
    await first
    answers = await asyncio.gather(*rest, return_exceptions=True)
    assert sum(isinstance(answer, ConflictError) for answer in answers) == 10
    assert len(live.applied) <= 3
    assert len(await store.resources()) == 51


async def test_what_is_asked_for_in_a_rest_is_made_together(registry: Registry, live: Live) -> None:
    """After a change the next ones wait for the end of the rest, and are compiled and stored once."""
    live.rested.clear()
    await registry.create(CHANNEL, "default", RUNS, "ann")
    made = []
    for name in ("a", "b"):
        made.append(asyncio.create_task(registry.create(CHANNEL, "default", {**RUNS, "name": name}, "ann")))
        for _ in range(20):
            await asyncio.sleep(0)
    assert len(live.applied) == 1
    live.rested.set()
    await asyncio.gather(*made)
    assert len(live.applied) == 2


async def test_one_that_does_not_compile_spoils_no_other(registry: Registry, live: Live, store: MemoryStore) -> None:
    """Of changes made together only the one that cannot be compiled is refused."""
    live.refused = "bad"
    made = [registry.create(CHANNEL, "default", {**RUNS, "name": name}, "ann") for name in ("a", "bad", "b")]
    answers = await asyncio.gather(*made, return_exceptions=True)
    assert isinstance(answers[1], InvalidError)
    assert [r.name for r in await store.resources()] == ["a", "b"]


async def test_nothing_is_live_that_is_not_stored(registry: Registry, live: Live, store: MemoryStore) -> None:
    """When the store cannot write, the caller is told and the rules stay as they were."""
    await store.close()
    with pytest.raises(StoreUnavailableError):
        await registry.create(CHANNEL, "default", RUNS, "ann")
    assert (live.applied, registry.snapshot.entries("channel", "default")) == ([], [])


async def test_configuration_hides_and_reveals(registry: Registry) -> None:
    """A name of the configuration hides the API's own until it is gone from there."""
    await registry.create(CHANNEL, "default", RUNS, "ann")
    key = ("channel", "default", "runs")
    file = Workspace.model_validate({"name": "default", "channels": [{**RUNS, "pattern": "file:.*"}]})
    async with registry.rebased(provisioned_entries([file], lambda *_: "alertd.yml:3")):
        pass
    assert registry.snapshot.get(key).model.pattern == "file:.*"  # type: ignore[union-attr]  # it is there
    async with registry.rebased({}):
        pass
    assert registry.snapshot.get(key).model.pattern == "run:.*"  # type: ignore[union-attr]  # it is there


async def test_refused_configuration_changes_nothing(registry: Registry) -> None:
    """When the block that lays another configuration over fails, the snapshot stays."""
    before = registry.snapshot
    with pytest.raises(InvalidError):
        async with registry.rebased({}):
            raise InvalidError("broken")
    assert registry.snapshot is before


async def test_log_holds_what_was_and_what_is(registry: Registry, store: MemoryStore) -> None:
    """A line of the log shows the resource before and after."""
    await registry.create(CHANNEL, "default", RUNS, "ann")
    await registry.patch(("channel", "default", "runs"), {"title": "Runs"}, FREE, "bob")
    line = (await store.audit(AuditFilter("default", limit=1)))[0]
    assert orjson.loads(line.before or b"") == RUNS
    assert orjson.loads(line.after or b"") == {**RUNS, "title": "Runs"}


async def test_it_is_told_when_projects_may_have_gone(registry: Registry) -> None:
    """A project that is changed or deleted, a workspace that is deleted and another configuration count; nothing else does."""
    told = []

    async def tell(change: Awaitable[object]) -> None:
        before = registry.places_changed
        await change
        told.append(registry.places_changed != before)

    key, anyhow = ("project", "default", "shop"), Precondition("*")
    await tell(registry.create(PROJECT, "default", {"name": "shop", "environments": ["prod"]}, "ann"))
    await tell(registry.create(CHANNEL, "default", RUNS, "ann"))
    await tell(registry.remove((CHANNEL.word, "default", RUNS["name"]), anyhow, "ann"))
    await tell(registry.learn({("default", "shop", "test"), ("default", "blog", "")}))
    assert told == [False] * 4
    await tell(registry.patch(key, {"environments": []}, anyhow, "ann"))
    await tell(registry.remove(key, anyhow, "ann"))
    await registry.create(WORKSPACE, "other", {"name": "other"}, "ann")
    await tell(registry.remove((WORKSPACE.word, "other", "other"), anyhow, "ann"))
    assert told[4:] == [True] * 3
    before = registry.places_changed
    async with registry.rebased({}):
        pass
    assert registry.places_changed != before
