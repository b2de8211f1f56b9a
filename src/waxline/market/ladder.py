"""Shapes of ladders: which levels an owner's rungs take, and how much USD each of them shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waxline.market.tables import RUNGS

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


def maker_ladder(depth_usd: float, grid: float, half_spread: float, reach: float, exponent: float) -> tuple[Ints, Floats]:
    """Return offsets [K] and USD [K] of all makers together: cumulative size grows with distance to `exponent`.

    `depth_usd` is what rests within 1 % of the mid; the first rung is `half_spread` (log) away from it.
    """
    offsets = rung_offsets(reach, grid, RUNGS, 1.7)
    edge = (offsets + 1.0) * grid
    cumulative = edge**exponent
    usd = np.diff(cumulative, prepend=0.0)
    inside = offsets * grid + half_spread <= max(0.01, half_spread)
    return offsets, usd * depth_usd / usd[inside].sum()


def crowd_ladder(depth_usd: float, grid: float, half_spread: float, reach: float, gap: float) -> tuple[Ints, Floats]:
    """Return offsets [K] and USD [K] of the crowd: density falls with distance d as exp(-d / reach) and is nothing where d < `gap` (log).

    `depth_usd` would rest within 1 % of the mid without the gap.
    """
    offsets = rung_offsets(LADDER_REACH, grid, RUNGS, 2.6)
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
