"""The command line, put together."""

import typer

from alertd.cli import files, operate, run, send

app = typer.Typer(
    name="alertd",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Events in, notifications out, nothing lost. Exit codes: 0 done, 1 refused or failed, 2 usage.",
)
app.command()(run.run)
app.command()(files.check)
app.command()(send.send)
app.command()(operate.tail)
app.add_typer(operate.token_app, name="token")
app.add_typer(operate.destination_app, name="destination")
app.command()(files.backup)
app.command()(files.migrate)
app.command()(files.version)


def main() -> None:
    """Run the program."""
    app()
