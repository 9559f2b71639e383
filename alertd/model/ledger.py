"""A ledger: what one project remembers about its issues as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

RELEASES_MAX: Final = 500
"""Greatest number of releases that are kept of one project; the oldest are forgotten first."""


@dataclass(slots=True)
class Ledger:
    """One project's.

    Shapes: `next_number` is that of the next short id; `version` is that of the fingerprints' rules; `releases` says
    when each was first seen, in milliseconds, oldest first; `allowance` counts the issues that may yet be begun, as of
    `allowed_ms` (negative: none was counted yet).
    """

    workspace_id: int
    project: str
    next_number: int = 1
    version: int = 1
    releases: dict[str, int] = field(default_factory=dict)
    allowance: float = -1.0
    allowed_ms: int = 0

    def copy(self) -> Ledger:
        """Return an equal one that shares nothing."""
        return Ledger(
            self.workspace_id,
            self.project,
            self.next_number,
            self.version,
            dict(self.releases),
            self.allowance,
            self.allowed_ms,
        )

    def take_number(self) -> int:
        """Take the number of the next issue."""
        taken = self.next_number
        self.next_number = taken + 1
        return taken

    def see_release(self, release: str, at_ms: int) -> None:
        """Remember when a release was first seen."""
        known = self.releases.get(release)
        if known is not None and known <= at_ms:
            return
        self.releases[release] = at_ms
        if len(self.releases) > RELEASES_MAX:
            del self.releases[min(self.releases, key=self.releases.__getitem__)]

    def forget_releases(self, before_ms: int) -> None:
        """Forget the releases that were first seen before a time, but the newest."""
        newest = max(reversed(self.releases), key=self.releases.__getitem__, default=None)
        self.releases = {name: at for name, at in self.releases.items() if at >= before_ms or name == newest}
