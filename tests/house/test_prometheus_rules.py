"""The rules for Prometheus that the documentation gives: they can be loaded, and ask for what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from alertd.metrics import Metrics
from tests.machine import program

RULES = Path(__file__).parents[2] / "docs" / "prometheus-rules.yml"
NAMED = re.compile(r"alertd_\w+")


def test_prometheus_takes_them() -> None:
    """`promtool check rules` finds nothing to say."""
    done = subprocess.run([program("promtool"), "check", "rules", RULES], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    assert (done.returncode, done.stderr) == (0, "")


def test_they_ask_for_what_there_is() -> None:
    """Each metric of a rule is one of ours, under the name that it is scraped by, with the labels that the rule tells of."""
    metrics = Metrics()
    labels: dict[str, set[str]] = {}
    for family in metrics.registry._collector_to_names:
        for name in metrics.registry._collector_to_names[family]:
            labels[name] = set(getattr(family, "_labelnames", ()))
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]:
        names = NAMED.findall(rule["expr"])
        assert names or rule["alert"] == "AlertdIsDown"
        assert set(names) <= labels.keys(), rule["alert"]
        told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        grouped = set(re.findall(r"\w+", (re.search(r"by \(([^)]*)\)", rule["expr"]) or [""] * 2)[1]))
        for name in names:
            assert told | grouped - {"instance"} <= labels[name], rule["alert"]
