"""`alertd send`: one event from the command line, or many as NDJSON from standard input."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

from alertd.cli.client import Client, RefusedError, with_client
from alertd.cli.options import ConfigOption, JsonOption, UrlOption, fail, print_json

CHUNK_LINES = 1000
CHUNK_BYTES = 512 * 1024


def send(
    event_type: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help="The event's type, e.g. run:failed; absent: NDJSON on stdin.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="A JSON object.")] = None,
    severity: Annotated[str | None, typer.Option("--severity", help="debug, info, warning, error or critical.")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="What happened, for people.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="The project.")] = None,
    environment: Annotated[str | None, typer.Option("--environment", "-e", help="The environment.")] = None,
    workspace: Annotated[str | None, typer.Option("--workspace", "-w", help="The workspace.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="What the event is about; default: its type.")] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="The idempotency key; default: made.")] = None,
    link: Annotated[str | None, typer.Option("--link", help="A URL for people (the event's `url`).")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", help="NAME=VALUE; repeatable.")] = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Send one event, or the events on standard input (one JSON object a line), and wait until they are stored."""
    if event_type is None:
        _send_lines(url, config, json)
        return
    event: dict[str, Any] = {
        "type": event_type,
        "id": event_id,
        "workspace": workspace,
        "project": project,
        "environment": environment,
        "severity": severity,
        "key": key,
        "message": message,
        "url": link,
        "labels": _labels(label or []),
        "data": _data(data),
    }
    body = {name: value for name, value in event.items() if value not in (None, {})}
    answer = with_client(url, config, lambda client: client.call("POST", "/api/v1/events", body))
    if json:
        print_json(answer)
    else:
        typer.echo(("duplicate " if answer["duplicates"] else "accepted ") + answer["ids"][0])


def _labels(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise typer.BadParameter(f"{name!r} is not NAME=VALUE", param_hint="--label")
    return {name: value for name, _, value in pairs}


def _data(text: str | None) -> Any:
    if text is None:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--data") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("must be a JSON object", param_hint="--data")
    return value


def _send_lines(url: Any, config: Any, as_json: bool) -> None:
    if sys.stdin.isatty():
        fail("a TYPE, or NDJSON on standard input, is needed (alertd send --help)")
    totals = with_client(url, config, lambda client: _stream(client, sys.stdin.buffer))
    if as_json:
        print_json(totals)
    else:
        typer.echo(f"accepted {totals['accepted']}, duplicates {totals['duplicates']}")


async def _stream(client: Client, source: BinaryIO) -> dict[str, int]:
    totals = {"accepted": 0, "duplicates": 0}
    console = Console(stderr=True)
    columns = (TextColumn("sent"), BarColumn(), MofNCompleteColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("send", total=None)
        for first, chunk in _chunks(source):
            answer = await _send_chunk(client, first, chunk)
            for name in totals:
                totals[name] += answer[name]
            progress.advance(task, len(answer["ids"]))
    return totals


async def _send_chunk(client: Client, first: int, chunk: bytes) -> Any:
    try:
        return await client.send("POST", "/api/v1/events", chunk, "application/x-ndjson")
    except RefusedError as error:
        raise RefusedError(f"from line {first} on, {error}") from error


def _chunks(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Cut a stream into bodies within the intake's bounds; with each the number of its first line."""
    lines: list[bytes] = []
    size, first = 0, 1
    for number, line in enumerate(source, 1):
        if lines and (len(lines) == CHUNK_LINES or size + len(line) > CHUNK_BYTES):
            yield first, b"".join(lines)
            lines, size, first = [], 0, number
        lines.append(line)
        size += len(line)
    if lines:
        yield first, b"".join(lines)
