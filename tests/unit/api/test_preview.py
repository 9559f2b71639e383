"""Previews and templates over HTTP: checked when a destination is made, shown without being sent."""

from __future__ import annotations

from tests.unit.api.bench import HOME, running
from tests.unit.api.test_resources import MADE


async def test_a_template_is_checked_when_it_is_made() -> None:
    """A wrong template is 422 at its own place, with line and column; so is a webhook's payload."""
    async with running() as call:
        wrong = {**MADE["destinations"], "templates": {"title": "fine", "body": "a\n{{ event. }}"}}
        status, problem = await call("POST", f"{HOME}/destinations", json=wrong)
        assert status == 422
        assert [each["pointer"] for each in problem["errors"]] == ["/templates/body"]
        assert "line 2, column 11" in problem["errors"][0]["detail"]
        settings = {"url": "https://x.example/", "format": "template"}
        for template, said in ((None, "needs it"), ("{{ a b }}", "line 1, column 6")):
            own = {
                "name": "own",
                "type": "webhook",
                "settings": {**settings, **({"template": template} if template else {})},
            }
            status, problem = await call("POST", f"{HOME}/destinations", json=own)
            assert (status, problem["errors"][0]["pointer"]) == (422, "/settings/template")
            assert said in problem["errors"][0]["detail"]
        right = {**MADE["destinations"], "templates": {"title": "{{ event.type }}"}}
        status, made = await call("POST", f"{HOME}/destinations", json=right)
        assert (status, made["templates"]) == (201, {"title": "{{ event.type }}"})


async def test_a_preview_needs_something_to_show() -> None:
    """A type that shows nothing is 409, an unknown destination 404, an unknown field 422; a viewer may not."""
    async with running() as call:
        where = f"{HOME}/destinations/hook/preview"
        assert (await call("POST", where, "viewer"))[0] == 403
        assert (await call("POST", where, "operator"))[0] == 409
        assert (await call("POST", f"{HOME}/destinations/none/preview", "operator"))[0] == 404
        status, problem = await call("POST", where, "operator", json={"mesage": "x", "data": "y"})
        assert status == 422
        assert {each["pointer"] for each in problem["errors"]} == {"/mesage", "/data"}


async def test_a_preview_is_of_an_event_that_could_come() -> None:
    """A type, a severity or a time that no event may have is refused with the rule, as the intake would."""
    async with running() as call:
        where = f"{HOME}/destinations/hook/preview"
        given = {"type": "a b", "severity": "loud", "time": "soon", "labels": {"a": 1}, "project": ""}
        status, problem = await call("POST", where, "operator", json=given)
        assert status == 422
        found = {each["pointer"]: each["detail"] for each in problem["errors"]}
        assert set(found) == {"/type", "/severity", "/time", "/labels/a", "/project"}
        assert found["/type"] == "expected 1 to 256 printable ASCII characters without spaces, found 'a b'"
        status, problem = await call("POST", where, "operator", json={"type": "a b", "id": "x"})
        assert {each["pointer"] for each in problem["errors"]} == {"/type", "/id"}


async def test_what_is_allowed_and_odd_is_told_to_who_makes_it() -> None:
    """As `alertd check` does, each with its place; it is gone with its cause, and may be given back with the rest."""
    async with running() as call:
        odd = {**MADE["destinations"], "type": "null", "settings": {}, "templates": {"title": "x"}}
        status, made = await call("POST", f"{HOME}/destinations", json=odd)
        assert (status, [each["pointer"] for each in made["warnings"]]) == (201, ["/templates"])
        assert "these change nothing" in made["warnings"][0]["detail"]
        where = f"{HOME}/destinations/{made['name']}"
        better = {**made, "templates": {}}
        status, now = await call("PUT", where, json=better, headers={"If-Match": '"1"'})
        assert (status, now["warnings"]) == (200, [])
