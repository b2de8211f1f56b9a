"""Hold what a depth file says: cumulative size against distance from the mid, moment by moment, and notes on how it was read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from waxline.errors import WaxlineError

Floats = NDArray[np.float64]

BID, ASK = 0, 1
BPS = 1e-4
BANDS = "percent bands"
STANDARD_BPS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
"""Distances at which books with single levels are read off, in basis points of log price."""


class DepthError(WaxlineError):
    """Report a depth file that cannot be read or breaks its own rules: the place, the rule, the value, the remedy."""

    exit_status = 4


class DepthRequestError(DepthError):
    """Report a request about depth that makes no sense: points that are no curve, a range that does not rise, a name that is no market."""

    exit_status = 2


@dataclass
class Samples:
    """Keep cumulative depth by distance at T moments; N distances per side; side 0 bids, side 1 asks.

    t_s [T] seconds from the first moment; distance [2, N] log distance from the mid, rising; usd [T, 2, N] USD resting between the mid and
    that distance (NaN: nothing is known); half_spread [T] log (NaN: not given); mid_usd [T]; reach [2] log distance up to which the file
    tells every order (inf: all of them). Beyond `reach` the sizes are those seen, a lower bound.
    """

    kind: str
    t_s: Floats
    distance: Floats
    usd: Floats
    half_spread: Floats
    mid_usd: Floats
    reach: Floats
    notes: list[str] = field(default_factory=list)

    @property
    def span_s(self) -> float:
        """Return the time between the first and the last moment in seconds."""
        return float(self.t_s[-1] - self.t_s[0]) if self.t_s.size else 0.0


def cumulative(prices: Floats, quantities: Floats, mid_usd: float, distances: Floats, side: int) -> Floats:
    """Return USD resting within each log distance [N] of the mid, for the levels [K] of one side (any order): sum of price x quantity."""
    if prices.size == 0:
        return np.zeros(distances.size)
    away = np.log(mid_usd / prices) if side == BID else np.log(prices / mid_usd)
    order = np.argsort(away, kind="stable")
    total = np.concatenate([[0.0], np.cumsum((prices * quantities)[order])])
    return np.asarray(total[np.searchsorted(away[order], distances * (1.0 + 1e-12) + 1e-15, side="right")], dtype=np.float64)


def standard_distances() -> Floats:
    """Return the standard distances as log distances for both sides, [2, N]."""
    return np.tile(np.array(STANDARD_BPS) * BPS, (2, 1))


def empty_samples(kind: str) -> Samples:
    """Return samples without a moment."""
    nothing = np.zeros(0)
    return Samples(kind, nothing, np.zeros((2, 0)), np.zeros((0, 2, 0)), nothing, nothing, np.full(2, np.nan))
