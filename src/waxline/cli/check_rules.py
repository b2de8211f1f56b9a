"""Compute worked examples of venue rules and compare with what the venues publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Worked examples: id, venue, topic, inputs, expected, tolerance.")],
    venue: Annotated[str | None, typer.Option(help="Check the examples of this venue only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print counts and every example as JSON.")] = False,
) -> None:
    """Compute worked examples with the venues' rules: id, expected, computed, verdict; exit status 1 when one fails."""
    import json

    from waxline.rulebook.checking import FAILED, UNKNOWN, check_file, table_text

    checked = check_file(file, venue)
    typer.echo(json.dumps(checked.as_dict(), ensure_ascii=False, allow_nan=False) if as_json else table_text(checked))
    unknown = [outcome.id for outcome in checked.outcomes if outcome.verdict == UNKNOWN]
    if unknown:
        typer.echo(f"{file}: not checked, {len(unknown)} with a topic, input or result that is not known: {', '.join(unknown)}", err=True)
    if checked.count(FAILED):
        raise typer.Exit(1)
