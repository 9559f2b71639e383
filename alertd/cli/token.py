"""`alertd token`: make, list, rotate and revoke tokens of the API."""

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

app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke tokens of the API.")
ROLES = ("intake", "viewer", "operator", "admin")
_LISTED = ("id", "name", "role", "created_at", "expires_at", "last_used_at", "provisioned")
EverywhereOption = Annotated[
    bool, typer.Option("--everywhere", help="One of all workspaces, as the first one is, instead of a workspace's.")
]
OVERLAP_SECONDS = 3600.0
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


def _path(workspace: str, everywhere: bool, *more: str) -> str:
    """Write the path of a workspace's tokens, or of those of all, or of one of them."""
    from alertd.cli.client import api, below

    return api("tokens", *more) if everywhere else below(workspace, "tokens", *more)


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
    everywhere: EverywhereOption = False,
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Make a token and print its secret, this once."""
    from alertd.cli.client import Client, with_client

    body = {"name": name, "role": role, "expires_at": expires}

    def make(client: Client) -> dict[str, Any]:
        with by_options(name="NAME", role="--role", expires_at="--expires"):
            return client.call("POST", _path(workspace, everywhere), body, ("value",))

    made = with_client(server, make)
    if json:
        print_json(made)
    else:
        say(made["value"])


@app.command("list")
@takes_server
def list_tokens(
    workspace: WorkspaceOption = "default",
    everywhere: EverywhereOption = False,
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """List tokens, never their secrets.

    EXPIRES is when one ends, USED when it was last shown; of a provisioned one the latter is not known. A provisioned token stands in the configuration file and is revoked there.
    """
    from alertd.cli.client import with_client
    from alertd.cli.pages import items_of

    path = _path(workspace, everywhere)
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


@app.command("rotate")
@takes_server
def rotate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The token's name or id.")],
    overlap: Annotated[
        float,
        typer.Option("--overlap", metavar="SECONDS", min=0, help="How long the secret before works on; 0: not at all."),
    ] = OVERLAP_SECONDS,
    workspace: WorkspaceOption = "default",
    everywhere: EverywhereOption = False,
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Give a token another secret and print it, this once.

    The one before works for a while; a second rotation ends that of the first at once. Where admin.token held it, that file holds the new one now.
    """
    from alertd.cli.client import with_client

    path, body = _path(workspace, everywhere, name, "rotate"), {"overlap_seconds": overlap}
    made = with_client(server, lambda client: client.call("POST", path, body, ("value",)))
    if json:
        print_json(made)
    else:
        say(made["value"])


@app.command("revoke")
@takes_server
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The token's name or id.")],
    workspace: WorkspaceOption = "default",
    everywhere: EverywhereOption = False,
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Revoke a token. Requests that show it are refused from now on."""
    from alertd.cli.client import with_client

    with_client(server, lambda client: client.call("DELETE", _path(workspace, everywhere, name)))
    if json:
        print_json({"revoked": name})
    else:
        say(f"revoked {name}")
