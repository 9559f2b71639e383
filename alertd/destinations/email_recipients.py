"""Who gets an alert by e-mail: addresses as they are, `@owner` and its like through the people of a project. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.destinations.clean import line
from alertd.destinations.mail_address import NAME_MAX, Mailbox, parse_address, parse_mailbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from alertd.destinations.people import People


@dataclass(frozen=True, slots=True)
class Recipients:
    """Mailboxes, each once, in the order of the settings; `left_out` says of each person that gets nothing why."""

    mailboxes: tuple[Mailbox, ...]
    left_out: tuple[str, ...] = ()


def recipients_of(to: Sequence[str], people: Iterable[People], most: int) -> Recipients:
    """Resolve the recipients of an alert in the projects that these are the people of."""
    found: dict[str, Mailbox] = {}
    left_out: list[str] = []
    for name, text in _addresses(to, list(people)):
        try:
            mailbox = parse_mailbox(text) if name is None else Mailbox(parse_address(text), line(name, NAME_MAX))
        except ValueError:
            left_out.append(f"{line(name, NAME_MAX)} has an address that e-mail cannot carry")
            continue
        found.setdefault(mailbox.address.lower(), mailbox)
    mailboxes = tuple(found.values())
    left_out += [f"{each.address} is beyond recipients_max ({most})" for each in mailboxes[most:]]
    return Recipients(mailboxes[:most], tuple(left_out))


def reaches_anybody(to: Sequence[str], people: People) -> bool:
    """Whether there is anybody to write to in a project with these people."""
    return bool(recipients_of(to, [people], 1).mailboxes)


def _addresses(to: Sequence[str], people: Sequence[People]) -> Iterator[tuple[str | None, str]]:
    for each in to:
        if not each.startswith("@"):
            yield None, each
            continue
        for here in people:
            for person in here.named(each):
                yield person.name, person.email
