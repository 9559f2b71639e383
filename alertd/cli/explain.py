"""`alertd explain`: who would be told of an event, or was, and who not and why, as a tree."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertd.cli.event import (
    DataOption,
    EnvironmentOption,
    LabelOption,
    ProjectOption,
    SeverityOption,
    data_of,
    labels_of,
)
from alertd.cli.options import ConfigOption, JsonOption, TokenOption, UrlOption, WorkspaceOption, print_json, say

if TYPE_CHECKING:
    from alertd.cli.client import Client


def explain(
    what: Annotated[
        str, typer.Argument(metavar="TYPE|EVENT_ID", help="The id of a stored event, or the type of one made up here.")
    ],
    data: DataOption = None,
    severity: SeverityOption = None,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    key: Annotated[str | None, typer.Option("--key", metavar="KEY", help="What it is about.")] = None,
    label: LabelOption = None,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    token_file: TokenOption = None,
) -> None:
    """Say who is told of an event and who not, and why.

    With the id of a stored event: what was decided, and what became of it. With options, or with what is no such id: what would be decided now about an event of that type; nothing is sent.
    With --json, `stored` says which of the two it is, and of one made up `type_known` whether anybody knows its type.
    """
    from alertd.cli.client import Server, below, with_client

    given: dict[str, Any] = {
        "severity": severity,
        "project": project,
        "environment": environment,
        "key": key,
        "labels": labels_of(label or []) or None,
        "data": data_of(data),
    }
    said = {name: value for name, value in given.items() if value is not None}

    def ask(client: "Client") -> dict[str, Any]:
        if not said and (event := _found(client, below(workspace, "events", what), "verdicts")) is not None:
            return {**event, "stored": True}
        known = _found(client, below(workspace, "event-types", what), "name") is not None
        plan = client.call("POST", below(workspace, "explain"), {"type": what, **said}, ("verdicts", "deliveries"))
        return {**plan, "stored": False, "type_known": known}

    found = with_client(Server(url, config, token_file), ask)
    if json:
        print_json(found)
        return
    if not found["stored"] and not found["type_known"]:
        missed = f"no event of type {what} is known" if said else "no such event"
        say(f"{missed}; an event of type {what} would be:")
    for line in tree(found, stored=found["stored"]):
        say(line)


def _found(client: "Client", path: str, needed: str) -> dict[str, Any] | None:
    """Read what stands at a path, which has at least the field `needed`; None when nothing is there."""
    from alertd.cli.client import Refusal

    try:
        return client.call("GET", path, needs=(needed,))
    except Refusal as refusal:
        if refusal.status != 404:  # noqa: PLR2004 - there is no such thing
            raise
        return None


def tree(found: dict[str, Any], *, stored: bool = True) -> list[str]:
    """Draw what was decided: the event, each subscription with its verdict, its deliveries, and what else came of it.

    Of one that is not `stored` it says what would be decided, and leaves out the id, which nobody can look up.
    """
    event = found.get("event", found)
    where = "/".join(str(event[name]) for name in ("project", "environment") if event.get(name))
    name = event["id"] if stored else "(made up here: nothing is sent)"
    lines = [" ".join(part for part in (event["type"], event["severity"], where, name) if part)]
    lines += [f"! {v['pointer'] or 'data'}: {v['detail']}" for v in found.get("violations", [])]
    branches = [_verdict(verdict, found, stored=stored) for verdict in found["verdicts"]]
    branches += [_progress(each) for each in found.get("progress", [])]
    branches += [
        ["makes " + inner[0], *inner[1:]] for inner in (tree(each, stored=stored) for each in found.get("makes", []))
    ]
    if not branches:
        branches = [["no subscription listens to this type"]]
    for position, branch in enumerate(branches):
        last = position == len(branches) - 1
        lines.append(("└─ " if last else "├─ ") + branch[0])
        lines += [("   " if last else "│  ") + line for line in branch[1:]]
    return lines


def _verdict(verdict: dict[str, Any], found: dict[str, Any], *, stored: bool) -> list[str]:
    mark = "✓" if verdict["verdict"] == "sent" else "✗"
    detail = verdict["detail"] if stored or mark == "✗" else f"would be {verdict['detail']}"
    channel = f" (channel {verdict['channel']})" if verdict["channel"] else ""
    lines = [f"{mark} {verdict['subscription']}{channel}: {detail}"]
    if verdict["verdict"] == "sent":
        own = [d for d in found.get("deliveries", []) if d["subscription"] == verdict["subscription"]]
        lines += [f"→ {_delivery(delivery)}" for delivery in own]
        if not own and found.get("deliveries"):
            lines.append("→ nothing of its own: another subscription's message goes there")
    closed = [f"✗ {each['destination']}: {each['verdict']}" for each in verdict.get("destinations", [])]
    return [lines[0], *(f"   {line}" for line in (*lines[1:], *closed))]


def _delivery(delivery: dict[str, Any]) -> str:
    if "state" in delivery:
        error = f": {delivery['error']}" if delivery.get("error") else ""
        count = delivery["attempt_count"]
        attempts = "1 attempt" if count == 1 else f"{count} attempts"
        return f"{delivery['destination']} {delivery['state']} after {attempts}{error}"
    waits = f", paused until {delivery['paused_until']}" if delivery["paused_until"] else ""
    open_breaker = "" if delivery["breaker_state"] == "closed" else f", breaker {delivery['breaker_state']}"
    return f"{delivery['destination']}{open_breaker}{waits}"


def _progress(progress: dict[str, Any]) -> list[str]:
    noun = progress["kind"].replace("_", " ")
    if progress["count"] is not None:
        following = (
            f"number {progress['next']} makes an event" if progress["next"] else "none makes one until it is quiet"
        )
        return [f"{noun} {progress['name']}: occurrence number {progress['count']}; {following}"]
    due = f", moved by time alone at {progress['due_at']}" if progress["due_at"] else ""
    return [f"{noun} {progress['name']}: value {progress['value']:g}{due}"]
