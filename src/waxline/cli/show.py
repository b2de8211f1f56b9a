"""Show the summary of a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    all_markets: Annotated[bool, typer.Option("--all-markets", help="List every market, not only the largest falls.")] = False,
) -> None:
    """Show the summary of a run folder, after checking that it is finished and unchanged."""
    import json

    from waxline.analysis.summary_text import summary_text
    from waxline.results.files import REPORT, load_summary

    summary = load_summary(run)
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, allow_nan=False))
        return
    typer.echo(summary_text(summary, every_market=all_markets))
    typer.echo(f"\nrun folder: {run}")
    if (run / REPORT).is_file():
        typer.echo(f"report: {run / REPORT}")
