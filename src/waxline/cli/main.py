"""The entry point `waxline`: a table of commands, each loaded only when it is called.

A command is a file cli/<name>.py that offers either `command` (a function with typer parameters) or `app` (a typer.Typer with
sub-commands). To add one: write the file, add a line to COMMANDS.
"""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

import waxline
from waxline.errors import WaxlineError

COMMANDS: dict[str, str] = {
    "demo": "Simulate the crash of 10 October 2025 and explain it.",
    "scenario": "List, show, copy and check scenarios; print their schema.",
    "run": "Simulate a scenario and write its run folder.",
    "show": "Show the summary of a run folder.",
    "waterfall": "Show who paid what was missing, per venue, to the cent.",
    "account": "Tell what happened to one account of a run, in time order.",
    "rerun": "Repeat a run and compare the hashes of its files.",
    "report": "Write the report of a run folder as one HTML file.",
    "validate": "Measure published facts in simulated runs; print the score.",
    "verify": "Hold the program against published and closed-form results by id.",
    "depth": "Read a book's depth from a file; print curve, fit and lines for a scenario.",
    "inspect": "Write a page of a scenario before any shock, with a calm time simulated.",
    "margin": "Value an account by a venue's rules; print what is liquidated first.",
    "check-rules": "Compare worked examples of venue rules with the rules computed here.",
}

EXIT_INTERRUPTED = 130


class Commands(TyperGroup):
    """Offer the table of commands: help comes from the table, the file is imported when its command is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, line in COMMANDS.items():
            self.add_command(TyperCommand(name, help=line), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, command and remaining arguments, with the command loaded from its file."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a mistake of the user becomes one message and an exit status, Ctrl-C becomes status 130."""
        try:
            return super().invoke(ctx)
        except WaxlineError as error:
            typer.echo(f"waxline: {error}", err=True)
            raise typer.Exit(error.exit_status) from error
        except KeyboardInterrupt as error:
            typer.echo("waxline: interrupted; nothing unfinished was left under a final name", err=True)
            raise typer.Exit(EXIT_INTERRUPTED) from error


def load(name: str) -> Any:
    """Import the file of command `name` and return what it offers as a command for typer."""
    module = importlib.import_module(f"waxline.cli.{name.replace('-', '_')}")
    if hasattr(module, "app"):
        offered = module.app
    else:
        offered = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        offered.command(name, help=None if module.command.__doc__ else COMMANDS[name])(module.command)
    command = typer.main.get_command(offered)
    command.name = name
    return command


def print_version(asked: bool) -> None:
    """Print the version and stop, when asked."""
    if asked:
        typer.echo(f"waxline {waxline.__version__}")
        raise typer.Exit


# Plain help here: drawing it with rich takes longer than all the rest. The commands' own help is drawn.
app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(help=waxline.__doc__, epilog="Exit status: 0 ok, 1 fault or failed check, 2 usage or scenario, 3 limit, 4 data, 130 Ctrl-C.")
def options(
    version: Annotated[bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Take the options that stand before every command."""


def main() -> None:
    """Run the command line."""
    app(prog_name="waxline")
