"""The book of Obizhaeva and Wang: a flat wall of asks that a buyer eats into and that comes back.

`density` coins rest per USD of price. Buying x coins moves the best ask by x / density; of this `permanent` USD per coin stays for ever, the rest
(the transient part, kappa = 1 / density - permanent) decays at `resilience` per unit of time. A seller sees the mirror image. Costs are what is
paid beyond the price before the first trade, in USD. Compiled scalars; assumed unchecked: density > 0, 0 <= permanent < 1 / density, resilience >= 0.

Source: Obizhaeva, Wang, Optimal trading strategy and supply/demand dynamics, Journal of Financial Markets 16, 2013.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.jit import njit

Floats = NDArray[np.float64]


@njit
def transient_part(density: float, permanent: float) -> float:
    """Return kappa, the USD per coin that a trade moves the ask for a while only."""
    return 1.0 / density - permanent


@njit
def displaced(displacement: float, coins: float, density: float, permanent: float) -> float:
    """Return the transient displacement (USD) right after a block of coins is bought."""
    return displacement + transient_part(density, permanent) * coins


@njit
def relaxed(displacement: float, elapsed: float, resilience: float) -> float:
    """Return the transient displacement (USD) after `elapsed` without trades: D exp(-rho t)."""
    return displacement * math.exp(-resilience * elapsed)


@njit
def block_cost(displacement: float, moved: float, coins: float, density: float) -> float:
    """Return the cost in USD of a block: x (displacement + moved) + x^2 / (2 density), `moved` being the permanent move so far."""
    return coins * (displacement + moved) + 0.5 * coins * coins / density


@njit
def averaged_decay(decay: float) -> float:
    """Return (1 - exp(-z)) / z for z >= 0; 1 at 0."""
    return -math.expm1(-decay) / decay if decay > 1e-12 else 1.0 - 0.5 * decay


@njit
def execution_cost(blocks: Floats, rates: Floats, durations: Floats, density: float, permanent: float, resilience: float) -> float:
    """Return the cost in USD of buying: blocks[i] coins at once, then rates[i] coins per unit of time for durations[i]; a last block.

    blocks [n + 1], rates [n], durations [n]. While a constant rate u is bought the displacement follows dD = (-rho D + kappa u) dt, whose
    integral is taken in closed form, so the cost is exact.
    """
    kappa = transient_part(density, permanent)
    displacement, bought, cost = 0.0, 0.0, 0.0
    for i in range(durations.size):
        cost += block_cost(displacement, permanent * bought, blocks[i], density)
        displacement = displaced(displacement, blocks[i], density, permanent)
        bought += blocks[i]
        time, rate = durations[i], rates[i]
        decay = resilience * time
        mean_decay = averaged_decay(decay)
        # Mean of the displacement that the flow itself builds up, per unit of kappa u t: (1 - mean decay) / z, one half at z = 0.
        own = (1.0 - mean_decay) / decay if decay > 1e-5 else 0.5 - decay / 6.0
        mean_displacement = displacement * mean_decay + kappa * rate * time * own
        cost += rate * time * (permanent * (bought + 0.5 * rate * time) + mean_displacement)
        displacement = relaxed(displacement, time, resilience) + kappa * rate * time * mean_decay
        bought += rate * time
    return cost + block_cost(displacement, permanent * bought, blocks[durations.size], density)


@njit
def cheapest_block(coins: float, resilience: float, duration: float) -> float:
    """Return the first (and last) block of the cheapest purchase of `coins` within `duration`: X / (rho T + 2); the rest at a constant rate."""
    return coins / (resilience * duration + 2.0)


@njit
def cheapest_cost(coins: float, density: float, permanent: float, resilience: float, duration: float) -> float:
    """Return the cost in USD of the cheapest purchase: permanent X^2 / 2 + kappa X^2 / (rho T + 2)."""
    return 0.5 * permanent * coins * coins + transient_part(density, permanent) * coins * coins / (resilience * duration + 2.0)
