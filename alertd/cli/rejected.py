"""`alertd rejected`: records that could not be read, listed, shown, tried again after a fix."""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from alertd.cli.options import (
    JsonOption,
    Server,
    counted,
    fail,
    note,
    print_json,
    print_table,
    say,
    takes_server,
    written,
)

if TYPE_CHECKING:
    from alertd.cli.client import Client

app = typer.Typer(no_args_is_help=True, help="List, show and try again records that could not be read.")
PATH = "/api/v1/rejected"
LISTED = 50
"""How many are listed when nothing is asked for."""
_SHOWN = ("id", "topic", "partition", "offset", "reason", "bytes")
_LISTED = ("id", "workspace", "topic", "partition", "offset", "size_bytes", "rejected_at", "reason")
_OF_THE_RECORD = (404, 409, 422)
"""Refusals that are about one record (it is gone, was not kept whole, cannot be read still): others may fare better."""


@app.callback()
def group() -> None:
    """List, show and try again records that could not be read."""


@app.command("list")
@takes_server
def list_records(
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many at most.")] = LISTED,
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """List records that could not be read, newest first.

    They are those of the token's workspace, or of all workspaces for a token of all.
    """
    from alertd.cli.client import with_client
    from alertd.cli.pages import items_of

    items = with_client(server, lambda client: items_of(client, PATH, limit, _LISTED))
    if json:
        print_json({"items": items})
        return
    head = ("ID", "WORKSPACE", "TOPIC", "PARTITION", "OFFSET", "BYTES", "REJECTED", "REASON")
    print_table(head, [_row(each) for each in items])


@app.command("show")
@takes_server
def show(
    record_id: Annotated[str, typer.Argument(metavar="ID", help="The record's id.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Write its bytes to stdout as they came, and nothing else.")
    ] = False,
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Show one with its reason, its headers and its bytes."""
    import base64

    from alertd.cli.client import with_client

    if raw and json:
        raise typer.BadParameter("say one of --raw and --json")
    needs = (*_SHOWN, "bytes_base64", "headers", "complete")
    record = with_client(server, lambda client: client.call("GET", _one(record_id), None, needs))
    if json:
        print_json(record)
    elif raw:
        with written():
            typer.echo(base64.b64decode(record["bytes_base64"]), nl=False)
    else:
        _tell(record)


@app.command("replay")
@takes_server
def replay(
    record_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Records to try again.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Try all of them again, oldest first.")] = False,
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Try records again after a fix.

    One that can be read now becomes an event, and is listed no more. One that still cannot, or was not kept whole,
    stays, with the reason; the others are tried all the same, and the exit code is then 1.
    """
    from alertd.cli.client import with_client

    if bool(record_ids) == every:
        raise typer.BadParameter("say which records: their ids, or --all")
    left = with_client(server, lambda client: _again(client, record_ids, as_json=json))
    if left:
        fail(f"{counted(left, 'record')} cannot be read still")


def _again(client: "Client", record_ids: list[str] | None, *, as_json: bool) -> int:
    """Try records again (None: all of them); return how many still cannot be read."""
    from alertd.cli.client import each_of
    from alertd.cli.pages import items_of

    asked = record_ids
    if asked is None:
        asked = [each["id"] for each in reversed(items_of(client, PATH, needs=("id",)))]
    if not asked:
        note("there is no rejected record")

    def again(number: str) -> None:
        done = client.call("POST", f"{_one(number)}/replay", None, ("result", "event_id"))
        if as_json:
            print_json(done)
        else:
            say(f"{number}: {_RESULTS.get(done['result'], done['result'])} as the event {done['event_id']}")

    return each_of(asked, _OF_THE_RECORD, again)


_RESULTS = {"accepted": "accepted", "duplicate": "known already"}
"""What came of a record, in words."""


def _one(record_id: str) -> str:
    return f"{PATH}/{quote(record_id, safe='')}"


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    place = (record["workspace"] or "-", record["topic"], str(record["partition"]), str(record["offset"]))
    reason = " ".join(record["reason"].split())
    return (record["id"], *place, str(record["size_bytes"]), record["rejected_at"], reason)


def _tell(record: dict[str, Any]) -> None:
    import base64

    say(f"{record['topic']}/{record['partition']} at {record['offset']}: {record['reason']}")
    for header in record["headers"]:
        value = header["value_base64"]
        text = "(none)" if value is None else base64.b64decode(value).decode("utf-8", "replace")
        say(f"{header['name']}: {text}")
    say("")
    say(record["bytes"])
    if not record["complete"]:
        note(f"only a part of its {record['size_bytes']} bytes was kept, so it cannot be tried again")
