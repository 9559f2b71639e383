"""Who belongs to a project, for destinations that write to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from alertd.model.workspace import Person

OWNER: Final = "@owner"
COLLABORATORS: Final = "@collaborators"


@dataclass(frozen=True, slots=True)
class People:
    """The people of one project; an unknown project has none."""

    owner: Person | None = None
    collaborators: tuple[Person, ...] = ()

    def named(self, mention: str) -> tuple[Person, ...]:
        """Give whom `@owner`, `@collaborators` or `@` and a collaborator's name stands for here; often nobody."""
        if mention == OWNER:
            return () if self.owner is None else (self.owner,)
        if mention == COLLABORATORS:
            return self.collaborators
        name = mention.removeprefix("@").casefold()
        return tuple(person for person in self.collaborators if person.name.casefold() == name)


NOBODY: Final = People()


def nobody(workspace: str, project: str) -> People:
    """Know nobody anywhere."""
    return NOBODY
