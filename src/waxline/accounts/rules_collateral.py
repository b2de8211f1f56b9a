"""Rules of collateral, debts and levels: haircuts, equity of multi-asset accounts, margin level, loan to value, health factor.

All values USD unless said otherwise; a debt is a positive number, a negative balance counts in full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def haircut_value(value: float, ratio: float) -> float:
    """Return what a balance counts as margin: min(value ratio, value), so that positive values shrink and debts count in full.

    Source: Binance portfolio margin, FAQ 5e33af8e6ac04d57a1d0a3398e0a0752.
    """
    return min(value * ratio, value)


def slices(value: float, ends: Sequence[float], parts: Sequence[float]) -> list[tuple[float, float]]:
    """Return (USD, part that counts) of the bands in which a holding of `value` USD lies, the highest band first; beyond the last nothing counts.

    ends: upper ends in USD, rising. What is sold of a holding leaves its highest band first, so that a sale costs what that band counts.
    """
    found, start = [], 0.0
    for end, part in zip([*ends, math.inf], [*parts, 0.0], strict=True):
        inside = min(value, end) - start
        if inside > 0.0:
            found.append((inside, part))
            start += inside
    return found[::-1]


def bid_rate(index: float, buffer: float) -> float:
    """Return the rate at which an asset is counted: index (1 - buffer). Source: Binance multi-assets mode, FAQ c983a9268cfa4e70."""
    return index * (1.0 - buffer)


def ask_rate(index: float, buffer: float) -> float:
    """Return the rate at which a debt or requirement is counted: index (1 + buffer). Source: as bid_rate."""
    return index * (1.0 + buffer)


def two_sided_value(amount: float, bid: float, ask: float) -> float:
    """Return the value of a balance, min(amount bid, amount ask): at the bid when positive, at the ask when negative."""
    return min(amount * bid, amount * ask)


def forced_exchange(negative: float, threshold: float, ratio: float) -> float:
    """Return the value of other assets sold to cover a negative balance once it reaches the threshold: negative / ratio; else 0.

    negative, threshold positive amounts. Source: Binance multi-assets mode, auto-exchange.
    """
    return negative / ratio if negative >= threshold else 0.0


def borrowed_beyond(equity: float, frozen: float) -> float:
    """Return what an account borrows by itself, |min(0, equity - frozen)|: by buying more or by losing. Source: Bybit unified account."""
    return max(frozen - equity, 0.0)


def debt_maintenance(borrowed: float, rate: float) -> float:
    """Return the maintenance of a loan (same unit as the loan). Source: Binance portfolio margin: 10 %, 8 %, 5 % at 3x, 5x, 10x."""
    return borrowed * rate


def debt_initial(borrowed: float, leverage: float) -> float:
    """Return the initial margin of a loan at a margin leverage: borrowed / (L - 1). Source: Binance portfolio margin."""
    return borrowed / (leverage - 1.0)


def level(assets: float, liabilities: float) -> float:
    """Return assets over liabilities (margin level, equity to maintenance); inf without liabilities."""
    return assets / liabilities if liabilities > 0.0 else math.inf


def loan_to_value(debt: float, collateral: float) -> float:
    """Return debt over collateral; inf where a debt has none, 0 without debt."""
    if debt <= 0.0:
        return 0.0
    return debt / collateral if collateral > 0.0 else math.inf


def health_factor(threshold_value: float, debt: float) -> float:
    """Return sum(collateral value times liquidation threshold) over debt; inf without debt. Source: Aave v3."""
    return level(threshold_value, debt)


def collateral_at(debt: float, ltv: float) -> float:
    """Return the collateral value at which a debt has reached a loan-to-value line."""
    return debt / ltv


def truncated(value: float, unit: float) -> float:
    """Return a value cut (not rounded) to whole units, towards zero. Source: Bybit and Drift report so."""
    return math.trunc(round(value / unit, 6)) * unit


def rounded_up(value: float, unit: float) -> float:
    """Return a value rounded up to whole units; noise below a millionth of the unit is ignored. Source: dYdX v4 quote quantums."""
    return math.ceil(value / unit - 1e-6) * unit


def percent_mul(value: int, bps: int) -> int:
    """Return value times basis points in whole units, half up: (v b + 5000) // 10000. Source: Aave v3 PercentageMath.sol."""
    return (value * bps + 5000) // 10000


def percent_div(value: int, bps: int) -> int:
    """Return value over basis points in whole units, half up: (v 10000 + b // 2) // b. Source: Aave v3 PercentageMath.sol."""
    return (value * 10000 + bps // 2) // bps


def equity_to_maintenance_state(ratio: float, remind: float, reduce_only: float, liquidate: float, bankrupt: float) -> int:
    """Return 0 free, 1 reminder, 2 reduce-only, 3 liquidation, 4 bankrupt for equity over maintenance. Source: Binance uniMMR levels."""
    if ratio <= bankrupt:
        return 4
    if ratio <= liquidate:
        return 3
    if ratio <= reduce_only:
        return 2
    return 1 if ratio <= remind else 0
