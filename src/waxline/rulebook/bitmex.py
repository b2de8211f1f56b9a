"""BitMEX: risk limits, deleveraging, cross margin, inverse margins; Deribit's size-linear rates; bookkeeping models of margin."""

from __future__ import annotations

import re
from typing import Any

from waxline.accounts.rules_margin import (
    bankruptcy_price,
    leveraged_margin,
    liquidation_price_on_entry,
)
from waxline.accounts.rules_tiers import risk_steps, size_linear_rate, stepped_rate
from waxline.liquidation.rules_deleveraging import (
    effective_leverage,
    order_of,
    profit_share,
    profit_times_leverage,
    quintile,
    taken_in_order,
)
from waxline.rulebook.inputs import Inputs, UnknownInput
from waxline.scenario.venue_rules import venue_rules


def risk_limit(x: Inputs) -> dict[str, Any]:
    """Compute rates by risk-limit steps for the whole position, or for a list of limits; defaults are those of XBTUSD."""
    constants = venue_rules("bitmex").constants
    base_mm, base_im = x.number("base_mm", default=constants["base_mm"]), x.number("base_im", default=constants["base_im"])
    base, step = x.number("base_limit", default=constants["base_limit"]), x.number("step", default=constants["step"])
    if x.has("limits_xbt", "limits"):
        limits = x.numbers("limits_xbt", "limits")
        # Without base and step each listed limit is one step, however far apart they stand.
        counts = [risk_steps(limit, base if "base_limit" in x else limits[0], step) for limit in limits] if x.has("base_limit", "step") else range(len(limits))
        rates = [stepped_rate(base_mm, base_mm, n) for n in counts]
        return {"mm": rates, "mm_rate": rates, "im": (initial := [stepped_rate(base_im, base_mm, n) for n in counts]), "im_rate": initial}
    position = x.number("position_xbt", "position")
    steps = x.number("steps", default=risk_steps(position, base, step))
    rate, initial_rate = stepped_rate(base_mm, base_mm, steps), stepped_rate(base_im, base_mm, steps)
    found = {"mm_rate": rate, "im_rate": initial_rate, "steps": steps}
    return {**found, "mm_xbt": position * rate, "im_xbt": position * initial_rate, "mm": position * rate, "im": position * initial_rate}


def deleveraging_rank(x: Inputs) -> dict[str, Any]:
    """Compute score from position values, or order and percentile light of accounts with scores."""
    if x.has("mark_value"):
        mark, bankrupt = x.number("mark_value"), x.number("bankrupt_value", "bankruptcy_value")
        leverage, profit = effective_leverage(mark, bankrupt), profit_share(mark, x.number("avg_entry_value", "entry_value"))
        return {"eff_leverage": leverage, "pnl_pct": profit, "score": profit_times_leverage(profit, leverage)}
    rows = queue_of(x)
    order = order_of([row[2] for row in rows])
    whole, passed, lights = sum(row[1] for row in rows), 0.0, []
    for n in order:
        passed += rows[n][1]
        lights.append(20 * quintile(passed, whole))
    return {"order": [rows[n][0] for n in order], "percentile": lights, "quintile": [light // 20 for light in lights]}


def queue_of(x: Inputs) -> list[tuple[Any, float, float]]:
    """Return account, quantity and score of the counterparties."""
    names = ("longs", "shorts", "accounts", "positions", "rows")
    found = []
    for n, row in enumerate(x.rows(*names), start=1):
        name = row.first("account", "id")
        found.append((row[name] if name else n, row.number("qty", "quantity", "size"), row.number("score")))
    return found


def allocation(x: Inputs) -> dict[str, Any]:
    """Tell who gives how much: strict order of score, whole positions first, at the bankruptcy price of the liquidated order."""
    rows = queue_of(x)
    order = order_of([row[2] for row in rows])
    wanted = x.named(r"liquidated(?:_(short|long|qty|quantity))?")
    if len(wanted) != 1:
        raise UnknownInput("missing input: liquidated_short or liquidated_long")
    taken = taken_in_order([rows[n][1] for n in order], x.number(next(iter(wanted.values()))))
    closed = {str(rows[n][0]): amount for n, amount in zip(order, taken, strict=True) if amount > 0.0}
    found: dict[str, Any] = {"closed": closed, "price": x.number("bankruptcy_price", "price")}
    for name in x.wanted:
        match = re.fullmatch(r"account(.+)_left", name)
        if match:
            held = {str(row[0]): row[1] for row in rows}
            if match[1] not in held:
                raise UnknownInput(f"unknown result: {name}")
            found[name] = held[match[1]] - closed.get(match[1], 0.0)
    return found


def cross(x: Inputs) -> dict[str, Any]:
    """Compute margins, bankruptcy and liquidation price of a linear cross position backed by the whole wallet."""
    entry, leverage, rate, side = x.number("entry", "entry_price"), x.number("leverage"), x.number("mmr", "mm_rate"), x.side(default=1.0)
    wallet = x.number(*([name for name in x if name.startswith(("wallet", "balance"))] or ["wallet_usdt"]))
    quantity = x.number(*([name for name in x if name.startswith(("qty", "quantity"))] or ["qty"]))
    value = quantity * entry
    per_coin = wallet / quantity
    found = {"im": value / leverage, "mm": value * rate, "available": wallet - value / leverage}
    found |= {"bankruptcy": bankruptcy_price(side, entry, per_coin), "liquidation": liquidation_price_on_entry(side, entry, per_coin, rate, 0.0)}
    return {**found, "bankruptcy_price": found["bankruptcy"], "liquidation_price": found["liquidation"]}


def funding_payment(x: Inputs) -> dict[str, Any]:
    """Compute funding paid by a position (negative: received): longs pay a positive rate."""
    position = x.number(*([name for name in x if name.startswith("position")] or ["position_xbt"]))
    paid = x.side(default=1.0) * position * x.number("rate", "funding_rate")
    return {**{name: paid for name in x.wanted if name.startswith("paid")}, **{name: -paid for name in x.wanted if name.startswith("received")}}


def inverse_margin(x: Inputs) -> dict[str, Any]:
    """Compute initial or maintenance margin in coins of contracts worth one USD, shrunk by the leverage where one is given."""
    contracts, price = x.number("contracts", "qty"), x.number("price", "entry")
    leverage = x.number("leverage", default=1.0)
    found: dict[str, Any] = {}
    for kind in ("im", "mm"):
        rate = x.optional(f"{kind}_rate", f"{kind}r")
        if rate is not None:
            margin = leveraged_margin(contracts / price, rate, leverage)
            found |= {f"{kind}_btc": margin, f"{kind}_xbt": margin, f"{kind}_usd": margin * price}
    if not found:
        raise UnknownInput("missing input: im_rate or mm_rate")
    return found


def position_fixture(x: Inputs) -> dict[str, Any]:
    """Compute margins of a position as the API gives them, in satoshi: closing commission is part of both."""
    cost, fee, leverage = abs(x.number("pos_cost_sat", "pos_cost")), x.number("commission", "fee"), x.number("leverage")
    mark, side = abs(x.number("mark_value_sat", "mark_value")), x.side(default=1.0)
    initial, commission = cost / leverage, cost * fee
    # A long is worth less than it cost in coins once the coin rises: its value is written as a negative number.
    profit = side * (cost - mark)
    found = {"pos_init": initial, "pos_comm": commission, "pos_margin": initial + commission, "pos_maint": cost * x.number("mm_req", "mmr") + commission}
    return {**found, "upnl": profit, "margin_balance": x.number("wallet_sat", "wallet", default=0.0) + profit}


def size_linear(x: Inputs) -> dict[str, Any]:
    """Compute Deribit rates that grow with the size of the position, and the margins of the whole position."""
    asset, size = x.text("asset", default="").lower(), abs(x.number("size", "qty"))
    constants = venue_rules("deribit").constants
    slope = x.number("slope_per_coin", "slope", default=constants.get(f"{asset}_slope"))
    rates = {kind: size_linear_rate(x.number(f"{kind}0", default=constants.get(f"{asset}_{kind}")), slope, size) for kind in ("im", "mm")}
    found: dict[str, Any] = {f"{kind}_rate": rate for kind, rate in rates.items()}
    return {**found, **{kind: rate * size for kind, rate in rates.items()}, **{f"{kind}_{asset}": rate * size for kind, rate in rates.items()}}


def model_margin(x: Inputs) -> dict[str, Any]:
    """Compute margin of a bookkeeping model: standard (notional times rate) or leveraged (divided by the leverage as well)."""
    value = x.number("qty", "quantity") * x.number("price")
    model = x.text("model", default="leveraged" if x.has("leverage") else "standard").lower()
    if model not in ("standard", "leveraged"):
        raise UnknownInput(f"input model: standard or leveraged, was {model}")
    leverage = x.number("leverage", default=1.0) if model == "leveraged" else 1.0
    x.first("leverage")
    found: dict[str, Any] = {}
    for kind in ("im", "mm"):
        rate = x.optional(f"{kind}_rate", f"{kind}r")
        if rate is not None:
            found[kind] = leveraged_margin(value, rate, leverage)
    return found


TOPICS = {
    ("bitmex", "risk_limit"): risk_limit,
    ("bitmex", "adl_rank"): deleveraging_rank,
    ("bitmex", "adl_allocation"): allocation,
    ("bitmex", "liquidation_price.cross"): cross,
    ("bitmex", "funding_payment"): funding_payment,
    ("bitmex", "initial_margin.inverse"): inverse_margin,
    ("bitmex", "maintenance_margin.inverse"): inverse_margin,
    ("bitmex", "margin_fixture"): position_fixture,
    ("deribit", "maintenance_margin"): size_linear,
    ("generic", "initial_margin"): model_margin,
    ("generic", "maintenance_margin"): model_margin,
}
