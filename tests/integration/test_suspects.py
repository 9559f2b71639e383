"""How often the commit that broke a program is found, on real git histories with a label each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from alertd.engine.issues.changes import candidates
from alertd.engine.issues.suspects import SUSPECTS_MAX, suspects
from tests.integration.git_histories import BREAKS, make

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.git_histories import Labelled

HISTORIES = 120


def place_of(history: Labelled) -> int:
    """Return how far from the top the guilty commit was ranked, from 0; `SUSPECTS_MAX` when it is not in the list."""
    found = suspects(history.data, candidates(history.log, history.at_ms, "prod"), history.at_ms)
    names = [suspect.commit_id for suspect in found]
    return names.index(history.guilty) if history.guilty in names else SUSPECTS_MAX


def report(places: dict[str, list[int]]) -> str:
    """Say how it went, by the way in which the program was broken."""
    lines = [f"{'how':12}{'histories':>10}{'first':>8}{'first three':>13}"]
    for how, found in places.items():
        first, three = (sum(place < most for place in found) / len(found) for most in (1, 3))
        lines.append(f"{how:12}{len(found):10}{first:8.1%}{three:13.1%}")
    return "\n".join(lines)


@pytest.mark.timeout(600)
def test_the_guilty_commit_is_found(tmp_path: Path) -> None:
    """It is the first suspect in at least 80 % of the histories, and among the first three in 95 %."""
    places: dict[str, list[int]] = {how: [] for how in BREAKS}
    everything: list[int] = []
    for seed in range(HISTORIES):
        folder = tmp_path / str(seed)
        folder.mkdir()
        history = make(seed, folder)
        place = place_of(history)
        places[history.how].append(place)
        everything.append(place)
    told = report({**{how: found for how, found in places.items() if found}, "all": everything})
    print(told)  # noqa: T201 - the report that is asked for
    counts = Counter(everything)
    assert counts[0] / HISTORIES >= 0.80, told
    assert (counts[0] + counts[1] + counts[2]) / HISTORIES >= 0.95, told
