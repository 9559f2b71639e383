"""Commands for operators of a running daemon: tail, token, destination."""

import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from alertd.cli.client import Client, with_client
from alertd.cli.options import ConfigOption, JsonOption, UrlOption, WorkspaceOption, print_json

token_app = typer.Typer(no_args_is_help=True, help="Make, list and revoke tokens of the API.")
destination_app = typer.Typer(no_args_is_help=True, help="Work with destinations.")


def tail(
    workspace: WorkspaceOption = "default",
    url: UrlOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show verdicts and delivery attempts live, one line each, until Ctrl-C."""

    async def follow(client: Client) -> None:
        async with client.stream(f"/api/v1/workspaces/{workspace}/deliveries/stream") as events:
            async for kind, item in events:
                if json:
                    print_json({"kind": kind, **item})
                else:
                    sys.stdout.write(line_of(kind, item) + "\n")
                    sys.stdout.flush()

    with_client(url, config, follow)


def line_of(kind: str, item: dict[str, Any]) -> str:
    """Write one live entry as a line."""
    if kind == "verdict":
        return f"verdict  {item['type']}  {item['subscription']}: {item['verdict']}  ({item['event_id']})"
    shown = [f"{kind}  {item.get('destination')}: {item.get('outcome')}"]
    shown += [str(item[name]) for name in ("status", "detail", "delivery_id") if item.get(name)]
    return "  ".join(shown)


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits, - and _.")],
    role: Annotated[str, typer.Option("--role", help="intake, viewer, operator or admin.")],
    workspace: WorkspaceOption = "default",
    url: UrlOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token and print its secret, which is shown only now."""
    path = f"/api/v1/workspaces/{workspace}/tokens"
    made = with_client(url, config, lambda client: client.call("POST", path, {"name": name, "role": role}))
    if json:
        print_json(made)
    else:
        typer.echo(made["value"])


@token_app.command("list")
def list_tokens(
    workspace: WorkspaceOption = "default",
    url: UrlOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List the tokens of a workspace (never their secrets)."""
    path = f"/api/v1/workspaces/{workspace}/tokens"
    found = with_client(url, config, lambda client: client.call("GET", path))
    if json:
        print_json(found)
        return
    table = Table("name", "role", "workspace", "created", "provisioned")
    for token in found["items"]:
        where = token["workspace"] or "(all)"
        table.add_row(token["name"], token["role"], where, token["created_at"], "yes" if token["provisioned"] else "no")
    Console().print(table)


@token_app.command("revoke")
def revoke_token(
    name: Annotated[str, typer.Argument(help="The token's name or id.")],
    workspace: WorkspaceOption = "default",
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Revoke a token at once."""
    path = f"/api/v1/workspaces/{workspace}/tokens/{name}"
    with_client(url, config, lambda client: client.call("DELETE", path))
    typer.echo(f"revoked {name}")


@destination_app.command("test")
def send_test(
    name: Annotated[str, typer.Argument(help="The destination's name.")],
    workspace: WorkspaceOption = "default",
    url: UrlOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Send a test message through the real path and tell what came of it; ends with 1 unless it was delivered."""
    path = f"/api/v1/workspaces/{workspace}/destinations/{name}/test"
    result = with_client(url, config, lambda client: client.call("POST", path))
    if json:
        print_json(result)
    else:
        said = " ".join(str(result[part]) for part in ("status", "error") if result[part])
        typer.echo(f"{name}: {result['outcome']} in {result['duration_seconds']:.3f} s {said}".rstrip())
    if result["outcome"] != "delivered":
        raise typer.Exit(1)
