"""Templates: what the language has, where it says that something is wrong, and its bounds of time and size."""

from __future__ import annotations

from time import monotonic
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from alertd.destinations.base import HttpAnswer, Previewing, World
from alertd.destinations.composing import content_of
from alertd.destinations.facts import origin
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.destinations.template_body import ERROR_HEADER
from alertd.destinations.template_language import OUTPUT_MAX
from alertd.destinations.templated import templated, values_of, worded
from alertd.destinations.templates import DEPTH_MAX, SOURCE_MAX, TemplateProblemError, check, render
from alertd.model.delivery import Outcome, OutcomeKind
from alertd.model.destination import Templates
from tests.conformance.destination_suite import FixedClock, ScriptedSender
from tests.conformance.messages import HOSTILE, make_digest, make_event, make_issue, make_message

VALUES: dict[str, Any] = {
    **values_of(make_message(event=make_event(data={"rows": list(range(300)), "big": "x" * 9000}), issue=make_issue())),
}

MANY = list(range(20_000))
"""Numbers of which looking at each for each takes seconds."""


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ event.type }} in {{ event.project }}", "sentry.error in shop"),
        ("{{ event.labels['team'] | upper }}", "PAYMENTS"),
        ("{{ issue.short_id }}: {{ issue.event_count * 2 }}", "SHOP-42: 2480"),
        ("{% if event.severity == 'error' %}bad{% else %}fine{% endif %}", "bad"),
        (
            "{% for name, value in event.labels | items %}{{ name }}={{ value }};{% endfor %}",
            "team=payments;release=2026.5.1;",
        ),
        ("{% for n in event.data.rows[:3] %}{{ loop.index ~ ':' ~ n }} {% endfor %}", "1:0 2:1 3:2 "),
        ("{{ event.data.none | default('-') }}", "-"),
        ("{{ (event.nothing | default({})).cpu | default('-') }}", "-"),
        ("{{ event.data.none is defined }}", "False"),
        ("{{ issue.suspect_commits | map(attribute='author') | join(', ') }}", "Ann"),
        ("{{ event.labels | tojson }}", '{"release": "2026.5.1", "team": "payments"}'),
        ("{% set who = event.labels.team %}{{ who ~ '!' }}", "payments!"),
        ("{{ event.url | truncate(9, true) }}", "https:..."),
        ("{{ alert.id }} {{ subscription }} {{ workspace }}", "alt_0001 production-runs default"),
    ],
)
def test_the_language(source: str, text: str) -> None:
    """Data is looked into, tested, looped over and formatted."""
    check(source)
    made = render(source, VALUES)
    assert (made.text, made.problem) == (text, "")


@pytest.mark.parametrize(
    ("source", "line", "column", "reason"),
    [
        ("{{ a b }}", 1, 6, "expected token"),
        ("one\n  {{ event. }}", 2, 13, "expected name or number"),
        ("{{ 'open }}", 1, 4, "unexpected char"),
        ("{% for x in event.data %}\n{{ x }", 2, 6, "unexpected"),
        ("{% if event %}", 1, 13, "Unexpected end of template"),
        ("a\n {{ event.type | nope }}", 2, 18, "unknown filter 'nope'"),
        ("{{ event.type is nope }}", 1, 18, "unknown test 'nope'"),
        ("{{ evnt.type }}", 1, 4, "unknown name 'evnt'"),
        ("{{ range(3) }}", 1, 9, "a call cannot be used"),
        ("{{ event.type.upper() }}", 1, 20, "a call cannot be used"),
        ("{% macro m() %}{% endmacro %}", 1, 4, "macro cannot be used"),
        ("{% include 'x' %}", 1, 1, "include cannot be used"),
        ("{{ 9 ** 9 }}", 1, 6, "a power cannot be used"),
        ("{{ [event, event] }}", 1, 4, "constants alone"),
        ("x" * (SOURCE_MAX + 1), 1, 1, "more than 16384 characters"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", 1, 1, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_column(source: str, line: int, column: int, reason: str) -> None:
    """An error is found when a template is read, and says where it is."""
    with pytest.raises(TemplateProblemError, match=reason) as caught:
        check(source)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"line {line}, column {column}: ")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ event.data.none }}", "no attribute 'none'"),
        ("{{ event.data.none | tojson }}", "no attribute 'none'"),
        ("{{ event.__class__ }}", "no attribute '__class__'"),
        ("{{ event.type.__class__ }}", "no attribute '__class__'"),
        ("{{ event.items }}", "no attribute 'items'"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 'x' * 999999999 }}", "is for numbers"),
        ("{{ '%999999999d' % 1 }}", "is for numbers"),
        ("{{ event.data.rows + event.data.rows }}", "is for numbers"),
        ("{{ 9000000000000000000 * 9000000000000000000 * 9 }}", "is for numbers"),
        ("{% for a in event.data.rows %}{{ event.data.big }}{% endfor %}", f"more than {OUTPUT_MAX} characters"),
        ("{{ event.data.big | replace('x', event.data.big) }}", f"more than {OUTPUT_MAX} characters"),
        ("{{ event.data.rows | join(event.data.big) }}", f"more than {OUTPUT_MAX} characters"),
        ("{% set x = event.data.big %}" + "{% set x = x ~ x %}" * 40, f"more than {OUTPUT_MAX} characters"),
        ("{% set x = event.data.big %}" + "{% set x = x + x %}" * 40, f"more than {OUTPUT_MAX} characters"),
        ("{% for a in event.data.rows %}" * 8 + "{% endfor %}" * 8, "took too long"),
    ],
)
def test_what_fails_at_run_time_fails_in_time(source: str, problem: str) -> None:
    """Undefined names, hidden attributes and what grows or goes on for ever end in a problem, soon."""
    check(source)
    began = monotonic()
    made = render(source, VALUES)
    assert monotonic() - began < 10
    assert made.text == ""
    assert problem in made.problem


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ event.data.rows | tojson(indent=1000000000) }}", "tojson indents by 0 to 8"),
        ("{{ event.data.rows | tojson(9) }}", "tojson indents by 0 to 8"),
        ("{{ event.data.rows | tojson(-1) }}", "tojson indents by 0 to 8"),
        ("{{ event.data.deep | tojson(8) }}", f"more than {OUTPUT_MAX} characters"),
        ("{{ 1.5 | round(1000000000, 'ceil') }}", "round keeps -15 to 15 digits"),
        ("{{ 1.5 | round(16) }}", "round keeps -15 to 15 digits"),
        ("{{ event.data.many | select('in', event.data.many) | list | length }}", "took too long"),
        ("{{ event.data.many | sort(attribute='" + "a," * 2000 + "a') }}", "took too long"),
        ("{{ event.type | truncate(1) }}", "expected length >= 3, got 1"),
        ("{{ event.type | truncate(5, leeway=-1) }}", "expected leeway >= 0, got -1"),
    ],
)
def test_one_step_is_no_way_round_the_bounds(source: str, problem: str) -> None:
    """A filter alone can make much of little, look at everything for each of many, or be given what it cannot do."""
    check(source)
    deep: Any = list(range(500))
    for _ in range(60):
        deep = [deep]
    made = render(
        source, {"event": {"type": "run:failed", "data": VALUES["event"]["data"] | {"deep": deep, "many": MANY}}}
    )
    assert made.text == ""
    assert problem in made.problem


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{% if event %}", "{% endif %}"),
        ("{% for a in event %}", "{% endfor %}"),
        ("{{ 1" + "+1" * 300, "}}"),
        ("{{ event" + ".a" * 300, "}}"),
        ("{{ event" + "|e" * 300, "}}"),
        ("{{ event" + " and event" * 300, "}}"),
        ("{{ " + "not " * 300, "event }}"),
        ("{{ " + "(" * 3000, ")" * 3000 + "}}"),
    ],
)
def test_what_is_nested_too_deeply_is_refused(before: str, after: str) -> None:
    """However it is nested, a template that would take long to compile, or that Python cannot, is an error with a place."""
    times = 300 if before.startswith("{%") else 1
    with pytest.raises(TemplateProblemError, match="nested") as caught:
        check(before * times + after * times)
    assert caught.value.line == 1


def test_a_number_that_is_too_long_is_refused_with_a_place() -> None:
    """Python reads no number of more than 4,300 digits."""
    with pytest.raises(TemplateProblemError, match="line 1, column 1: Exceeds the limit"):
        check("{{ " + "9" * 5000 + " }}")


def test_levels_at_their_bound() -> None:
    """So many levels are read and rendered, and one more is refused; so are more loops in loops than Python has."""
    deepest = "{{ event" + "|e" * (DEPTH_MAX - 3) + " }}"  # within the template are an output, the filters and a name
    assert render(deepest, {"event": "x"}).text == "x"
    with pytest.raises(TemplateProblemError, match="nested more than 40 levels deep"):
        check(deepest.replace("event|e", "event|e|e"))
    loops = "{% for a in event %}" * 21 + "{% endfor %}" * 21
    with pytest.raises(TemplateProblemError, match="line 1, column 1: the template is nested too deeply"):
        check(loops)


def test_json_and_round_numbers_within_their_bounds() -> None:
    """At the bound, both do what jinja2's do."""
    values = {"event": {"data": {"b": [1, "<"], "a": "ü"}, "n": 1234.5678}}
    assert render("{{ event.data | tojson }}", values).text == '{"a": "\\u00fc", "b": [1, "\\u003c"]}'
    assert orjson.loads(render("{{ event.data | tojson(indent=8) }}", values).text) == values["event"]["data"]
    assert render("{{ event.data.b | tojson(8) }}", values).text == f'[\n{" " * 8}1,\n{" " * 8}"\\u003c"\n]'
    assert render("{{ event.n | round(2) }} {{ event.n | round(-2, 'floor') }}", values).text == "1234.57 1200.0"
    assert render("{{ event.n | round(15) }} {{ 9 is divisibleby(num=3) }}", values).text == "1234.5678 True"


@given(source=st.text(alphabet="{}%|.()[]'\" \neventisforx0~*+#-", max_size=60))
@profile(suppress_health_check=list(HealthCheck))
def test_any_template_is_read_or_refused(source: str) -> None:
    """Whatever is read is a template or an error with a place in it; no template raises."""
    made = render(source, VALUES)
    if "line " in made.problem:
        with pytest.raises(TemplateProblemError) as caught:
            check(source)
        assert 1 <= caught.value.line <= source.count("\n") + 1
        assert caught.value.column >= 1


OWN = Templates(title="{{ event.type }} at {{ event.project }}", body="Team {{ event.labels.team }}")


def test_own_words_stand_in_place_of_ours() -> None:
    """Title and text are the user's, all else stays."""
    content = content_of(worded(make_message(event=make_event(), issue=make_issue()), OWN))
    assert (content.title, content.summary) == ("sentry.error at shop", "Team payments")
    assert content.short_id == "SHOP-42"
    assert content.note == ""


def test_a_failure_falls_back_and_says_so() -> None:
    """Without what the template needs, the built-in words are used, and the message says why."""
    message = make_message()
    content = content_of(worded(message, OWN))
    assert (content.title, content.summary) == (content_of(message).title, content_of(message).summary)
    assert "the template of the title failed: 'dict object' has no attribute 'project'" in origin(content)
    assert "the template of the body failed" in origin(content)


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_stays_text(message: Any) -> None:
    """What an event says is no template, and is cleaned like all text."""
    content = content_of(worded(message, Templates(title="{{ message }}", body="{{ message }}")))
    assert content.title
    assert "\n" not in content.title
    assert len(content.title) <= 500


def test_a_digest_knows_its_events() -> None:
    """A template can tell of a digest's events."""
    made = worded(
        make_message(digest=make_digest(5)), Templates(title="{% if digest %}{{ digest.count }} runs{% endif %}")
    )
    assert content_of(made).title == "5 runs"


async def test_every_type_takes_own_words() -> None:
    """A wrapped destination sends and shows the user's words; without a template nothing is wrapped."""
    sender = ScriptedSender([HttpAnswer(200, {}, b"ok")])
    world = World(FixedClock(), sender, print)
    settings = parse_settings("mattermost", {"url": "https://chat.example.com/hooks/x"})
    plain = REGISTRY["mattermost"].open(settings, 10, world)
    assert templated(plain, Templates()) is plain
    opened = templated(plain, OWN)
    await opened.attempt(make_message(event=make_event()))
    assert b"sentry.error at shop" in sender.requests[0].body
    assert isinstance(opened, Previewing)
    assert "Team payments" in opened.preview(make_message(event=make_event())).body
    await opened.close()
    null = templated(REGISTRY["null"].open(parse_settings("null", {}), 10, world), OWN)
    assert not isinstance(null, Previewing)


def body_of(template: str, **settings: Any) -> tuple[bytes, dict[str, str]]:
    """Render a webhook's own payload."""
    own = {"url": "https://x.example/", "format": "template", "template": template, **settings}
    opened: Any = REGISTRY["webhook"].open(
        parse_settings("webhook", own), 10, World(FixedClock(), ScriptedSender(), print)
    )
    request = opened.render(make_message(event=make_event()), 1_778_112_000)
    return request.body, request.headers


def test_a_webhook_s_payload_is_the_user_s() -> None:
    """The body is what the template makes, with its content type, signed as any."""
    body, headers = body_of('{"text": {{ event.message | tojson }}}', secret="x")  # noqa: S106 - a test
    assert orjson.loads(body) == {"text": orjson.loads(make_event())["message"]}
    assert headers["content-type"] == "application/json"
    assert "webhook-signature" in headers
    body, headers = body_of("{{ event.type }}", content_type="text/plain; charset=utf-8")
    assert (body, headers["content-type"]) == (b"sentry.error", "text/plain; charset=utf-8")


async def outcome_of(answer: HttpAnswer, templates: Templates | None = None, **settings: Any) -> Outcome:
    """Send a message through a webhook, and return what came of it."""
    own = parse_settings("webhook", {"url": "https://x.example/", **settings})
    opened = REGISTRY["webhook"].open(own, 10, World(FixedClock(), ScriptedSender([answer]), print))
    return await templated(opened, templates or Templates()).attempt(make_message(event=make_event()))


async def test_an_attempt_says_that_the_template_failed() -> None:
    """Also of what was delivered, for it was not what its user wrote; what worked says nothing."""
    fine, bad = HttpAnswer(200, {}, b""), HttpAnswer(400, {}, b"what is that?")
    own = {"format": "template", "template": "{{ event.none }}"}
    failed = await outcome_of(fine, **own)
    assert (failed.kind, failed.status) == (OutcomeKind.DELIVERED, 200)
    assert "template failed" in failed.detail
    assert "none" in failed.detail
    refused = await outcome_of(bad, **own)
    assert refused.detail.startswith("webhook: returned 400; the template failed")
    titled = await outcome_of(fine, Templates(title="{{ event.none }}"))
    assert "template of the title failed" in titled.detail
    assert (await outcome_of(fine, format="template", template='"x"')).detail == ""
    assert (await outcome_of(fine, Templates(title="{{ event.type }}"))).detail == ""


@pytest.mark.parametrize("template", ["{{ event.none }}", '{"text": {{ event.type }}}'])
def test_a_payload_that_fails_is_the_standard_one(template: str) -> None:
    """A failure, or what is no JSON where JSON was promised, sends the standard body with the reason in a header."""
    body, headers = body_of(template)
    assert orjson.loads(body)["data"]["delivery_id"] == "dlv_0001"
    assert headers[ERROR_HEADER].isprintable()
