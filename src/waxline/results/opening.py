"""Hold a world before anything happens: depth, spread and impact of its books as built, and its makers' balance sheets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Opening:
    """Keep M markets, D distances, X sizes of a sale; sides 0 bids, 1 asks; NaN = none.

    names, venue, kind, asset, size_class [M]; the inputs: depth_input_usd [M] USD one side within 1 %, spread_input_bps [M] full spread,
    volatility_input_bps [M] one-minute standard deviation, basis_cost_bps [M] cost of trading spot against perp (perps with a sister, else NaN);
    distance_bps [D]; depth_usd [M, 2, D] cumulative USD within that log distance of the mid; spread_bps [M] of the built book;
    sale_frac [X] sizes of one market sale over depth_input_usd; walked_bps [M, X] log distance from best bid to the last price paid;
    cost_bps [M, X] log distance from mid to the average price; filled_frac [M, X].
    makers: one row per account of a maker: account, owner, venue, pledged_usd (full value), counted_usd (after haircut), borrowed_usd, lent_usd
    (part of the loan that has left the venue), debt_usd (on the account), equity_usd, maintenance_usd, distance_frac (fall of all coins at which
    it is liquidated; NaN: none does), quote_usd (posted within 1 % of mid, both sides), books (markets it quotes).
    """

    names: list[str]
    venue: list[str]
    kind: list[str]
    asset: list[str]
    size_class: list[str]
    depth_input_usd: Floats
    spread_input_bps: Floats
    volatility_input_bps: Floats
    basis_cost_bps: Floats
    distance_bps: Floats
    depth_usd: Floats
    spread_bps: Floats
    sale_frac: Floats
    walked_bps: Floats
    cost_bps: Floats
    filled_frac: Floats
    makers: pl.DataFrame
