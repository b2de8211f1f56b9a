"""Bybit: linear and inverse contracts, tiers, unified account, loans, deleveraging trigger."""

from __future__ import annotations

from typing import Any

from waxline.accounts.rules_collateral import borrowed_beyond, loan_to_value
from waxline.accounts.rules_margin import (
    bankruptcy_price,
    closing_fee,
    inverse_bankruptcy_price,
    inverse_cross_bankruptcy_price,
    inverse_cross_liquidation_price,
    inverse_liquidation_price,
    liquidation_price_on_entry,
    maintenance_with_closing_fee,
    to_tick,
)
from waxline.accounts.rules_tiers import tier_maintenance
from waxline.liquidation.rules_deleveraging import drawdown_triggers, loss_beyond, loss_share_of_fund
from waxline.rulebook.binance_perps import tier_of_notional
from waxline.rulebook.inputs import Inputs, UnknownInput
from waxline.scenario.venue_rules import venue_rules

SIZE_USD = ("contract_usd", "contracts", "contracts_usd", "qty", "quantity")
ENTRY = ("entry", "entry_price", "open_rate")


def entry_margin(x: Inputs, entry: float, quantity: float) -> float:
    """Return the margin per coin: as given for the position, or entry price over leverage."""
    given = x.optional("position_margin", "margin", "initial_margin", "wallet_balance", "collateral", "stake_amount")
    leverage = x.optional("leverage")
    if given is None and leverage is None:
        raise UnknownInput("missing input: leverage or position_margin")
    return given / quantity if given is not None else entry / (leverage or 1.0)


def linear_isolated(x: Inputs) -> dict[str, Any]:
    """Compute liquidation price of an isolated USDT contract: maintenance on the entry value, extra margin moves it away."""
    side, entry, quantity = x.side(), x.number(*ENTRY), x.number("qty", "quantity", "amount", default=1.0)
    margin = entry_margin(x, entry, quantity)
    rate = x.number("mmr", "mm_rate") - x.number("mm_deduction", "cum", "maintenance_amount", default=0.0) / (entry * quantity)
    extra = x.number("extra_margin", "extra", "added_margin", default=0.0)
    price = liquidation_price_on_entry(side, entry, margin, rate, extra / quantity)
    tick = x.optional("tick")
    price = price if tick is None else to_tick(price, tick, side)
    return {
        "liquidation_price": price,
        "bankruptcy_price": bankruptcy_price(side, entry, margin + extra / quantity),
        "im": margin * quantity,
        "mm": rate * entry * quantity,
        "position_value": entry * quantity,
    }


def inverse_isolated(x: Inputs) -> dict[str, Any]:
    """Compute liquidation price of an isolated coin-margined contract, with its value and margins in coins."""
    side, size, entry, leverage = x.side(), x.number(*SIZE_USD, default=1.0), x.number(*ENTRY), x.number("leverage")
    value = size / entry
    initial, maintenance = value / leverage, value * x.number("mmr", "mm_rate")
    extra = x.number("extra_margin_btc", "extra_margin", default=0.0)
    price, tick = inverse_liquidation_price(side, size, entry, initial + extra, maintenance), x.optional("tick")
    if tick is not None and price != float("inf"):
        price = to_tick(price, tick, side)
    found = {"liquidation_price": price, "bankruptcy_price": inverse_bankruptcy_price(side, entry, leverage)}
    for unit in ("btc", "eth", "coin"):
        found |= {f"position_value_{unit}": value, f"im_{unit}": initial, f"mm_{unit}": maintenance}
    return found


def balance_of(x: Inputs) -> float:
    """Return the coin balance free of order margin."""
    names = [name for name in x if name.startswith("balance")] or ["balance_btc"]
    orders = [name for name in x if name.startswith("order_margin")] or ["order_margin"]
    return x.number(*names) - x.number(*orders, default=0.0)


def inverse_cross(x: Inputs) -> dict[str, Any]:
    """Compute bankruptcy and liquidation price of a coin-margined contract backed by the whole balance, closing fee included."""
    side, size, entry, fee = x.side(), x.number(*SIZE_USD), x.number(*ENTRY), x.number("taker", "taker_fee", "fee")
    balance = balance_of(x)
    tick = x.optional("tick")
    found = {"bankruptcy_price": inverse_cross_bankruptcy_price(side, size, entry, balance, fee)}
    if x.has("mmr", "mm_rate"):
        price = inverse_cross_liquidation_price(side, size, entry, balance, x.number("mmr", "mm_rate"), fee)
        found["liquidation_price"] = price if tick is None or price == float("inf") else to_tick(price, tick, side)
    elif tick is not None:
        found["bankruptcy_price"] = to_tick(found["bankruptcy_price"], tick, side)
    return found


def inverse_bankruptcy(x: Inputs) -> dict[str, Any]:
    """Compute bankruptcy price of an isolated coin-margined contract by its leverage."""
    price, tick = inverse_bankruptcy_price(x.side(), x.number(*ENTRY), x.number("leverage")), x.optional("tick")
    x.first(*SIZE_USD)
    return {"bankruptcy_price": price if tick is None else to_tick(price, tick, x.side())}


def linear_bankruptcy(x: Inputs) -> dict[str, Any]:
    """Compute bankruptcy price of a USDT contract: margin of the position and, in cross mode, the free wallet are gone."""
    side, entry, quantity = x.side(), x.number(*ENTRY), x.number("qty", "quantity", default=1.0)
    margin = entry_margin(x, entry, quantity) + x.number("available_wallet", "wallet", "available_balance", default=0.0) / quantity
    return {"bankruptcy_price": bankruptcy_price(side, entry, margin)}


def maintenance_tiers(x: Inputs) -> dict[str, Any]:
    """Compute maintenance of a position by marginal tiers."""
    return tier_of_notional(x, "tiers")


def position_value(x: Inputs) -> float:
    """Return the value of a position: as given, or quantity times price."""
    return x.number("position_value", "value") if x.has("position_value", "value") else x.number("qty", "quantity") * x.number("price", "mark", "entry")


def maintenance_margin(x: Inputs) -> dict[str, Any]:
    """Compute maintenance as the API gives it: with the fee of closing at bankruptcy; without a side that of a short, the dearer one."""
    side, value = x.side(default=-1.0), position_value(x)
    rate, fee = x.number("mmr", "mm_rate"), x.number("taker", "taker_fee", default=0.0)
    deduction = x.number("mm_deduction", "cum", default=0.0)
    if fee == 0.0:
        x.first("leverage")
        margin = tier_maintenance(value, rate, deduction)
    else:
        margin = maintenance_with_closing_fee(side, value, x.number("leverage"), rate, fee) - deduction
    return {"mm": margin, "maintenance_margin": margin}


def initial_margin(x: Inputs) -> dict[str, Any]:
    """Compute initial margin as the API gives it: value over leverage plus the fee of closing at bankruptcy."""
    side, value, leverage = x.side(default=-1.0), position_value(x), x.number("leverage")
    margin = value / leverage + closing_fee(side, value, leverage, x.number("taker", "taker_fee", default=0.0))
    return {"im": margin, "initial_margin": margin}


def inverse_initial(x: Inputs) -> dict[str, Any]:
    """Compute initial margin in coins of contracts worth one USD: Q / (P L)."""
    margin = x.number("contracts", "contract_usd", "qty") / (x.number("price", "entry") * x.number("leverage"))
    return {name: margin for name in x.wanted if name.startswith("im")}


def deleveraging_trigger(x: Inputs) -> dict[str, Any]:
    """Compute drawdown of a symbol over 8 h in shares of the pool's maximum; deleveraging from the trigger on, or with an empty pool."""
    rules = venue_rules("bybit").regime("unified").deleveraging
    assert rules is not None and rules.drawdown_trigger is not None and rules.drawdown_stop is not None
    balance, threshold = x.optional("pool_balance", "pool_now", "balance"), x.optional("threshold_balance")
    empty = balance is not None and balance <= 0.0
    if empty and not x.has("pool_8h_max", "fund_8h_max"):
        return {"triggered": True}
    most = x.number("pool_8h_max", "fund_8h_max")
    ratio = loss_share_of_fund(x.number("symbol_pnl_now", "pnl_now"), x.number("symbol_pnl_8h_max", "pnl_8h_max"), most)
    trigger, stop = x.number("ratio_trigger", default=-rules.drawdown_trigger), x.number("ratio_stop", default=-rules.drawdown_stop)
    small = balance is not None and threshold is not None and balance <= threshold
    triggered = empty or (drawdown_triggers(ratio, trigger) and not small)
    amount = loss_beyond(ratio, trigger, most)
    return {"pnl_ratio": ratio, "triggered": triggered, "adl_amount": amount, "stopped": ratio > stop, "stops": ratio > stop}


def borrowing(x: Inputs) -> dict[str, Any]:
    """Tell what an account borrows by itself: below zero after losses and what orders or purchases freeze."""
    equity = 0.0
    for name in [name for name in x if "equity" in name or "wallet" in name or "balance" in name]:
        equity += x.number(name)
    equity += x.number("upl", "upnl", "unrealised", "unrealized_pnl", default=0.0)
    frozen = x.number("buys", "buy", "frozen", "order", "orders", "spot_buys", default=0.0)
    return {"borrow": borrowed_beyond(equity, frozen), "borrowed": borrowed_beyond(equity, frozen)}


def institutional_loan(x: Inputs) -> dict[str, Any]:
    """Compute loan to value of an institutional loan and whether it is liquidated."""
    ltv = loan_to_value(x.number("debt", "loan"), x.number("equity", "collateral"))
    line = x.number("liquidation_ltv", "liq_ltv", default=venue_rules("bybit").constants["ins_loan_ltv"])
    return {"ltv": ltv, "liquidated": ltv >= line}


TOPICS = {
    ("bybit", "liquidation_price.linear.isolated"): linear_isolated,
    ("bybit", "liquidation_price.inverse.isolated"): inverse_isolated,
    ("bybit", "bankruptcy_price.inverse.cross"): inverse_cross,
    ("bybit", "liquidation_price.inverse.cross"): inverse_cross,
    ("bybit", "bankruptcy_price.inverse.isolated"): inverse_bankruptcy,
    ("bybit", "bankruptcy_price.linear"): linear_bankruptcy,
    ("bybit", "maintenance_tiers"): maintenance_tiers,
    ("bybit", "maintenance_margin"): maintenance_margin,
    ("bybit", "initial_margin"): initial_margin,
    ("bybit", "initial_margin.inverse"): inverse_initial,
    ("bybit", "adl_trigger"): deleveraging_trigger,
    ("bybit", "uta.borrow"): borrowing,
    ("bybit", "ins_loan.ltv"): institutional_loan,
}
