"""Acceptance: a start with derived types of the API that, with those of a changed configuration, feed themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.daemon import BELOW, Daemon

if TYPE_CHECKING:
    from pathlib import Path

FIRST = {"name": "first", "type": "two", "types": ["one"], "occurrences": [2]}
SECOND = {"name": "second", "type": "three", "types": ["two"], "occurrences": [2]}


def configured(*derived: dict[str, Any]) -> dict[str, Any]:
    """Write a configuration with these derived types."""
    return {"workspaces": [{"name": "default", "derived_types": list(derived)}]}


async def test_the_stored_one_is_switched_off(tmp_path: Path) -> None:
    """The daemon starts: the youngest of the stored ones is off, which the log, the audit log and a metric say; once."""
    daemon = Daemon(tmp_path, configured())
    async with daemon:
        for each in (FIRST, SECOND):
            assert (await daemon.post("derived-types", each)).status == 201
        assert (await daemon.metrics())["alertd_resources_switched_off"] == 0
        await daemon.stop()
        daemon.configure(configured({"name": "back", "type": "one", "types": ["three"], "occurrences": [2]}))
        await daemon.start()
        [said] = await daemon.wait_log("derived_type.switched_off")
        assert (said["name"], said["level"]) == ("second", "error")
        assert "derived types that feed themselves" in said["reason"]
        assert (await daemon.metrics())["alertd_resources_switched_off"] == 1
        states = {each["name"]: each["enabled"] for each in (await daemon.get("derived-types"))["items"]}
        assert states == {"back": True, "first": True, "second": False}
        [entry] = (await daemon.get(f"{BELOW}/audit?action=switched_off"))["items"]
        assert (entry["actor"], entry["kind"], entry["name"]) == ("alertd", "derived_type", "second")
        assert (entry["before"].get("enabled", True), entry["after"]["enabled"]) == (True, False)
        assert "feed themselves" in entry["after"]["reason"]
        await daemon.send("one", "one")
        await daemon.restart()
        assert daemon.log("derived_type.switched_off") == []
        assert (await daemon.metrics())["alertd_resources_switched_off"] == 0
        on = {"enabled": True}
        again = await daemon.call("PATCH", f"{BELOW}/derived-types/second", on, headers={"If-Match": "*"})
        assert again.status == 422
