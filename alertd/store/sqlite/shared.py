"""Deliveries that serve several subscriptions at once: those behind the first, in a row of their own, since they are few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from alertd.store.sqlite.statement import ManyRows

if TYPE_CHECKING:
    import sqlite3

SHARED: Final = "(SELECT s.subscriptions FROM shared s WHERE s.delivery_id = {delivery})"
"""What stands for the further subscriptions of a delivery; NULL: there are none (`further`)."""
KEEP: Final = ManyRows("INSERT INTO shared(delivery_id, subscriptions) VALUES {rows}", "(?,?)")
"""Keeps them: the delivery, and what `written` made of them."""
_FORGET: Final = "DELETE FROM shared WHERE delivery_id IN (SELECT value FROM json_each(?))"


def written(also: tuple[int, ...]) -> str:
    """Write further subscriptions as they are kept."""
    return orjson.dumps(also).decode()


def further(stored: str | None) -> tuple[int, ...]:
    """Read what SHARED gives."""
    return () if stored is None else tuple(orjson.loads(stored))


def forget_shared(conn: sqlite3.Connection, delivery_ids: str) -> None:
    """Forget those of deliveries that are deleted, given as JSON."""
    conn.execute(_FORGET, (delivery_ids,))
