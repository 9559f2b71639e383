"""`alertd token`: make, list and revoke tokens of the API."""

from typing import Annotated

import typer

from alertd.cli.options import (
    ConfigOption,
    JsonOption,
    TokenOption,
    UrlOption,
    WorkspaceOption,
    one_of,
    print_json,
    print_table,
    say,
)

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke tokens of the API.")
ROLES = ("intake", "viewer", "operator", "admin")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 64 lower-case letters, digits, - and _.")],
    role: Annotated[
        str,
        typer.Option(
            "--role",
            metavar="ROLE",
            callback=one_of(*ROLES),
            autocompletion=lambda: list(ROLES),
            help="What it may do: intake (only send events), viewer (read), operator (also send, test, replay, cancel) or "
            "admin (everything in its workspace).",
        ),
    ],
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    token_file: TokenOption = None,
) -> None:
    """Make a token and print its secret, this once."""
    from alertd.cli.client import Server, below, with_client

    body = {"name": name, "role": role}
    made = with_client(
        Server(url, config, token_file),
        lambda client: client.call("POST", below(workspace, "tokens"), body, ("value",)),
    )
    if json:
        print_json(made)
    else:
        say(made["value"])


@app.command("list")
def list_tokens(
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    token_file: TokenOption = None,
) -> None:
    """List the tokens of a workspace, never their secrets.

    A provisioned token stands in the configuration file and is revoked there.
    """
    from alertd.cli.client import Server, below, with_client
    from alertd.cli.pages import items_of

    items = with_client(Server(url, config, token_file), lambda client: items_of(client, below(workspace, "tokens")))
    if json:
        print_json({"items": items})
        return
    rows = [(t["name"], t["role"], t["created_at"] or "-", "yes" if t["provisioned"] else "no", t["id"]) for t in items]
    print_table(("NAME", "ROLE", "CREATED", "PROVISIONED", "ID"), rows)


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The token's name or id.")],
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    token_file: TokenOption = None,
) -> None:
    """Revoke a token. Requests that show it are refused from now on."""
    from alertd.cli.client import Server, below, with_client

    with_client(Server(url, config, token_file), lambda client: client.call("DELETE", below(workspace, "tokens", name)))
    if json:
        print_json({"revoked": name})
    else:
        say(f"revoked {name}")
