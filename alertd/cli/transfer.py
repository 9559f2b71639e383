"""`alertd export` and `alertd diff`: a workspace as a file, and what a file would change."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from alertd.cli.options import (
    JsonOption,
    Server,
    WorkspaceOption,
    fail,
    harmless,
    note,
    print_json,
    say,
    takes_server,
)

_SIGNS = {"created": "+", "updated": "~", "deleted": "-"}


@takes_server
def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file, not to stdout.")
    ] = None,
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Write a workspace as YAML that `alertd run` takes.

    Every resource of it is in the file. Secrets stay in the store: the file says stored:… in their places, which works where that store is.
    """
    import orjson

    from alertd.cli.client import below, with_client
    from alertd.config.lines import read_document

    path = below(workspace, "export")
    text = with_client(server, lambda client: client.text("POST", path, "application/yaml"))
    found = read_document(text, "the export").root if json else None
    if output is not None:
        try:
            output.write_bytes(
                text.encode() if found is None else orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)
            )
        except OSError as error:
            fail(f"{output}: {(error.strerror or str(error)).lower()}")
    elif found is None:
        say(text.removesuffix("\n"))
    else:
        print_json(found)


@takes_server
def diff(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The configuration file to compare with what is live.")],
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    *,
    server: Server,
) -> None:
    """Show what a file would change in a workspace.

    Nothing is changed. + is made, ~ is changed, - is deleted. Resources made over the API that the file does not name stay as they are.
    """
    from alertd.cli.client import below, with_client
    from alertd.config.load import load_config
    from alertd.errors import ConfigError
    from alertd.resources.documents import document_of

    try:
        loaded = load_config(file, os.environ)
    except ConfigError as error:
        fail(harmless(str(error)))
    found = next((each for each in loaded.workspaces if each.name == workspace), None)
    if found is None:
        note(f"{file} has no workspace {workspace!r}")
    document = {"name": workspace} if found is None else document_of(found)
    path = below(workspace, "diff")
    answer = with_client(server, lambda client: client.call("POST", path, document, ("changes",)))
    if found is None:  # nor does it say anything of the workspace's own fields
        answer["changes"] = [each for each in answer["changes"] if each["kind"] != "workspace"]
    if json:
        print_json(answer)
        return
    for change in answer["changes"]:
        say(_line(change))
    say(_sum(answer["changes"]))


def _line(change: dict[str, Any]) -> str:
    what = f"{_SIGNS[change['change']]} {change['kind'].replace('_', ' ')} {change['name']}"
    if change["change"] != "updated":
        return what
    shown = [
        f"    {name}: {_short(change['before'].get(name))} -> {_short(change['after'].get(name))}"
        for name in change["fields"]
    ]
    return "\n".join([what, *shown])


def _short(value: Any) -> str:
    import orjson

    text = "nothing" if value is None else orjson.dumps(value).decode()
    return text if len(text) <= 100 else f"{text[:99]}…"  # noqa: PLR2004 - what fits a line


def _sum(changes: list[dict[str, Any]]) -> str:
    if not changes:
        return "nothing would change"
    counts = {word: sum(change["change"] == word for change in changes) for word in _SIGNS}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
