"""Draw the leveraged traders of one perp market: leverage, entry, heavy-tailed size, conditioned on having survived recent prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.parameters import PopulationParameters
from waxline.streams import Purpose, key, uniforms

Floats = NDArray[np.float64]
ROUNDS = 30


class Drawn(NamedTuple):
    """Hold drawn traders of one market and side: signed coins, cost in USD, liquidation price and stop price (NaN: none) in USD per coin."""

    quantity: Floats
    cost: Floats
    line: Floats
    stop_price: Floats


def normal_values(probability: Floats) -> Floats:
    """Return standard normal quantiles."""
    from scipy.special import ndtri

    return np.asarray(ndtri(probability), dtype=np.float64)


def draw_traders(
    rules: PopulationParameters,
    seed: int,
    stream: int,
    count: int,
    side: int,
    total_usd: float,
    reference_usd: float,
    maintenance_rate: float,
    leverage_scale: float,
    max_leverage: float,
    near: float,
) -> Drawn:
    """Draw `count` traders of one side (+1 long, -1 short) whose notional at the reference price sums to `total_usd`.

    A trader with leverage L and entry e who posts e|q|/L has his line at e (1 - s/L) / (1 - s rate), `maintenance_rate` that of the first tier;
    larger positions, whose tier asks more, are taken to post more and to have the same line. A draw survives with probability
    min(1, (d - a near) / (near - a near))^2, d being the move from the reference price to its liquidation price and a the part of the range that
    nobody survived; the others are drawn again.
    Leverage is capped so that a new position starts above twice its maintenance. Source of the form: assumed; see docs/assumptions.md.
    """
    leverages = np.asarray(rules.leverages) * rules.leverage_scale * leverage_scale
    weights = np.cumsum(np.asarray(rules.leverage_weights) / np.sum(rules.leverage_weights))
    most = min(max_leverage, 0.5 / maintenance_rate)
    least = rules.survived_least_frac * near
    lane = stream * 2 + (0 if side > 0 else 1)
    leverage = np.full(count, float(np.min(leverages)))
    entry = np.full(count, reference_usd)
    open_draws = np.ones(count, dtype=bool)
    for round_number in range(ROUNDS):
        if not open_draws.any():
            break
        u = [
            uniforms(key(seed, int(purpose), lane * 64 + round_number), count)
            for purpose in (Purpose.POPULATION_LEVERAGE, Purpose.POPULATION_ENTRY, Purpose.POPULATION)
        ]
        level = np.minimum(leverages[np.searchsorted(weights, u[0]).clip(0, len(leverages) - 1)], most)
        price = reference_usd * np.exp(rules.entry_spread_frac * normal_values(u[1]))
        line = price * (1.0 - side / level) / (1.0 - side * maintenance_rate)
        distance = side * (1.0 - line / reference_usd)
        survived = (distance - least) / max(near - least, 1e-12)
        keep = open_draws & (distance > least) & (u[2] < np.minimum(1.0, survived) ** 2)
        leverage[keep], entry[keep] = level[keep], price[keep]
        open_draws &= ~keep
    size_u = uniforms(key(seed, int(Purpose.POPULATION_SIZE), lane), count)
    most_size = rules.size_ratio_max
    alpha = rules.size_exponent
    size = (1.0 - size_u * (1.0 - most_size**-alpha)) ** (-1.0 / alpha)
    notional = total_usd * size / np.sum(size) if count else size
    quantity = side * notional / reference_usd
    cost = quantity * entry
    line = np.maximum(entry * (1.0 - side / leverage) / (1.0 - side * maintenance_rate), 0.0)
    stop = np.full(count, np.nan)
    if side > 0:
        with_stop = uniforms(key(seed, int(Purpose.STOP_LOSS), lane), count) < rules.stop_loss_frac
        where = uniforms(key(seed, int(Purpose.STOP_LOSS), lane + 10**6), count)
        part = rules.stop_low_frac + (rules.stop_high_frac - rules.stop_low_frac) * where
        level_stop = reference_usd - part * (reference_usd - line)
        stop = np.where(with_stop, level_stop, np.nan)
    return Drawn(quantity, cost, line, stop)
