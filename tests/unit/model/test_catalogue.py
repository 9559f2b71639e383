"""The built-in catalogues: every type with a name, a description of its own, a group and a severity."""

from __future__ import annotations

from typing import get_args

import pytest

from alertd.model.catalogue import APP_CRASHED, catalogue, derived_types, groups, known_types
from alertd.model.channel import SYSTEM_CHANNELS
from alertd.model.derived_type import DerivedType
from alertd.model.event_type import EventType
from alertd.model.workspace import Catalogue, Workspace

EVERY = [each for name in get_args(Catalogue) for each in catalogue(name)]


def test_an_application_platform_has_47_types() -> None:
    """As many as its notifiers offer."""
    assert len({each.name for each in catalogue("paas")}) == 47


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.name)
def test_each_type_says_what_a_person_needs(each: EventType) -> None:
    """A name, a sentence, a group, a severity."""
    assert each.title
    assert each.description.endswith(".")
    assert each.group
    assert each.severity


def test_no_two_types_share_a_description() -> None:
    """Each sentence is about its own type."""
    assert len({each.description for each in EVERY}) == len(EVERY) == len({each.name for each in EVERY})


def test_what_is_critical() -> None:
    """What somebody must look at now, and nothing else."""
    assert {each.name for each in EVERY if each.severity == "critical"} == {
        "app_crashed", "app_alert_triggered", "database_backup_failed", "addon_suspended",
        "alertd.crashed", "alertd.store_full", "alertd.intake_stalled",
    }  # fmt: skip


def test_system_channels_are_types_that_are_known() -> None:
    """Runs and deployments are in a catalogue."""
    assert {each.name for each in catalogue("runs")} == set(SYSTEM_CHANNELS)


def test_deployments_are_a_group() -> None:
    """What a selection of deployments only takes."""
    assert groups(known_types(Workspace(name="w")))["deployments"] == (
        "app_deployed",
        "deploy:failed",
        "deploy:succeeded",
    )


def test_a_workspaces_own_types_stand_over_the_catalogues() -> None:
    """What one says counts, what it leaves out is inherited."""
    own = EventType(name="app_deployed", title="Live", severity="warning")
    new = EventType(name="payment:failed", group="payments")
    known = known_types(Workspace(name="w", event_types=(own, new)))
    deployed = known["app_deployed"]
    assert (deployed.title, deployed.severity, deployed.group) == ("Live", "warning", "deployments")
    assert deployed.description
    assert known["payment:failed"] == new
    assert "payment:failed" not in known_types(Workspace(name="w"))


def test_what_is_derived_comes_with_its_catalogue() -> None:
    """A workspace may put its own in the place of a built-in one."""
    assert derived_types(Workspace(name="w")) == (APP_CRASHED,)
    assert derived_types(Workspace(name="w", catalogues=("runs",))) == ()
    own = DerivedType(name="app_crashed", type="app_crashed", types=("app_crashed_repeated",), occurrences=(3,))
    assert derived_types(Workspace(name="w", derived_types=(own,))) == (own,)
