"""What an intake endpoint, or the project of an SDK key, may say about the events that Sentry's formats become."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alertd.sources.sentry_fields import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class SentryDefaults:
    """The defaults of the events, each of which may be another.

    Shapes: `project` is their project whatever the payload says (empty: the one in the payload); `environment` that of
    those that name none; `types` gives a type of ours (`sentry.error`, `sentry.issue.created`) another name,
    `severities` one of Sentry's levels another severity; `issue_key` names the issue of an error from its project,
    `data` (see `alertd.sources.sentry_event`) and tags, where Sentry itself did not; `deploy_incidents` says whether
    GitHub's pushes and deployments open incidents.
    """

    project: str = ""
    environment: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    severities: Mapping[str, str] = field(default_factory=dict)
    issue_key: Callable[[str, Mapping[str, Any], Mapping[str, str]], str] | None = None
    deploy_incidents: bool = True

    def type_of(self, default: str) -> str:
        """Return the type that stands for one of ours."""
        return self.types.get(default, default)

    def severity_of(self, level: str) -> str:
        """Return the severity of one of Sentry's levels."""
        return self.severities.get(level) or SEVERITIES[level]


STANDARD = SentryDefaults()
"""What holds when nothing was said."""
