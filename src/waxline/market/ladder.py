"""Shapes of ladders: which levels an owner's rungs take, and how much USD each of them shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waxline.market.tables import RUNGS, Books, Markets

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LADDER_REACH = 2.5
"""Log distance of the crowd's farthest rung."""
LAST_BID_DISTANCE = 6.9
"""Log distance of the last bid of a book from the reference, about a thousandth of it: ATOM/USDT printed 0.001 on 10 October 2025."""


def rung_offsets(reach: float, grid: float, rungs: int, power: float) -> Ints:
    """Return strictly increasing offsets in levels from the best quote to log distance `reach`, denser near the best."""
    last = max(round(reach / grid), rungs - 1)
    wanted = np.round(last * (np.arange(rungs) / (rungs - 1)) ** power).astype(np.int64)
    return np.maximum(wanted, np.arange(rungs))


def maker_ladder(depth_usd: float, grid: float, half_spread: float, reach: float, exponent: float, rungs: int = RUNGS) -> tuple[Ints, Floats]:
    """Return offsets [K] and USD [K] of all makers together: cumulative size grows with distance to `exponent`.

    `depth_usd` is what rests within 1 % of the mid; the first rung is `half_spread` (log) away from it.
    """
    offsets = rung_offsets(reach, grid, rungs, 1.7)
    edge = (offsets + 1.0) * grid
    cumulative = edge**exponent
    usd = np.diff(cumulative, prepend=0.0)
    inside = offsets * grid + half_spread <= max(0.01, half_spread)
    return offsets, usd * depth_usd / usd[inside].sum()


def crowd_ladder(depth_usd: float, grid: float, half_spread: float, reach: float, gap: float = 0.0, rungs: int = RUNGS) -> tuple[Ints, Floats]:
    """Return offsets [K] and USD [K] of the crowd: density falls with distance d as exp(-d / reach) and is nothing where d < `gap` (log).

    `depth_usd` would rest within 1 % of the mid without the gap.
    """
    offsets = rung_offsets(LADDER_REACH, grid, rungs, 2.6)
    edge = np.append((offsets[1:] + offsets[:-1]) * 0.5 * grid, LADDER_REACH)
    usd = np.diff(1.0 - np.exp(-edge / reach), prepend=0.0)
    inside = offsets * grid + half_spread <= max(0.01, half_spread)
    usd *= depth_usd / usd[inside].sum()
    usd[offsets * grid + half_spread < gap] = 0.0
    return offsets, usd


def depth_inside(offsets: Ints, usd: Floats, grid: float, half_spread: float) -> float:
    """Return the USD of a ladder that rests within 1 % of the mid (at least its first rung)."""
    inside = offsets * grid + half_spread <= max(0.01, half_spread)
    return float(usd[inside].sum())


def shape_sums(offset: Ints, usd: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """Return price of a rung over that of its owner's best [M, 2, 2, K], per side and shape, and sums of usd times it before each rung [M, 2, 2, K + 1].

    offset, usd [M, 2, K] per shape; grid [M] log price per level.
    """
    relative = np.exp(np.stack([-offset, offset], axis=1) * grid[:, None, None, None])
    cumulative = np.zeros((*relative.shape[:3], relative.shape[3] + 1))
    np.cumsum(usd[:, None] * relative, axis=3, out=cumulative[..., 1:])
    return relative, cumulative


def posted_coins(markets: Markets, books: Books) -> Floats:
    """Return the coins that every owner shows on every rung [M, S, 2, K]."""
    owners, rungs = books.base.shape[1], markets.usd.shape[2]
    shape = np.where(np.arange(owners) == owners - 1, 1, 0)
    full = books.scale[..., None] * markets.usd[:, shape, None]
    return np.asarray(np.where(np.arange(rungs) < books.eaten[..., None], books.left, full))
