"""What every store promises of resources and their log, as tests; `ResourceSuite` is used as `StoreSuite` is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from alertd.errors import ConflictError, NotFoundError, StoreUnavailableError
from alertd.model.ids import first_of, milliseconds
from alertd.model.token import Role, Token
from alertd.store.resource import AuditEntry, AuditFilter, RulesetDocument, StoredResource
from tests.conformance.store_maker import START_MS

if TYPE_CHECKING:
    from alertd.store.base import Store

RUNS = StoredResource("channel", "default", "runs", 1, b'{"name":"runs"}', START_MS, START_MS)
OTHER = replace(RUNS, name="a-later-one", created_at_ms=START_MS + 1)


def entry(number: int, name: str = "runs", **fields: object) -> AuditEntry:
    """Make an entry, `number` milliseconds after the start."""
    given = {"actor": "ann", "action": "created", "kind": "channel", "workspace": "default", **fields}
    return AuditEntry(id=first_of(START_MS + number), name=name, after=b"{}", **given)  # type: ignore[arg-type]  # fields by name


class ResourceSuite:
    """The promises."""

    async def test_kept_resources_come_back_in_order(self, store: Store) -> None:
        """Resources come back as they were kept, in the order in which they were made."""
        await store.change_resources([OTHER, RUNS], [], [])
        assert await store.resources() == [RUNS, OTHER]

    async def test_change_replaces_and_keeps_its_birth(self, store: Store) -> None:
        """A second document under the same key takes the first one's place."""
        await store.change_resources([RUNS], [], [])
        changed = replace(RUNS, version=2, document=b"{}", updated_at_ms=START_MS + 5)
        await store.change_resources([changed], [], [])
        assert await store.resources() == [changed]

    async def test_names_are_apart_by_kind_and_workspace(self, store: Store) -> None:
        """The same name may stand in two workspaces and for two kinds; removing takes just one."""
        elsewhere, destination = replace(RUNS, workspace="lab"), replace(RUNS, kind="destination")
        await store.change_resources([RUNS, elsewhere, destination], [], [])
        await store.change_resources([], [RUNS.key], [])
        assert await store.resources() == [elsewhere, destination]

    async def test_removed_and_kept_in_one_change(self, store: Store) -> None:
        """What is removed goes first, so that a key may be removed and made anew in one change."""
        await store.change_resources([RUNS], [], [])
        again = replace(RUNS, version=7)
        await store.change_resources([again], [RUNS.key, OTHER.key], [])
        assert await store.resources() == [again]

    async def test_a_workspace_takes_its_tokens_with_it(self, store: Store) -> None:
        """With a workspace go its tokens, in one change, and no others: the next one of its name lets none of them in."""
        lab = replace(RUNS, kind="workspace", workspace="lab", name="lab")
        tokens = [
            Token(number, "ci", Role.ADMIN, workspace, b"%d" % number * 32, START_MS)
            for number, workspace in enumerate(("default", "lab", None), 1)
        ]
        for token in tokens:
            await store.add_token(token)
        await store.change_resources([lab, RUNS], [], [])
        await store.change_resources([], [RUNS.key], [])
        assert await store.tokens() == tokens
        await store.change_resources([], [lab.key], [])
        assert [token.workspace for token in await store.tokens()] == ["default", None]

    async def test_what_decides_is_stored_with_the_change(self, store: Store) -> None:
        """The ruleset that a change makes comes back, and is the newest; also where one is like the other but for a line."""
        lines = tuple(b"line %d" % number for number in range(1000))
        await store.change_resources([RUNS], [], [], RulesetDocument(7, lines))
        await store.change_resources([OTHER], [], [], RulesetDocument(8, (*lines[:500], b"new", *lines[501:])))
        assert await store.resources() == [RUNS, OTHER]
        assert await store.revision(7) == b"\n".join(lines)
        assert await store.revision(8) == b"\n".join((*lines[:500], b"new", *lines[501:]))
        assert await store.get_meta("revision") == "8"

    async def test_log_is_newest_first_and_filtered(self, store: Store) -> None:
        """The log answers by each of its fields and by time, newest first, and page by page."""
        entries = [entry(n, "runs" if n % 2 else "deploys") for n in range(6)]
        entries += [entry(6, actor="bob"), entry(7, action="deleted"), entry(8, kind="token")]
        await store.change_resources([], [], entries)
        await store.change_resources([], [], [entry(9, workspace="lab")])

        async def numbers(**which: object) -> list[int]:
            found = await store.audit(AuditFilter("default", **which))  # type: ignore[arg-type]  # fields by name
            return [milliseconds(e.id) - START_MS for e in found]

        assert await numbers() == [8, 7, 6, 5, 4, 3, 2, 1, 0]
        assert await numbers(limit=2) == [8, 7]
        assert await numbers(below=entries[7].id, limit=2) == [6, 5]
        assert await numbers(name="deploys") == [4, 2, 0]
        assert await numbers(actor="bob") == [6]
        assert await numbers(action="deleted") == [7]
        assert await numbers(kind="token") == [8]
        assert await numbers(since_ms=START_MS + 2, until_ms=START_MS + 4) == [3, 2]
        assert await store.audit(AuditFilter("default", limit=1)) == [entries[8]]

    async def test_closed_store_keeps_nothing(self, store: Store) -> None:
        """After the end nothing is kept, and that is said."""
        await store.close()
        with pytest.raises(StoreUnavailableError):
            await store.change_resources([RUNS], [], [])

    async def test_a_token_is_logged_with_its_change_or_not_at_all(self, store: Store) -> None:
        """What cannot be done to a token is in no log."""
        token = Token(7, "ci", Role.VIEWER, "default", b"a" * 32, START_MS)
        made, changed, gone, *never = [entry(number, "ci", kind="token") for number in range(6)]
        await store.add_token(token, [made])
        with pytest.raises(ConflictError):
            await store.add_token(token, [never[0]])
        await store.change_token(replace(token, role=Role.ADMIN), [changed])
        await store.remove_token(7, [gone])
        with pytest.raises(NotFoundError):
            await store.change_token(token, [never[1]])
        with pytest.raises(NotFoundError):
            await store.remove_token(7, [never[2]])
        assert await store.audit(AuditFilter("default")) == [gone, changed, made]

    async def test_a_token_changes_and_is_touched(self, store: Store) -> None:
        """A token's role, end and secrets change as one; when it was last used is kept apart from that."""
        token = Token(7, "ci", Role.VIEWER, "default", b"a" * 32, START_MS)
        await store.add_token(token)
        await store.touch_tokens({7: START_MS + 9, 8: START_MS})
        changed = replace(
            token, role=Role.ADMIN, digest=b"b" * 32, old_digest=token.digest, old_until_ms=5, expires_at_ms=6
        )
        await store.change_token(changed)
        assert await store.tokens() == [replace(changed, last_used_ms=START_MS + 9)]
        with pytest.raises(NotFoundError):
            await store.change_token(replace(token, id=8))
