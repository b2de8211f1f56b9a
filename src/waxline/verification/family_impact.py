"""Checks of impact: Almgren et al., Almgren-Chriss, Obizhaeva-Wang, the latent book, the depth curve of a maker's ladder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waxline.agents import rules_execution
from waxline.market import impact, ladder, latent_book, published_ladder, resilient_book
from waxline.market.tables import BID
from waxline.verification.court import Check, Computed

Floats = NDArray[np.float64]
BPS = 1e-4


def orders_of_two_stocks(inputs: Mapping[str, Any]) -> Computed:
    """Compute permanent, temporary and whole cost of the two published orders, in bps."""
    figures: dict[str, Any] = {}
    for name in ("IBM", "DRI"):
        stock = inputs[name]
        size, sigma = stock["part_of_day"], stock["sigma"]
        lasting = impact.permanent_move(size, stock["shares_outstanding"] / stock["daily_volume"], sigma)
        passing = [impact.temporary_move(size, days, sigma) for days in inputs["days"]]
        figures[f"{name}_I_bp"] = lasting / BPS
        figures[f"{name}_K_bp"] = [one / BPS for one in passing]
        figures[f"{name}_J_bp"] = [impact.order_cost(lasting, one) / BPS for one in passing]
    return Computed(figures)


def optimal_schedule(inputs: Mapping[str, Any]) -> Computed:
    """Compute the cheapest schedule of Almgren and Chriss and the even one, with mean and deviation of their costs."""
    interval = inputs["T"] / inputs["N"]
    kappa = rules_execution.urgency(inputs["lam"], inputs["sigma"], inputs["gamma"], inputs["eta"], interval)
    costs = (interval, inputs["eps"], inputs["gamma"], inputs["eta"], inputs["sigma"])
    best = rules_execution.schedule(inputs["X"], inputs["N"], interval, kappa)
    even = rules_execution.schedule(inputs["X"], inputs["N"], interval, 0.0)
    (mean, deviation), (even_mean, even_deviation) = (rules_execution.schedule_cost(held, *costs) for held in (best, even))
    return Computed({"kappa": kappa, "x": best.tolist(), "E": mean, "std": deviation, "twap_E": even_mean, "twap_std": even_deviation})


def resilient_purchases(inputs: Mapping[str, Any]) -> Computed:
    """Find the cheapest purchase by trading in the resilient book, without its closed form, and compare blocks and costs with it."""
    coins, duration, density, permanent = inputs["X0"], inputs["T"], inputs["density"], inputs["permanent"]
    found: dict[str, list[float]] = {"x0": [], "x0_closed": [], "cost": []}
    for resilience in inputs["rho"]:
        weights = cost_matrix(4, duration, density, permanent, resilience)
        best = cheapest_of(weights) * coins
        found["x0"].append(float(best[0]))
        found["x0_closed"].append(resilient_book.cheapest_block(coins, resilience, duration))
        found["cost"].append(float(0.5 * best @ weights @ best) - 0.5 * permanent * coins**2)
    return Computed(found)


def cost_matrix(pieces: int, duration: float, density: float, permanent: float, resilience: float) -> Floats:
    """Return the second derivatives [n, n] of the cost in (first block, coins of each piece at a constant rate, last block), from trades."""
    each = np.full(pieces, duration / pieces)

    def cost(coins: Floats) -> float:
        blocks = np.zeros(pieces + 1)
        blocks[0], blocks[-1] = coins[0], coins[-1]
        return resilient_book.execution_cost(blocks, coins[1:-1] / each, each, density, permanent, resilience)

    unit = np.eye(pieces + 2)
    alone = [cost(row) for row in unit]
    return np.array([[cost(one + other) - alone[i] - alone[j] for j, other in enumerate(unit)] for i, one in enumerate(unit)])


def cheapest_of(weights: Floats) -> Floats:
    """Return the parts [n], summing to one, that make half of x' W x smallest."""
    answer = np.linalg.solve(weights, np.ones(len(weights)))
    parts: Floats = answer / answer.sum()
    return parts


def latent_orders(inputs: Mapping[str, Any]) -> Computed:
    """Compute the amplitude from the integral, and from orders that trade in a latent book until time 1 with D = L = 1."""
    closed = [latent_book.impact_amplitude(rate) for rate in inputs["r"]]
    return Computed({"A": closed, "A_traded": [traded_amplitude(rate, guess, inputs["spacing"]) for rate, guess in zip(inputs["r"], closed, strict=True)]})


def traded_amplitude(rate: float, reach: float, spacing: float) -> float:
    """Return the price at time 1 of a latent book from which `rate` is bought; the book reaches 6 beyond 0 and `reach`."""
    first = -6.0
    density: Floats = -(first + spacing * np.arange(math.ceil((12.0 + reach) / spacing), dtype=np.float64))
    steps = math.ceil(1.0 / (0.4 * spacing * spacing))
    prices = np.empty(steps)
    latent_book.bought_through(density, first, spacing, 1.0, rate, 1.0 / steps, prices)
    return float(prices[-1])


def depth_curve(inputs: Mapping[str, Any]) -> Computed:
    """Fit the exponent, build a maker's ladder with it, and sweep that ladder's bids."""
    near, far, usd = 10 * BPS, 100 * BPS, inputs["sweep_usd"]
    exponent = impact.depth_exponent(near, inputs["depth_10bp_usd"], far, inputs["depth_100bp_usd"])
    grid = inputs["grid_bps"] * BPS
    offsets, rungs = ladder.maker_ladder(inputs["depth_100bp_usd"], grid, 0.0, inputs["reach_bps"] * BPS, exponent)
    edges, within = (offsets + 1.0) * grid, np.cumsum(rungs)
    depths = np.exp(np.interp(np.log([near, far]), np.log(edges), np.log(within)))
    log_prices = -edges
    bids = published_ladder.ladder_of(np.exp(log_prices).tolist(), (rungs / np.exp(log_prices)).tolist(), BID)
    # A sweep for a sum of USD: the price at which the ladder above it is worth that much, then the coins down to it.
    coins = float(np.interp(usd, within, np.cumsum(rungs / np.exp(log_prices))))
    swept = published_ladder.sweep(bids, coins)
    return Computed(
        {
            "b": exponent,
            "ratio": float(depths[1] / depths[0]),
            "sweep_bps": impact.sweep_distance(usd, near, inputs["depth_10bp_usd"], exponent) / BPS,
            "sweep_walked_bps": -math.log(swept.last_usd) / BPS,
        }
    )


CHECKS: dict[str, Check] = {
    "IM-01-almgren2005": orders_of_two_stocks,
    "IM-02-almgren-chriss": optimal_schedule,
    "IM-03-obizhaeva-wang": resilient_purchases,
    "IM-05-llob-A": latent_orders,
    "IM-09-depth-curve": depth_curve,
}
