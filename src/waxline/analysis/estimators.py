"""Estimate what calm markets are known by: heavy tails, clustering of volatility, impact as a power of size."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.bootstrap import interval

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """Hold a number and the ends of its 90 % interval; NaN: not enough data."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan


def tail_index(values: Floats, part: float = 0.05, least: int = 10) -> Estimate:
    """Return Hill's tail index of |values| [N] from their largest `part`: k / sum log(x_i / x_(k+1)); interval value (1 -+ 1.645 / sqrt k).

    NaN and zeros are left out; NaN where fewer than `least` values form the tail. P(|x| > s) falls as s^-index.
    Source: B. M. Hill, Annals of Statistics 3, 1975.
    """
    sizes = np.sort(np.abs(values[np.isfinite(values) & (values != 0.0)]))[::-1]
    k = int(part * sizes.size)
    if k < least or k >= sizes.size:
        return Estimate()
    spread = float(np.sum(np.log(sizes[:k] / sizes[k])))
    if spread <= 0.0:
        return Estimate()
    alpha = k / spread
    error = 1.645 / math.sqrt(k)
    return Estimate(alpha, alpha * (1.0 - error), alpha * (1.0 + error))


def autocorrelation(values: Floats, lags: int) -> Floats:
    """Return the autocorrelation of values [N] at lags 1..lags: sum (x_t - mean)(x_(t+lag) - mean) / sum (x_t - mean)^2; NaN for a constant."""
    x = np.asarray(values, dtype=np.float64) - np.mean(values)
    whole = float(np.sum(x * x))
    if whole <= 0.0 or x.size <= lags:
        return np.full(lags, np.nan)
    return np.array([float(np.sum(x[: x.size - lag] * x[lag:])) / whole for lag in range(1, lags + 1)])


class Impact(NamedTuple):
    """Hold impact by size: mean size and mean signed move of each group, and the exponent of move ~ size^exponent."""

    size: Floats
    move: Floats
    exponent: Estimate


def impact_by_size(size: Floats, move: Floats, groups: int = 8) -> Impact:
    """Return the mean of sign(size) x move [N] in `groups` of equal number by |size|, and the exponent of a power law through them.

    Least squares of log move on log size over the groups whose mean move is positive; the interval draws rows anew. Rows with NaN or size 0
    are left out; NaN where fewer than 20 rows fall to a group.
    """
    keep = np.isfinite(size) & np.isfinite(move) & (size != 0.0)
    amount, along = np.abs(size[keep]), np.sign(size[keep]) * move[keep]
    if amount.size < 20 * groups:
        return Impact(np.zeros(0), np.zeros(0), Estimate())
    order = np.argsort(amount, kind="stable")
    amount, along = amount[order], along[order]
    edges = np.linspace(0, amount.size, groups + 1).astype(np.int64)

    def means(rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
        # Rows keep their group, so that drawing anew leaves the sizes of groups nearly alone.
        group = np.searchsorted(edges, rows, side="right") - 1
        number = np.maximum(np.bincount(group, minlength=groups), 1)
        return np.bincount(group, amount[rows], groups) / number, np.bincount(group, along[rows], groups) / number

    def exponent(rows: NDArray[np.int64]) -> Floats:
        x, y = means(rows)
        use = (x > 0.0) & (y > 0.0)
        return np.array([power(x[use], y[use])])

    every = np.arange(amount.size)
    x, y = means(every)
    low, high = interval(every.size, exponent, block=1)
    return Impact(x, y, Estimate(float(exponent(every)[0]), float(low[0]), float(high[0])))


def power(x: Floats, y: Floats) -> float:
    """Return the least-squares slope of log y on log x [N], both positive; NaN with fewer than three points."""
    if x.size < 3:
        return math.nan
    a, b = np.log(x), np.log(y)
    return float(np.sum((a - a.mean()) * (b - b.mean())) / np.sum((a - a.mean()) ** 2))
