"""`alertd destination`: work with destinations."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from alertd.cli.options import (
    JsonOption,
    Server,
    WorkspaceOption,
    print_json,
    print_table,
    say,
    takes_server,
)

app = typer.Typer(no_args_is_help=True, help="Work with destinations.")
TEST_SECONDS = 330.0
"""How long a test may take: a destination's own time-out ends it before."""
_WORDS = {
    "retry_later": ("not delivered", "an alert would be tried again"),
    "rejected": ("refused", "an alert would not be tried again"),
    "gone": ("gone", "an alert would disable the destination"),
    "ambiguous": ("no answer, it may have arrived", "an alert would be tried again"),
}
"""What each outcome but `delivered` means, and what would come of an alert, in words."""
_SHOWN = ("target", "headers", "body")
TEST_NEEDS = ("outcome", "status", "error", "duration_seconds")
"""What the result of a test says."""
_COLUMNS = ("NAME", "TYPE", "STATE", "QUEUED", "BREAKER", "RESTS UNTIL", "DELIVERED", "FAILED", "WHY")
_NEEDS = ("name", "state", "disabled_reason", "paused_until")
_ENABLE = """Let a destination take deliveries again.

What waits for it goes out now, or when its receiver's own rest is over. Refused of one that its configuration has off: set enabled there."""
_DISABLE = """Let a destination take nothing until it is enabled.

Its deliveries wait, as long as retry.give_up_after_seconds says; new events get the verdict destination_disabled, and no delivery there."""
_LISTED = (
    *_NEEDS,
    "rests_until",
    "type",
    "queue_depth",
    "breaker_state",
    "last_success_at",
    "last_failure_at",
    "last_error",
)


@app.callback()
def group() -> None:
    """Work with destinations."""


@app.command("list")
@takes_server
def list_destinations(
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """List the destinations of a workspace, and how each stands.

    QUEUED is what waits in memory; RESTS UNTIL is when it goes on, where its receiver asked for rest, or its breaker or rate keeps it. DELIVERED and FAILED are when that last happened; WHY is what disabled it, else the last failure if nothing was delivered since.
    """
    from alertd.cli.client import below, with_client
    from alertd.cli.pages import items_of

    path = below(workspace, "destinations")
    items = with_client(server, lambda client: items_of(client, path, needs=_LISTED))
    if json:
        print_json({"items": items})
    else:
        print_table(_COLUMNS, [_row(each) for each in items])


def _switching(verb: str) -> Callable[..., None]:
    """Make the command that enables or disables a destination."""

    @takes_server
    def switch(
        name: Annotated[str, typer.Argument(metavar="NAME", help="The destination's name.")],
        workspace: WorkspaceOption = "default",
        json: JsonOption = False,
        *,
        server: Server,
    ) -> None:
        from alertd.cli.client import below, with_client

        path = below(workspace, "destinations", name, verb)
        now = with_client(server, lambda client: client.call("POST", path, None, _NEEDS))
        if json:
            print_json(now)
            return
        why = f" ({now['disabled_reason']})" if now["disabled_reason"] else ""
        rest = f"; paused until {now['paused_until']}" if now["paused_until"] else ""
        say(f"{now['name']}: {now['state']}{why}{rest}")

    return switch


app.command("enable", help=_ENABLE)(_switching("enable"))
app.command("disable", help=_DISABLE)(_switching("disable"))


@app.command("test")
@takes_server
def send_test(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The destination's name.")],
    request: Annotated[bool, typer.Option("--request", help="Show what was sent as well, without secrets.")] = False,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Send a test message and tell what came of it.

    It goes the way that alerts go. The exit code is 1 unless it was delivered. A disabled destination is tested all the same.
    """
    from alertd.cli.client import below, with_client

    path = below(workspace, "destinations", name, "test")
    result = with_client(server, lambda client: client.call("POST", path, None, TEST_NEEDS, TEST_SECONDS))
    if json:
        print_json(result)
    else:
        say(outcome_line(name, result))
        if request and result.get("request"):
            _show(result["request"])
    if result["outcome"] != "delivered":
        raise typer.Exit(1)


@app.command("preview")
@takes_server
def preview(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The destination's name.")],
    message: Annotated[str | None, typer.Option("--message", metavar="TEXT", help="What the event says.")] = None,
    type_: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="The event's type.")] = None,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Show what would be sent for a test message, and send nothing.

    Templates are filled in; secrets are left out.
    """
    from alertd.cli.client import below, with_client

    path = below(workspace, "destinations", name, "preview")
    event = {key: value for key, value in (("message", message), ("type", type_)) if value is not None}
    result = with_client(server, lambda client: client.call("POST", path, event, _SHOWN))
    if json:
        print_json(result)
    else:
        _show(result)


def _row(shown: dict[str, Any]) -> tuple[str, ...]:
    """Write how a destination stands as a row."""
    delivered, failed = shown["last_success_at"] or "", shown["last_failure_at"] or ""
    why = shown["disabled_reason"] or (shown["last_error"] if failed > delivered else "")
    return (
        *(shown["name"], shown["type"], shown["state"], str(shown["queue_depth"]), shown["breaker_state"]),
        *(shown["rests_until"] or "-", delivered or "-", failed or "-", why or "-"),
    )


def _show(request: dict[str, Any]) -> None:
    """Write a request as it is sent."""
    say(request["target"])
    for header, value in request["headers"].items():
        say(f"{header}: {value}")
    say("")
    say(request["body"])


def outcome_line(name: str, result: dict[str, Any]) -> str:
    """Write what came of a test message to one destination as a line."""
    said = " ".join(str(result[part]) for part in ("status", "error") if result[part])
    outcome, then = _WORDS.get(result["outcome"], (result["outcome"], ""))
    took = f"{name}: {outcome} ({result['duration_seconds']:.3f} s)"
    return took + (f": {said}" if said else "") + (f"; {then}" if then else "")
