"""How rejected records are tried again: as the configuration says now that their topics are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.app.translate import kafka_topics
from alertd.intake.rejected import RejectedIntake

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.api.context import Resubmit
    from alertd.clock import Clock
    from alertd.config.settings import Config
    from alertd.pipeline import Pipeline


def resubmission(pipeline: Pipeline, clock: Clock, config: Callable[[], Config]) -> Resubmit:
    """Return what tries a rejected record again; `config` gives the configuration of that moment."""
    return RejectedIntake(pipeline, clock, lambda: config().intake.bounds, lambda: kafka_topics(config())).submit
