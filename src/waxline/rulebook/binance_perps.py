"""Binance USD-M and COIN-M perps: liquidation price, maintenance tiers, mark, funding, deleveraging rank."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from waxline.accounts.rules_margin import (
    funding_received,
    inverse_pnl,
    linear_liquidation_price,
    linear_pnl,
    liquidation_price_of_sums,
)
from waxline.accounts.rules_tiers import next_deduction, tier_maintenance
from waxline.liquidation.rules_deleveraging import margin_times_profit, order_of
from waxline.market.rules_price import (
    funding_basis,
    funding_rate,
    impact_notional_of_margin,
    mark_from_funding,
    mark_median,
    premium,
)
from waxline.rulebook.inputs import Inputs, UnknownInput
from waxline.rulebook.tables import tiers_of
from waxline.scenario.venue_rules import venue_rules

RATE = ("mmr", "mm_rate", "maintenance_margin_rate", "mm_ratio")
AMOUNT = ("maintenance_amount", "cum", "maint_amount", "deduction")
QUANTITY = ("qty", "quantity", "size", "amount")


def rate_and_amount(leg: Inputs) -> tuple[float, float]:
    """Return rate and maintenance amount of a leg: as given, or by its tiers at the mark."""
    if leg.has("tiers"):
        tiers = tiers_of(leg, "tiers")
        n = tiers.at(leg.number(*QUANTITY) * leg.number("mark", "mark_price", "entry", "entry_price"))
        return tiers.rates[n], tiers.deductions[n]
    return leg.number(*RATE), leg.number(*AMOUNT, default=0.0)


def cross_liquidation_price(x: Inputs) -> dict[str, Any]:
    """Compute liquidation price of one leg of a cross account, from the other legs or their sums; hedge mode sums both sides of the symbol."""
    wallet = x.number("wallet_balance", "wallet", "balance")
    if not x.has("positions"):
        side, quantity = x.side(), x.number(*QUANTITY)
        rate, amount = rate_and_amount(x)
        cash = wallet - x.number("tmm_other", "tmm1", "mm_other", default=0.0) + x.number("upnl_other", "upnl1", default=0.0)
        cost = side * quantity * x.number("entry", "entry_price")
        return {"liquidation_price": linear_liquidation_price(side * quantity, cost, cash, rate, amount)}
    legs = x.rows("positions")
    target = x.text("target", default=legs[0].text("symbol"))
    signed = cost = rated = amounts = others = profit = 0.0
    found = 0
    for leg in legs:
        side, quantity, entry = leg.side(), leg.number(*QUANTITY), leg.number("entry", "entry_price")
        rate, amount = rate_and_amount(leg)
        if leg.text("symbol") == target:
            found += 1
            leg.optional("mark", "mark_price")
            signed += side * quantity
            cost += side * quantity * entry
            rated += quantity * rate
            amounts += amount
        else:
            mark = leg.number("mark", "mark_price")
            others += tier_maintenance(quantity * mark, rate, amount)
            profit += linear_pnl(side, quantity, entry, mark)
    if not found:
        raise UnknownInput(f"target {target} is not among the positions")
    cash = wallet - others + profit
    price = (
        linear_liquidation_price(signed, cost, cash, rated / abs(signed), amounts)
        if found == 1
        else liquidation_price_of_sums(signed, cost, cash, rated, amounts)
    )
    return {"liquidation_price": price, "tmm_other": others, "upnl_other": profit}


def isolated_liquidation_price(x: Inputs) -> dict[str, Any]:
    """Compute liquidation price of an isolated position: its margin is the wallet balance, or value over leverage."""
    side, quantity, entry = x.side(), x.number(*QUANTITY, default=1.0), x.number("entry", "entry_price", "open_rate")
    rate, amount = rate_and_amount(x)
    leverage = x.optional("leverage")
    margin = x.optional("wallet_balance", "margin", "isolated_margin", "collateral", "stake_amount")
    if margin is None:
        if leverage is None:
            raise UnknownInput("missing input: wallet_balance or leverage")
        margin = quantity * entry / leverage
    return {"liquidation_price": linear_liquidation_price(side * quantity, side * quantity * entry, margin, rate, amount)}


def buffered_stop(x: Inputs) -> dict[str, Any]:
    """Compute stop that stands a part of the way from liquidation price to entry."""
    line, entry = x.number("exchange_liquidation_price", "liquidation_price"), x.number("entry", "open_rate")
    return {"stop_price": line + x.side(default=1.0 if entry > line else -1.0) * x.number("buffer") * abs(entry - line)}


def maintenance_amount(x: Inputs) -> dict[str, Any]:
    """Compute maintenance amount of a tier by its floor and the tier below, or of a position by its table."""
    table = next((name for name in x if name.startswith("tiers") or name.startswith("brackets")), None)
    if table is not None:
        return tier_of_notional(x, table)
    floor = x.number("bracket_floor", "floor", "bracket_floor_btc", *(name for name in x if name.startswith("bracket_floor")))
    before = x.number("cum_prev", *(name for name in x if name.startswith("cum_prev")))
    amount = next_deduction(floor, x.number("mmr_n", "mmr"), x.number("mmr_prev"), before)
    return {name: amount for name in x.wanted if name.startswith(("cum", "maintenance_amount"))}


def tier_of_notional(x: Inputs, table: str) -> dict[str, Any]:
    """Compute rate, amount and maintenance of a position, or all amounts of the table where no position is given."""
    tiers = tiers_of(x, table)
    notional = x.optional("notional", "position_value", "value", "stake_amount", "nominal_value")
    if notional is None and x.has("qty", "quantity") and x.has("price", "mark"):
        notional = x.number("qty", "quantity") * x.number("price", "mark")
    if notional is None:
        return {"cum": tiers.deductions, "deduction": tiers.deductions, "mmr": tiers.rates, "max_leverage": tiers.leverages}
    n = tiers.from_floor(notional)
    rate, amount = tiers.rates[n], tiers.deductions[n]
    found = {"mmr": rate, "cum": amount, "deduction": amount, "tier": n + 1, "maintenance_amount": amount}
    margin = tier_maintenance(notional, rate, amount)
    found |= {"mm": margin, "maintenance_margin": margin}
    if tiers.leverages is not None:
        found |= {"max_leverage": tiers.leverages[n], "im": notional / tiers.leverages[n]}
    return found


def maintenance_tiers(x: Inputs) -> dict[str, Any]:
    """Compute maintenance amounts of a table, or rate, amount and margin of one position."""
    return tier_of_notional(x, "tiers")


def mark_price(x: Inputs) -> dict[str, Any]:
    """Compute mark from index and funding; the median of three where averaged basis and contract price are given."""
    index, hours = x.number("index"), x.number("hours_to_funding", "time_to_funding_h")
    rate, interval = x.number("last_funding", "funding_rate"), x.number("interval_h", "funding_interval_h", default=8.0)
    first = mark_from_funding(index, rate, hours, interval)
    found = {"basis": funding_basis(rate, hours, interval), "price1": first, "price_1": first, "mark": first}
    if x.has("contract_price", "last_price"):
        if x.has("average_basis", "basis_average", "moving_average_basis"):
            second = index + x.number("average_basis", "basis_average", "moving_average_basis")
        else:
            second = x.number("price2", "price_2")
        found |= {"price2": second, "price_2": second, "mark": mark_median(first, second, x.number("contract_price", "last_price"))}
    return found


def rates_of_funding(x: Inputs) -> list[float]:
    """Return the clamped funding rate for each premium."""
    if x.has("premium", "avg_premium", "average_premium"):
        premia = x.numbers("premium", "avg_premium", "average_premium")
    else:
        premia = [premium(x.number("impact_bid"), x.number("impact_ask"), x.number("index"))]
    interest, clamp = x.number("interest", "interest_rate", default=0.0001), x.number("clamp", default=0.0005)
    return [funding_rate(one, interest, clamp) for one in premia]


def funding(x: Inputs) -> dict[str, Any]:
    """Compute funding rate for one premium or a list of them."""
    single = not isinstance(x.values_given.get("premium", []), list) or not x.has("premium")
    rates = rates_of_funding(x)
    value: Any = rates[0] if single else rates
    return {"funding": value, "funding_rate": value, "rate": value}


def impact_notional(x: Inputs) -> dict[str, Any]:
    """Compute size whose fill makes the impact price: 200 USDT times the largest leverage."""
    default = venue_rules("binance").constants["impact_margin_usdt"]
    leverages = x.numbers("max_leverage", "leverage")
    margin = x.number("impact_margin_usdt", "impact_margin", default=default)
    sizes = [impact_notional_of_margin(margin, leverage) for leverage in leverages]
    return {"impact_notional": sizes if isinstance(x.values_given.get("max_leverage"), list) else sizes[0]}


def deleveraging_rank(x: Inputs) -> dict[str, Any]:
    """Compute leverage profit of accounts, their order and quantile."""
    scores = []
    for row in x.rows("accounts", "positions", "rows"):
        row.first("account", "id")
        scores.append(margin_times_profit(row.number("wallet", "wallet_balance"), row.number("upnl", "unrealised"), row.number("mm", "maintenance")))
    order = order_of(scores)
    quantile = [(order.index(n) + 1) / len(scores) for n in range(len(scores))]
    return {"leverage_pnl": scores, "order": [n + 1 for n in order], "quantile": quantile, "score": scores}


def linear_profit(x: Inputs) -> dict[str, Any]:
    """Compute unrealised profit of a linear position."""
    value = linear_pnl(x.side(), x.number(*QUANTITY), x.number("entry", "entry_price"), x.number("mark", "price"))
    return {name: value for name in x.wanted if name.startswith(("upnl", "pnl"))}


def inverse_profit(x: Inputs) -> dict[str, Any]:
    """Compute unrealised profit in coins of a coin-margined position of `contract_usd` in all, or of contracts times their size."""
    size = x.number("contract_usd", "contracts_usd", "contract_size", "multiplier") * x.number("contracts", "qty", default=1.0)
    value = inverse_pnl(x.side(), size, x.number("entry", "entry_price"), x.number("mark", "price"))
    return {name: value for name in x.wanted if name.startswith(("upnl", "pnl"))}


def funding_payment(x: Inputs) -> dict[str, Any]:
    """Compute funding received (negative: paid) at one mark and rate, or over events while the position was open."""
    side, size = x.side(), x.number("size", "qty", "amount")
    if not x.has("events"):
        total = funding_received(side, size, x.number("mark", "mark_price"), x.number("funding_rate", "rate"))
        return {"received": total, "fees": total, "paid": -total}
    grace = timedelta(seconds=venue_rules("binance").constants["funding_grace_s"])
    opened, closed = _moment(x.text("open")), _moment(x.text("close"))
    total, before = 0.0, opened
    for event in x.rows("events"):
        part = funding_received(side, size, event.number("mark", "mark_price"), event.number("rate", "funding_rate"))
        when = _moment(event.text("t", "time", "date"), before)
        before = when or before
        late = when is not None and opened is not None and opened >= when + grace
        over = when is not None and closed is not None and when > closed
        total += 0.0 if late or over else part
    return {"fees": total, "received": total, "paid": -total}


def _moment(text: str, before: datetime | None = None) -> datetime | None:
    """Return a moment; a time of day is the first one not earlier than the day of `before` allows."""
    if not text:
        return None
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text.strip())
    if clock is None:
        try:
            return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
        except ValueError as error:
            raise UnknownInput(f"{text!r} is not a time: write 08:00 or 2021-09-01 08:00:00") from error
    if before is None:
        return None
    moment = before.replace(hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3] or 0), microsecond=0)
    return moment if moment >= before - timedelta(hours=1) else moment + timedelta(days=1)


TOPICS = {
    ("binance", "liquidation_price.usdm.cross"): cross_liquidation_price,
    ("binance", "liquidation_price.usdm.isolated"): isolated_liquidation_price,
    ("binance", "liquidation_price.buffer"): buffered_stop,
    ("binance", "maintenance_amount"): maintenance_amount,
    ("binance", "maintenance_amount.coinm"): maintenance_amount,
    ("binance", "maintenance_tiers"): maintenance_tiers,
    ("binance", "mark_price"): mark_price,
    ("binance", "funding_rate"): funding,
    ("binance", "funding_impact_notional"): impact_notional,
    ("binance", "adl_rank"): deleveraging_rank,
    ("binance", "portfolio_margin.upnl"): linear_profit,
    ("binance", "portfolio_margin.upnl.coinm"): inverse_profit,
    ("binance", "funding_payment"): funding_payment,
}
