"""Checks of makers: the tables of Avellaneda and Stoikov, the closed form of Guéant, Lehalle and Fernandez-Tapia, concentration, Kyle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waxline.agents import rules_concentration, rules_execution, rules_quoting
from waxline.verification import quoting_game
from waxline.verification.court import Check, Computed

Floats = NDArray[np.float64]


def table_of_strategies(inputs: Mapping[str, Any]) -> Computed:
    """Play both strategies; the error of a figure joins the sampling errors of the published runs and of ours."""
    game = (inputs["paths"], inputs["seed"], inputs["steps"], inputs["s0"], inputs["T"], inputs["sigma"], inputs["gamma"], inputs["k"], inputs["A"])
    figures: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for name, by_inventory in (("inventory", True), ("symmetric", False)):
        profit, held, spread = quoting_game.play(*game, by_inventory)
        if by_inventory:
            figures["average_spread"] = spread
        samples = {"profit": profit, "q": held}
        figures[name], errors[name] = {}, {}
        for quantity, sample in samples.items():
            both = 1.0 / inputs["published_paths"] + 1.0 / sample.size
            figures[name] |= {quantity: float(sample.mean()), f"{quantity}_std": float(sample.std(ddof=1))}
            errors[name] |= {quantity: float(sample.std()) * math.sqrt(both), f"{quantity}_std": error_of_std(sample) * math.sqrt(both)}
    return Computed(figures, errors)


def error_of_std(sample: Floats) -> float:
    """Return the standard error of a standard deviation from a sample of one: sd sqrt((kurtosis - 1) / 4)."""
    spread = float(sample.std())
    kurtosis = float(np.mean((sample - sample.mean()) ** 4)) / spread**4
    return spread * math.sqrt(0.25 * (kurtosis - 1.0))


def closed_spread(inputs: Mapping[str, Any]) -> Computed:
    """Compute the mean spread for several risk aversions."""
    return Computed({"avg_spread": [rules_quoting.mean_spread(gamma, inputs["sigma"], inputs["T"], inputs["k"]) for gamma in inputs["gamma"]]})


def asymptotic_quotes(inputs: Mapping[str, Any]) -> Computed:
    """Compute the closed form of the quotes far from the horizon and the exact ones, by inventory."""
    market = (inputs["gamma"], inputs["sigma"], inputs["A"], inputs["k"])
    exact = rules_quoting.asymptotic_bid_distances(inputs["Q"], *market)
    at = [float(exact[q + inputs["Q"]]) for q in inputs["q"]]
    return Computed(
        {
            "bid_exact": at,
            "bid_closed": [rules_quoting.bid_distance(q, *market) for q in inputs["q"]],
            "ask_closed": [rules_quoting.ask_distance(q, *market) for q in inputs["q"]],
        }
    )


def haircuts(inputs: Mapping[str, Any]) -> Computed:
    """Compute the concentration haircut for makers of equal size, as many as given."""
    found = []
    for number in inputs["makers"]:
        shares = [1.0] * number
        effective, largest = rules_concentration.effective_number(shares), rules_concentration.largest_part(shares)
        found.append(rules_concentration.concentration_haircut(effective, largest, inputs["Nt"], inputs["thr"], inputs["lam"], inputs["mu"]))
    return Computed({"h": found})


def kyle(inputs: Mapping[str, Any]) -> Computed:
    """Compute the single-period equilibrium."""
    variance, noise = inputs["S0"], inputs["su"]
    return Computed(
        {
            "lambda": rules_execution.price_per_coin(variance, noise),
            "beta": rules_execution.informed_coins(1.0, 0.0, variance, noise),
            "posterior_var": rules_execution.variance_left(variance, noise),
            "profit": rules_execution.informed_profit(variance, noise),
        }
    )


CHECKS: dict[str, Check] = {
    "MM-AS-gamma-0.1": table_of_strategies,
    "MM-AS-gamma-0.01": table_of_strategies,
    "MM-AS-gamma-1.0": table_of_strategies,
    "MM-AS-spread-closed": closed_spread,
    "MM-GUEANT": asymptotic_quotes,
    "IM-04-kyle": kyle,
    "IM-13-concentration-haircut": haircuts,
}
