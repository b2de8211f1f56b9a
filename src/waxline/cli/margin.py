"""Value an account by a venue's rules: distance to liquidation, prices per leg, what would be sold first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    file: Annotated[Path, typer.Argument(metavar="ACCOUNT", help="Account: balances, positions, prices_usd (YAML, JSON or TOML).")],
    venue: Annotated[str | None, typer.Option(help="Venue whose rules hold. Default: the one the file names.")] = None,
    regime: Annotated[str | None, typer.Option(help="Kind of account, such as cross or portfolio. Default: file, then the venue's first.")] = None,
    beyond: Annotated[
        str, typer.Option(metavar="PART", help="The first step is worked out with the nearest leg this far past its liquidation price.")
    ] = "0.1%",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Value an account: equity, requirement, distance, liquidation and bankruptcy price per leg, what is sold first and how much."""
    import json

    from waxline.rulebook.account_file import read_account
    from waxline.rulebook.margin import as_dict, margin_of, margin_text
    from waxline.units import parse_frac

    answers = margin_of(read_account(file, venue, regime), parse_frac(beyond))
    if as_json:
        typer.echo(json.dumps([as_dict(answer) for answer in answers], ensure_ascii=False, allow_nan=False))
        return
    typer.echo("\n\n".join(margin_text(answer) for answer in answers))
