"""Simulate the crash of October 2025 and show what happened and how far it agrees with what was published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from waxline.limits import SEED_MOST

NAME = "oct-2025"


def command(
    seed: Annotated[int, typer.Option(min=0, max=SEED_MOST, help="Seed.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Run folder; never overwritten. Default runs/NAME-SEED-HASH.")] = None,
) -> None:
    """Simulate the crash of 10 October 2025: summary, published figures beside simulated ones, report."""
    from waxline.analysis.facts import facts_text, judge, library_facts, measure_all
    from waxline.analysis.summary_text import summary_text
    from waxline.cli.running import keep, provenance, run_folder, simulate
    from waxline.scenario.files import load_scenario

    scenario = load_scenario(NAME, [])
    folder = run_folder(out, NAME, seed, scenario.hash())
    run = simulate(scenario, seed, provenance(NAME, seed))
    folder, report = keep(run, folder, numbered=out is None)
    typer.echo(summary_text(run.summary) + "\n")
    facts = library_facts(NAME)
    if facts is not None:
        typer.echo("Published figures against this one run; `waxline validate oct-2025` takes several seeds")
        typer.echo(facts_text(judge(facts, [measure_all(run, facts)])) + "\n")
    typer.echo(f"run folder: {folder}")
    if report is not None:
        typer.echo(f"report: {report}")
