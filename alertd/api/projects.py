"""Projects over HTTP, each with its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from alertd.api.resources import Collection
from alertd.resources.kinds import PROJECT

if TYPE_CHECKING:
    from alertd.api.context import Context
    from alertd.resources.entry import Entry


class Projects(Collection):
    """`/api/v1/workspaces/{workspace}/projects`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, PROJECT)

    @override
    def status(self, entry: Entry) -> dict[str, Any]:
        """Show the number that stands for it in a DSN."""
        return {"number": self.context.number(PROJECT.word, entry.workspace, entry.name)}
