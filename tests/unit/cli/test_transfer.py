"""`alertd export` and `alertd diff`: a workspace goes out as a file and comes back the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import yaml

from alertd.config.lines import read_document
from alertd.config.load import load_config
from alertd.model.destination import Destination
from alertd.resources.entry import Entry
from alertd.resources.export import HEAD
from alertd.resources.kinds import CHANNEL, DESTINATION, SUBSCRIPTION, WORKSPACE
from tests.unit.cli.stage import typed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.stage import Stage

HOOK = {
    "name": "secret-hook",
    "type": "webhook",
    "settings": {"url": "https://hooks.example.com/$x", "secret": "s3cr3t", "headers": {"X-Team": "ops"}},
    "queue": {"concurrency": 8},
}


def fill(stage: Stage) -> None:
    """Make a channel, a destination with secrets and a subscription over the API."""
    registry = stage.bench.registry  # type: ignore[union-attr]  # this stage has a bench
    stage.on_loop(registry.create(CHANNEL, "default", {"name": "runs", "kind": "glob", "pattern": "run:*"}, "ann"))
    stage.on_loop(registry.create(DESTINATION, "default", HOOK, "ann"))
    tell = {"name": "tell", "channels": ["runs"], "destinations": ["secret-hook"], "cooldown_seconds": 5}
    stage.on_loop(registry.create(SUBSCRIPTION, "default", tell, "ann"))


def test_export_is_a_configuration(stage: Stage, folder: Path) -> None:
    """The file holds every resource, no secret and no default, and is written where it is asked to be."""
    fill(stage)
    assert stage.typed("export", "--output", "out.yml").exit_code == 0
    text = (folder / "out.yml").read_text()
    assert stage.typed("export").stdout == text
    assert "s3cr3t" not in text
    workspace = yaml.safe_load(text)["workspaces"][0]
    assert workspace["name"] == "default"
    assert [d["name"] for d in workspace["destinations"]] == ["hook", "page", "secret-hook"]
    made = workspace["destinations"][-1]
    assert made == {
        **HOOK,
        "settings": {
            "url": "https://hooks.example.com/$$x",
            "secret": "stored:destinations/secret-hook/secret",
            "headers": {"X-Team": "stored:destinations/secret-hook/headers/X-Team"},
        },
    }
    assert workspace["subscriptions"][-1] == {
        "name": "tell", "channels": ["runs"], "destinations": ["secret-hook"], "cooldown_seconds": 5.0,
    }  # fmt: skip


def test_an_export_as_json_is_the_same(stage: Stage, folder: Path) -> None:
    """One line for programs, on stdout or in a file, with the values of the YAML."""
    fill(stage)
    tricky = {"name": "09", "kind": "literal", "pattern": "1e3", "title": "a\x85b \u2028 ${X} \U0001f514\x7f"}
    stage.on_loop(stage.bench.registry.create(CHANNEL, "default", tricky, "ann"))  # type: ignore[union-attr]  # this stage has a bench
    text = stage.typed("export").stdout
    line = stage.typed("export", "--json").stdout
    assert line.count("\n") == 1
    assert orjson.loads(line) == read_document(text, "out.yml").root
    (found,) = [c for c in orjson.loads(line)["workspaces"][0]["channels"] if c["name"] == "09"]
    assert found == {**tricky, "title": tricky["title"].replace("$", "$$")}
    for name, given in (("out.yml", text), ("out.json", line)):
        assert stage.typed("export", "--output", name, *(["--json"] if name == "out.json" else [])).exit_code == 0
        assert (folder / name).read_text(encoding="utf-8") == given


def test_elsewhere_each_secret_is_listed(stage: Stage, folder: Path) -> None:
    """Where the store is not, check names each secret that has to be supplied, with its line."""
    fill(stage)
    stage.typed("export", "--output", "out.yml")
    result = typed("check", "out.yml")
    assert result.exit_code == 1
    assert "stored:destinations/secret-hook/secret" in result.stderr
    assert "stored:destinations/secret-hook/headers/X-Team" in result.stderr
    assert result.stderr.count("out.yml:") == 2


def test_diff_shows_what_a_file_would_change(stage: Stage, folder: Path) -> None:
    """Made, changed and deleted, field by field; secrets are compared and not shown; nothing is changed."""
    fill(stage)
    document = {
        "workspaces": [
            {
                "name": "default",
                "channels": [
                    {"name": "all", "kind": "glob", "pattern": "*"},
                    {"name": "new", "kind": "glob", "pattern": "n"},
                ],
                "destinations": [
                    {"name": "hook", "type": "null"},
                    {"name": "page", "type": "null"},
                    {
                        **HOOK,
                        "settings": {**HOOK["settings"], "url": "https://hooks.example.com/$$x", "secret": "other"},
                    },
                ],
                "subscriptions": [
                    {"name": "everything", "channels": ["all"], "destinations": ["hook"], "min_severity": "error"},
                    {"name": "serious", "channels": ["all"], "destinations": ["page"], "min_severity": "warning"},
                ],
            }
        ]
    }
    (folder / "next.yml").write_text(yaml.safe_dump(document))
    result = stage.typed("diff", "next.yml")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line for line in lines if line[0] in "+~-"] == [
        "+ channel new",
        "~ destination secret-hook",
        "~ subscription everything",
        "- subscription elsewhere",
    ] or sorted(line for line in lines if line[0] in "+~-") == sorted(
        ["+ channel new", "~ destination secret-hook", "~ subscription everything", "- subscription elsewhere"]
    )
    assert '    min_severity: "debug" -> "error"' in lines
    assert lines[-1] == "1 created, 2 updated, 1 deleted"
    assert "s3cr3t" not in result.output
    assert "other" not in result.output


def test_diff_of_what_is_there_is_nothing(stage: Stage, folder: Path) -> None:
    """A file that says the same, defaults spelt out or left out, would change nothing."""
    plain = {
        "name": "default",
        "channels": [{"name": "all", "kind": "glob", "pattern": "*", "environments": []}],
        "destinations": [{"name": "hook", "type": "null", "enabled": True}, {"name": "page", "type": "null"}],
        "subscriptions": [
            {"name": "everything", "channels": ["all"], "destinations": ["hook"], "min_severity": "debug"},
            {"name": "serious", "channels": ["all"], "destinations": ["page"], "min_severity": "warning"},
            {"name": "elsewhere", "channels": ["all"], "destinations": ["page"], "environments": ["mars"]},
        ],
    }
    (folder / "same.yml").write_text(yaml.safe_dump({"workspaces": [plain]}))
    assert load_config("same.yml", {}).workspaces[0].name == "default"
    result = stage.typed("diff", "same.yml")
    assert (result.exit_code, result.stdout) == (0, "nothing would change\n")


def test_diff_of_a_file_without_the_workspace_leaves_the_workspace_itself(stage: Stage, folder: Path) -> None:
    """A file that does not name a workspace changes nothing of what the API made, and diff says that it has none."""
    registry = stage.bench.registry  # type: ignore[union-attr]  # this stage has a bench
    stage.on_loop(registry.create(WORKSPACE, "lab", {"name": "lab", "title": "The lab"}, "ann"))
    (folder / "other.yml").write_text(yaml.safe_dump({"workspaces": [{"name": "default"}]}))
    result = stage.typed("diff", "other.yml", "-w", "lab")
    assert (result.exit_code, result.stdout) == (0, "nothing would change\n")
    assert "other.yml has no workspace 'lab'" in result.stderr


def test_an_export_says_what_is_not_in_it(stage: Stage, folder: Path) -> None:
    """Settings are the daemon's own: the head says so, and with those of the daemon beside it the file is whole."""
    assert stage.bench is not None
    kept = Destination(name="near", type="webhook", settings={"url": "http://127.0.0.1:9/"})
    entry = Entry("destination", "default", "near", kept, 1)
    stage.bench.registry.snapshot = stage.bench.registry.snapshot.changed([entry], [])
    assert stage.typed("export", "--output", "out.yml").exit_code == 0
    text = (folder / "out.yml").read_text()
    assert text.startswith(HEAD)
    refused = typed("check", "out.yml")
    assert refused.exit_code == 1
    assert "egress.allow" in refused.stderr + refused.stdout
    (folder / "out.yml").write_text(text + "egress: {allow: [127.0.0.1]}\n")
    assert typed("check", "out.yml").exit_code == 0
