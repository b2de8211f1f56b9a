"""Simulate a scenario and keep the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Scenario of the library, or a scenario file.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed; the same scenario and seed give the same bytes.")] = 1,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override; may be repeated.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; never overwritten. Default runs/NAME-SEED-HASH.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print neither progress nor tables, only the paths.")] = False,
    baseline: Annotated[bool, typer.Option("--baseline/--no-baseline", help="Run the twin with feedback off too (news alone).")] = True,
) -> None:
    """Simulate a scenario, write its run folder and report, and print the summary."""
    import json

    from waxline.analysis.summary_text import summary_text
    from waxline.cli.running import free_folder, keep, provenance, simulate
    from waxline.errors import ResultsError
    from waxline.scenario.files import load_scenario

    scenario = load_scenario(name, overrides or [])
    if out is not None and out.exists():
        raise ResultsError(f"{out}: a run folder is never overwritten: choose another --out or move this one away")
    run = simulate(scenario, seed, provenance(name, seed, overrides or [], baseline), baseline=baseline, quiet=quiet)
    folder = out or free_folder(str(run.manifest["scenario"]), seed, scenario.hash())
    report = keep(run, folder)
    paths = {"folder": str(folder), "report": str(report) if report is not None else None}
    if as_json:
        typer.echo(json.dumps({**run.summary, **paths}, ensure_ascii=False, allow_nan=False))
        return
    if not quiet:
        typer.echo(summary_text(run.summary) + "\n")
    typer.echo(f"run folder: {folder}")
    if report is not None:
        typer.echo(f"report: {report}")
