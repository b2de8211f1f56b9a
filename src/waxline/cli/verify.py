"""Hold the program against published and closed-form results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Checks to make, such as atom-sweep. Default: all.")] = None,
    as_list: Annotated[bool, typer.Option("--list", help="List the ids, and which of them nothing computes yet; check nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Folder of data that some checks read. Default: $WAXLINE_SHARED/data or ../shared/data.")
    ] = None,
    figures: Annotated[Path | None, typer.Option("--figures", metavar="FOLDER", help="Draw the checks as PNG files into this folder, too.")] = None,
) -> None:
    """Hold the program against published results by id: published, computed, tolerance, source, verdict; exit status 1 when one fails.

    An id that nothing computes yet is shown as not covered, one whose data is absent as skipped. Asked for by name they fail the command: nothing was
    held.
    """
    import json

    from waxline.verification.court import FAILED, NOT_COVERED, SKIPPED, chosen, hold
    from waxline.verification.facts_file import listed
    from waxline.verification.shared_data import data_folder
    from waxline.verification.text import closing_text, list_text, outcome_text

    wanted = chosen(ids or [])
    if as_list:
        typer.echo(json.dumps({"checks": listed(wanted)}, ensure_ascii=False, allow_nan=False) if as_json else list_text(wanted))
        return
    outcomes = []
    for outcome in hold(wanted, data_folder(data)):
        outcomes.append(outcome)
        if not as_json and (outcome.verdict != NOT_COVERED or ids):
            typer.echo(outcome_text(outcome))
    if as_json:
        typer.echo(json.dumps({"checks": [outcome.as_dict() for outcome in outcomes]}, ensure_ascii=False, allow_nan=False))
    else:
        typer.echo(closing_text(outcomes))
    if figures is not None:
        from waxline.verification.figures import draw

        for path in draw(outcomes, figures):
            typer.echo(f"figure: {path}", err=True)
    if any(outcome.verdict == FAILED or (outcome.verdict in (NOT_COVERED, SKIPPED) and ids) for outcome in outcomes):
        raise typer.Exit(1)
