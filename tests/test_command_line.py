"""The entry point: lazy commands, messages instead of tracebacks, documented exit codes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import waxline
from conftest import ROOT
from waxline.cli import main
from waxline.errors import ResultsError, ScenarioError, WaxlineError
from waxline.limits import LimitError

runner = CliRunner()


def command_that(raises: BaseException | None) -> object:
    def command() -> None:
        typer.echo("data")
        if raises is not None:
            raise raises

    offered = typer.Typer(add_completion=False)
    offered.command("run")(command)
    return typer.main.get_command(offered)


@pytest.mark.parametrize(
    ("raises", "status", "message"),
    [
        (None, 0, ""),
        (WaxlineError("hashes differ"), 1, "waxline: hashes differ\n"),
        (ScenarioError("oct.yaml:3: seeed is unknown, did you mean seed?"), 2, "did you mean seed?\n"),
        (LimitError("too many accounts"), 3, "waxline: too many accounts\n"),
        (ResultsError("no such run"), 4, "waxline: no such run\n"),
        (KeyboardInterrupt(), 130, "waxline: interrupted"),
    ],
)
def test_mistakes_become_one_message_on_stderr_and_the_documented_exit_status(
    raises: BaseException | None, status: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "load", lambda name: command_that(raises))
    result = runner.invoke(main.app, ["run"])
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stdout == "data\n"
    assert "Traceback" not in result.stderr


def test_a_fault_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "load", lambda name: command_that(AssertionError("longs are not shorts")))
    result = runner.invoke(main.app, ["run"])
    assert result.exit_code == 1
    assert isinstance(result.exception, AssertionError)


def test_an_unknown_command_names_the_nearest_one_and_exits_with_two() -> None:
    result = runner.invoke(main.app, ["scenrio"])
    assert result.exit_code == 2
    assert "Did you mean 'scenario'?" in result.stderr


def test_help_lists_every_command_of_the_table_and_needs_none_of_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> object:
        raise AssertionError(f"{name} was loaded for help")

    monkeypatch.setattr(main, "load", refuse)
    for option in ("--help", "-h"):
        result = runner.invoke(main.app, [option])
        assert result.exit_code == 0
        assert all(name in result.stdout for name in main.COMMANDS)


def test_version_is_printed_on_stdout() -> None:
    result = runner.invoke(main.app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"waxline {waxline.__version__}\n")


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_every_command_loads_and_explains_itself(name: str) -> None:
    result = runner.invoke(main.app, [name, "--help"], prog_name="waxline")
    assert result.exit_code == 0, result.output
    assert f"waxline {name}" in result.stdout


def test_exit_codes_in_the_documents_are_those_of_the_errors() -> None:
    documented = (ROOT / "docs" / "commands.md").read_text()
    for error in (WaxlineError, ScenarioError, LimitError, ResultsError):
        assert f"\n| {error.exit_status} | " in documented
    assert f"\n| {main.EXIT_INTERRUPTED} | " in documented


def test_no_colour_codes_are_printed_when_output_is_not_a_terminal() -> None:
    done = run_help()
    assert "\x1b[" not in done.stdout and done.returncode == 0 and done.stderr == ""


@pytest.mark.slow
def test_help_answers_within_350_milliseconds() -> None:
    assert min(run_help_seconds() for _ in range(7)) <= 0.35


def run_help_seconds() -> float:
    begun = time.perf_counter()
    run_help()
    return time.perf_counter() - begun


def run_help() -> subprocess.CompletedProcess[str]:
    """Start the command line in a process of its own and return what it printed."""
    script = Path(sys.executable).with_name("waxline")
    start = [str(script)] if script.exists() else [sys.executable, "-m", "waxline"]
    return subprocess.run([*start, "--help"], capture_output=True, text=True, cwd=ROOT / "src", check=True)
