"""`alertd send`: one event from the command line, or many as NDJSON from standard input."""

import sys
from typing import Annotated, Any

import typer

from alertd.cli.event import (
    DataOption,
    EnvironmentOption,
    LabelOption,
    ProjectOption,
    SeverityOption,
    data_of,
    labels_of,
)
from alertd.cli.options import JsonOption, Server, one_of, print_json, say, takes_server

SIMULATED = ("project", "environment", "severity", "message")
"""What may be said of an incident that is simulated."""
OPTIONS = {"labels": "label", "url": "link"}
"""The options of fields that are called otherwise."""


@takes_server
def send(
    event_type: Annotated[
        str | None,
        typer.Argument(metavar="TYPE", help="The event's type, e.g. run:failed. Without it: events on standard input."),
    ] = None,
    data: DataOption = None,
    severity: SeverityOption = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="What happened, for people.")
    ] = None,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", metavar="NAME", help="Its workspace. Default: the token's own.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help="Who says so, e.g. backup-job.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="What it is about; cooldowns are kept per key. Default: the type."),
    ] = None,
    event_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Its id: a second event with the same does nothing. Default: made."),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="When it happened (RFC 3339). Default: now.")
    ] = None,
    link: Annotated[str | None, typer.Option("--link", metavar="URL", help="Where people can read more.")] = None,
    label: LabelOption = None,
    simulate: Annotated[
        str | None,
        typer.Option(
            "--simulate",
            metavar="WHAT",
            callback=one_of("incident"),
            autocompletion=lambda: ["incident"],
            help="Simulate an incident instead, marked as a test wherever it goes; takes --project, --environment, "
            "--severity, --message and --workspace.",
        ),
    ] = None,
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Send one event, or many from standard input.

    Waits until they are stored. One event: prints its id. Many: NDJSON, one JSON object a line, sent in batches. Of a batch with a line that is refused nothing is stored, and the line is named; the batches before it are stored and stay so.
    A daemon that is busy is waited for, up to a minute.
    """
    from alertd.cli.client import with_client

    given: dict[str, Any] = {
        "id": event_id,
        "workspace": workspace,
        "project": project,
        "environment": environment,
        "source": source,
        "severity": severity,
        "time": time,
        "key": key,
        "message": message,
        "url": link,
        "labels": labels_of(label or []) or None,
        "data": data_of(data),
    }
    event = {name: value for name, value in given.items() if value is not None}
    if simulate is not None:
        _simulate(server, event_type, event, as_json=json)
        return
    if event_type is None:
        _send_input(server, event, as_json=json)
        return
    body = {"type": event_type, **event}
    needs = ("accepted", "duplicates", "ids")
    answer = with_client(server, lambda client: client.call("POST", "/api/v1/events", body, needs))
    if json:
        print_json(answer)
    else:
        say(("duplicate " if answer["duplicates"] else "accepted ") + answer["ids"][0])


def _simulate(server: Server, event_type: str | None, event: dict[str, Any], *, as_json: bool) -> None:
    """Simulate an incident, and say which."""
    from alertd.cli.client import below, with_client

    workspace = event.pop("workspace", "default")
    others = [f"--{OPTIONS.get(name, name)}" for name in event if name not in SIMULATED]
    if event_type is not None or others:
        raise typer.BadParameter(f"an incident that is simulated takes no {others[0] if others else 'TYPE'}")
    path = below(workspace, "incidents", "simulate")
    incident = with_client(server, lambda client: client.call("POST", path, event, ("id", "title")))
    if as_json:
        print_json(incident)
    else:
        say(f"simulated {incident['id']} {incident['title']}")


def _send_input(server: Server, event: dict[str, Any], *, as_json: bool) -> None:
    from alertd.cli.client import with_client
    from alertd.cli.feed import Feed

    if event:
        raise typer.BadParameter(
            "options that describe an event need a TYPE; events on standard input describe themselves"
        )
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter("a TYPE is needed, or events on standard input: alertd send < events.ndjson")
    feed = Feed()
    try:
        with_client(server, lambda client: feed.send(client, sys.stdin.buffer))
    finally:
        if as_json:
            print_json({"accepted": feed.accepted, "duplicates": feed.duplicates, "lines": feed.lines})
        else:
            say(f"accepted {feed.accepted}, duplicates {feed.duplicates}")
