"""Run a finished run again and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
) -> None:
    """Repeat a run from the scenario and seed in its folder and compare the hashes of its data files; 1 when one differs."""
    import waxline
    from waxline.analysis.summary_text import text_table
    from waxline.cli.running import say, simulate
    from waxline.results.files import SCENARIO, check, hashes_of, load_summary, read_hashes
    from waxline.scenario.files import load_scenario

    manifest, summary, before = check(run), load_summary(run), read_hashes(run)
    if manifest.get("version") != waxline.__version__:
        say(f"the run is of waxline {manifest.get('version')}, this is {waxline.__version__}: differences are to be expected")
    scenario = load_scenario(run / SCENARIO, [])
    asked: dict[str, Any] = {key: manifest[key] for key in ("overrides", "replay") if key in manifest}
    again = simulate(scenario, int(manifest["seed"]), asked, baseline=summary.get("baseline") is not None, quiet=quiet)
    after = hashes_of(again)
    names = sorted(before.keys() | after.keys())
    same = {name: before.get(name) == after.get(name) for name in names}
    rows = [[name, before.get(name, "–")[:16], after.get(name, "–")[:16], "same" if same[name] else "different"] for name in names]
    typer.echo(text_table(f"{run}: seed {manifest['seed']} again", ["file", "sha256 then", "sha256 now", ""], rows))
    if not all(same.values()):
        typer.echo(f"{sum(not value for value in same.values())} of {len(names)} files differ")
        raise typer.Exit(1)
    typer.echo(f"all {len(names)} files are the same")
