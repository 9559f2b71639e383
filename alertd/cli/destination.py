"""`alertd destination`: work with destinations."""

from typing import Annotated, Any

import typer

from alertd.cli.options import ConfigOption, JsonOption, TokenOption, UrlOption, WorkspaceOption, print_json, say

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


@app.callback()
def group() -> None:
    """Work with destinations."""


@app.command("test")
def send_test(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The destination's name.")],
    request: Annotated[bool, typer.Option("--request", help="Show what was sent as well, without secrets.")] = False,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    token_file: TokenOption = None,
) -> None:
    """Send a test message and tell what came of it.

    It goes the way that alerts go. The exit code is 1 unless it was delivered. A disabled destination is tested all the same.
    """
    from alertd.cli.client import Server, below, with_client

    path = below(workspace, "destinations", name, "test")
    result = with_client(
        Server(url, config, token_file), lambda client: client.call("POST", path, None, TEST_NEEDS, TEST_SECONDS)
    )
    if json:
        print_json(result)
    else:
        say(outcome_line(name, result))
        if request and result.get("request"):
            _show(result["request"])
    if result["outcome"] != "delivered":
        raise typer.Exit(1)


@app.command("preview")
def preview(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The destination's name.")],
    message: Annotated[str | None, typer.Option("--message", metavar="TEXT", help="What the event says.")] = None,
    type_: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="The event's type.")] = None,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show what would be sent for a test message, and send nothing.

    Templates are filled in; secrets are left out.
    """
    from alertd.cli.client import Server, below, with_client

    path = below(workspace, "destinations", name, "preview")
    event = {key: value for key, value in (("message", message), ("type", type_)) if value is not None}
    result = with_client(Server(url, config, token_file), lambda client: client.call("POST", path, event, _SHOWN))
    if json:
        print_json(result)
    else:
        _show(result)


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
