"""Rules of the waterfall: how much is closed at once, when the fund or vault takes over, what it gains or loses, who bears the rest.

Plain functions of numbers (USD, coins, fractions); they work on floats, on exact fractions, and compiled inside kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def closing_to_compliance(equity: float, maintenance: float, notional: float, rate: float, fee: float) -> float:
    """Return the notional to close so that equity after the fee meets maintenance again; at most `notional`.

    Closing x at the mark leaves equity - fee x and lowers maintenance by rate x: x = (M - E) / (rate - fee). Where the fee eats all that is
    freed the whole position goes. Source: Binance liquidation protocols ("smart liquidation", one order sized to compliance).
    """
    missing = maintenance - equity
    if missing <= 0.0:
        return 0.0
    freed = rate - fee
    return min(missing / freed, notional) if freed > 0.0 else notional


def closing_to_tier(held: float, acts_above: float, target: float) -> float:
    """Return what is closed to come down to a lower tier's largest size; a position within the lowest tiers is closed whole.

    held, acts_above and target in contracts. Source: OKX partial liquidation (2020: from tier 3 down to tier 1; now two tiers a step).
    """
    return held - target if held >= acts_above else held


def tier_below(held: float, caps: Sequence[float], tiers_down: int) -> float:
    """Return the largest size of the tier `tiers_down` below the one `held` is in; 0 where there is none. caps [N] rising."""
    n = 0
    while n < len(caps) - 1 and held > caps[n]:
        n += 1
    return caps[n - tiers_down] if n >= tiers_down else 0.0


def closing_fraction(notional: float, threshold: float, fraction: float, cooling: bool) -> float:
    """Return the first order in USD: only `fraction` of a position above `threshold`; all of it below, and while cooling down.

    Source: Hyperliquid liquidations (20 % above 100,000 USDC, the rest after 30 s).
    """
    return fraction * notional if notional > threshold and not cooling else notional


def closing_portion(position: float, portion: float, least: float, most: float) -> float:
    """Return the notional closed in one block: max(portion of the position, least), at most the account's cap and the position.

    Source: dYdX v4 x/clob liquidations.go.
    """
    return min(position, max(portion * position, least), most)


def to_steps(size: float, step: float, position: float) -> float:
    """Return a size cut to whole steps, at least one step, at most the position. Source: dYdX v4 x/clob liquidations.go."""
    return min(max(size // step * step, step), position)


def sold_to_level(assets: float, liabilities: float, stop_level: float) -> float:
    """Return the assets to sell so that assets over liabilities is back at `stop_level`: (stop L - A) / (stop - 1), at most all of them.

    (A - x) / (L - x) = stop, without fee and slippage. Source: Binance margin liquidation, FAQ c08f0ef718214f40b651a2018ce1f71b.
    """
    if assets >= stop_level * liabilities:
        return 0.0
    return min((stop_level * liabilities - assets) / (stop_level - 1.0), assets)


def sold_to_equity_level(equity: float, maintenance: float, stop: float, ratio: float, debt_rate: float) -> float:
    """Return the collateral to sell against a debt so that equity over maintenance is back at `stop`; inf where selling frees nothing.

    Sold x counts in full instead of at `ratio`, and the debt it repays needs no maintenance: x = (stop M - E) / ((1 - ratio) + stop d).
    """
    missing = stop * maintenance - equity
    if missing <= 0.0:
        return 0.0
    freed = (1.0 - ratio) + stop * debt_rate
    return missing / freed if freed > 0.0 else math.inf


def sold_to_ltv(debt: float, collateral: float, target: float, ratio: float) -> float:
    """Return the collateral to sell so that debt over counted collateral is back at `target`: (D - target C) / (1 - target ratio).

    Sold x repays x of the debt and takes ratio x from the counted collateral C; at most the debt. Source: Binance Loans, Bybit loans.
    """
    if debt <= target * collateral:
        return 0.0
    return min((debt - target * collateral) / (1.0 - target * ratio), debt)


def backstop_takes_over(account_value: float, maintenance: float, share: float) -> bool:
    """Tell whether the vault takes the position with its margin: account value below `share` of maintenance. Source: Hyperliquid (2/3)."""
    return account_value < share * maintenance


def distance_to_zero(side: float, quantity: float, mark: float, equity: float) -> float:
    """Return the price at which this leg alone brings equity to zero: mark - s E / q, not below zero (bankruptcy price in a cross account)."""
    return max(mark - side * equity / quantity, 0.0)


def takeover_gain(side: float, quantity: float, takeover: float, executed: float) -> float:
    """Return what a fund gains (negative: loses) that took a position of side s over at one price and closed it at another, USD."""
    return side * quantity * (executed - takeover)


def bankruptcy_quote(delta_notional: float, net_collateral: float, delta_requirement: float, requirement: float) -> float:
    """Return the quote amount a closing must bring (positive) or may cost (negative): -dNNV - TNC |dMMR| / TMMR.

    delta_notional: signed change of position value at oracle; net_collateral TNC; requirement TMMR > 0. Source: dYdX v4 liquidations.go.
    """
    return -delta_notional - net_collateral * abs(delta_requirement) / requirement


def fillable_price(side: float, oracle: float, spread: float, rate: float, adjustment: float, net_collateral: float, requirement: float) -> float:
    """Return the worst price of a liquidation order: P (1 - s SMMR MMF clamp01(BA (1 - TNC / TMMR))); it worsens as the account sinks.

    Source: dYdX v4 x/clob liquidations.go.
    """
    sunk = min(max(adjustment * (1 - net_collateral / requirement), 0), 1)
    return oracle * (1 - side * spread * rate * sunk)


def fund_delta(proceeds: float, quote: float, fee: float) -> float:
    """Return what the fund gets (negative: pays): proceeds beyond the bankruptcy quote up to fee |proceeds|. Source: dYdX v4."""
    beyond = proceeds - quote
    return min(beyond, fee * abs(proceeds)) if beyond > 0 else beyond


def fund_stays_whole(balance: float, delta: float) -> bool:
    """Tell whether a fund can bear a payment; otherwise the liquidation is cancelled and deleveraging is tried. Source: dYdX v4."""
    return delta >= 0 or balance + delta >= 0


def socialised_per_unit(loss: float, long_units: float, short_units: float) -> float:
    """Return the loss charged per unit of open interest on both sides: |loss| / (long + short). Source: Drift v2 liquidation.rs."""
    return abs(loss) / (abs(long_units) + abs(short_units))


def deposit_cut(loss: float, deposits: float) -> float:
    """Return the part every depositor loses: loss / deposits; 0 where there are no deposits. Source: Drift v2 liquidation.rs."""
    return loss / deposits if deposits > 0.0 else 0.0


def session_share(profit: float, all_profits: float, loss: float) -> float:
    """Return what one winner pays of a loss that is shared in proportion to the profits of the session. Source: Deribit (older page)."""
    return loss * profit / all_profits if all_profits > 0.0 else 0.0


def covering_quantity(shortage: float, price: float, quote_price: float, rate: float, liquidator_fee: float, fund_fee: float) -> float:
    """Return the coins a liquidator takes so that the shortage is exactly gone; inf where closing frees nothing.

    shortage / (P Pq (rate - liquidator fee) - P fund fee). Source: Drift v2 liquidation.rs.
    """
    freed = price * quote_price * (rate - liquidator_fee) - price * fund_fee
    return shortage / freed if price > 0.0 and freed > 0.0 else math.inf


def covering_debt(
    shortage: float, price: float, asset_weight: float, asset_multiplier: float, debt_weight: float, debt_multiplier: float, fund_fee: float
) -> float:
    """Return the tokens of a debt to be repaid against an asset so that the shortage is exactly gone; inf where it never is.

    shortage / (P (lw - aw am / lm) - P fee lw), aw am / lm cut to five decimals. Source: Drift v2 liquidation.rs.
    """
    kept = math.trunc(round(asset_weight * asset_multiplier / debt_multiplier * 1e5, 6)) / 1e5
    freed = price * (debt_weight - kept) - price * fund_fee * debt_weight
    return shortage / freed if debt_weight > max(asset_weight, kept) and freed > 0.0 else math.inf


def pace_of_shortage(shortage: float, small: float, first: float, slots: float, duration: float, freed: float) -> float:
    """Return the part of the shortage that may be cleared now: all of a small one, else `first` + slots / duration of the whole.

    freed: margin freed by earlier steps of the same liquidation. Source: Drift v2 liquidation.rs.
    """
    if shortage < small:
        return 1.0
    allowed = min(first + slots / duration, 1.0) if duration > 0.0 else 1.0
    return max((shortage + freed) * allowed - freed, 0.0) / shortage


def ramped_fee(base: float, most: float, slots: float, grace: float, per_slot: float) -> float:
    """Return the liquidator's fee: base within the grace period, then base + per_slot slots, capped. Source: Drift v2 liquidation.rs."""
    return base if slots < grace else min(base + per_slot * slots, most)


def perp_fund_fee(shortage: float, quantity: float, price: float, rate: float, liquidator_fee: float, most: float) -> float:
    """Return the fund's fee on a perp: min(cap, 0.95 (rate - liquidator fee - shortage / (q P))), not below zero. Source: Drift v2."""
    if price <= 0.0 or quantity <= 0.0 or rate <= liquidator_fee:
        return 0.0
    return min(most, 0.95 * max(rate - liquidator_fee - shortage / (quantity * price), 0.0))


def debt_fund_fee(
    shortage: float, tokens: float, price: float, asset_weight: float, asset_multiplier: float, debt_weight: float, debt_multiplier: float, most: float
) -> float:
    """Return the fund's fee on a loan: min(cap, (lw - aw am / lm - shortage / (tokens P)) / lw), not below zero. Source: Drift v2."""
    if price <= 0.0 or tokens <= 0.0 or debt_multiplier <= 0.0 or asset_weight >= debt_weight:
        return 0.0
    implied = debt_weight - asset_weight * asset_multiplier / debt_multiplier - shortage / (tokens * price)
    return min(most, max(implied, 0.0) / debt_weight)
