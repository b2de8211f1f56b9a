"""Compiled rules of the first step of a liquidation: how much of one position is closed, at which worst price, which pledged assets are sold.

The calculator (`waxline margin`) and the simulation call the same functions. Amounts are USD at the mark, tiers [N] one market's.
"""

from __future__ import annotations

import math

from waxline.accounts.lines import ASSETS_TO_DEBTS, DEBT_TO_COLLATERAL
from waxline.jit import njit
from waxline.liquidation import rules_waterfall

closing_to_compliance = njit(rules_waterfall.closing_to_compliance)
closing_fraction = njit(rules_waterfall.closing_fraction)
closing_portion = njit(rules_waterfall.closing_portion)
fillable_price = njit(rules_waterfall.fillable_price)
sold_to_level = njit(rules_waterfall.sold_to_level)
sold_to_equity_level = njit(rules_waterfall.sold_to_equity_level)
sold_to_ltv = njit(rules_waterfall.sold_to_ltv)

WHOLE, TO_COMPLIANCE, TIERS_DOWN, FRACTION_ABOVE, PORTION, TO_LEVEL = range(6)


@njit
def tier_of(notional, caps):
    """Return the number of the tier that a notional lies in; caps [N] rising, the last has no end."""
    n = 0
    while n < caps.size - 1 and notional > caps[n]:
        n += 1
    return n


@njit
def closing_through_tiers(equity, maintenance, notional, caps, rates, fee):
    """Return the notional that brings equity back to maintenance, tier by tier from the top: the freed rate falls with the tiers.

    Source: Binance liquidation protocols (one order sized to compliance), with the tier table of its perps.
    """
    closed = 0.0
    tier = tier_of(notional, caps)
    while tier >= 0:
        floor = caps[tier - 1] if tier > 0 else 0.0
        part = closing_to_compliance(equity, maintenance, notional - closed - floor, rates[tier], fee)
        closed += part
        equity -= fee * part
        maintenance -= rates[tier] * part
        if part <= 0.0 or equity >= maintenance - 1e-9 * max(abs(equity), 1.0):
            break
        tier -= 1
    return closed


@njit
def first_closing(rule, equity, maintenance, notional, caps, rates, fee, tiers_down, whole_up_to, threshold, fraction, whole_now, least, most, stop_at):
    """Return the notional that a venue closes first of a position of value `notional`, USD, at most all of it; rule: `tables.First`.

    `least` binds every rule that closes a part; `whole_now`: the venue has closed a part lately and now takes the rest.
    """
    amount = notional
    if rule == TO_COMPLIANCE:
        amount = closing_through_tiers(equity, maintenance, notional, caps, rates, fee)
    elif rule == TIERS_DOWN:
        n = tier_of(notional, caps)
        down = n - tiers_down
        amount = notional if n < whole_up_to or down < 0 else notional - caps[down]
    elif rule == FRACTION_ABOVE:
        amount = closing_fraction(notional, threshold, fraction, whole_now)
    elif rule == PORTION:
        amount = closing_portion(notional, fraction, least, most)
    elif rule == TO_LEVEL:
        missing = stop_at * maintenance - equity
        amount = missing / (stop_at * rates[tier_of(notional, caps)]) if missing > 0.0 else 0.0
    return min(max(amount, least), notional)


@njit
def sold_in_order(equity, maintenance, debt, assets, collateral, measure, stop_at, debt_rate, values, ratios, sold):
    """Write how much of each pledged asset is sold against the debt, in the order given, until the account's measure is back at `stop_at` (inf: until
    the debt is repaid).

    measure: EQUITY_TO_MAINTENANCE, ASSETS_TO_DEBTS or DEBT_TO_COLLATERAL (counted collateral). values, ratios, sold [N]: USD at the collateral
    price, part that counts, USD sold. Returns the USD sold.
    """
    whole = 0.0
    for n in range(values.size):
        sold[n] = 0.0
    for n in range(values.size):
        if stop_at == math.inf:
            wanted = math.inf
        elif measure == ASSETS_TO_DEBTS:
            wanted = sold_to_level(assets, debt, stop_at)
        elif measure == DEBT_TO_COLLATERAL:
            wanted = sold_to_ltv(debt, collateral, stop_at, ratios[n])
        else:
            wanted = sold_to_equity_level(equity, maintenance, stop_at, ratios[n], debt_rate)
        amount = min(wanted, values[n], debt)
        if amount <= 0.0:
            break
        sold[n] = amount
        whole += amount
        equity += (1.0 - ratios[n]) * amount
        maintenance -= debt_rate * amount
        debt -= amount
        assets -= amount
        collateral -= ratios[n] * amount
    return whole
