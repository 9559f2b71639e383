"""The tally: what is counted of each committed batch, for metrics and for facts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from alertd.model.defaults import DEFAULT_SUBSCRIPTION
from alertd.model.event import SIMULATION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client import Counter as Counted

    from alertd.engine.issues.batch import IssueBatch
    from alertd.engine.plan import Plan
    from alertd.engine.ruleset import Ruleset
    from alertd.metrics import Metrics
    from alertd.model.verdict import VerdictCode
    from alertd.submission import BatchUnderWay
    from alertd.weighing import Issues


_OF_PROJECTS: Final = f"{DEFAULT_SUBSCRIPTION}-"


class FactSink(Protocol):
    """Who keeps facts."""

    def use(self, ruleset: Ruleset) -> None:
        """Keep to the bounds of a ruleset from now on."""

    def planned(self, plans: Sequence[Plan], decided: Mapping[tuple[int, VerdictCode], int]) -> None:
        """Take note of committed plans, `decided` counting their verdicts by subscription and code."""


class Tally:
    """Counts batches; of what is simulated nothing but its arrival."""

    def __init__(self, metrics: Metrics, facts: FactSink | None, ruleset: Ruleset) -> None:
        self._metrics = metrics
        self._facts = facts
        self._arrived: dict[tuple[str, str], Counted] = {}
        self._children: dict[tuple[int, int], Counted] = {}
        self._seen_defaults: dict[str, frozenset[int]] = {}
        self._issues: Issues | None = None
        self._evicted = 0
        self.use(ruleset)

    def use(self, ruleset: Ruleset) -> None:
        """Go by another ruleset, and tell those who keep facts."""
        self._children.clear()
        self._seen_defaults.clear()
        if self._facts is not None:
            self._facts.use(ruleset)

    def count(self, work: BatchUnderWay, ruleset: Ruleset) -> None:
        """Count one committed batch."""
        plans: Sequence[Plan] = work.batch.plans
        self._metrics.commit_events.observe(len(plans))
        for arrived, count in work.tally().items():
            child = self._arrived.get(arrived)
            if child is None:
                child = self._arrived[arrived] = self._metrics.events.labels(*arrived)
            if count:
                child.inc(count)
        if work.issues is not None:
            self._weighed(work.issues.issues)
        if SIMULATION in [plan.event.body.get("source") for plan in plans]:
            plans = [plan for plan in plans if not plan.event.is_simulated]
        decided = Counter([(v.subscription_id, v.code) for p in plans for v in p.verdicts])
        for (subscription_id, code), count in decided.items():
            self._child(subscription_id, code, ruleset).inc(count)
        if self._facts is not None:
            self._facts.planned(plans, decided)

    def watch(self, issues: Issues) -> None:
        """Show from now on how many issues are in memory and how many incidents are open."""
        self._issues = issues
        self._metrics.issues_memory.set_function(lambda: len(issues.memory))
        self._metrics.incidents_open.set_function(lambda: sum(not each.test for each in issues.incidents.values()))

    def _weighed(self, batch: IssueBatch) -> None:
        metrics = self._metrics
        for _, transition in batch.transitions:
            trigger = transition.change.trigger
            if trigger is not None:
                metrics.issue_transitions.labels(trigger).inc()
        metrics.issues_overflowed.inc(batch.overflowed)
        for incident in batch.opened:
            metrics.incidents_opened.labels(incident.kind.word).inc()
        metrics.incidents_unopened.inc(batch.unopened)
        if self._issues is not None:
            evicted, self._evicted = self._issues.memory.evicted - self._evicted, self._issues.memory.evicted
            metrics.issues_evicted.inc(evicted)

    def _child(self, subscription_id: int, code: VerdictCode, ruleset: Ruleset) -> Counted:
        child = self._children.get((subscription_id, code))
        if child is None:
            _, workspace, name = ruleset.names[subscription_id]
            if name.startswith(_OF_PROJECTS) and subscription_id in self._defaults(workspace, ruleset):
                name = DEFAULT_SUBSCRIPTION  # its own is made of a project's, which a producer may have chosen
            child = self._metrics.verdicts.labels(workspace, name, code.word)
            self._children[subscription_id, code] = child
        return child

    def _defaults(self, workspace: str, ruleset: Ruleset) -> frozenset[int]:
        found = self._seen_defaults.get(workspace)
        if found is None:
            rules = ruleset.workspaces.get(workspace)
            found = self._seen_defaults[workspace] = frozenset() if rules is None else rules.defaults
        return found
