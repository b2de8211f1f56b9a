"""Rules of auto-deleveraging: when it starts, who is first, how much each gives, at which price."""

from __future__ import annotations

import math
from collections.abc import Sequence


def loss_share_of_fund(profit_now: float, profit_most: float, fund_most: float) -> float:
    """Return the drawdown of a symbol in shares of the fund: (profit - its 8 h maximum) / the fund's 8 h maximum. Source: Bybit ADL alert."""
    return (profit_now - profit_most) / fund_most


def drawdown_triggers(ratio: float, trigger: float) -> bool:
    """Tell whether a drawdown (negative) has reached the trigger; equality counts, as in Bybit's own example."""
    return ratio <= trigger + 1e-12


def loss_beyond(ratio: float, trigger: float, fund_most: float) -> float:
    """Return the loss in USD that is closed against winners: what the drawdown exceeds the trigger by. Source: Bybit ADL alert."""
    return max(trigger - ratio, 0.0) * fund_most


def fund_threshold(reference: float, drop: float, least_drop: float) -> float:
    """Return the fund balance below which deleveraging starts: reference - max(drop reference, least drop). Source: OKX (8 h average)."""
    return reference - max(drop * reference, least_drop)


def pool_share(profit: float, pool: float) -> float:
    """Return the part of a pool that traders' open profit claims; inf for an empty pool. Source: GMX v2 (deleveraging above a maximum)."""
    return profit / pool if pool > 0.0 else math.inf


def margin_times_profit(wallet: float, unrealised: float, maintenance: float) -> float:
    """Return Binance's rank: max(0, profit) / max(1, wallet) times maintenance / (wallet + profit), 0 where the latter is not positive.

    Source: Binance FAQ 360033525471.
    """
    equity = wallet + unrealised
    ratio = maintenance / equity if equity > 0.0 else 0.0
    return max(0.0, unrealised) / max(1.0, wallet) * ratio


def effective_leverage(mark_value: float, bankrupt_value: float) -> float:
    """Return |mark value| / (mark value - bankrupt value). Source: BitMEX."""
    return abs(mark_value) / (mark_value - bankrupt_value)


def profit_share(mark_value: float, entry_value: float) -> float:
    """Return (mark value - entry value) / |entry value|. Source: BitMEX."""
    return (mark_value - entry_value) / abs(entry_value)


def profit_times_leverage(profit: float, leverage: float) -> float:
    """Return the rank of winners, profit share times leverage; of losers, profit share over leverage. Source: BitMEX, Bybit, OKX."""
    return profit * leverage if profit > 0.0 else profit / leverage


def price_times_leverage(side: float, mark: float, entry: float, notional: float, account_value: float) -> float:
    """Return Hyperliquid's index: (mark / entry for longs, entry / mark for shorts) times notional over account value."""
    moved = mark / entry if side > 0.0 else entry / mark
    return moved * notional / account_value


def profit_over_margin_level(profit: float, equity: float, maintenance: float) -> float:
    """Return OKX's rank: profit share over equity to maintenance (a position that needs no margin ranks last among winners: 0)."""
    return profit * maintenance / equity


def order_of(scores: Sequence[float]) -> list[int]:
    """Return the places in falling order of score; equal scores keep their order."""
    return sorted(range(len(scores)), key=lambda n: -scores[n])


def quintile(passed: float, whole: float) -> int:
    """Return the fifth (1 first) in which a cumulative quantity lies: ceil(5 passed / whole). Source: BitMEX percentile lights."""
    return max(1, math.ceil(5.0 * passed / whole - 1e-12))


def taken_in_order(quantities: Sequence[float], wanted: float) -> list[float]:
    """Return how much of each position, in the order of rank, is closed until `wanted` is reached: whole positions first."""
    taken = []
    left = wanted
    for quantity in quantities:
        taken.append(min(quantity, left))
        left -= taken[-1]
    return taken


def taken_pro_rata(quantities: Sequence[float], wanted: float) -> list[float]:
    """Return how much of each position is closed when all give the same part."""
    whole = math.fsum(quantities)
    part = min(wanted / whole, 1.0) if whole > 0.0 else 0.0
    return [part * quantity for quantity in quantities]


def taken_capped(quantities: Sequence[float], wanted: float, part: float) -> list[float]:
    """Return how much of each position, in the order of rank, is closed when nobody gives more than `part` of his own."""
    return taken_in_order([part * quantity for quantity in quantities], wanted)
