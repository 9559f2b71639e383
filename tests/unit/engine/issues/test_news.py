"""What events that bear no issue say to a batch: changes, deploy incidents, reports, Sentry's word, each with its bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.issues.batch import IssueBatch, IssueRules, Loaded
from alertd.engine.issues.change_reports import change_of
from alertd.engine.issues.incidents import FOLLOWS_MS, OPEN_MAX
from alertd.engine.issues.news import concerns, take
from alertd.engine.issues.reporting import report_of
from alertd.model.event import Event, from_payload
from alertd.model.incident import Incident, IncidentKind, IncidentState
from alertd.model.issue import Change, State
from alertd.sources.base import Context
from alertd.sources.incident import IncidentDecoder
from alertd.sources.outside import WebhookRequest
from alertd.sources.sentry_defaults import SentryDefaults
from tests.unit.engine.issues.errors import HOUR, MINUTE, NOW, event, frame, time_of
from tests.unit.engine.issues.test_change_reports import DEPLOYMENT, PUSH, RELEASE, STATUS, github
from tests.unit.engine.issues.test_facts import json
from tests.unit.engine.issues.test_upstream import webhook

REPORT = {
    "source": "watcher", "service": "shop", "environment": "prod", "timestamp": time_of(NOW), "severity": "critical",
    "exception_type": "TimeoutError", "message": "no answer", "stacktrace": [{"file": "shop/cart.py", "function": "total"}],
}  # fmt: skip
CRASH = {"frames": [frame("total", "/app/shop/cart.py")]}


def batch(loaded: Loaded | None = None) -> IssueBatch:
    """Begin a batch."""
    return IssueBatch(loaded or Loaded())


def report(*, key: str = "k", **more: Any) -> Event:
    """Decode a report."""
    body = orjson.dumps({**REPORT, **more})
    defaults = SentryDefaults(issue_key=lambda *_: key)
    (made,) = IncidentDecoder().decode(
        WebhookRequest({}, body, body), Context("default", NOW, frozenset({"default"})), defaults
    )
    return made


def test_a_push_and_a_deployment_inform() -> None:
    """Each opens an incident of kind deploy that is over at once and names its commits, and both are in the log."""
    made = batch()
    pushed = take(made, github("push", **PUSH), 1, 5, NOW).opened
    live = take(made, github("deployment_status", deployment=DEPLOYMENT, deployment_status=STATUS), 1, 6, NOW).opened
    for incident, number in ((pushed[0], 5), (live[0], 6)):
        assert (incident.kind, incident.state, incident.id) == (IncidentKind.DEPLOY, IncidentState.RESOLVED, number)
        assert incident.severity == "info"
    assert [c.message for c in pushed[0].deploys[0].commits] == ["Make it faster"]
    assert live[0].title == "shop: main went live to prod"
    assert [number for number, _, _ in made.changes] == [5, 6]
    assert [change.kind.word for change in made.log(1, "shop")] == ["deploy", "push"]


def test_an_endpoint_that_wants_no_incidents() -> None:
    """The change is noted all the same, and explains errors, but opens nothing."""
    told = github("push", **PUSH)
    told.body["data"]["deploy_incidents"] = False
    made = batch()
    assert take(made, told, 1, 5, NOW).opened == []
    assert made.changes[0][2].quiet


def test_the_second_word_of_a_deployment_is_none() -> None:
    """A deployment that two statuses call a success went live once."""
    made = batch()
    for number in (5, 6):
        take(made, github("deployment_status", deployment=DEPLOYMENT, deployment_status=STATUS), 1, number, NOW)
    assert [number for number, _, _ in made.changes] == [5]
    assert len(made.incidents) == 1


def test_deployments_that_a_native_event_tells() -> None:
    """In the layout of GitHub's, whatever the type; the key names one, so that without a key each is another."""
    made = batch()

    def told(number: int, key: str) -> int:
        data = {"event": "deployment_status", "repository": {}, "status": {"state": "success", "environment": "prod"}}
        body = {
            "type": "deploy.done", "id": f"x{number}", "workspace": "default", "project": "shop", "severity": "info",
            "time": time_of(NOW), "key": key, "data": {**data, "deployment": {"sha": "a" * 40, "ref": f"v{number}"}},
        }  # fmt: skip
        return len(take(made, from_payload(orjson.dumps(body)), 1, number, NOW).opened)

    assert [told(number, "deploy.done") for number in (5, 6)] == [1, 1]
    assert [told(number, "deploy-7") for number in (7, 8)] == [1, 0]
    assert [change.name for change in made.log(1, "shop")] == ["v5", "v6", "v7"]


def test_a_push_that_two_webhooks_tell_is_one() -> None:
    """The repository's and the organisation's have delivery ids of their own; noted and told is the push."""
    made = batch()
    opened = [len(take(made, github("push", **PUSH), 1, number, NOW).opened) for number in (5, 6)]
    assert opened == [1, 0]
    assert [number for number, _, _ in made.changes] == [5]
    assert len(made.log(1, "shop")) == 1
    unsaid = {name: said for name, said in PUSH.items() if name != "before"}
    assert len(take(made, github("push", **unsaid), 1, 7, NOW).opened) == 1


@pytest.mark.parametrize("quiet", [(True, False, False), (False, True, False), (True, True, False, True)])
def test_a_push_that_one_of_two_endpoints_keeps_to_itself(quiet: tuple[bool, ...]) -> None:
    """Whichever tells it first, the other one opens its one incident, and its commits explain an error once."""
    made = batch()
    opened = 0
    for number, is_quiet in enumerate(quiet, 5):
        told = github("push", **PUSH)
        if is_quiet:
            told.body["data"]["deploy_incidents"] = False
        opened += len(take(made, told, 1, number, NOW - MINUTE).opened)
    assert opened == 1
    weighed = made.weigh(event(**CRASH), 1, 20, NOW)
    assert weighed is not None
    assert weighed.incident is not None
    assert [each.commit_id for each in weighed.incident.suspects] == ["a" * 40]


@pytest.mark.parametrize("quiet", [(True, False, False), (False, True, False), (True, True, False, True)])
def test_a_deployment_that_one_of_two_endpoints_keeps_to_itself(quiet: tuple[bool, ...]) -> None:
    """Whichever tells it first, the other one opens its one incident, and it went live once."""
    made = batch()
    made.weigh(event(**CRASH), 1, 4, NOW - HOUR)
    take(made, github("push", **PUSH), 1, 5, NOW - HOUR)
    opened = []
    for number, is_quiet in enumerate(quiet, 6):
        status = {**STATUS, "id": number, "created_at": time_of(NOW - MINUTE + number)}
        told = github("deployment_status", deployment=DEPLOYMENT, deployment_status=status)
        if is_quiet:
            told.body["data"]["deploy_incidents"] = False
        opened += take(made, told, 1, number, NOW).opened
    ((deploy,),) = (each.deploys for each in opened)
    assert [commit.id for commit in deploy.commits] == ["a" * 40]
    assert [(change.kind.word, change.quiet) for change in made.log(1, "shop")] == [("push", False), ("deploy", False)]
    assert [moment.what for moment in made.incidents[4].timeline] == ["opened", "deploy"]


def test_a_release_is_known() -> None:
    """So that an issue can be resolved in the next one, by its tag, as applications call it; a release opens no incident."""
    made = batch()
    assert take(made, github("release", action="published", release=RELEASE), 1, 5, NOW).opened == []
    assert made.ledgers[1, "shop"].releases == {"v1.2": NOW - HOUR}
    named = {**RELEASE, "id": 4, "tag_name": "v1.3", "name": "The one with the cart"}
    take(made, github("release", action="published", release=named), 1, 6, NOW)
    assert made.ledgers[1, "shop"].releases == {"v1.2": NOW - HOUR, "v1.3": NOW - HOUR}
    assert [change.name for change in made.log(1, "shop")] == ["v1.2", "The one with the cart"]


@pytest.mark.parametrize(
    ("minutes", "opens"), [(0, True), (FOLLOWS_MS // MINUTE, True), (FOLLOWS_MS // MINUTE + 1, False)]
)
def test_what_is_new_after_a_deployment(minutes: int, *, opens: bool) -> None:
    """Wherever it was deployed to, for so long: it opens an incident that names the deployment and its commits."""
    made = batch()
    take(made, github("push", **PUSH), 1, 5, NOW - HOUR)
    status = {**STATUS, "environment": "staging", "created_at": time_of(NOW)}
    take(made, github("deployment_status", deployment=DEPLOYMENT, deployment_status=status), 1, 6, NOW)
    weighed = made.weigh(event(environment="staging", **CRASH), 1, 7, NOW + minutes * MINUTE)
    assert weighed is not None
    assert (weighed.incident is not None) is opens
    if weighed.incident is not None:
        (deploy,) = weighed.incident.deploys
        assert (deploy.name, [c.id for c in deploy.commits]) == ("main", ["a" * 40])
        assert weighed.incident.timeline[-1].text.endswith(f"{minutes} min after main went live")
        assert weighed.incident.suspects[0].commit_id == "a" * 40


def test_elsewhere_it_opens_nothing() -> None:
    """A deployment to one environment says nothing of another, nor does one that wants no word."""
    made = batch()
    take(made, github("deployment_status", deployment=DEPLOYMENT, deployment_status=STATUS), 1, 6, NOW)
    weighed = made.weigh(event(environment="staging"), 1, 7, NOW)
    assert weighed is not None
    assert weighed.incident is None


def test_a_deployment_is_noted_in_what_is_open() -> None:
    """It may be the remedy."""
    made = batch()
    weighed = made.weigh(event(), 1, 4, NOW - HOUR)
    assert weighed is not None
    assert weighed.incident is not None
    take(made, github("deployment_status", deployment=DEPLOYMENT, deployment_status=STATUS), 1, 6, NOW)
    assert [moment.what for moment in made.incidents[4].timeline] == ["opened", "deploy"]


def test_a_report_opens_one_incident() -> None:
    """With its severity and its suspects; while it is open more reports of its key are noted in it."""
    window = {"deploy_time": time_of(NOW - HOUR), "commits": [{"id": "c1", "files": ["shop/cart.py"]}]}
    made = batch()
    (incident,) = take(made, report(change_window=window), 1, 5, NOW).opened
    assert (incident.kind, incident.title) == (IncidentKind.REPORTED, "TimeoutError: no answer")
    assert (incident.severity, incident.test) == ("critical", False)
    assert [suspect.commit_id for suspect in incident.suspects] == ["c1"]
    assert take(made, report(message="still none", change_window=window), 1, 6, NOW + MINUTE).opened == []
    assert [moment.what for moment in made.incidents[5].timeline] == ["opened", "reported"]
    assert made.incidents[5].last_event_ms == NOW + MINUTE
    assert len(made.changes) == 1
    assert len(take(made, report(key="other"), 1, 7, NOW).opened) == 1
    assert len(take(made, report(environment="staging"), 1, 8, NOW).opened) == 1


def test_a_report_of_long_ago_is_explained_by_its_own_window() -> None:
    """As of its own time: what happened since explains nothing; the commits that it names are suspected, as the days ago they are."""
    then = NOW - 300 * 24 * HOUR
    window = {"deploy_time": time_of(then - HOUR), "commits": [{"id": "c1", "files": ["shop/cart.py"]}]}
    made = batch()
    take(made, github("push", **PUSH), 1, 5, NOW - HOUR)
    (incident,) = take(made, report(timestamp=time_of(then), change_window=window), 1, 6, NOW).opened
    (suspect,) = incident.suspects
    assert (suspect.commit_id, suspect.reasons[-1]) == ("c1", "went live 60 min before")
    assert [deploy.at_ms for deploy in incident.deploys] == [then - HOUR]
    assert incident.opened_ms == NOW


def test_a_report_that_knows_more_explains_what_is_open() -> None:
    """The first told of no change; the window of a later one names what was deployed before, not what came after."""
    made = batch()
    (incident,) = take(made, report(), 1, 5, NOW).opened
    assert (incident.suspects, incident.deploys) == ((), ())
    late = {"deploy_time": time_of(NOW + MINUTE), "commits": [{"id": "c2", "files": ["shop/cart.py"]}]}
    take(made, report(message="b", change_window=late), 1, 6, NOW + 2 * MINUTE)
    assert (made.incidents[5].suspects, made.incidents[5].deploys) == ((), ())
    window = {"deploy_time": time_of(NOW - HOUR), "commits": [{"id": "c1", "files": ["shop/cart.py"]}]}
    take(made, report(message="c", change_window=window), 1, 7, NOW + 3 * MINUTE)
    assert [suspect.commit_id for suspect in made.incidents[5].suspects] == ["c1"]
    assert [deploy.at_ms for deploy in made.incidents[5].deploys] == [NOW - HOUR]
    then = NOW - 300 * 24 * HOUR
    take(
        made,
        report(message="e", timestamp=time_of(then), change_window={**window, "deploy_time": time_of(then)}),
        1,
        9,
        NOW,
    )
    assert [deploy.at_ms for deploy in made.incidents[5].deploys] == [NOW - HOUR]
    take(made, report(message="d", change_window={"deploy_time": time_of(NOW - HOUR), "commits": []}), 1, 8, NOW + HOUR)
    assert [suspect.commit_id for suspect in made.incidents[5].suspects] == ["c1"]


def test_a_window_that_is_told_again_with_more_commits() -> None:
    """Its new commits are suspected, of what is open and of what comes, and the deployment is still one."""
    deployed = time_of(NOW - HOUR)
    few = {"deploy_time": deployed, "commits": [{"id": "c1", "files": ["docs/a.md"]}]}
    more = {"deploy_time": deployed, "commits": [*few["commits"], {"id": "c2", "files": ["shop/cart.py"]}]}
    made = batch()
    take(made, report(change_window=few), 1, 5, NOW)
    for number in (6, 7):
        assert take(made, report(message=f"again {number}", change_window=more), 1, number, NOW).opened == []
    assert [number for number, _, _ in made.changes] == [5, 6]
    known = made.incidents[5]
    assert known.suspects[0].commit_id == "c2"
    assert [(each.at_ms, each.commit_count) for each in known.deploys] == [(NOW - HOUR, 2)]
    (incident,) = take(made, report(key="other"), 1, 8, NOW).opened
    assert (incident.suspects, incident.deploys) == (known.suspects, known.deploys)


def test_a_window_that_grows_is_noted_once_in_what_is_open() -> None:
    """It went live once, whoever says more of it."""
    made = batch()
    take(made, report(), 1, 5, NOW - HOUR)
    for number in (6, 7):
        commits = [{"id": f"c{each}"} for each in range(number)]
        take(made, report(key="other", change_window={"deploy_time": time_of(NOW), "commits": commits}), 1, number, NOW)
    assert len(made.changes) == 2
    assert [moment.what for moment in made.incidents[5].timeline] == ["opened", "deploy"]


def test_a_time_without_an_offset_says_nothing() -> None:
    """Where the machine stands has no say in when code went live, nor in when a commit was made: both count from now."""
    local = time_of(NOW - HOUR).removesuffix("Z")
    window = {"deploy_time": local, "commits": [{"id": "c1", "timestamp": local}]}
    change = change_of(event(change_window=window), NOW)
    assert change is not None
    assert (change.at_ms, change.commits[0].at_ms) == (NOW, NOW)


def test_a_deployment_names_commits_that_were_told_after_it() -> None:
    """Its time is the deployer's, which may lie before the push arrived; its revision says what it brought."""
    made = batch()
    take(made, github("push", **PUSH), 1, 5, NOW)
    status = {**STATUS, "created_at": time_of(NOW - HOUR)}
    (live,) = take(made, github("deployment_status", deployment=DEPLOYMENT, deployment_status=status), 1, 6, NOW).opened
    assert [commit.id for commit in live.deploys[0].commits] == ["a" * 40]


def test_reports_without_a_key() -> None:
    """They are told apart by their titles, without what differs in each."""
    made = batch()

    def told(number: int, title: str) -> int:
        body = {
            "type": "incident.reported", "id": f"x{number}", "workspace": "default", "project": "shop", "severity": "error",
            "time": time_of(NOW), "key": "incident.reported", "data": {"title": title, "level": "error"},
        }  # fmt: skip
        return len(take(made, from_payload(orjson.dumps(body)), 1, number, NOW).opened)

    assert [told(5, "no answer after 17 s"), told(6, "no answer after 99 s"), told(7, "disk full")] == [1, 0, 1]


def test_a_simulated_report_leaves_no_trace() -> None:
    """It opens an incident marked as a test, and its change window never explains anything else."""
    window = {"deploy_time": time_of(NOW - HOUR), "commits": [{"id": "c1", "files": ["shop/cart.py"]}]}
    made = batch()
    (incident,) = take(made, report(source="alertd/simulation", change_window=window), 1, 5, NOW).opened
    assert (incident.kind, incident.test) == (IncidentKind.SIMULATED, True)
    assert [suspect.commit_id for suspect in incident.suspects] == ["c1"]
    assert made.changes == []
    assert take(made, report(), 1, 6, NOW).opened[0].kind is IncidentKind.REPORTED


def test_no_more_than_so_many_are_open() -> None:
    """Beyond the bound nothing is opened, and that is counted; what is over at once is not concerned."""
    opened = Incident(0, 1, "shop", "prod", IncidentKind.ISSUE, "t", NOW, NOW)
    loaded = Loaded(incidents={number: replace(opened, id=number) for number in range(OPEN_MAX)})
    made = batch(loaded)
    assert take(made, report(), 1, 5_000, NOW).opened == []
    weighed = made.weigh(event(), 1, 5_001, NOW)
    assert weighed is not None
    assert (weighed.incident, weighed.issue.incident_id, made.unopened) == (None, None, 2)
    assert len(take(made, github("push", **PUSH), 1, 5_002, NOW).opened) == 1
    assert len(take(made, report(), 2, 5_003, NOW).opened) == 1


def test_only_what_is_open_counts_towards_the_bound() -> None:
    """Neither what was over at once, nor twice what this very batch has opened or noted something in."""
    opened = Incident(0, 1, "shop", "prod", IncidentKind.REPORTED, "t", NOW, NOW, key="0")
    made = batch(Loaded(incidents={n: replace(opened, id=n, key=str(n)) for n in range(OPEN_MAX - 2)}))
    for number in range(10):
        take(made, github("push", **{**PUSH, "after": f"{number:040x}"}), 1, 5_000 + number, NOW)
        take(made, report(key=str(number)), 1, 6_000 + number, NOW)
    found = [len(take(made, report(key=f"k{number}"), 1, 7_000 + number, NOW).opened) for number in range(4)]
    assert (found, made.unopened) == ([1, 1, 0, 0], 2)


def test_sentry_resolves_what_its_errors_made_known() -> None:
    """The issue with Sentry's number as its key; of one that is not known nothing is made."""
    made = batch()
    told = replace(webhook("resolved"), project="shop")
    assert take(made, told, 1, 4, NOW).issue is None
    weighed = made.weigh(event(key="77"), 1, 5, NOW)
    assert weighed is not None
    news = take(made, told, 1, 6, NOW)
    assert news.transition is not None
    assert (made.issues[5].state, news.transition.by) == (State.RESOLVED, "sentry")
    assert [moment.what for moment in made.incidents[5].timeline] == ["opened", "resolved"]
    again = made.weigh(event(2, key="77"), 1, 7, NOW + MINUTE)
    assert again is not None
    assert again.issue.state is State.REGRESSED


@pytest.mark.parametrize(("substatus", "trigger"), [("regressed", "regression"), ("escalating", "spike")])
def test_what_sentry_finds_opens_an_incident(substatus: str, trigger: str) -> None:
    """Where the issue was seen, and once: its errors are noted in that one."""
    made = batch()
    made.weigh(event(key="77", environment="prod"), 1, 5, NOW)
    take(made, replace(webhook("resolved"), project="shop"), 1, 6, NOW)
    said = replace(webhook("unresolved", substatus=substatus), project="shop")
    (opened,) = take(made, said, 1, 7, NOW).opened
    assert (opened.cause, opened.environment, opened.issue_id) == (trigger, "prod", 5)
    assert made.issues[5].incident_id == 7
    weighed = made.weigh(event(2, key="77", environment="prod"), 1, 8, NOW + MINUTE)
    assert weighed is not None
    assert (weighed.transition, weighed.incident) == (None, None)
    assert take(made, said, 1, 9, NOW + MINUTE).opened == []


@pytest.mark.parametrize(
    ("substatus", "change", "state"),
    [("regressed", Change.REGRESSION, State.REGRESSED), ("escalating", Change.SPIKE, State.ESCALATING)],
)
def test_what_sentry_finds_is_told_of_an_issue_that_was_never_seen(
    substatus: str, change: Change, state: State
) -> None:
    """It may be older than we are, or its errors never come: it begins with that, and its errors belong to it."""
    made = batch()
    said = replace(webhook("unresolved", substatus=substatus, culprit="cart in total"), project="shop")
    news = take(made, said, 1, 7, NOW)
    assert news.issue is not None
    assert news.transition is not None
    assert (news.transition.change, news.issue.state, news.issue.short_id) == (change, state, "SHOP-1")
    assert (news.issue.title, news.issue.culprit, news.issue.level) == ("KeyError", "cart in total", "error")
    assert take(made, said, 1, 8, NOW).transition is None
    weighed = made.weigh(event(2, key="77"), 1, 9, NOW + MINUTE)
    assert weighed is not None
    assert (weighed.issue.id, weighed.transition) == (7, None)


def test_nothing_else_that_sentry_says_begins_an_issue() -> None:
    """That it is resolved, archived, assigned or was reopened wakes nobody."""
    made = batch()
    for said in (webhook("resolved"), webhook("archived"), webhook("unresolved", substatus="ongoing")):
        assert take(made, replace(said, project="shop"), 1, 7, NOW).issue is None
    assert not made.issues


def test_a_flood_of_what_sentry_finds_is_bounded() -> None:
    """It begins no more issues than errors may."""
    made = IssueBatch(Loaded(), IssueRules(issues_per_hour=3))
    for number in range(9):
        said = webhook("unresolved", substatus="regressed", id=str(number))
        take(made, replace(said, project="shop"), 1, 100 + number, NOW)
    assert len(made.issues) == 3
    assert made.overflowed == 6


def test_what_concerns_issues() -> None:
    """Errors, changes, reports and Sentry's word do; what a service says of itself does not."""
    for told in (event(), github("push", **PUSH), report(), webhook("resolved")):
        assert concerns(told.body)
    for data in (None, {}, {"title": "x", "level": "error", "service": "db"}, {"issue_id": 1}, {"repository": "x"}):
        body = {"type": "plain", "id": "x"} | ({} if data is None else {"data": data})
        assert not concerns(body)


@given(json, json, st.sampled_from(["incident.reported", "github.push", "sentry.issue.resolved", "t"]))
def test_whatever_data_holds(data: Any, other: Any, kind: str) -> None:
    """Nothing raises, whatever a native event says of itself."""
    names = ("title", "change_window", "repository", "event", "issue_id", "action", "exception", "status", "deployment")
    for level in ("error", other):
        body = {
            "type": kind, "id": "x", "workspace": "default", "project": "shop", "severity": "error", "key": "k",
            "time": time_of(NOW), "source": "sentry", "data": {"level": level, "event": "push", **dict.fromkeys(names, data)},
        }  # fmt: skip
        told = from_payload(orjson.dumps(body))
        concerns(told.body)
        take(batch(), told, 1, 5, NOW)
        report_of(told, 1)
