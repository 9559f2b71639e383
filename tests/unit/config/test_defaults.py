"""Default subscriptions in a file: what they join can be named there, and one can be written in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.config.load import load_config
from alertd.resources.snapshot import Snapshot, provisioned_entries

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
workspaces:
  - name: default
    projects: [{name: shop}]
    subscriptions:
      - {name: default-shop, channels: [critical-types], destinations: [owner-email], projects: [shop], enabled: false}
"""


def test_a_file_can_switch_a_default_off(tmp_path: Path) -> None:
    """The file's subscription stands in the default's place; the other default stays."""
    path = tmp_path / "alertd.yml"
    path.write_text(FILE, encoding="utf-8")
    config = load_config(path, {})
    workspace = Snapshot(provisioned_entries(config.workspaces, config.origin), {}).workspace("default")
    assert {each.name: each.enabled for each in workspace.subscriptions} == {"default-shop": False, "default": True}
    assert [each.name for each in workspace.destinations] == ["owner-email"]
