"""Checks of lending: where a liquidation sold in a pool of coins begins to worsen health; the perp price that makes borrowing to hedge pay nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waxline.accounts import rules_margin
from waxline.liquidation import rules_pools
from waxline.market import pools, rules_price
from waxline.verification.court import Check, Computed


def toxic_frontier(inputs: Mapping[str, Any]) -> Computed:
    """Find the loan to value at which a small liquidation leaves health as it was."""
    return Computed({"frontier_ltv": [frontier(c, y, 1.0 + bonus, inputs["repaid_part"]) for c, y, bonus in inputs["c_y_i"]]})


def depth_rule(inputs: Mapping[str, Any]) -> Computed:
    """Find the same without a bonus, and the impact factor that it implies."""
    collateral, reserve = inputs["c_y"]
    largest = frontier(collateral, reserve, 1.0, inputs["repaid_part"])
    return Computed({"lambda": 1.0 / largest, "v_max": largest})


def frontier(collateral_usd: float, reserve_usd: float, bonus: float, repaid_part: float) -> float:
    """Return the loan to value where a vanishing liquidation leaves health unchanged: two small ones, extrapolated to none."""
    return 2.0 * turning_point(collateral_usd, reserve_usd, bonus, repaid_part) - turning_point(collateral_usd, reserve_usd, bonus, 2.0 * repaid_part)


def turning_point(collateral_usd: float, reserve_usd: float, bonus: float, repaid_part: float) -> float:
    """Return the loan to value where health is unchanged, by bisection: below it a liquidation helps, above it harms."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if health_gain(middle * collateral_usd, collateral_usd, reserve_usd, bonus, repaid_part) > 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def health_gain(debt: float, coins: float, reserve: float, bonus: float, repaid_part: float) -> float:
    """Return by how much collateral value over debt grows when a keeper repays a part of the debt and sells what he seized.

    The coin is worth 1 USD at first; the pool holds `reserve` of coins and of USD.
    """
    repaid = repaid_part * debt
    sold = rules_pools.seized(repaid, 1.0, 1.0, bonus)
    price = pools.product_price(reserve + sold, reserve - pools.product_out(reserve, reserve, sold, 0.0))
    return (coins - sold) * price / (debt - repaid) - coins / debt


def perp_over_spot(inputs: Mapping[str, Any]) -> Computed:
    """Find the perp price, over spot, at which a perp held for a year against coins pays in funding what the two interest rates differ by."""
    return Computed({"f_over_S": [price_without_carry(*row) for row in zip(inputs["kappa_per_year"], inputs["r_a-r_b"], strict=True)]})


def price_without_carry(strength: float, difference: float) -> float:
    """Return the perp price, spot being 1, by bisection: above it a long pays more funding than it saves in interest.

    strength: funding per year and premium; difference: interest in USD less interest in the coin, per year.
    """
    low, high = 0.5, 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        funding = rules_margin.funding_received(1.0, 1.0, 1.0, strength * rules_price.premium(middle, middle, 1.0))
        if funding + difference * middle > 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


CHECKS: dict[str, Check] = {"DF-01-toxic-frontier": toxic_frontier, "DF-02-depth-rule": depth_rule, "DF-08-perp-price": perp_over_spot}
