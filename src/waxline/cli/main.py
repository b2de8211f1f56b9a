"""The entry point `waxline`: a table of commands, each loaded only when it is called.

A command is a file cli/<name>.py that offers either `command` (a function with typer parameters) or `app` (a typer.Typer with
sub-commands). To add one: write the file, add a line to COMMANDS.
"""

from __future__ import annotations

import codecs
import errno
import importlib
import signal
import sys
from typing import Annotated, Any, NoReturn

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
    "depth-loss": "Switch off what makes depth vanish, one by one; print what each takes.",
    "what-if": "Run a scenario again with other rules; print what changes for whom.",
    "rules": "Show what a venue does to whom: trigger, amounts, prices, takeover.",
    "margin": "Value an account by a venue's rules; print what is liquidated first.",
    "check-rules": "Compare worked examples of venue rules with the rules computed here.",
}

EXIT_INTERRUPTED = 130
EXIT_MEMORY = 3
STOPS = (signal.SIGTERM, signal.SIGHUP)
ESCAPES = "waxline-escapes"
"""Name of the error handler that writes what a stream cannot as \\uXXXX, which is JSON, too."""


class Stopped(KeyboardInterrupt):
    """Ask the program to end as Ctrl-C does: a signal from outside, such as SIGTERM."""

    def __init__(self, number: int) -> None:
        """Keep the number of the signal; the exit status is 128 + that."""
        super().__init__(number)
        self.number = number


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
        """Run the command; a mistake of the user becomes one message and an exit status, Ctrl-C becomes status 130, SIGTERM 143."""
        try:
            return super().invoke(ctx)
        except WaxlineError as error:
            typer.echo(f"waxline: {error}", err=True)
            raise typer.Exit(error.exit_status) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(say_interrupted(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            place = f"{error.filename}: " if error.filename else "the output: " if error.errno == errno.ENOSPC else ""
            typer.echo(f"waxline: {place}{error.strerror or error}", err=True)
            raise typer.Exit(1) from error
        except MemoryError as error:
            typer.echo("waxline: out of memory: run fewer accounts (population.traders), fewer markets or a shorter time (clock.duration_s)", err=True)
            raise typer.Exit(EXIT_MEMORY) from error


def say_interrupted(error: KeyboardInterrupt) -> int:
    """Tell on stderr that the program was interrupted and return its exit status."""
    how = f"stopped by {signal.Signals(error.number).name}" if isinstance(error, Stopped) else "interrupted"
    typer.echo(f"waxline: {how}; nothing unfinished was left under a final name", err=True)
    return 128 + error.number if isinstance(error, Stopped) else EXIT_INTERRUPTED


def stop(number: int, _: object) -> NoReturn:
    """Turn a signal into an exception, so that what is unfinished is cleared away and processes started here are ended."""
    raise Stopped(number)


def escaped(error: UnicodeError) -> tuple[str, int]:
    """Return what an output stream cannot encode as \\uXXXX, a pair of them beyond U+FFFF: text stays readable, JSON stays JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)), error.end


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


@app.callback(help=waxline.__doc__, epilog="Exit status: 0 ok, 1 fault or failed check, 2 usage or scenario, 3 limit, 4 data, 130 Ctrl-C, 143 SIGTERM.")
def options(
    version: Annotated[bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Take the options that stand before every command."""


def main() -> None:
    """Run the command line."""
    codecs.register_error(ESCAPES, escaped)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ESCAPES)
    for number in STOPS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)
    try:
        app(prog_name="waxline")
    except KeyboardInterrupt as error:
        sys.exit(say_interrupted(error))
