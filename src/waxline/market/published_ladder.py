"""Turn published price levels of one side of a book into a ladder, and sweep it with the walk of the simulation.

A published price becomes a whole level of a log grid. On `EXACT_GRID` the rounding of a price is below 1e-12 of it, so that averages of a
sweep come out as published; a coarser grid gives the ladder that a simulated market would hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from waxline.market.one_side import Side, walk
from waxline.market.tables import ASK, BID

EXACT_GRID = 1e-12
"""Log price per level at which a published price is kept to twelve digits."""


class Sweep(NamedTuple):
    """Hold what a sweep did: coins and USD, the last price (NaN when nothing rested), rungs emptied or begun, distinct prices among them."""

    coins: float
    usd: float
    last_usd: float
    rungs: int
    prices: int

    @property
    def average_usd(self) -> float:
        """Return USD per coin; NaN when nothing was traded."""
        return self.usd / self.coins if self.coins > 0.0 else math.nan


def ladder_of(prices_usd: Sequence[float], coins: Sequence[float], side: int, grid: float = EXACT_GRID) -> Side:
    """Return the ladder of one owner from published levels, best first: bids (side 0) with falling, asks (side 1) with rising prices; equal ones may repeat.

    Raises ValueError when there is no level, a price or quantity is not positive, the lengths differ, or the order is not best first.
    """
    if len(prices_usd) != len(coins) or not prices_usd:
        raise ValueError(f"a ladder needs as many prices as quantities, at least one: got {len(prices_usd)} and {len(coins)}")
    if not (min(prices_usd) > 0.0 and min(coins) > 0.0 and math.isfinite(sum(prices_usd)) and math.isfinite(sum(coins))):
        raise ValueError("prices and quantities of a ladder must be positive and finite")
    levels = np.round(np.log(np.asarray(prices_usd, dtype=np.float64)) / grid).astype(np.int64)
    away = levels[0] - levels if side == BID else levels - levels[0]
    if np.any(np.diff(away) < 0):
        raise ValueError(f"levels must stand best first: {'bids fall' if side == BID else 'asks rise'}")
    return Side(side, grid, levels[:1].copy(), np.vstack([away, away]), np.array([coins], dtype=np.float64))


def sweep(ladder: Side, coins: float, worst_usd: float | None = None) -> Sweep:
    """Trade a market order of `coins` against a ladder with the walk of the simulation; the ladder is left as it is.

    worst_usd: the price beyond which the order does not trade; None: any.
    """
    free = -math.inf if ladder.side == BID else math.inf
    limit = np.array([free if worst_usd is None else math.log(worst_usd)])
    walked = walk(ladder, np.array([coins]), limit)
    taken = np.flatnonzero(walked.left[0] < ladder.coins[0])
    if taken.size == 0:
        return Sweep(0.0, 0.0, math.nan, 0, 0)
    reached = ladder.offset[0, taken]
    level = ladder.base[0] + (reached[-1] if ladder.side == ASK else -reached[-1])
    return Sweep(float(walked.filled[0]), float(walked.cash[0]), math.exp(level * ladder.grid), int(taken.size), int(np.unique(reached).size))
