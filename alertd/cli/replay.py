"""`alertd replay`: send deliveries again, one by one or what a filter finds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertd.cli import selecting as choose
from alertd.cli.options import (
    JsonOption,
    Server,
    WorkspaceOption,
    fail,
    note,
    print_json,
    say,
    takes_server,
)

if TYPE_CHECKING:
    from alertd.cli.client import Client

COUNT_SECONDS = 90.0
"""How long counting may take."""
LOOK_SECONDS = 0.5
"""How often the daemon is asked how far it is."""
_OF_THE_DELIVERY = (404, 409)
"""Refusals that are about one delivery (it is gone, not final, its destination was removed): others may go."""
_MADE = ("id", "destination")
_PREVIEW = ("count", "matched", "states", "complete", "rate_per_second", "destination")
_REPLAY = ("id", "state", "matched", "replayed", "left_out")


@choose.takes_filters
@takes_server
def replay(
    which: dict[str, str],
    delivery_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Deliveries to send again, at once.", show_default=False),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NAME", help="Send all of it there. Default: each to its own destination."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, max=1000, metavar="N", help="Deliveries a second. Default: 50.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Also what the destination has already, or is about to, by a replay or another delivery."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send, and do not ask.")] = False,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Send deliveries again, by id or by filters.

    Each is a new delivery that names its origin. What filters find is only counted, and at a terminal you are asked;
    with --yes it is sent. Ends when all of it is under way; the daemon goes on by itself if you do not wait.
    One of several ids that cannot go is said with the reason; the others go all the same, and the exit code is then 1.
    """
    from alertd.cli.client import with_client

    if bool(which) == bool(delivery_ids):
        raise typer.BadParameter("say which deliveries: their ids, or filters such as --state dead")
    if delivery_ids and (again or rate is not None):
        raise typer.BadParameter(
            "--again and --rate are for what filters find: deliveries named by id go again at once"
        )
    if delivery_ids:
        left = with_client(server, lambda client: _one_by_one(client, workspace, delivery_ids, to, as_json=json))
        if left:
            fail(f"{left} of {len(delivery_ids)} not sent again")
        return
    asked = {"filter": which, "again": again, "destination": to} | ({} if rate is None else {"rate_per_second": rate})
    with_client(server, lambda client: _many(client, workspace, asked, yes=yes, as_json=json))


_OPTIONS = {"destination": "--to", "rate_per_second": "--rate"}
"""Options that the API calls otherwise."""


def _one_by_one(client: "Client", workspace: str, delivery_ids: list[str], to: str | None, *, as_json: bool) -> int:
    """Send deliveries again; return how many were refused while others may go."""
    from alertd.cli.client import below, each_of

    def again(number: str) -> None:
        with choose.by_options(**_OPTIONS):
            made = client.call("POST", below(workspace, "deliveries", number, "replay"), {"destination": to}, _MADE)
        if as_json:
            print_json(made)
        else:
            say(f"{number}: sent again as {made['id']} to {made['destination']}")

    return each_of(delivery_ids, _OF_THE_DELIVERY, again)


def _many(client: "Client", workspace: str, asked: dict[str, Any], *, yes: bool, as_json: bool) -> None:
    from alertd.cli.client import below

    path = below(workspace, "deliveries", "replay")
    with choose.by_options(**_OPTIONS):
        if not yes:
            preview = client.call("POST", path, {**asked, "dry_run": True}, _PREVIEW, COUNT_SECONDS)
            if not _agreed(preview, as_json=as_json):
                return
        begun = client.call("POST", path, asked, _REPLAY, COUNT_SECONDS)
    done = _watched(client, below(workspace, "deliveries", "replays", begun["id"]), begun)
    if as_json:
        print_json(done)
    else:
        say(f"{done['id']}: {_deliveries(done['replayed'])} sent again")
        _say_found(str(done["matched"] or "none"), done["left_out"])
    if done["state"] != "done":
        fail(f"the replay is {done['state']}: {done.get('reason') or 'no reason was given'}")


def _agreed(preview: dict[str, Any], *, as_json: bool) -> bool:
    """Show what would be sent; at a terminal, ask."""
    if as_json:
        print_json(preview)
    else:
        states = ", ".join(f"{count} {word}" for word, count in preview["states"].items() if count) or "none"
        where = f"to {preview['destination']}" if preview["destination"] else "each to its own destination"
        say(f"{_deliveries(preview['count'])} would be sent again, {where}, {preview['rate_per_second']:g} a second")
        _say_found(states, preview["matched"] - preview["count"])
    if not preview["complete"]:
        fail("there are more than one replay may be of: narrow it, by --since and --until perhaps")
    if not preview["count"]:
        return False
    if not as_json and sys.stdin.isatty() and sys.stderr.isatty():
        return _confirmed("Send them?")
    note("nothing was sent; add --yes to send")
    return False


def _confirmed(question: str) -> bool:
    """Ask at the terminal. Raises KeyboardInterrupt for Ctrl-C, Abort where no answer comes."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as aborted:
        if isinstance(aborted.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


def _say_found(found: str, left_out: int) -> None:
    """Say what the filters found, and how much of it does not go."""
    reasons = "gone, there already (--again) or of a removed destination (--to)"
    why = f"; left out: {left_out}, {reasons}" if left_out else ""
    say(f"found: {found}{why}")


def _watched(client: "Client", path: str, now: dict[str, Any]) -> dict[str, Any]:
    """Wait until a replay has ended."""
    try:
        with _progress(now["matched"]) as shown:
            while now["state"] == "running":
                time.sleep(LOOK_SECONDS)
                now = client.call("GET", path, None, _REPLAY)
                shown(now["replayed"] + now["left_out"])
    except KeyboardInterrupt:
        note(f"the daemon goes on with {now['id']}")
        raise
    return now


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show on stderr how far it is, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda looked: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=total)
        yield lambda looked: bar.update(task, completed=looked)


def _deliveries(count: int) -> str:
    return "1 delivery" if count == 1 else f"{count} deliveries"
