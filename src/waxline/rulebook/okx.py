"""OKX contracts, portfolio margin, spot margin; Gate and Phemex contracts."""

from __future__ import annotations

from typing import Any

from waxline.accounts.rules_margin import (
    closing_fee,
    inverse_pnl,
    linear_pnl,
    liquidation_price_on_bankruptcy,
    liquidation_price_with_fee,
    spot_margin_liquidation_price,
)
from waxline.liquidation.rules_deleveraging import fund_threshold
from waxline.liquidation.rules_waterfall import closing_to_tier, tier_below
from waxline.rulebook.bybit import ENTRY, entry_margin
from waxline.rulebook.inputs import Inputs, UnknownInput
from waxline.rulebook.tables import banded, outputs_named
from waxline.scenario.venue_rules import venue_rules


def linear_with_fee(x: Inputs) -> dict[str, Any]:
    """Compute liquidation price of an isolated linear contract with the closing fee as part of maintenance."""
    side, entry, quantity = x.side(), x.number(*ENTRY), x.number("qty", "quantity", "amount", default=1.0)
    margin = entry_margin(x, entry, quantity)
    price = liquidation_price_with_fee(side, entry, margin, x.number("mmr", "mm_rate", "mm_ratio"), x.number("taker_fee", "taker", "fee", default=0.0))
    return {"liquidation_price": price}


def linear_on_bankruptcy(x: Inputs) -> dict[str, Any]:
    """Compute liquidation price of a Phemex contract: maintenance on the bankruptcy value; the fee of closing there is assigned on top."""
    side, entry, quantity = x.side(), x.number(*ENTRY), x.number("qty", "quantity", default=1.0)
    leverage, rate = x.number("leverage"), x.number("mmr", "mm_rate")
    value = entry * quantity
    fee = closing_fee(side, value, leverage, x.number("taker", "taker_fee", default=0.0))
    bankrupt = entry * (1.0 - side / leverage)
    found = {"liquidation_price": liquidation_price_on_bankruptcy(side, entry, leverage, rate), "bankruptcy_price": bankrupt}
    return {**found, "assigned_margin": value / leverage + fee, "im": value / leverage, "closing_fee": fee, "mm": rate * bankrupt * quantity}


def contract_size(x: Inputs, default: float = 1.0) -> float:
    """Return contracts (or swaps) times their face, or a quantity in coins."""
    coins = x.optional("btc", "qty", "quantity", "size")
    faces = [name for name in x if name.startswith("face")]
    face = x.number(*faces) if faces else default
    return coins if coins is not None else x.number("contracts", "swaps") * face


def isolated_ratio(x: Inputs) -> dict[str, Any]:
    """Compute margin and profit over position value, and whether it is below maintenance rate plus fee (rule of 2020)."""
    side, entry, mark, quantity = x.side(), x.number(*ENTRY), x.number("mark", "price"), contract_size(x)
    initial = x.number("margin") if x.has("margin") else quantity * entry / x.number("leverage")
    profit = linear_pnl(side, quantity, entry, mark)
    ratio = (initial + profit) / (quantity * mark)
    line = x.number("mmr", "mm_rate") + x.number("liq_fee", "taker_fee", default=0.0)
    return {"im": initial, "upl": profit, "upnl": profit, "margin_ratio": ratio, "liquidate": ratio < line, "liquidated": ratio < line}


def partial(x: Inputs) -> dict[str, Any]:
    """Compute contracts closed at once: down to the largest size of a lower tier; low tiers are closed whole."""
    held = x.number("contracts", "position", "held", "size")
    if x.has("tiers", "tier_caps"):
        table = x.table("tiers") if x.has("tiers") else [[0.0, cap] for cap in x.numbers("tier_caps")]
        caps = [float("inf") if row[1] is None else row[1] for row in table]
        down = int(x.number("tiers_down", "steps_down", default=venue_rules("okx").regime().first.tiers_down))
        least = caps[min(1, len(caps) - 1)] + 1e-12
        closed = closing_to_tier(held, least, tier_below(held, caps, down))
    else:
        target = x.number("tier1_max", "target_max", "lower_tier_max")
        closed = closing_to_tier(held, x.number("tier3_from", "acts_from", default=target + 1e-12), target)
    return {"closed": closed, "left": held - closed, "remaining": held - closed}


def linear_profit(x: Inputs) -> dict[str, Any]:
    """Compute profit of a linear contract in USD, realised or not."""
    x.first("kind")
    reference = x.number("ref", *ENTRY)
    value = linear_pnl(x.side(default=1.0), contract_size(x), reference, x.number("price", "mark", "exit", "close"))
    return {**outputs_named(x.wanted, "*pnl*", value), **outputs_named(x.wanted, "[ur]pl", value)}


def inverse_profit(x: Inputs) -> dict[str, Any]:
    """Compute profit of a coin-margined contract in coins, realised or not."""
    x.first("kind")
    reference = x.number("ref", *ENTRY)
    value = inverse_pnl(x.side(default=1.0), contract_size(x), reference, x.number("price", "mark", "exit", "close"))
    return {**outputs_named(x.wanted, "*pnl*", value), **outputs_named(x.wanted, "[ur]pl*", value)}


def minimum_charge(x: Inputs) -> dict[str, Any]:
    """Compute minimum charge of portfolio margin in bands, and maintenance after it."""
    adjusted = banded(x, "scale" if "scale" in x else "tiers", x.number("mr7_raw", "mr7", "raw"), multiples=True)
    return {"mr7_adj": adjusted, "mmr_after": max(x.number("mmr_before", "mmr", default=0.0), adjusted)}


def deleveraging_trigger(x: Inputs) -> dict[str, Any]:
    """Compute fund balance below which winners are deleveraged: the 8 h average (or peak) less a share, at least a fixed drop."""
    constants = venue_rules("okx").constants
    now, reference = x.number("fund_now", "fund"), x.number("fund_8h_avg", "fund_8h_peak", "fund_8h_max")
    default = constants["adl_least_drop_usd"] if x.has("fund_8h_avg") else 0.0
    line = fund_threshold(reference, x.number("drop_pct", "drop", default=constants["adl_drop"]), x.number("min_drop_usd", "min_drop", default=default))
    return {"threshold": line, "triggered": now <= 0.0 or now < line}


def spot_margin(x: Inputs) -> dict[str, Any]:
    """Compute assets, liability and liquidation price of an isolated spot margin position bought with a loan (or sold short)."""
    price = x.number("price", "entry")
    leverage = x.optional("leverage")
    side = x.side(default=1.0)
    bought, margin = x.named(r"(?:buy|bought)_(\w+)"), x.named(r"margin_(\w+)")
    if not bought:
        raise UnknownInput("missing input: what was bought (such as buy_btc)")
    asset, name = next(iter(bought.items()))
    quantity = x.number(name)
    own = sum(x.number(other) if unit == asset else x.number(other) / price for unit, other in margin.items())
    if not margin and leverage is not None:
        own = quantity / leverage
    liability = x.number("liability", default=quantity * price) + x.number("interest", default=0.0)
    found = {f"assets_{asset}": quantity + own, "assets": quantity + own, "liability": liability, f"liability_{asset}": liability / price}
    found |= {f"liability_{unit}": liability for unit in ("usdt", "usd", "usdc")}
    if x.has("mmr", "mm_rate"):
        found["liquidation_price"] = spot_margin_liquidation_price(
            side, liability, quantity + own, x.number("mmr", "mm_rate"), x.number("taker", "taker_fee", default=0.0)
        )
    return found


def position_tiers(x: Inputs) -> dict[str, Any]:
    """Compute rates of the spot margin tiers of a pair, from the venue's file (further tiers rise by 1 %); largest leverage is 1 / initial."""
    limits = x.numbers("max_borrow_base", "max_borrow", "tiers_base")
    if x.has("imr"):
        initial = x.numbers("imr")
        maintenance = x.numbers("mmr") if x.has("mmr") else []
    else:
        pair = x.text("pair", "symbol").split()[0] if x.text("pair", "symbol") else ""
        table = venue_rules("okx").spot_margin_tiers.get(pair)
        if table is None or [row[0] for row in table][: len(limits)] != limits[: len(table)]:
            raise UnknownInput(f"pair: the venue's file has no tiers of {pair or 'no pair'} with these limits; give imr and mmr")
        beyond = range(1, len(limits) - len(table) + 1)
        initial = [row[2] for row in table][: len(limits)] + [table[-1][2] + 0.01 * n for n in beyond]
        maintenance = [row[1] for row in table][: len(limits)] + [table[-1][1] + 0.01 * n for n in beyond]
    return {"mmr": maintenance, "imr": initial, "max_leverage": [1.0 / rate for rate in initial]}


TOPICS = {
    ("okx", "liquidation_price.linear.isolated"): linear_with_fee,
    ("gate", "liquidation_price.linear.isolated"): linear_with_fee,
    ("phemex", "liquidation_price.linear.isolated"): linear_on_bankruptcy,
    ("okx", "margin_ratio.isolated"): isolated_ratio,
    ("okx", "partial_liquidation"): partial,
    ("okx", "pnl.linear"): linear_profit,
    ("okx", "pnl.inverse"): inverse_profit,
    ("bitmex", "pnl.inverse"): inverse_profit,
    ("okx", "portfolio_margin.mr7"): minimum_charge,
    ("okx", "adl_trigger"): deleveraging_trigger,
    ("okx", "isolated_margin.example"): spot_margin,
    ("okx", "position_tiers"): position_tiers,
}
