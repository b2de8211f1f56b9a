"""Rules of liquidation and bankruptcy prices, unrealised profit, initial and maintenance margin, funding and interest.

Side is +1 long, -1 short; quantities are positive coins (linear) or contracts worth 1 USD (inverse); prices USD per coin. The price at
which equity equals maintenance, all else unchanged, differs between venues in what maintenance is taken on:
mark value (Binance, Hyperliquid, dYdX: `waxline.accounts.kernels.liquidation_price`), mark value plus fee (Gate, OKX), entry value (Bybit,
BitMEX), bankruptcy value (Phemex), coins (inverse).
"""

from __future__ import annotations

import math
from typing import Any, cast

from waxline.accounts import kernels


def linear_pnl(side: float, quantity: float, entry: float, price: float) -> float:
    """Return the profit in USD of a linear position: s q (P - EP)."""
    return side * quantity * (price - entry)


def inverse_pnl(side: float, contracts_usd: float, entry: float, price: float) -> float:
    """Return the profit in coins of a coin-margined position worth `contracts_usd`: s Q (1/EP - 1/P)."""
    return side * contracts_usd * (1.0 / entry - 1.0 / price)


def linear_liquidation_price(signed: float, cost: float, cash: float, rate: float, deduction: float) -> float:
    """Return the mark at which equity equals maintenance on the mark value: the simulation's own kernel.

    signed = s q (coins), cost = s q EP, cash what backs it (USD), rate and deduction of the tier. Source: Binance FAQ
    b3c689c1f50a44cabb3a84e663b81d93; the same with half the initial rate at Hyperliquid, with the oracle price at dYdX v4.
    """
    return float(cast(Any, kernels.liquidation_price)(signed, cost, cash, rate, deduction))


def liquidation_price_of_sums(signed: float, cost: float, cash: float, rated: float, deduction: float) -> float:
    """Return the price at which several legs of one contract (hedge mode) meet their maintenance; NaN when the price does not matter.

    signed = sum s q (coins), cost = sum s q EP (USD), rated = sum q rate (coins), deduction = sum of maintenance amounts (USD).
    cash + signed P - cost = rated P - deduction. Source: Binance FAQ b3c689c1f50a44cabb3a84e663b81d93.
    """
    if signed == rated:
        return math.nan
    return max((cost - cash - deduction) / (signed - rated), 0.0)


def liquidation_price_with_fee(side: float, entry: float, margin_per_coin: float, rate: float, fee: float) -> float:
    """Return the price at which margin is down to maintenance plus the closing fee: (EP - s m) / (1 - s (rate + fee)).

    Source: Gate and OKX isolated margin (freqtrade exchange/gate.py, okx.py).
    """
    return max((entry - side * margin_per_coin) / (1.0 - side * (rate + fee)), 0.0)


def liquidation_price_on_entry(side: float, entry: float, margin_per_coin: float, rate: float, extra_per_coin: float) -> float:
    """Return the price where maintenance is taken on the entry value: EP - s (m - rate EP) - s extra.

    Source: Bybit isolated margin (USDT contracts), BitMEX linear contracts.
    """
    return max(entry - side * (margin_per_coin - rate * entry) - side * extra_per_coin, 0.0)


def liquidation_price_on_bankruptcy(side: float, entry: float, leverage: float, rate: float) -> float:
    """Return the price where maintenance is taken on the bankruptcy value: EP - s (IM - rate B), B = EP (1 - s / leverage).

    The closing fee is assigned on top of initial margin and taken out again, so that it drops out. Source: Phemex help, liq-price-for-USDTM.
    """
    bankruptcy = entry * (1.0 - side / leverage)
    return max(entry - side * (entry / leverage - rate * bankruptcy), 0.0)


def bankruptcy_price(side: float, entry: float, margin_per_coin: float) -> float:
    """Return the price at which a linear position's margin is gone: EP - s m, not below zero."""
    return max(entry - side * margin_per_coin, 0.0)


def closing_fee(side: float, value: float, leverage: float, fee: float) -> float:
    """Return the fee of closing at the bankruptcy price: fee V (1 - s / leverage). Source: Bybit order cost."""
    return fee * value * (1.0 - side / leverage)


def maintenance_with_closing_fee(side: float, value: float, leverage: float, rate: float, fee: float) -> float:
    """Return the maintenance that includes the fee of closing at bankruptcy, as Bybit's API gives it (value in USD)."""
    return rate * value + closing_fee(side, value, leverage, fee)


def inverse_liquidation_price(side: float, contracts_usd: float, entry: float, margin: float, maintenance: float) -> float:
    """Return the price of a coin-margined isolated position: Q / (PV + s (IM - MM)), PV = Q / EP; inf where it has none.

    margin, maintenance in coins. A short of low leverage has no liquidation price: its loss in coins is bounded. Source: Bybit help
    (inverse contracts, isolated).
    """
    coins = contracts_usd / entry + side * (margin - maintenance)
    return contracts_usd / coins if coins > 0.0 else math.inf


def inverse_bankruptcy_price(side: float, entry: float, leverage: float) -> float:
    """Return EP L / (L + 1) for a long and EP L / (L - 1) for a short of leverage L; inf for a short of leverage 1 or less."""
    below = leverage + side
    return entry * leverage / below if below > 0.0 else math.inf


def inverse_cross_bankruptcy_price(side: float, contracts_usd: float, entry: float, balance: float, fee: float) -> float:
    """Return the price at which a coin balance is gone after the closing fee: (1 + s fee) Q / (Q / EP + s balance); inf where none.

    balance in coins, free of order margin. Source: Bybit help 360039261334.
    """
    coins = contracts_usd / entry + side * balance
    return (1.0 + side * fee) * contracts_usd / coins if coins > 0.0 else math.inf


def inverse_cross_liquidation_price(side: float, contracts_usd: float, entry: float, balance: float, rate: float, fee: float) -> float:
    """Return the price at which the coin balance is down to maintenance plus the fee of closing at bankruptcy; inf where none.

    s Q (1/EP - 1/P) = -(balance - rate Q / EP - fee Q / B). Source: Bybit help 360039261334.
    """
    bankrupt = inverse_cross_bankruptcy_price(side, contracts_usd, entry, balance, fee)
    slack = balance - rate * contracts_usd / entry - fee * contracts_usd / bankrupt
    inverted = 1.0 / entry + side * slack / contracts_usd
    return 1.0 / inverted if inverted > 0.0 else math.inf


def to_tick(price: float, tick: float, side: float) -> float:
    """Return a liquidation price rounded to the tick in the trader's disfavour: up for a long, down for a short. Source: Bybit."""
    steps = price / tick
    nearest = round(steps)
    if abs(steps - nearest) < 1e-9 * max(1.0, abs(steps)):
        return nearest * tick
    return (math.ceil(steps) if side > 0.0 else math.floor(steps)) * tick


def spot_margin_liquidation_price(side: float, liability: float, assets: float, rate: float, fee: float) -> float:
    """Return the price of an isolated spot margin position: liability (1 + rate) (1 + fee) / assets for a long, inverted for a short.

    liability with interest and assets in what each side holds (long: quote and base). Source: OKX isolated margin.
    """
    owed = liability * (1.0 + rate) * (1.0 + fee)
    return owed / assets if side > 0.0 else assets / owed


def maintenance_on_bankruptcy_value(side: float, value: float, leverage: float, rate: float) -> float:
    """Return rate times the bankruptcy value V (1 - s / leverage). Source: Phemex."""
    return rate * value * (1.0 - side / leverage)


def leveraged_margin(value: float, rate: float, leverage: float) -> float:
    """Return margin that shrinks with leverage, V rate / L (bookkeeping models of order-routing systems, BitMEX inverse fixtures)."""
    return value * rate / leverage


def transfer_requirement(notional: float, leverage: float, least: float) -> float:
    """Return what must stay after a withdrawal: the larger of initial margin and `least` times notional. Source: Hyperliquid margining."""
    return max(notional / leverage, least * notional)


def funding_received(side: float, size: float, mark: float, rate: float) -> float:
    """Return the funding received (negative: paid) on a position: -s q mark rate; shorts receive when the rate is positive."""
    return -side * size * mark * rate


def hourly_interest(borrowed: float, daily_rate: float, hours: float) -> float:
    """Return interest of a margin loan for hours begun: B rate ceil(hours) / 24. Source: Binance margin."""
    return borrowed * daily_rate * math.ceil(hours) / 24.0


def rollover_interest(borrowed: float, rate: float, hours: float, period_h: float) -> float:
    """Return an opening fee plus one fee per period begun: B rate (1 + ceil(hours / period)). Source: Kraken margin (4 h)."""
    return borrowed * rate * (1.0 + math.ceil(hours / period_h))
