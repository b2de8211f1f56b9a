"""Read a depth file and print depth per distance, the fitted power law, refill, and lines for a scenario."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def command(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="Percent bands, snapshots, levels or a raw depth stream (plain, .gz, .zip); or points such as 10bps=3.5M,100bps=16.5M."
        ),
    ],
    market: Annotated[str | None, typer.Option("--market", metavar="NAME", help="Market of the scenario lines, such as binance-perp-BTC.")] = None,
    from_bps: Annotated[float, typer.Option("--from-bps", min=0.0, help="Nearest distance the fit uses.")] = 1.0,
    to_bps: Annotated[float | None, typer.Option("--to-bps", help="Farthest distance the fit uses. Default 100; for percent bands 500.")] = None,
    band_bps: Annotated[float, typer.Option("--band-bps", min=0.01, help="Band around the mid whose refill is measured.")] = 5.0,
    grid_bps: Annotated[float, typer.Option("--grid-bps", min=0.1, max=2000.0, help="Distance of price levels of the simulated ladder.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Read the depth of a book from FILE: depth per distance, power law, refill after large trades, lines to paste into a scenario."""
    import json

    from waxline.depth.curve import depth_curve
    from waxline.depth.describe import plain, text_of
    from waxline.depth.formula import read_points
    from waxline.depth.ladder import LadderRules, check_market
    from waxline.depth.reading import read_depth
    from waxline.depth.refill import refill

    check_market(market)
    stream = None
    if "=" in file and not os.path.exists(file):
        name, samples = "stated points", read_points(file)
    else:
        name = Path(file).name
        samples, stream = read_depth(Path(file))
    curve = depth_curve(samples, from_bps, to_bps)
    found = refill(stream, band_bps=band_bps) if stream is not None and stream.trades else None
    say = plain if as_json else text_of
    said = say(name, samples, curve, LadderRules(grid_bps=grid_bps), stream, found, market)
    typer.echo(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, allow_nan=False))
