"""The market of Avellaneda and Stoikov's tables: a random walk, arrivals that thin out with distance, one maker by two strategies.

A compiled loop over paths. Draws belong to (seed, purpose, step, path), so both strategies meet the same walk and the same arrivals.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.agents.rules_quoting import arrival_rate, mean_spread, optimal_spread, reservation_price
from waxline.jit import njit
from waxline.streams import Purpose, key, uniform

Floats = NDArray[np.float64]

WALK, BIDS, ASKS = int(Purpose.FAIR_OWN), int(Purpose.MAKER), int(Purpose.NOISE_SIDE)


@njit
def play(
    paths: int, seed: int, steps: int, price: float, horizon: float, sigma: float, aversion: float, decay: float, arrivals: float, by_inventory: bool
) -> tuple[Floats, Floats, float]:
    """Return (profit [paths], final inventory [paths], mean spread quoted) of one maker quoting one lot a side.

    by_inventory: quotes around the reservation price with the optimal spread of the moment; else around the price with its mean. In each step
    the maker quotes, each side is hit with probability rate x step (at most 1), then the price moves by sigma sqrt(step) up or down.
    """
    profit, inventory, prices = np.zeros(paths), np.zeros(paths), np.full(paths, price)
    step = horizon / steps
    move = sigma * math.sqrt(step)
    spreads = 0.0
    for n in range(steps):
        left = horizon - n * step
        spread = optimal_spread(aversion, sigma, left, decay) if by_inventory else mean_spread(aversion, sigma, horizon, decay)
        spreads += spread
        walk, bids, asks = key(seed, WALK, n), key(seed, BIDS, n), key(seed, ASKS, n)
        for i in range(paths):
            middle = reservation_price(prices[i], inventory[i], aversion, sigma, left) if by_inventory else prices[i]
            bid, ask = middle - 0.5 * spread, middle + 0.5 * spread
            bought = uniform(bids, i) < arrival_rate(prices[i] - bid, arrivals, decay) * step
            sold = uniform(asks, i) < arrival_rate(ask - prices[i], arrivals, decay) * step
            if bought:
                inventory[i] += 1.0
                profit[i] -= bid
            if sold:
                inventory[i] -= 1.0
                profit[i] += ask
            prices[i] += move if uniform(walk, i) < 0.5 else -move
    for i in range(paths):
        profit[i] += inventory[i] * prices[i]
    return profit, inventory, spreads / steps
