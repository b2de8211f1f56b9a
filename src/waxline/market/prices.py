"""Compiled rules for index, mark, collateral and oracle prices.

index: weighted mean of spot mids over venues; a source farther than the outlier rule from the median of sources loses its weight.
mark: median of the index, the index plus a 2.5-minute average of the premium, and the contract's own mid (Binance FAQ 360033525071).
"""

from __future__ import annotations

import math

import numpy as np

from waxline.jit import njit

PREMIUM_MEMORY_S = 150.0
INDEX, OWN_BOOK, REDEMPTION = 0, 1, 2


@njit
def median_of_three(a, b, c):
    """Return the middle one of three numbers."""
    return max(min(a, b), min(max(a, b), c))


@njit
def median(values, count):
    """Return the median of the first `count` values by counting; for a handful of values."""
    half = (count - 1) // 2
    low, high = math.nan, math.nan
    for i in range(count):
        below, equal = 0, 0
        for j in range(count):
            if values[j] < values[i]:
                below += 1
            elif values[j] == values[i]:
                equal += 1
        if below <= half < below + equal:
            low = values[i]
        if below <= count // 2 < below + equal:
            high = values[i]
    return 0.5 * (low + high)


@njit
def index_price(prices, weights, count, outlier):
    """Return the weighted mean of `count` source prices (USD) with the outlier rule; NaN without sources.

    Sources beyond `outlier` (fraction) from the median lose their weight; if all do, the median is the index.
    """
    if count == 0:
        return math.nan
    middle = median(prices, count)
    whole, total = 0.0, 0.0
    for n in range(count):
        if abs(prices[n] / middle - 1.0) <= outlier and weights[n] > 0.0:
            whole += weights[n]
            total += weights[n] * prices[n]
    return total / whole if whole > 0.0 else middle


@njit
def update_prices(
    mid,
    perp,
    venue,
    asset,
    source_market,
    source_weight,
    outlier,
    spot_market,
    redeem_asset,
    redeem_units,
    collateral_rule,
    reprice,
    claim_own_book,
    dt,
    index,
    premium,
    mark,
    asset_price,
):
    """Update index [V, A], premium [M], mark [M] (USD; the mid for spot markets), and collateral price asset_price [V, A].

    mid [M] log; source_market [V, A, N] (-1 none); collateral_rule [V, A]; redeem_asset [A] (-1 coin, 0 USD).
    """
    venues, assets, sources = source_market.shape
    prices = np.empty(sources)
    weights = np.empty(sources)
    for v in range(venues):
        for a in range(1, assets):
            count = 0
            for n in range(sources):
                m = source_market[v, a, n]
                if m >= 0:
                    prices[count] = math.exp(mid[m])
                    weights[count] = source_weight[v, a, n]
                    count += 1
            if count > 0:
                index[v, a] = index_price(prices, weights, count, outlier[v])
    memory = 1.0 - math.exp(-dt / PREMIUM_MEMORY_S)
    for m in range(mid.size):
        own = math.exp(mid[m])
        if not perp[m]:
            mark[m] = own
            continue
        reference = index[venue[m], asset[m]]
        if math.isnan(reference):
            mark[m] = own
            continue
        premium[m] += memory * (own / reference - 1.0 - premium[m])
        mark[m] = median_of_three(reference, reference * (1.0 + premium[m]), own)
    if not reprice:
        return
    for v in range(venues):
        for a in range(1, assets):
            rule = collateral_rule[v, a]
            own_book = spot_market[v, a]
            price = index[v, a]
            if redeem_asset[a] >= 0:
                base = 1.0 if redeem_asset[a] == 0 else index[v, redeem_asset[a]]
                if rule == REDEMPTION or not claim_own_book:
                    price = base * redeem_units[a]
            if rule == OWN_BOOK and own_book >= 0 and (redeem_asset[a] < 0 or claim_own_book):
                price = math.exp(mid[own_book])
            if not math.isnan(price):
                asset_price[v, a] = price


@njit
def update_oracle(index, deviation, heartbeat_s, dt, oracle, age_s):
    """Update oracle prices [A] where they moved more than `deviation` (fraction) or are older than `heartbeat_s`; writes oracle, age_s."""
    for a in range(1, index.size):
        age_s[a] += dt
        if math.isnan(index[a]):
            continue
        if oracle[a] <= 0.0 or abs(index[a] / oracle[a] - 1.0) >= deviation or age_s[a] >= heartbeat_s:
            oracle[a] = index[a]
            age_s[a] = 0.0
