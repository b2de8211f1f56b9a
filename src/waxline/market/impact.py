"""Laws of price impact as formulas: how deep a book is at a distance, what a sweep and a long order cost. Compiled scalars.

Distances are fractions of the mid, depth is USD that rest within a distance on one side, volumes are coins or shares of the same unit.
Three clocks, never to be mixed: a sweep walks the book at once (convex in size), a long order pays the laws of Almgren et al. or the
square root (concave), between the two the book refills (`resilient_book`, `latent_book`).
"""

from __future__ import annotations

import math

from waxline.jit import njit


@njit
def depth_exponent(near: float, depth_near: float, far: float, depth_far: float) -> float:
    """Return b of the cumulative depth N(d) = N(d0) (d / d0)^b through two points of a depth curve."""
    return math.log(depth_far / depth_near) / math.log(far / near)


@njit
def depth_within(distance: float, near: float, depth_near: float, exponent: float) -> float:
    """Return the USD within `distance` on a power-law depth curve: N0 (d / d0)^b."""
    return float(depth_near * (distance / near) ** exponent)


@njit
def sweep_distance(usd: float, near: float, depth_near: float, exponent: float) -> float:
    """Return how far a sweep of `usd` reaches on a power-law depth curve: d0 (Q / N0)^(1/b); convex in size for b < 1."""
    return float(near * (usd / depth_near) ** (1.0 / exponent))


@njit
def permanent_move(part_of_day: float, shares_outstanding_days: float, daily_volatility: float) -> float:
    """Return the permanent move of an order as a fraction: 0.314 sigma (X / V) (Theta / V)^(1/4).

    part_of_day: X / V, order over daily volume, signed; shares_outstanding_days: Theta / V. Source: Almgren, Thum, Hauptmann, Li, Direct
    estimation of equity market impact, 2005.
    """
    return float(0.314 * daily_volatility * part_of_day * shares_outstanding_days**0.25)


@njit
def temporary_move(part_of_day: float, days: float, daily_volatility: float) -> float:
    """Return the temporary move of an order spread over `days` as a fraction: 0.142 sigma sign(X) |X / (V T)|^(3/5). Source: as above."""
    return math.copysign(0.142 * daily_volatility * abs(part_of_day / days) ** 0.6, part_of_day)


@njit
def order_cost(permanent: float, temporary: float) -> float:
    """Return the cost of an order as a fraction of its value: half of its permanent move, all of its temporary one. Source: as above."""
    return 0.5 * permanent + temporary
