"""Show who paid what was missing in finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    confidence: Annotated[float, typer.Option(min=0.0, max=1.0, help="Part of the runs in which the fund shown last must have been enough.")] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show per venue: shortfall = fund + vault + deleveraging + socialised + bad debt, to the cent; with several runs the fund that is enough."""
    import json

    from waxline.analysis.payers import CENTS, payers_of
    from waxline.analysis.payers_text import enough_text, payers_text
    from waxline.liquidation.rules_funds import fund_enough_of
    from waxline.results.run_result import RunResult

    tables = {str(folder): payers_of(RunResult.load(folder)) for folder in runs}
    venues = sorted({row.venue for rows in tables.values() for row in rows})
    enough = {venue: fund_enough_of([row.enough / CENTS for rows in tables.values() for row in rows if row.venue == venue], confidence) for venue in venues}
    if as_json:
        shown = {folder: [row.as_dict() for row in rows] for folder, rows in tables.items()}
        typer.echo(json.dumps({"runs": shown, "confidence": confidence, "enough_usd": enough}, ensure_ascii=False, allow_nan=False))
        return
    for folder, rows in tables.items():
        typer.echo(f"{payers_text(rows)}\nrun folder: {folder}\n")
    if len(tables) > 1:
        typer.echo(enough_text(enough, len(tables), confidence))
