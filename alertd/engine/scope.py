"""A scope index: which subscriptions of a channel take an event of a project and an environment, without asking each.

Every subscription is put under the pairs that it takes, with None for "any"; an event asks for four of them. One that
names very many projects and environments is put under its projects alone and asked for its environments then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alertd.engine.compiled import CompiledSubscription

FEW: Final = 8
"""So many subscriptions are asked each: an index of very many channels with one each is only memory."""
PAIRS_MAX: Final = 1024
"""Under how many pairs one subscription is put at most."""

_ANY: Final = (None,)


class ScopeIndex:
    """The subscriptions of one channel; `environments` are those that the channel sees (empty: all)."""

    __slots__ = ("_pairs", "_wide")

    def __init__(self, subscriptions: Iterable[CompiledSubscription], environments: frozenset[str]) -> None:
        self._pairs: dict[tuple[str | None, str | None], list[CompiledSubscription]] = {}
        self._wide: dict[str, list[tuple[CompiledSubscription, frozenset[str]]]] = {}
        for subscription in subscriptions:
            own = subscription.environments
            if not own or not environments:
                self._put(subscription, own or environments)
            elif both := own & environments:
                self._put(subscription, both)

    def _put(self, subscription: CompiledSubscription, environments: frozenset[str]) -> None:
        projects = subscription.projects
        if len(projects) * len(environments) > PAIRS_MAX:
            for project in projects:
                self._wide.setdefault(project, []).append((subscription, environments))
            return
        pairs = ((project, environment) for project in projects or _ANY for environment in environments or _ANY)
        for pair in pairs:
            self._pairs.setdefault(pair, []).append(subscription)

    def at(self, project: str, environment: str) -> Iterator[CompiledSubscription]:
        """Give those that take events of a project and an environment, in no order."""
        pairs = self._pairs
        for pair in ((project, environment), (project, None), (None, environment), (None, None)):
            if found := pairs.get(pair):
                yield from found
        if self._wide:
            for subscription, environments in self._wide.get(project, ()):
                if environment in environments:
                    yield subscription
