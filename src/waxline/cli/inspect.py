"""Write the page of a scenario before any shock, with a calm time simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from waxline.limits import SEED_MOST


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Scenario of the library, or a scenario file.")],
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override; may be repeated.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="HTML file to write. Default inspect-NAME.html.")] = None,
    hours: Annotated[float, typer.Option("--hours", min=0.05, max=24.0, help="Calm hours to simulate and measure.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MOST, help="Seed of the calm time.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
) -> None:
    """Show a scenario before any shock: depth, spread, impact, makers' balance sheets, and a calm time (no news, no halts) against its inputs."""
    import json

    from waxline.analysis.calm import WARM_UP_S, measure
    from waxline.cli.running import Progress, cannot_write, inspection_line, say, say_if_compiling
    from waxline.errors import ResultsError
    from waxline.inspection.opening import calm_overrides, look
    from waxline.report.inspection import write_inspection
    from waxline.report.inspection_calm import check_rows
    from waxline.scenario.files import load_scenario

    asked = load_scenario(name, overrides or [])
    calm_world = load_scenario(name, calm_overrides(overrides or [], hours, WARM_UP_S, asked.clock.step_s)).model_copy(update={"seed": seed})
    path = out if out is not None else Path(f"inspect-{asked.name}.html")
    why = f"{path} is a folder" if path.is_dir() else cannot_write(path)
    if why:
        raise ResultsError(f"{path}: cannot be written ({why}): choose another place")
    say_if_compiling(quiet)
    from waxline.simulation.run import run_scenario

    opening = look(calm_world)
    with Progress(quiet) as progress:
        run = run_scenario(calm_world, progress=progress.step, baseline=False)
    run.manifest["replay"] = inspection_line(name, overrides or [], hours, seed)
    calm = measure(run, opening)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_inspection(run, opening, calm, path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error.strerror or error}): choose another place") from error
    rows = [[cell if isinstance(cell, str) else cell.text for cell in row] for row in check_rows(opening, calm)]
    if as_json:
        typer.echo(
            json.dumps(
                {"page": str(path), "checks": [dict(zip(("what", "expected", "measured", "verdict"), row, strict=True)) for row in rows]}, ensure_ascii=False
            )
        )
        return
    for what, expected, measured, verdict in rows:
        say(f"{verdict:12s}  {what}: {measured} (expected: {expected})", quiet)
    typer.echo(f"page: {path}")
