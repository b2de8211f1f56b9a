"""Rules of the prices venues use: index, mark, premium, funding, oracle, collateral price, prices of an AMM's bands.

Prices in USD per coin; rates are fractions per funding interval of 8 h unless said otherwise; times in hours or seconds as named.
`waxline.market.prices` holds the compiled loops over markets; `index_price` and `median_of_three` there are the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

FUNDING_INTERVAL_H = 8.0


def fresh_weight(weight: float, age_s: float, stale_s: float) -> float:
    """Return the weight of an index source; zero once it has not been updated for `stale_s`. Source: Binance FAQ 360033525071 (10 s)."""
    return weight if age_s < stale_s else 0.0


def index_of_sources(prices: Sequence[float], weights: Sequence[float], outlier: float) -> float:
    """Return the venue's index from source prices [N] and their fresh weights [N]; NaN without a source.

    One source farther than `outlier` (fraction) from the median of sources loses its weight; with more than one such source the median
    of all is the index. Sources of weight zero do not count. Source: Binance FAQ 360033525071.
    """
    used = [n for n in range(len(prices)) if weights[n] > 0.0]
    if not used:
        return math.nan
    middle = median([prices[n] for n in used])
    far = [n for n in used if abs(prices[n] / middle - 1.0) > outlier + 1e-12]
    if len(far) > 1:
        return middle
    kept = [n for n in used if n not in far]
    return math.fsum(weights[n] * prices[n] for n in kept) / math.fsum(weights[n] for n in kept)


def median(values: Sequence[float]) -> float:
    """Return the middle of the sorted values, the mean of the middle two where their number is even; NaN of none."""
    if not values:
        return math.nan
    ranked = sorted(values)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else 0.5 * (ranked[half - 1] + ranked[half])


def weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    """Return the first value, in rising order, at which half of the weight is reached; NaN without weight. Source: Hyperliquid oracle."""
    ranked = sorted(range(len(values)), key=lambda n: values[n])
    whole = math.fsum(weights)
    passed = 0.0
    for n in ranked:
        passed += weights[n]
        if whole > 0.0 and passed >= 0.5 * whole:
            return values[n]
    return math.nan


def funding_basis(last_funding: float, hours_to_funding: float, interval_h: float) -> float:
    """Return the basis that funding implies until it is paid: rate times the part of the interval that is left."""
    return last_funding * hours_to_funding / interval_h


def mark_from_funding(index: float, last_funding: float, hours_to_funding: float, interval_h: float) -> float:
    """Return index (1 + funding basis): the mark of Binance in 2020 and of BitMEX, today the first of Binance's three prices."""
    return index * (1.0 + funding_basis(last_funding, hours_to_funding, interval_h))


def mark_median(funding_price: float, averaged_price: float, contract: float) -> float:
    """Return the median of the funding price, index plus averaged basis, and the contract's own price. Source: Binance FAQ 360033525071."""
    return max(min(funding_price, averaged_price), min(max(funding_price, averaged_price), contract))


def averaged(before: float, seen: float, elapsed_s: float, memory_s: float) -> float:
    """Return an exponential average after `elapsed_s`: before + (1 - exp(-dt / memory)) (seen - before). Source: Hyperliquid, 150 s."""
    return before + (1.0 - math.exp(-elapsed_s / memory_s)) * (seen - before)


def impact_notional_of_margin(margin: float, max_leverage: float) -> float:
    """Return the size whose average fill price makes the impact price: margin times largest leverage. Source: Binance (200 USDT)."""
    return margin * max_leverage


def impact_notional_of_initial(amount: float, initial: float) -> float:
    """Return the size whose average fill price makes the impact price: amount over initial rate. Source: dYdX v4 (500 USDC)."""
    return amount / initial


def premium(impact_bid: float, impact_ask: float, index: float) -> float:
    """Return how far the book stands from the index: (max(0, bid - index) - max(0, index - ask)) / index. Source: Binance, dYdX, Hyperliquid."""
    return (max(0.0, impact_bid - index) - max(0.0, index - impact_ask)) / index


def clamped(value: float, low: float, high: float) -> float:
    """Return the value, kept within [low, high]."""
    return min(max(value, low), high)


def funding_rate(average_premium: float, interest: float, clamp: float) -> float:
    """Return P + clamp(interest - P, -clamp, clamp) for the averaged premium P. Source: Binance FAQ 360033525031, Hyperliquid funding."""
    return average_premium + min(max(interest - average_premium, -clamp), clamp)


def imbalance_funding(long_share: float, price: float, outside: float, strength: float) -> float:
    """Return a funding rate that follows the imbalance of open interest: strength (price / outside - longs / shorts); positive: longs pay.

    long_share: long over short open interest as counted by the source. Source: Chitra, Autodeleveraging, arXiv 2512.01112 (sign turned).
    """
    return strength * (price / outside - long_share)


def funding_cap(clamp: float, initial: float, maintenance: float) -> float:
    """Return the largest funding rate: clamp (initial - maintenance). Source: dYdX v4 (600 % per 8 h), Binance (75 % of maintenance alike)."""
    return clamp * (initial - maintenance)


def oracle_updates(oracle: float, outside: float, age_s: float, deviation: float, heartbeat_s: float) -> bool:
    """Tell whether an oracle takes the outside price: it moved by `deviation` (fraction) or the last answer is `heartbeat_s` old.

    Source: Chainlink-type feeds read by Aave v3.
    """
    return oracle <= 0.0 or age_s >= heartbeat_s or abs(outside / oracle - 1.0) >= deviation


def collateral_price(index: float, own_book: float, redemption: float, own_weight: float, redemption_weight: float, floor: float) -> float:
    """Return what a venue values pledged coins at: the weighted mean of own book, redemption value and index, not below `floor`.

    Weights are fractions; what they leave belongs to the index. Source: Binance notice of 2025-10-12: redemption weight for wBETH and
    BNSOL, floor for USDe; before it the own book had the whole weight.
    """
    rest = 1.0 - own_weight - redemption_weight
    return max(own_weight * own_book + redemption_weight * redemption + rest * index, floor)


def band_top(base: float, amplification: float, number: float) -> float:
    """Return the upper oracle price of a band: base ((A - 1) / A)^n; its lower end is the top of band n + 1. Source: crvUSD LLAMMA."""
    return float(base * ((amplification - 1.0) / amplification) ** number)


def amm_price_at(oracle: float, end: float) -> float:
    """Return the AMM's price with a band wholly in one asset: oracle^3 / end^2, end = lower end for its top price. Source: crvUSD LLAMMA."""
    return oracle**3 / end**2
