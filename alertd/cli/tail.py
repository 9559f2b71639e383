"""`alertd tail`: verdicts and delivery attempts as they happen."""

from typing import Annotated, Any

import typer

from alertd.cli import selecting as choose
from alertd.cli.options import (
    JsonOption,
    Server,
    WorkspaceOption,
    counted,
    fail,
    note,
    say,
    takes_server,
)

GIVE_UP_SECONDS = 300.0


@choose.takes_filters
@takes_server
def tail(
    which: dict[str, str],
    give_up_seconds: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long a lost daemon is waited for; 0: not at all.")
    ] = GIVE_UP_SECONDS,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Show verdicts and attempts live, one line each.

    A lost connection is made again, and nothing is missed or shown twice. Ends with Ctrl-C, at --until, or when the
    daemon stops in order, with 0; with 1 when the token or the workspace ends. With --since it begins in the past.
    """
    from alertd.cli.client import Client, below, with_client
    from alertd.cli.following import Follower

    path = choose.with_query(below(workspace, "deliveries", "stream"), which)

    def follow(client: Client) -> None:
        with choose.by_options():
            for kind, item in Follower(client, path, give_up_seconds).entries():
                if kind == "end":
                    _end(item["reason"])
                else:
                    _show(kind, item, as_json=json, place=f"{workspace} at {client.base_url}")

    try:
        with_client(server, follow)
    except KeyboardInterrupt:
        return


_ENDS = {"stopping": "the daemon ended the stream", "until": "all until then was shown"}
"""Ends that were asked for, or are in order."""
_REFUSED = {"token": "the token is no longer good", "workspace": "the workspace is no more"}
"""Ends that are a refusal."""


def _end(reason: str) -> None:
    """Say why there is no more; ends the program with 1 unless that is in order."""
    if reason in _ENDS:
        note(_ENDS[reason])
    else:
        fail(f"the daemon ended the stream: {_REFUSED.get(reason, reason)}")


def _show(kind: str, item: Any, *, as_json: bool, place: str) -> None:
    from alertd.cli.options import print_json

    if kind == "ready":
        note(f"listening to the workspace {place}; Ctrl-C ends")
    elif as_json:
        print_json({"kind": kind, **item})
    else:
        say(line_of(kind, item))


def line_of(kind: str, item: dict[str, Any]) -> str:
    """Write one live entry as a line, its time first."""
    at = f"{item['at']}  " if item.get("at") else ""
    if kind == "verdict":
        return f"{at}verdict   {item['type']}  {item['subscription']}: {item['verdict']}  ({item['event_id']})"
    if kind == "delivery":
        outcome = _ended(item) if item.get("state") in ("dead", "cancelled") else _attempted(item)
        return f"{at}delivery  {item['type']}  {item['destination']}: {outcome}  ({item['delivery']})"
    return f"{kind}  " + " ".join(f"{name}={value}" for name, value in item.items())


def _attempted(item: dict[str, Any]) -> str:
    shown = [item.get("outcome") or "no attempt", *(item[name] for name in ("status", "detail") if item.get(name))]
    return "  ".join(map(str, shown))


def _ended(item: dict[str, Any]) -> str:
    """Say in a sentence how a delivery ended undelivered: what the last attempt came to, or why none was made."""
    status, why = item.get("status"), str(item.get("detail") or "")
    if status and str(status) not in why:
        why = f"{why} ({status})" if why else f"answered {status}"
    if not item.get("outcome"):
        return f"{item['state']}, and not tried again: {why.replace('_', ' ') or 'no attempt'}"
    return f"{item['state']} after {counted(item['attempt'], 'attempt')}, and not tried again: {why or item['outcome']}"
