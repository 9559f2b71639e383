"""`alertd subscription`: work with subscriptions."""

from typing import Annotated, Any

import typer

from alertd.cli.destination import TEST_NEEDS, TEST_SECONDS, outcome_line
from alertd.cli.options import JsonOption, Server, WorkspaceOption, print_json, say, takes_server

app = typer.Typer(no_args_is_help=True, help="Work with subscriptions.")


@app.callback()
def group() -> None:
    """Work with subscriptions."""


@app.command("test")
@takes_server
def send_test(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The subscription's name.")],
    type_: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="The test event's type.")] = None,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Send a marked test to each of its destinations.

    Tells what came of each. It goes the way that alerts go; conditions are not weighed. The exit code is 1 unless every one was delivered.
    """
    from alertd.cli.client import Client, NotAlertdError, below, with_client

    path = below(workspace, "subscriptions", name, "test")
    body = None if type_ is None else {"type": type_}

    def tested(client: Client) -> dict[str, Any]:
        answer = client.call("POST", path, body, ("results",), TEST_SECONDS)
        if any(not result.keys() >= {"destination", *TEST_NEEDS} for result in answer["results"]):
            raise NotAlertdError
        return answer

    answer = with_client(server, tested)
    if json:
        print_json(answer)
    else:
        for result in answer["results"]:
            say(outcome_line(result["destination"], result))
    if any(result["outcome"] != "delivered" for result in answer["results"]):
        raise typer.Exit(1)
