"""Rules of those who know something or must trade much: Kyle's informed trader with his maker, Almgren and Chriss's schedule.

Kyle: the value has variance `value_variance` (USD^2), noise traders trade coins with standard deviation `noise`. Almgren-Chriss: coins left
after each of N equal intervals; costs in USD, sigma in USD per coin and square root of time.
Sources: Kyle, Continuous auctions and insider trading, Econometrica 53, 1985; Almgren, Chriss, Optimal execution of portfolio transactions, 2000.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def price_per_coin(value_variance: float, noise: float) -> float:
    """Return lambda, by how much the maker moves the price per coin of net flow: sqrt(variance) / (2 noise)."""
    return math.sqrt(value_variance) / (2.0 * noise)


def informed_coins(value: float, mean: float, value_variance: float, noise: float) -> float:
    """Return what the informed trader buys (negative: sells): beta (value - mean), beta = noise / sqrt(variance)."""
    return noise / math.sqrt(value_variance) * (value - mean)


def variance_left(value_variance: float, noise: float) -> float:
    """Return the variance of the value once the maker has seen the net flow: variance (1 - lambda beta), half of it in equilibrium."""
    beta = informed_coins(1.0, 0.0, value_variance, noise)
    return value_variance * (1.0 - price_per_coin(value_variance, noise) * beta)


def informed_profit(value_variance: float, noise: float) -> float:
    """Return what the informed trader expects to gain and noise traders to lose: beta (1 - lambda beta) variance = noise sqrt(variance) / 2."""
    beta = informed_coins(1.0, 0.0, value_variance, noise)
    return beta * (1.0 - price_per_coin(value_variance, noise) * beta) * value_variance


def urgency(aversion: float, sigma: float, permanent: float, temporary: float, interval: float) -> float:
    """Return kappa of the cheapest schedule: 2 (cosh(kappa tau) - 1) / tau^2 = aversion sigma^2 / (temporary - permanent tau / 2)."""
    stiffness = aversion * sigma * sigma / (temporary - 0.5 * permanent * interval)
    return math.acosh(0.5 * stiffness * interval * interval + 1.0) / interval


def schedule(coins: float, intervals: int, interval: float, kappa: float) -> Floats:
    """Return the coins left at the ends of intervals 0 to N, [N + 1]: X sinh(kappa (T - t)) / sinh(kappa T); a straight line for kappa 0."""
    left = np.arange(intervals, -1, -1) * interval
    if kappa * left[0] < 1e-12:
        even: Floats = coins * left / left[0]
        return even
    held: Floats = coins * np.sinh(kappa * left) / math.sinh(kappa * left[0])
    return held


def schedule_cost(held: Sequence[float] | Floats, interval: float, fixed: float, permanent: float, temporary: float, sigma: float) -> tuple[float, float]:
    """Return (mean, standard deviation) of a schedule's cost in USD; held [N + 1] coins left, fixed = half spread and fees per coin.

    Mean: permanent X^2 / 2 + fixed sum|n| + (temporary - permanent tau / 2) / tau sum n^2; variance: sigma^2 tau sum of squared coins left.
    """
    left = np.asarray(held, dtype=np.float64)
    sold = -np.diff(left)
    mean = 0.5 * permanent * left[0] ** 2 + fixed * np.abs(sold).sum() + (temporary - 0.5 * permanent * interval) / interval * (sold**2).sum()
    return float(mean), float(sigma * math.sqrt(interval * (left[1:] ** 2).sum()))
