"""What all types that speak HTTP have in common."""

from __future__ import annotations

import pytest
from pydantic import SecretStr  # noqa: TC002 - a model's field
from typing_extensions import override

from alertd.destinations.answers import outcome_of, usual_kind
from alertd.destinations.base import HttpAnswer, HttpRequest, Message, SendError, World
from alertd.destinations.http_destination import HttpDestination, HttpType
from alertd.destinations.registry import REGISTRY
from alertd.destinations.settings_fields import RepeatingSettings
from alertd.model.delivery import Outcome, OutcomeKind
from tests.conformance.destination_suite import NOW, FixedClock, ScriptedSender, make_message

LOST = SendError("timed out after 10 s", ambiguous=True)


class SampleSettings(RepeatingSettings):
    """A type's settings."""

    token: SecretStr


class SampleDestination(HttpDestination[SampleSettings]):
    """A type's destination."""

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request."""
        token = self.settings.token.get_secret_value()
        return HttpRequest("https://x.example/", f"{token} at {now_seconds}".encode(), {"Authorization": token})

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means."""
        said = answer.body.decode()
        return outcome_of(self.type_name, answer, usual_kind(answer.status), reason=said)


class SampleType(HttpType):
    """A type."""

    name = "sample"
    about = "A sample."
    settings_model = SampleSettings
    destination = SampleDestination


def opened(sender: ScriptedSender, on_ambiguous: str = "retry") -> SampleDestination:
    """Open a destination."""
    settings = SampleSettings.model_validate({"token": "hunter2", "on_ambiguous": on_ambiguous})
    found = SampleType().open(settings, 10, World(FixedClock(), sender, print))
    assert isinstance(found, SampleDestination)
    return found


@pytest.mark.parametrize(
    ("error", "on_ambiguous", "outcome"),
    [
        (SendError("reset"), "retry", Outcome(OutcomeKind.RETRY_LATER, detail="sample: reset")),
        (SendError("reset"), "dead", Outcome(OutcomeKind.RETRY_LATER, detail="sample: reset")),
        (SendError("no", refused=True), "dead", Outcome(OutcomeKind.REJECTED, detail="sample: no")),
        (LOST, "retry", Outcome(OutcomeKind.AMBIGUOUS, detail="sample: timed out after 10 s")),
        (
            LOST,
            "dead",
            Outcome(
                OutcomeKind.REJECTED,
                detail="sample: timed out after 10 s; it may have arrived (on_ambiguous: dead)",
            ),
        ),
    ],
)
async def test_no_answer_has_its_outcome(error: SendError, on_ambiguous: str, outcome: Outcome) -> None:
    """Only where nobody can tell whether it arrived does the destination's choice count."""
    assert await opened(ScriptedSender([error]), on_ambiguous).attempt(make_message()) == outcome


async def test_an_answer_is_classified_and_silent() -> None:
    """The type's classification stands, without the secrets that the provider repeated."""
    sender = ScriptedSender([HttpAnswer(403, {}, b"bad token hunter2")])
    outcome = await opened(sender).attempt(make_message())
    assert outcome == Outcome(
        OutcomeKind.REJECTED, 403, "sample: returned 403: bad token [redacted]", b"bad token [redacted]"
    )
    assert sender.requests[0].body == f"hunter2 at {NOW}".encode()


@pytest.mark.parametrize("type_name", ["mattermost", "rocketchat"])
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (SendError("no hooks-of-ops"), "no [redacted]"),
        (
            HttpAnswer(500, {}, b'{"message": "no hooks-of-ops", "error": "no hooks-of-ops"}'),
            "returned 500: no [redacted]",
        ),
    ],
)
async def test_a_type_is_named_though_its_address_has_the_name(
    type_name: str, said: HttpAnswer | SendError, reason: str
) -> None:
    """The name of a type before a reason is no secret, also where a secret address has it as a part; the rest is."""
    kind = REGISTRY[type_name]
    settings = kind.settings_model.model_validate({"url": f"https://chat.example.com/{type_name}/hooks-of-ops"})
    outcome = await kind.open(settings, 10, World(FixedClock(), ScriptedSender([said]), print)).attempt(make_message())
    assert outcome.detail == f"{type_name}: {reason}"


async def test_a_preview_sends_nothing() -> None:
    """What would be sent is shown without secrets."""
    sender = ScriptedSender()
    shown = opened(sender).preview(make_message())
    assert (shown.target, shown.body) == ("POST https://x.example/", f"[redacted] at {NOW}")
    assert shown.headers == {"Authorization": "[redacted]"}
    assert not sender.requests
