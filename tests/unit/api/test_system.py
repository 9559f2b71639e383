"""The daemon itself: front page, probes, metrics, reload; and how refusals are written."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from alertd.errors import ConfigError, ConfigProblem
from alertd.model.delivery import Outcome, OutcomeKind
from tests.unit.api.bench import HOME, running


async def test_the_front_page_says_what_this_is() -> None:
    """`/` names the program, its version and where to go, as text, and as HTML for a browser."""
    async with running() as call:
        _, text, headers = await call.full("GET", "/", None)
        assert text.startswith("alertd 0.")
        assert headers["Content-Type"].startswith("text/plain")
        _, html, headers = await call.full("GET", "/", None, headers={"Accept": "text/html,*/*;q=0.8"})
        assert headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        for page in (text, html):
            for place in ("/metrics", "/-/healthy", "/-/ready", "/api/v1/events", "README.md"):
                assert place in page


async def test_metrics_have_no_created_series() -> None:
    """The page parses, and none of its series is the birthday of another."""
    async with running() as call:
        await call.sent({"type": "t"})
        await call.settled(f"{HOME}/deliveries")
        _, page = await call("GET", "/metrics", None)
        names = {sample.name for family in text_string_to_metric_families(page) for sample in family.samples}
        assert "alertd_events_total" in names
        assert not {name for name in names if name.endswith("_created")}


async def test_matching_fallbacks_are_counted_across_rulesets() -> None:
    """Each fallback of each ruleset is counted once, however often the page is read."""
    async with running() as call:
        rules = call.bench.pipeline.ruleset.workspaces["default"]
        value = call.bench.metrics.registry.get_sample_value
        for total in (2, 5):
            next(iter(rules.index.indexes)).fallbacks = total
            for _ in range(2):
                await call("GET", "/metrics", None)
                assert value("alertd_matching_fallbacks_total") == total


async def test_ready_names_what_is_not() -> None:
    """200 when events are accepted, 503 with the condition that fails when not."""
    async with running() as call:
        assert await call("GET", "/-/ready", None) == (200, {"ready": True, "store": True, "intake": True})
        call.bench.context.ready = lambda: {"store": True, "intake": False}
        assert await call("GET", "/-/ready", None) == (503, {"ready": False, "store": True, "intake": False})


async def test_a_store_that_recovered_is_ready() -> None:
    """After a failed commit the store itself is asked, as there may be no next commit to tell."""
    async with running() as call:
        call.bench.context.ready = lambda: {"store": False, "intake": True}
        assert (await call("GET", "/-/ready", None))[0] == 200
        await call.bench.store.close()
        assert await call("GET", "/-/ready", None) == (503, {"ready": False, "store": False, "intake": True})


async def test_a_broken_reload_answers_every_problem() -> None:
    """A file that is refused is 422 with all its errors; a good one is 200."""
    async with running() as call:
        places = ("workspaces[0].channels[2].pattern", "(file)")
        problems = [ConfigProblem("a.yml", line, path, "y", "z") for line, path in enumerate(places, 1)]
        call.bench.reload_error = ConfigError(problems)
        status, answer = await call("POST", "/-/reload")
        assert (status, [e["detail"] for e in answer["errors"]]) == (422, [str(p) for p in problems])
        assert [e["pointer"] for e in answer["errors"]] == ["/workspaces/0/channels/2/pattern", ""]
        assert "a.yml" not in answer["detail"]
        assert "problems: 2" in answer["detail"]
        call.bench.reload_error = None
        assert (await call("POST", "/-/reload"))[0] == 200
        assert call.bench.reloads == 2


async def test_an_error_of_ours_is_a_problem_without_details() -> None:
    """What we did not foresee is 500 as a problem that gives nothing away."""
    async with running() as call:
        call.bench.reload_error = RuntimeError("secret")
        status, answer = await call("POST", "/-/reload")
        assert status == 500
        assert "secret" not in str(answer)


async def test_wrong_methods_are_405_with_what_is_allowed() -> None:
    """405 is a problem, has Allow, and says it in words."""
    async with running() as call:
        for method, path, allowed in (
            ("DELETE", f"{HOME}/events", "GET,HEAD"),
            ("GET", "/api/v1/events", "POST"),
            ("OPTIONS", f"{HOME}/tokens", "GET,HEAD,POST"),
            ("GET", "/-/reload", "POST"),
        ):
            status, answer, headers = await call.full(method, path)
            assert (status, headers["Allow"]) == (405, allowed)
            assert answer["detail"] == f"{path} does not take {method}, only {allowed.replace(',', ', ')}"


async def test_unknown_paths_are_404_problems() -> None:
    """With a token, what is not there is a 404 that names the path."""
    async with running() as call:
        for path in ("/nope", "/api/", "/api/openapi.yml", f"{HOME}/chanels", f"{HOME}/events/"):
            status, answer, headers = await call.full("GET", path)
            assert status == 404, path
            assert headers["Content-Type"].startswith("application/problem+json")
            assert path.rstrip("/") in answer["detail"] or "no event" in answer["detail"]


async def test_a_destination_shows_how_it_stands() -> None:
    """State, queue, last success and failure, and a reason when it is disabled; enabled again it sends what waited."""
    async with running() as call:
        path = f"{HOME}/destinations/hook"
        _, view = await call("GET", path)
        assert (view["state"], view["queue_depth"], view["last_success_at"]) == ("enabled", 0, None)
        _, view = await call("POST", f"{path}/disable")
        assert (view["state"], view["disabled_reason"]) == ("disabled", "disabled by an operator")
        assert view["disabled_at"] is not None
        assert [d["name"] for d in (await call("GET", f"{HOME}/destinations?state=disabled"))[1]["items"]] == ["hook"]
        _, view = await call("POST", f"{path}/enable")
        assert (view["state"], view["disabled_reason"]) == ("enabled", None)
        await call.sent({"type": "t"})
        await call.settled(f"{HOME}/deliveries")
        _, view = await call("GET", path)
        assert view["last_success_at"] is not None
        for verb in ("test", "enable", "disable"):
            assert (await call("POST", f"{HOME}/destinations/nope/{verb}"))[0] == 404


async def test_a_test_tells_what_came_of_it() -> None:
    """A test message goes the way of alerts, says that it is one, and its outcome is the answer."""
    async with running() as call:
        door = call.bench.doors["default", "hook"]
        door.outcome = Outcome(OutcomeKind.RETRY_LATER, 503, "returned 503", b"busy")
        status, answer = await call("POST", f"{HOME}/destinations/hook/test")
        assert status == 200
        assert answer.pop("duration_seconds") >= 0
        assert answer == {
            "destination": "hook",
            "outcome": "retry_later",
            "status": 503,
            "error": "returned 503",
            "answer": "busy",
            "request": None,
        }
        assert door.messages[0].test
        assert (await call("GET", f"{HOME}/deliveries"))[1]["items"] == []
