"""`alertd token`: make, list and revoke tokens of the API."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from alertd.cli.options import (
    JsonOption,
    Server,
    WorkspaceOption,
    one_of,
    print_json,
    print_table,
    say,
    takes_server,
)
from alertd.cli.selecting import by_options, span_of

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke tokens of the API.")
ROLES = ("intake", "viewer", "operator", "admin")
_LISTED = ("id", "name", "role", "created_at", "expires_at", "last_used_at", "provisioned")
_END = "an RFC 3339 time, or how long it lasts: 30m, 12h, 90d"


def end(given: str | None) -> str | None:
    """Turn `90d` into the time ninety days from now; a time stays as it is, and the daemon judges it. Raises BadParameter."""
    lasts = span_of(given)
    if lasts is None:
        if given is not None and not given[:4].isdigit():
            raise typer.BadParameter(f"{given!r} is not {_END}")
        return given
    try:
        return (datetime.now(UTC) + lasts).isoformat()
    except OverflowError:
        raise typer.BadParameter(f"{given!r} is too long") from None


@app.command("create")
@takes_server
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
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires", metavar="TIME", help=f"When it ends: {_END}. Default: never.", callback=end, show_default=False
        ),
    ] = None,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Make a token and print its secret, this once."""
    from alertd.cli.client import Client, below, with_client

    body = {"name": name, "role": role, "expires_at": expires}

    def make(client: Client) -> dict[str, Any]:
        with by_options(name="NAME", role="--role", expires_at="--expires"):
            return client.call("POST", below(workspace, "tokens"), body, ("value",))

    made = with_client(server, make)
    if json:
        print_json(made)
    else:
        say(made["value"])


@app.command("list")
@takes_server
def list_tokens(
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """List the tokens of a workspace, never their secrets.

    EXPIRES is when one ends, USED when it was last shown; of a provisioned one the latter is not known. A provisioned token stands in the configuration file and is revoked there.
    """
    from alertd.cli.client import below, with_client
    from alertd.cli.pages import items_of

    path = below(workspace, "tokens")
    items = with_client(server, lambda client: items_of(client, path, needs=_LISTED))
    if json:
        print_json({"items": items})
        return
    rows = [
        (
            *(t["name"], t["role"], t["created_at"] or "-", t["expires_at"] or "never", t["last_used_at"] or "-"),
            *("yes" if t["provisioned"] else "no", t["id"]),
        )
        for t in items
    ]
    print_table(("NAME", "ROLE", "CREATED", "EXPIRES", "USED", "PROVISIONED", "ID"), rows)


@app.command("revoke")
@takes_server
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The token's name or id.")],
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Revoke a token. Requests that show it are refused from now on."""
    from alertd.cli.client import below, with_client

    with_client(server, lambda client: client.call("DELETE", below(workspace, "tokens", name)))
    if json:
        print_json({"revoked": name})
    else:
        say(f"revoked {name}")
