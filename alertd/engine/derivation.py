"""Which derived types feed which: that none feeds itself, through others either, and that no chain is too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.errors import AlertdError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.engine.rules import WorkspaceRules

CHAIN_MAX: Final = 8
"""How many derived types may stand one behind another; what comes of a longer chain is never planned."""


class DerivationError(AlertdError):
    """Derived types that feed each other without end, or for too long; `names` are theirs, in the order of the chain."""

    def __init__(self, names: Sequence[str], reason: str) -> None:
        self.names = tuple(names)
        self.reason = reason
        super().__init__(f"{reason}: {' -> '.join(self.names)}")


def check_derivations(rules: WorkspaceRules) -> None:
    """Raise DerivationError when what a workspace's derived types make can come back to them, or goes on too long."""
    check_chains(feeds(rules))


def feeds(rules: WorkspaceRules) -> dict[str, tuple[str, ...]]:
    """Say for each derived type which others may count what it makes, whatever the environment; none counts its own."""
    heard: dict[str, tuple[str, ...]] = {}
    for channel in rules.channels:
        for derived in channel.derived:
            if derived.name not in heard:
                positions = rules.index.find(derived.type)
                heard[derived.name] = tuple(
                    dict.fromkeys(
                        other.name
                        for position in positions
                        for other in rules.channels[position].derived
                        if other is not derived
                    )
                )
    return heard


def check_chains(heard: Mapping[str, Sequence[str]]) -> None:
    """Raise DerivationError for a loop, or for a chain of more than CHAIN_MAX."""
    lengths: dict[str, int] = {}
    for name in heard:
        _length(name, heard, lengths, [])


def _length(name: str, heard: Mapping[str, Sequence[str]], lengths: dict[str, int], path: list[str]) -> int:
    if name in path:
        raise DerivationError([*path[path.index(name) :], name], "derived types that feed themselves")
    if len(path) >= CHAIN_MAX:
        raise DerivationError([*path, name], f"a chain of more than {CHAIN_MAX} derived types")
    if name not in lengths:
        below = [_length(other, heard, lengths, [*path, name]) for other in heard.get(name, ())]
        lengths[name] = 1 + max(below, default=0)
    if len(path) + lengths[name] > CHAIN_MAX:
        raise DerivationError([*path, name], f"a chain of more than {CHAIN_MAX} derived types")
    return lengths[name]
