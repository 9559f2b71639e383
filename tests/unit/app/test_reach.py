"""Where destinations that write to people reach any: worked out from the settings of mail and the projects' people."""

from __future__ import annotations

from typing import Any

from alertd.app.reach import reach_of
from alertd.destinations.mail_server import MailServer
from alertd.model.destination import Destination
from alertd.model.workspace import Person, Project, Workspace

SERVER = MailServer(host="smtp.example.com")
ANN = Person(name="Ann", email="ann@example.com")


def reached(mail: MailServer, **settings: Any) -> frozenset[str] | None:
    """Say in which projects an e-mail destination reaches anybody; None: everywhere."""
    projects = (Project(name="shop", owner=ANN), Project(name="blog", collaborators=(ANN,)), Project(name="empty"))
    destinations = (
        Destination(name="mail", type="email", settings=settings),
        Destination(name="hook", type="webhook", settings={"url": "https://x.example/"}),
    )
    reach = reach_of([Workspace(name="default", projects=projects, destinations=destinations)], mail)
    assert not {key for key in reach.projects if key[1] == "hook"}
    return reach.projects.get(("default", "mail"))


def test_without_a_server_nobody_is_reached() -> None:
    """Neither an address nor an owner; a server of the destination's own is enough."""
    assert reached(MailServer(), to=["ops@example.com", "@owner"]) == frozenset()
    assert reached(MailServer(), to=["ops@example.com"], host="smtp.example.com") is None


def test_an_address_is_reached_everywhere() -> None:
    """Events of any project, and of none, go there."""
    assert reached(SERVER, to=["@owner", "ops@example.com"]) is None


def test_people_are_reached_in_their_projects() -> None:
    """An owner where there is one, a collaborator where there is one of that name."""
    assert reached(SERVER, to=["@owner"]) == {"shop"}
    assert reached(SERVER, to=["@owner", "@collaborators"]) == {"shop", "blog"}
    assert reached(SERVER, to=["@ann"]) == {"blog"}
    assert reached(SERVER, to=["@carl"]) == frozenset()


def test_an_address_that_mail_cannot_carry_reaches_nobody() -> None:
    """Somebody whose address is unusable is nobody."""
    odd = Project(name="odd", owner=Person(name="Eve", email='"e>"@example.com'))
    destination = Destination(name="mail", type="email", settings={"to": ["@owner"]})
    reach = reach_of([Workspace(name="default", projects=(odd,), destinations=(destination,))], SERVER)
    assert reach.projects["default", "mail"] == frozenset()


def test_a_form_that_tells_of_issues_takes_nothing_else() -> None:
    """A webhook in Rustrak's form is named among those that need an issue; others are not."""
    hooks = tuple(
        Destination(name=form, type="webhook", settings={"url": "https://x.example/", "format": form})
        for form in ("standard", "rustrak", "nora")
    )
    reach = reach_of([Workspace(name="default", destinations=hooks)], MailServer())
    assert reach.needs_issue == {("default", "rustrak")}
