"""The Slack type: its settings, its message, and the bot that keeps one message for each issue."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from alertd.destinations.base import HttpAnswer, HttpRequest, SendError, World
from alertd.destinations.passing_memory import PassingMemory
from alertd.destinations.slack import PACE, SlackType
from alertd.destinations.slack_settings import SlackSettings
from alertd.model.delivery import OutcomeKind
from tests.conformance.chat_limits import check_slack
from tests.conformance.destination_suite import DEADLINE, FixedClock, ScriptedSender
from tests.conformance.messages import make_digest, make_event, make_issue, make_message

if TYPE_CHECKING:
    from alertd.destinations.base import Message, OpenDestination
    from alertd.model.delivery import Outcome

URL = "https://hooks.slack.com/services/T0/B0/X0"
OK = HttpAnswer(200, {}, b"ok")


class SlackApi:
    """A Slack that keeps messages; what `fails` says is answered first, once each."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self.fails: list[HttpAnswer | SendError] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.news = asyncio.Event()

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Answer a call of the Web API."""
        check_slack(request)
        assert request.headers["authorization"] == "Bearer xoxb-1"
        method, payload = request.url.rpartition("/")[2], json.loads(request.body)
        self.calls.append((method, payload))
        self.news.set()
        await self.gate.wait()
        if self.fails:
            failure = self.fails.pop(0)
            if isinstance(failure, SendError):
                raise failure
            return failure
        return _answer(**self._do(method, payload))

    def _do(self, method: str, payload: dict[str, Any]) -> dict[str, Any]:
        ts = payload.get("ts") or f"{len(self.calls)}.000100"
        if method == "chat.update" and ts not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        if payload.get("thread_ts", ts) not in self.messages | {ts: {}}:
            return {"ok": False, "error": "thread_not_found"}
        self.messages[ts] = payload
        return {"ok": True, "channel": "C0123", "ts": ts, "message": payload}

    async def close(self) -> None:
        """Hold nothing."""

    @property
    def methods(self) -> list[str]:
        """What was called, in order; an answer in a thread is `reply`."""
        return ["reply" if "thread_ts" in payload else method.removeprefix("chat.") for method, payload in self.calls]


def _answer(**said: Any) -> HttpAnswer:
    return HttpAnswer(200, {}, json.dumps(said).encode()[:1024])


class Bot:
    """An open destination over such a Slack."""

    def __init__(self, **settings: Any) -> None:
        self.slack = SlackApi()
        self.memory = PassingMemory()
        self.opened = self.open(**settings)

    def open(self, **settings: Any) -> OpenDestination:
        """Open a destination, which has the same memory each time."""
        valid = SlackSettings.model_validate({"token": "xoxb-1", "channel": "#ops"} | settings)
        return SlackType().open(valid, 10.0, World(FixedClock(), self.slack, print, self.memory))

    async def tell(self, trigger: str = "new", hour: int = 0, **changes: Any) -> Outcome:
        """Tell of the issue, at an hour of the day."""
        return await self.attempt(about(trigger, hour, **changes))

    async def attempt(self, message: Message) -> Outcome:
        """Attempt within the deadline."""
        async with asyncio.timeout(DEADLINE):
            return await self.opened.attempt(message)


def about(trigger: str | None = "new", hour: int = 0, **changes: Any) -> Message:
    """Make a message about an issue."""
    time = f"2026-05-07T{hour:02}:00:00Z"
    usual = {"event": make_event(time=time), "time": time, "issue": make_issue(), "event_type": "sentry.error"}
    return make_message(**({"trigger": trigger} | usual | changes))


@pytest.mark.parametrize(
    ("settings", "place", "complaint"),
    [
        ({}, ("token",), "url, or token: one of them"),
        ({"url": URL, "token": "xoxb-1", "channel": "#a"}, ("token",), "either url or token, not both"),
        ({"token": "xoxb-1"}, ("channel",), "a channel: token needs it"),
        ({"url": "slack"}, ("url",), "the URL must begin with http:// or https://"),
        ({"url": URL, "follow": "all"}, ("follow",), "Input should be 'thread', 'edit' or 'none'"),
        ({"token": "a\nb", "channel": "C1"}, ("token",), "a secret of printable ASCII, without spaces"),
    ],
)
def test_bad_settings_are_explained(settings: dict[str, Any], place: tuple[str, ...], complaint: str) -> None:
    """Each mistake is one complaint at its setting."""
    with pytest.raises(ValidationError) as caught:
        SlackSettings.model_validate(settings)
    (error,) = caught.value.errors(include_input=False)
    assert error["loc"] == place
    assert complaint in error["msg"]


def test_pace_is_slacks() -> None:
    """Slack takes a message a second."""
    assert SlackType().rate_per_second(SlackSettings.model_validate({"url": URL})) == PACE == 1


async def sent(message: Message, **settings: Any) -> dict[str, Any]:
    """Post through a webhook and return the payload."""
    sender = ScriptedSender([OK])
    opened = SlackType().open(
        SlackSettings.model_validate({"url": URL} | settings), 10.0, World(FixedClock(), sender, print)
    )
    assert (await opened.attempt(message)).kind is OutcomeKind.DELIVERED
    check_slack(sender.requests[0])
    payload: dict[str, Any] = json.loads(sender.requests[0].body)
    return payload


async def test_a_message_is_designed() -> None:
    """A line with the link, the colour, what happened, facts with local times, suspects, where it came from, buttons."""
    payload = await sent(about(acknowledge_url="https://alerts.example.com/ack/1"))
    assert payload["text"] == "*New issue SHOP-42*  <https://alerts.example.com/issues/SHOP-42|KeyError: 'sku'>"
    (attachment,) = payload["attachments"]
    assert attachment["color"] == "#d92d20"
    summary, facts, suspects, context, actions = attachment["blocks"]
    assert summary["text"]["text"].startswith("```\nKeyError: 'sku'\n")
    assert facts["fields"][3]["text"].startswith(
        "*First seen*\n<!date^1777622400^{date_short_pretty} {time}|2026-05-01"
    )
    assert suspects["text"]["text"].startswith(
        "*Suspect commits*\n• <https://git.example.com/shop/commit/4f2a91c7d0|4f2a91c7d0>"
    )
    assert context["elements"][0]["text"].startswith("alertd · production-runs · <!date^")
    assert [each["text"]["text"] for each in actions["elements"]] == ["Issue", "Alert", "Source", "Acknowledge"]
    assert actions["elements"][3]["style"] == "primary"


async def test_a_digest_lists_twenty_and_counts_the_rest() -> None:
    """Twenty alerts with their links, and how many more there are."""
    payload = await sent(make_message(digest=make_digest(500)))
    text = "\n".join(
        block["text"]["text"]
        for block in payload["attachments"][0]["blocks"]
        if block["type"] == "section" and "text" in block
    )
    assert text.count("<https://alerts.example.com/alerts/") == 20
    assert text.endswith("… and 480 more")


@pytest.mark.parametrize(("channel", "expected"), [("#ops", "#ops"), (None, None)])
async def test_channel_of_a_webhook(channel: str | None, expected: str | None) -> None:
    """A channel is sent along when one is set."""
    assert (await sent(about(), channel=channel)).get("channel") == expected


async def test_label_of_a_link_cannot_end_it() -> None:
    """A bar or an angle bracket in a title stays text."""
    payload = await sent(about(issue=make_issue(title="a|b>c <!here> <@U1>")))
    assert payload["text"].endswith("|a¦b&gt;c &lt;!here&gt; &lt;@U1&gt;>")


async def test_an_issue_has_one_message() -> None:
    """The first alert posts, later ones edit it and tell it in its thread; what comes back is shown in the channel."""
    bot = Bot()
    for hour, trigger in enumerate(["new", "spike", "regression"]):
        assert (await bot.tell(trigger, hour)).kind is OutcomeKind.DELIVERED
    resolved = about(None, 4, issue=make_issue(state="resolved"))
    assert (await bot.attempt(resolved)).kind is OutcomeKind.DELIVERED
    assert bot.slack.methods == ["postMessage", "update", "reply", "update", "reply", "update", "reply"]
    assert bot.slack.messages["1.000100"]["text"].startswith("*Resolved SHOP-42*")
    assert bot.slack.messages["1.000100"]["channel"] == "C0123"
    replies = [payload for _, payload in bot.slack.calls if "thread_ts" in payload]
    assert [reply["reply_broadcast"] for reply in replies] == [True, True, False]
    assert {reply["thread_ts"] for reply in replies} == {"1.000100"}


@pytest.mark.parametrize(
    ("follow", "methods"),
    [("edit", ["postMessage", "update"]), ("none", ["postMessage", "postMessage"])],
)
async def test_how_it_is_followed_is_a_choice(follow: str, methods: list[str]) -> None:
    """Editing alone tells nothing in the thread; following nothing posts each time."""
    bot = Bot(follow=follow)
    await bot.tell("new", 0)
    await bot.tell("spike", 1)
    assert bot.slack.methods == methods


async def test_what_has_no_issue_is_posted_each_time() -> None:
    """Alerts that share nothing but their type are messages of their own; a key of their own makes them one."""
    bot = Bot()
    for _ in range(2):
        await bot.attempt(make_message(event=make_event(key="run:failed", type="run:failed")))
    assert bot.slack.methods == ["postMessage", "postMessage"]
    for word in ("firing", "resolved"):
        event = make_event(key="fingerprint-1", type=f"alertmanager.alert.{word}")
        await bot.attempt(make_message(event=event, event_type=f"alertmanager.alert.{word}"))
    assert bot.slack.methods == ["postMessage", "postMessage", "postMessage", "update", "reply"]


async def test_it_goes_on_after_a_restart() -> None:
    """Another destination with the same memory edits the same message; one for another channel does not."""
    bot = Bot()
    await bot.tell("new", 0)
    bot.opened = bot.open()
    await bot.tell("spike", 1)
    bot.opened = bot.open(channel="#other")
    await bot.tell("spike", 2)
    assert bot.slack.methods == ["postMessage", "update", "reply", "postMessage"]


def alert(word: str, hour: int) -> Message:
    """Make a message about a key of its own, which fires or is resolved, at an hour of the day."""
    type_, time = f"alertmanager.alert.{word}", f"2026-05-07T{hour:02}:00:00Z"
    event = make_event(key="fingerprint-1", type=type_, time=time)
    return make_message(event=event, event_type=type_, time=time, trigger=None)


async def test_trouble_after_an_end_is_shown_in_the_channel() -> None:
    """What has no trigger is, too: once, after each end, whatever fails or restarts meanwhile; nothing that comes late is."""
    bot = Bot()
    await bot.attempt(alert("firing", 0))
    await bot.attempt(alert("firing", 1))
    await bot.attempt(alert("resolved", 3))
    await bot.attempt(alert("firing", 2))
    bot.slack.fails = [_answer(ok=True), HttpAnswer(500, {}, b"")]
    assert (await bot.attempt(alert("firing", 4))).kind is OutcomeKind.RETRY_LATER
    bot.opened = bot.open()
    for hour, word in ((4, "firing"), (5, "firing"), (6, "resolved"), (6, "firing")):
        assert (await bot.attempt(alert(word, hour))).kind is OutcomeKind.DELIVERED
    replies = [payload["reply_broadcast"] for _, payload in bot.slack.calls if "thread_ts" in payload]
    assert replies == [False, False, False, True, True, False, False, True]


async def test_a_thread_that_began_with_an_end_is_shown_when_trouble_comes() -> None:
    """A first message that tells of an end tells nobody of trouble."""
    bot = Bot()
    await bot.attempt(alert("resolved", 0))
    await bot.attempt(alert("firing", 1))
    assert [payload["reply_broadcast"] for _, payload in bot.slack.calls if "thread_ts" in payload] == [True]


async def test_a_deleted_message_is_replaced() -> None:
    """When the message is gone a new one is posted, and edited from then on."""
    bot = Bot()
    await bot.tell("new", 0)
    bot.slack.messages.clear()
    assert (await bot.tell("spike", 1)).kind is OutcomeKind.DELIVERED
    assert (await bot.tell("spike", 2)).kind is OutcomeKind.DELIVERED
    assert bot.slack.methods == ["postMessage", "update", "postMessage", "update", "reply"]


async def test_what_comes_late_does_not_put_the_message_back() -> None:
    """An older alert is told in the thread only; when that is gone it is posted."""
    bot = Bot()
    await bot.tell("regression", 5)
    await bot.tell("new", 4)
    assert bot.slack.methods == ["postMessage", "reply"]
    bot.slack.messages.clear()
    assert (await bot.tell("new", 3)).kind is OutcomeKind.DELIVERED
    assert bot.slack.methods[2:] == ["reply", "postMessage"]


async def test_alerts_at_once_make_one_message() -> None:
    """Deliveries of one issue wait for each other, those of another do not wait for them."""
    bot = Bot()
    bot.slack.gate.clear()
    same = [asyncio.ensure_future(bot.tell("new", hour)) for hour in range(3)]
    other = asyncio.ensure_future(bot.tell("new", 0, issue=make_issue(id="iss_7")))
    async with asyncio.timeout(DEADLINE):
        while len(bot.slack.calls) < 2:
            bot.slack.news.clear()
            await bot.slack.news.wait()
        assert bot.slack.methods == ["postMessage", "postMessage"]
        bot.slack.gate.set()
        outcomes = await asyncio.gather(*same, other)
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.DELIVERED}
    assert sorted(bot.slack.methods) == ["postMessage"] * 2 + ["reply"] * 2 + ["update"] * 2


@pytest.mark.parametrize(
    ("failure", "kind", "wait"),
    [
        (SendError("cut off", ambiguous=True), OutcomeKind.RETRY_LATER, None),
        (SendError("refused"), OutcomeKind.RETRY_LATER, None),
        (HttpAnswer(429, {"Retry-After": "9"}, b""), OutcomeKind.RETRY_LATER, 9),
        (HttpAnswer(200, {}, b'{"ok":false,"error":"is_archived"}'), OutcomeKind.GONE, None),
        (HttpAnswer(200, {}, b'{"ok":false,"error":"msg_too_long"}'), OutcomeKind.REJECTED, None),
    ],
)
@pytest.mark.parametrize("on_ambiguous", ["retry", "dead"])
async def test_an_edit_that_fails(failure: Any, kind: OutcomeKind, wait: float | None, on_ambiguous: str) -> None:
    """Nothing is told in the thread before the edit is made; an edit can always be made again."""
    bot = Bot(on_ambiguous=on_ambiguous)
    await bot.tell("new", 0)
    bot.slack.fails = [failure]
    outcome = await bot.tell("spike", 1)
    assert (outcome.kind, outcome.retry_after_seconds) == (kind, wait)
    assert bot.slack.methods == ["postMessage", "update"]


async def test_a_reply_that_may_have_arrived_is_ambiguous() -> None:
    """A reply would be there twice, so the destination's choice counts."""
    for choice, kind in (("retry", OutcomeKind.AMBIGUOUS), ("dead", OutcomeKind.REJECTED)):
        bot = Bot(on_ambiguous=choice)
        await bot.tell("new", 5)
        bot.slack.fails = [SendError("cut off", ambiguous=True)]
        assert (await bot.tell("spike", 4)).kind is kind


async def test_a_post_that_fails_is_not_remembered() -> None:
    """After a failure the next attempt posts."""
    bot = Bot()
    bot.slack.fails = [HttpAnswer(500, {}, b"")]
    assert (await bot.tell("new", 0)).kind is OutcomeKind.RETRY_LATER
    assert (await bot.tell("new", 0)).kind is OutcomeKind.DELIVERED
    assert bot.slack.methods == ["postMessage", "postMessage"]


async def test_a_test_leaves_the_issue_alone() -> None:
    """A test message is a message of its own."""
    bot = Bot()
    await bot.tell("new", 0)
    await bot.tell("new", 1, test=True)
    assert bot.slack.methods == ["postMessage", "postMessage"]


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"channel": "C1"}', '{"channel": "C1", "ts": "1", "at": "x"}', "7"])
async def test_a_memory_that_cannot_be_read_is_none(kept: str) -> None:
    """What is no memory of ours leads to a new message, not to an error."""
    bot = Bot()
    await bot.memory.set("#ops/default/issue/iss_0042", kept)
    assert (await bot.tell("new", 0)).kind is OutcomeKind.DELIVERED
    assert bot.slack.methods == ["postMessage"]


async def test_nothing_is_held_when_all_is_told() -> None:
    """The turns of issues are let go of."""
    bot = Bot()
    for number in range(5):
        await bot.tell("new", 0, issue=make_issue(id=f"iss_{number}"))
    assert not vars(bot.opened)["_locks"]
