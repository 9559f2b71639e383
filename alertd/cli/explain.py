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
from alertd.cli.options import JsonOption, Server, WorkspaceOption, print_json, say, takes_server

if TYPE_CHECKING:
    from alertd.cli.client import Client

_WAITING = ("pending", "retrying")
"""The states of a delivery that is to be attempted, and is not just now."""


@takes_server
def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="TYPE|ID",
            help="The id of a stored event, of an alert or of a delivery of it, or the type of one made up here.",
        ),
    ],
    data: DataOption = None,
    severity: SeverityOption = None,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    key: Annotated[str | None, typer.Option("--key", metavar="KEY", help="What it is about.")] = None,
    label: LabelOption = None,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Say who is told of an event and who not, and why.

    With the id of a stored event, or of its alert (alt_…) or a delivery (dlv_…): what was decided, what became of it, which events alertd made of it, and of which it was made itself. With options, or with what is no such id: what would be decided now about an event of that type; nothing is sent.
    With --json, `stored` says which of the two it is, and of one made up `type_known` whether anybody knows its type.
    """
    from alertd.cli.client import below, with_client
    from alertd.cli.family import with_family

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
        if not said and (event := _stored(client, workspace, what)) is not None:
            return {**(event if json else with_family(client, workspace, event)), "stored": True}
        known = client.find(below(workspace, "event-types", what), ("name",)) is not None
        plan = client.call("POST", below(workspace, "explain"), {"type": what, **said}, ("verdicts", "deliveries"))
        return {**plan, "stored": False, "type_known": known}

    found = with_client(server, ask)
    if json:
        print_json(found)
        return
    if not found["stored"] and not found["type_known"]:
        missed = f"no event of type {what} is known" if said else "no such event"
        say(f"{missed}; an event of type {what} would be:")
    for line in tree(found, stored=found["stored"]):
        say(line)


def _stored(client: "Client", workspace: str, what: str) -> dict[str, Any] | None:
    """Find an event by its own id, or by that of its alert or of a delivery; None: there is none."""
    from alertd.cli.client import below

    if what.startswith("dlv_") and (delivery := client.find(below(workspace, "deliveries", what), ("event_id",))):
        what = delivery["event_id"]
    elif what.startswith("alt_") and (alert := client.find(below(workspace, "alerts", what), ("event",))):
        what = alert["event"]["id"]
    return client.find(below(workspace, "events", what), ("verdicts",))


def tree(found: dict[str, Any], *, stored: bool = True, beneath: bool = False) -> list[str]:
    """Draw what was decided: the event, each subscription with its verdict, its deliveries, and what else came of it.

    Of one that is not `stored` it says what would be decided, and leaves out the id, which nobody can look up. One that
    stands `beneath` the event that it came of does not say which that is.
    """
    event = found.get("event", found)
    name = event["id"] if stored else "(made up here: nothing is sent)"
    lines = [_title(event, name)]
    if found.get("cause") and not beneath:
        lines.append(f"  made because of {_title(found['cause'], found['cause']['id'])}")
    if "verdicts" not in found:
        return lines
    lines += [f"! {v['pointer'] or 'data'}: {v['detail']}" for v in found.get("violations", [])]
    branches = [_verdict(verdict, found, stored=stored) for verdict in found["verdicts"]]
    branches += [_progress(each) for each in found.get("progress", [])]
    for verb, relatives in (("makes", found.get("makes", [])), ("made", found.get("made", []))):
        inner = (tree(each, stored=stored, beneath=True) for each in relatives)
        branches += [[f"{verb} {each[0]}", *each[1:]] for each in inner]
    if not found["verdicts"]:
        branches.insert(0, ["no subscription listens to this type"])
    for position, branch in enumerate(branches):
        last = position == len(branches) - 1
        lines.append(("└─ " if last else "├─ ") + branch[0])
        lines += [("   " if last else "│  ") + line for line in branch[1:]]
    return lines


def _title(event: dict[str, Any], name: str) -> str:
    where = "/".join(str(event[part]) for part in ("project", "environment") if event.get(part))
    return " ".join(part for part in (event["type"], event["severity"], where, name) if part)


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
        waits = "".join(f"; {each}" for each in _waits(delivery))
        origin = f", a replay of {delivery['replay_of']}" if delivery["replay_of"] else ""
        named = f" ({delivery['id']}{origin})"
        return f"{delivery['destination']} {delivery['state']} after {attempts}{error}{waits}{named}"
    rest = f", resting until {delivery['rests_until']}" if delivery["rests_until"] else ""
    return ", ".join((delivery["destination"], *_breaker(delivery))) + rest


def _waits(delivery: dict[str, Any]) -> list[str]:
    """Say what a delivery that is to be attempted waits for."""
    if delivery["state"] not in _WAITING:
        return []
    lane = delivery["lane"]
    if lane is None:
        return ["its destination was removed"]
    if lane["state"] == "disabled":
        return ["its destination is disabled"]
    said = _breaker(lane)
    until = max(delivery["next_at"] or "", lane["rests_until"] or "")
    if until > _now():
        said.append(f"next attempt not before {until}")
    if lane["queue_depth"]:
        said.append(f"{lane['queue_depth']} in its queue")
    return said


def _breaker(lane: dict[str, Any]) -> list[str]:
    """Say how the breaker of a lane stands if that is not as ever."""
    return [] if lane["breaker_state"] == "closed" else [f"breaker {lane['breaker_state'].replace('_', '-')}"]


def _now() -> str:
    from alertd.clock import SystemClock, rfc3339

    return rfc3339(SystemClock().now_ms())


def _progress(progress: dict[str, Any]) -> list[str]:
    return [f"{progress['kind'].replace('_', ' ')} {progress['name']}: {progress['detail']}"]
