"""Hyperliquid: liquidation price, tiers, first order, vault, deleveraging rank, funding, transfers."""

from __future__ import annotations

from typing import Any

from waxline.accounts.rules_margin import linear_liquidation_price, transfer_requirement
from waxline.accounts.rules_tiers import deductions, maintenance_of_leverage, tier_index, tier_maintenance
from waxline.liquidation.rules_deleveraging import order_of, price_times_leverage
from waxline.liquidation.rules_waterfall import backstop_takes_over, closing_fraction
from waxline.rulebook.binance_perps import rates_of_funding
from waxline.rulebook.inputs import Inputs, UnknownInput, worth
from waxline.scenario.venue_rules import venue_rules


def like(x: Inputs, values: list[Any], *names: str) -> Any:
    """Return a list of results where the input of one of the names is a list, else the single result."""
    return values if any(isinstance(x.values_given.get(name), list) for name in names) else values[0]


def price_of_liquidation(x: Inputs) -> dict[str, Any]:
    """Compute liquidation price with maintenance of half the initial margin at the largest leverage, less the tier's deduction."""
    side, entry, quantity = x.side(), x.number("entry", "entry_price", "open_rate"), x.number("qty", "quantity", "amount", "size")
    rate = x.number("mmr", "mm_rate") if x.has("mmr", "mm_rate") else maintenance_of_leverage(x.number("max_leverage"))
    margin = x.optional("collateral", "margin", "wallet_balance", "margin_used", "account_value")
    leverage = x.optional("leverage")
    if margin is None:
        if leverage is None:
            raise UnknownInput("missing input: collateral")
        margin = quantity * entry / leverage
    cash = margin + x.number("upnl_other", default=0.0) - x.number("mm_other", default=0.0)
    amount = x.number("deduction", "cum", default=0.0)
    return {"liquidation_price": linear_liquidation_price(side * quantity, side * quantity * entry, cash, rate, amount)}


def maintenance_rate(x: Inputs) -> dict[str, Any]:
    """Compute maintenance rate for each largest leverage."""
    rates = [maintenance_of_leverage(leverage) for leverage in x.numbers("max_leverage", "leverage")]
    value = like(x, rates, "max_leverage", "leverage")
    found = {"mm_rate": value, "mmr": value}
    if x.has("notional"):
        found["mm"] = rates[0] * x.number("notional")
    return found


def margin_tiers(x: Inputs) -> dict[str, Any]:
    """Compute deductions of a table of [lower bound, largest leverage]; for a notional also its rate and maintenance."""
    table = x.table("tiers")
    if any(len(row) != 2 or row[1] is None for row in table):
        raise UnknownInput("tiers: rows must be [lower bound, largest leverage]")
    floors = [row[0] or 0.0 for row in table]
    rates = [maintenance_of_leverage(row[1] or 1.0) for row in table]
    amounts = deductions(floors, rates)
    found: dict[str, Any] = {"deduction": amounts, "mm_rate": rates, "mmr": rates}
    if x.has("notional", "position_usd"):
        notional = x.number("notional", "position_usd")
        n = tier_index(notional, [*floors[1:], float("inf")])
        found |= {"mm": tier_maintenance(notional, rates[n], amounts[n]), "deduction": amounts[n], "mm_rate": rates[n], "mmr": rates[n]}
    return found


def partial(x: Inputs) -> dict[str, Any]:
    """Compute first order of a liquidation: a fraction of a large position, all of a small one or during the cool-down."""
    first = venue_rules("hyperliquid").regime("cross").first
    sizes = x.numbers("position_usd", "notional", "position")
    threshold, part = x.number("threshold_usd", "threshold", default=first.threshold_usd), x.number("fraction", default=first.fraction)
    waited, cooldown = x.optional("elapsed_s", "seconds_since_last"), x.number("cooldown_s", default=first.wait_s)
    cooling = x.flag("cooling", "in_cooldown") or (waited is not None and waited < cooldown)
    orders = [closing_fraction(size, threshold, part, cooling) for size in sizes]
    left = [size - order for size, order in zip(sizes, orders, strict=True)]
    names = ("position_usd", "notional", "position")
    return {
        "first_order_usd": like(x, orders, *names),
        "order_usd": like(x, orders, *names),
        "left_usd": like(x, left, *names),
        "remaining_usd": like(x, left, *names),
    }


def backstop(x: Inputs) -> dict[str, Any]:
    """Tell whether the vault takes the position, for each account value."""
    takeover = venue_rules("hyperliquid").regime("cross").takeover
    assert takeover is not None and takeover.at_maintenance_share is not None
    margin = x.number("maintenance_margin", "mm")
    share = x.number("threshold", "share", default=takeover.at_maintenance_share)
    found = [backstop_takes_over(value, margin, share) for value in x.numbers("account_value", "equity")]
    return {"backstop": like(x, found, "account_value", "equity")}


def deleveraging_rank(x: Inputs) -> dict[str, Any]:
    """Compute index of each position and the order."""
    scores = []
    for row in x.rows("rows", "accounts", "positions"):
        row.first("account", "id")
        value = row.number("account_value", "equity")
        scores.append(price_times_leverage(row.side(default=1.0), row.number("mark"), row.number("entry"), row.number("notional"), value))
    return {"index": scores, "score": scores, "order": [n + 1 for n in order_of(scores)]}


def funding(x: Inputs) -> dict[str, Any]:
    """Compute funding rate per 8 h and per hour for each premium."""
    rates = rates_of_funding(x)
    hourly = [rate / 8.0 for rate in rates]
    names = ("avg_premium", "premium", "average_premium")
    found = {"rate_8h": like(x, rates, *names), "rate_1h": like(x, hourly, *names)}
    if x.has("position_usd", "notional"):
        found["payment"] = hourly[0] * x.number("position_usd", "notional") * x.side(default=1.0)
    return found


def transfer_margin(x: Inputs) -> dict[str, Any]:
    """Compute margin that must stay after a transfer, for each leverage."""
    least = x.number("least", "min_fraction", default=venue_rules("hyperliquid").constants["transfer_least"])
    notional = x.number("notional", "position_usd")
    found = [transfer_requirement(notional, leverage, least) for leverage in x.numbers("leverage")]
    return {"required": like(x, found, "leverage")}


def portfolio_loan(x: Inputs) -> dict[str, Any]:
    """Tell what may be borrowed against an asset."""
    ltv = x.number("ltv", "max_ltv")
    x.first("price", *(name for name in x if name.endswith("_price")))
    total = sum(quantity * worth(asset, x) for asset, quantity in x.amounts().items())
    return {"borrowable": total * ltv, "collateral": total}


def account_value(x: Inputs) -> dict[str, Any]:
    """Compute account value: cash less the value of a short (the term given), plus open profit."""
    value = x.number("deposits", "usdc", "cash") - x.number("position_term", "position_value", default=0.0) + x.number("upnl", default=0.0)
    return {"account_value": value}


def initial_margin(x: Inputs) -> dict[str, Any]:
    """Compute margin used; what may be withdrawn is account value less that (the account value may stand in a sister example)."""
    used = x.number("ntl", "notional") / x.number("leverage")
    found = {"margin_used": used, "im": used}
    value = x.optional("account_value", "equity")
    if value is None and "withdrawable" in x.wanted:
        if "account_value" not in x.published:
            raise UnknownInput("missing input: account_value (needed for withdrawable; no example of the same source publishes it)")
        value = float(x.published["account_value"])
    return found if value is None else {**found, "withdrawable": max(value - used, 0.0)}


TOPICS = {
    ("hyperliquid", "liquidation_price"): price_of_liquidation,
    ("hyperliquid", "maintenance_rate"): maintenance_rate,
    ("hyperliquid", "margin_tiers"): margin_tiers,
    ("hyperliquid", "partial_liquidation"): partial,
    ("hyperliquid", "backstop"): backstop,
    ("hyperliquid", "adl_rank"): deleveraging_rank,
    ("hyperliquid", "funding_rate"): funding,
    ("hyperliquid", "transfer_margin"): transfer_margin,
    ("hyperliquid", "portfolio_margin.ltv"): portfolio_loan,
    ("hyperliquid", "account_value"): account_value,
    ("hyperliquid", "initial_margin"): initial_margin,
}
