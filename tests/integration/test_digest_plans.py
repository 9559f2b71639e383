"""How SQLite finds what is too much for a destination: by what waits there, not by all the digests that there ever were."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from alertd.store.sqlite import digests
from alertd.store.sqlite.migrate import migrate

NAMES = ("_WAITING", "_FIRST", "_NEXT", "_BETWEEN")


@pytest.mark.parametrize("name", NAMES)
def test_ended_digests_are_not_walked_over(name: str) -> None:
    """Deliveries are found by the index of what is due, which says all; of digests only single ones are looked up."""
    params = dict.fromkeys(("destination", "at", "id", "open_at", "open_id", "skipped"), 1)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        migrate(conn)
        plan = [
            row[3]
            for row in conn.execute(
                f"EXPLAIN QUERY PLAN {getattr(digests, name)}", {**params, "busy": "[]", "held": "[]"}
            )
        ]
    tables = [line for line in plan if line.split(" ")[0] in {"SEARCH", "SCAN"} and "json_each" not in line]
    assert len(tables) == 2, plan
    assert tables[0].startswith("SEARCH d USING COVERING INDEX delivery_due (destination_id=?"), plan
    assert tables[1] == "SEARCH g USING INTEGER PRIMARY KEY (rowid=?)", plan
