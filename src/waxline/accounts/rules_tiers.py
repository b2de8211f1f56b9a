"""Rules of tiers: maintenance by position size, and values in bands (haircuts, discount rates, multipliers).

Plain functions of numbers: they work on floats, on exact fractions, and compiled (`waxline.jit.njit`) inside kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

NO_END = float("inf")


def tier_index(amount: float, caps: Sequence[float]) -> int:
    """Return the number of the tier an amount falls into; a cap belongs to the tier it closes, above the last cap the last one counts.

    amount and caps [N] in the same unit (USD or coins), caps rising.
    """
    n = 0
    while n < len(caps) - 1 and amount > caps[n]:
        n += 1
    return n


def next_deduction(floor: float, rate: float, rate_before: float, deduction_before: float) -> float:
    """Return the maintenance amount of a tier: cum_n = floor_n (rate_n - rate_{n-1}) + cum_{n-1}.

    It makes N rate_n - cum_n equal to the rates applied band by band. Source: Binance FAQ ceccfcfb4e3a45e3b48b0b1bb1a8ae46.
    """
    return floor * (rate - rate_before) + deduction_before


def deductions(floors: Sequence[float], rates: Sequence[float]) -> list[float]:
    """Return the maintenance amounts of a whole table (floors in USD or coins, rates as fractions); the first is zero."""
    found: list[float] = []
    for n in range(len(rates)):
        found.append(next_deduction(floors[n], rates[n], rates[n - 1], found[n - 1]) if n else 0.0)
    return found


def tier_maintenance(notional: float, rate: float, deduction: float) -> float:
    """Return the maintenance of a position, N rate - deduction, never below zero; notional and deduction in the same unit."""
    return max(notional * rate - deduction, 0.0)


def banded_value(amount: float, floors: Sequence[float], caps: Sequence[float], rates: Sequence[float], beyond: float) -> float:
    """Return sum over bands of the part of `amount` inside the band times its rate; what lies above the last cap counts at `beyond`.

    amount >= 0, floors and caps [N] in one unit; the result has that unit. Source: Binance cross margin collateral haircuts, FAQ
    4bec9126c021472285b20874f9380dfb; the same form at Bybit (collateral value ratio) and OKX (discount rate, MR7).
    """
    value = 0.0 * amount
    for n in range(len(rates)):
        inside = min(amount, caps[n]) - floors[n]
        if inside > 0:
            value += inside * rates[n]
    over = amount - caps[len(caps) - 1]
    if over > 0:
        value += over * beyond
    return value


def banded_widths(amount: float, widths: Sequence[float], rates: Sequence[float]) -> float:
    """Return the value in bands given by their widths; what lies above the last band counts at its rate.

    Source: Binance Cross Margin Pro, initial margin of liabilities by tier.
    """
    value = 0.0 * amount
    left = amount
    for n in range(len(rates)):
        inside = left if n == len(rates) - 1 else min(left, widths[n])
        value += inside * rates[n]
        left -= inside
    return value


def maintenance_of_leverage(max_leverage: float) -> float:
    """Return the maintenance rate where it is half of initial margin at the largest leverage: 1 / (2 L). Source: Hyperliquid margin tiers."""
    return 1.0 / (2.0 * max_leverage)


def stepped_rate(base: float, per_step: float, steps: float) -> float:
    """Return a rate that rises with risk-limit steps, base + steps per_step; it holds for the whole position. Source: BitMEX risk limits."""
    return base + steps * per_step


def risk_steps(position: float, base_limit: float, step: float) -> int:
    """Return the number of risk-limit steps above the base limit that a position needs; position, limit and step in one unit."""
    if position <= base_limit:
        return 0
    over = (position - base_limit) / step
    whole = int(over)
    return whole if whole == over else whole + 1


def size_linear_rate(base: float, slope: float, size: float) -> float:
    """Return a rate that grows with size in coins, base + slope size, for the whole position. Source: Deribit help 25944826427293."""
    return base + slope * size


def fraction_of_initial(initial: float, fraction: float) -> float:
    """Return the maintenance rate that is a fraction of the initial rate. Source: dYdX v4 liquidity tiers (there in whole ppm)."""
    return initial * fraction


def interest_scaled_initial(base: float, open_interest: float, lower: float, upper: float) -> float:
    """Return the initial rate scaled by open interest: min(1, base + (1 - base) clamp01((OI - lower) / (upper - lower))).

    Open interest and its caps in one unit; without caps (upper <= lower) the base holds. Source: dYdX v4 x/perpetuals liquidity_tier.go.
    """
    if upper <= lower:
        return base
    part = min(max((open_interest - lower) / (upper - lower), 0), 1)
    return min(base + (1 - base) * part, 1)


def size_discounted_asset_weight(weight: float, factor: float, size: float) -> float:
    """Return the weight of a large deposit: min(w, 1.1 / (1 + factor sqrt(size))), size in tokens. Source: Drift v2 math/margin.rs."""
    if factor == 0.0:
        return weight
    return min(weight, 1.1 / (1.0 + factor * math.sqrt(size)))


def size_premium_liability_weight(weight: float, factor: float, size: float) -> float:
    """Return the weight of a large debt or position: max(w, 0.8 w + factor sqrt(size)). Source: Drift v2 math/margin.rs."""
    if factor == 0.0:
        return weight
    return max(weight, 0.8 * weight + factor * math.sqrt(size))


def deposit_scaled_weight(weight: float, deposits_usd: float, start_usd: float) -> float:
    """Return an asset's initial weight scaled by all deposits of it: w min(1, start / deposits). Source: Drift v2 spot_market.rs."""
    if start_usd <= 0.0 or deposits_usd <= start_usd:
        return weight
    return weight * start_usd / deposits_usd
