"""Simulate a scenario and keep the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from waxline.limits import SEED_MOST


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Scenario of the library, or a scenario file.")],
    seed: Annotated[int, typer.Option(min=0, max=SEED_MOST, help="Seed; the same scenario and seed give the same bytes.")] = 1,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override; may be repeated.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; never overwritten. Default runs/NAME-SEED-HASH.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print neither progress nor tables, only the paths.")] = False,
    baseline: Annotated[bool, typer.Option("--baseline/--no-baseline", help="Run the twin with feedback off too (news alone).")] = True,
) -> None:
    """Simulate a scenario, write its run folder and report, and print the summary."""
    import json

    from waxline.analysis.summary_text import summary_text
    from waxline.cli.running import keep, provenance, run_folder, simulate
    from waxline.scenario.files import load_scenario

    scenario = load_scenario(name, overrides or [])
    folder = run_folder(out, scenario.name, seed, scenario.hash())
    run = simulate(scenario, seed, provenance(name, seed, overrides or [], baseline), baseline=baseline, quiet=quiet)
    folder, report = keep(run, folder, numbered=out is None)
    paths = {"folder": str(folder), "report": str(report) if report is not None else None}
    if as_json:
        typer.echo(json.dumps({**run.summary, **paths}, ensure_ascii=False, allow_nan=False))
        return
    if not quiet:
        typer.echo(summary_text(run.summary) + "\n")
    typer.echo(f"run folder: {folder}")
    if report is not None:
        typer.echo(f"report: {report}")
