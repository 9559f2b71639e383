"""The options with which an event is described on the command line, and how their texts are read."""

from typing import Annotated, Any

import typer

from alertd.cli.options import one_of

SEVERITIES = ("debug", "info", "warning", "error", "critical", "fatal")

DataOption = Annotated[str | None, typer.Option("--data", "-d", metavar="JSON", help="A JSON object.")]
SeverityOption = Annotated[
    str | None,
    typer.Option(
        "--severity",
        "-s",
        metavar="WORD",
        callback=one_of(*SEVERITIES),
        autocompletion=lambda: list(SEVERITIES),
        help="debug, info, warning, error or critical (or fatal).",
    ),
]
ProjectOption = Annotated[str | None, typer.Option("--project", "-p", metavar="NAME", help="Its project.")]
EnvironmentOption = Annotated[
    str | None, typer.Option("--environment", "-e", metavar="NAME", help="Its environment, e.g. prod.")
]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", "-l", metavar="NAME=VALUE", help="A label; may be repeated.")
]


def labels_of(given: list[str]) -> dict[str, str]:
    """Read `NAME=VALUE` texts. Raises BadParameter."""
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise typer.BadParameter(f"{name!r} is not NAME=VALUE", param_hint="--label")
    return {name: value for name, _, value in pairs}


def data_of(text: str | None) -> Any:
    """Read a JSON object; None when nothing was given. Raises BadParameter."""
    import orjson

    if text is None:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--data") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("must be a JSON object, such as '{\"run\": 17}'", param_hint="--data")
    return value
