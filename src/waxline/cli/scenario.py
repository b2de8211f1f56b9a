"""List, show, copy and check scenarios; print their schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="List, show, copy and check scenarios; print their schema.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Scenario of the library, or a scenario file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override; may be repeated.")]


@app.command("list")
def list_scenarios(as_json: AsJson = False) -> None:
    """List the scenarios of the library with their titles."""
    import json

    from waxline.scenario.library import shipped

    rows = shipped()
    if as_json:
        typer.echo(json.dumps([{"name": row.name, "title": row.title} for row in rows], ensure_ascii=False))
        return
    width = max(len(row.name) for row in rows)
    for row in rows:
        typer.echo(f"{row.name:{width}}  {row.title}")


@app.command()
def show(name: Name, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Show what a scenario holds, where its figures come from, and what it is not; --json prints every value."""
    import json

    from waxline.scenario.files import load_scenario
    from waxline.scenario.overview import overview

    scenario = load_scenario(name, overrides or [])
    typer.echo(json.dumps(scenario.plain(), ensure_ascii=False, allow_nan=False) if as_json else overview(scenario))


@app.command()
def copy(
    name: Name,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="File to write; default NAME.yaml here.")] = None,
) -> None:
    """Copy a scenario to a file of your own, with the schema beside it, so that editors complete and check as you type."""
    from waxline.errors import ScenarioError
    from waxline.scenario.files import find_file
    from waxline.scenario.library import SCHEMA_FILE

    source = find_file(name)
    target = file if file is not None else Path(source.name)
    if target.is_dir():
        target = target / source.name
    if target.exists():
        raise ScenarioError(f"{target}: exists and is not overwritten: name another FILE")
    if not target.parent.is_dir():
        raise ScenarioError(f"{target}: the folder {target.parent} does not exist: make it first")
    _write(target, source.read_bytes())
    typer.echo(f"scenario: {target}")
    beside = target.parent / SCHEMA_FILE.name
    if beside.exists() and beside.read_bytes() != SCHEMA_FILE.read_bytes():
        typer.echo(f"schema: {beside} exists and differs; `waxline scenario schema` prints the one of this version", err=True)
    elif not beside.exists():
        _write(beside, SCHEMA_FILE.read_bytes())
        typer.echo(f"schema: {beside}")
    typer.echo(f"next: waxline scenario check {target}")


def _write(path: Path, content: bytes) -> None:
    """Write a file whole; raises ScenarioError where it cannot be written, and leaves no part of it."""
    import os

    from waxline.errors import ScenarioError

    unfinished = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written ({error.strerror or error}): name another FILE") from error
    finally:
        unfinished.unlink(missing_ok=True)


@app.command()
def check(name: Name, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Check a scenario: every mistake is named with file, line, field, rule, value and remedy; exit status 2 if there are any."""
    import json

    from waxline.errors import WaxlineError
    from waxline.scenario.files import load_scenario
    from waxline.scenario.problems import Problem, ScenarioProblems

    try:
        scenario = load_scenario(name, overrides or [])
    except WaxlineError as error:
        found = error.problems if isinstance(error, ScenarioProblems) else [Problem("", str(error))]
        if as_json:
            typer.echo(json.dumps({"ok": False, "problems": [problem.as_dict() for problem in found]}, ensure_ascii=False))
        else:
            typer.echo(str(error), err=True)
            typer.echo(f"{len(found)} mistake{'s' if len(found) > 1 else ''}", err=True)
        raise typer.Exit(error.exit_status) from error
    if as_json:
        typer.echo(json.dumps({"ok": True, "name": scenario.name, "hash": scenario.hash(), "problems": []}))
    else:
        sizes = f"{len(scenario.assets)} assets, {len(scenario.venues)} venues, {len(scenario.markets)} markets"
        typer.echo(f"{name}: ok, {sizes}, {scenario.clock.steps:,} steps, hash {scenario.hash()}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, with unit, range and meaning of every field."""
    from waxline.scenario.json_schema import schema_text

    typer.echo(schema_text(), nl=False)
