"""Binance multi-assets mode, portfolio margin, spot margin, crypto loans; Kraken margin interest."""

from __future__ import annotations

import math
import re
from typing import Any

from waxline.accounts.rules_collateral import (
    ask_rate,
    bid_rate,
    collateral_at,
    debt_initial,
    debt_maintenance,
    forced_exchange,
    level,
    loan_to_value,
    two_sided_value,
)
from waxline.accounts.rules_margin import hourly_interest, linear_pnl, rollover_interest
from waxline.accounts.rules_tiers import banded_widths, tier_maintenance
from waxline.liquidation.rules_waterfall import sold_to_level
from waxline.rulebook.inputs import Inputs, UnknownInput, worth
from waxline.scenario.venue_rules import venue_rules


def two_sided_rates(row: Inputs) -> tuple[float, float]:
    """Return bid and ask of an asset: as given, or from index and buffers."""
    if row.has("bid", "ask"):
        one = row.number("bid", "ask")
        return one, row.number("ask", default=one)
    index = row.number("index", "price")
    return bid_rate(index, row.number("bid_buffer", default=0.0)), ask_rate(index, row.number("ask_buffer", default=0.0))


def multi_assets_equity(x: Inputs) -> dict[str, Any]:
    """Compute equity of an account in several assets and what is available in each; an asset is a section with rates and wallet."""
    equity = used = 0.0
    found: dict[str, Any] = {}
    asks: dict[str, float] = {}
    for asset in [name for name in x if isinstance(x.values_given[name], dict)]:
        row = x.section(asset)
        bid, ask = two_sided_rates(row)
        amount = row.number("wallet", "balance") + row.number("upnl", "unrealised", default=0.0)
        equity += two_sided_value(amount, bid, ask)
        used += row.number("im", "initial_margin", default=0.0) * ask
        name = asset.lower()
        asks[name] = ask
        found |= {f"{name}_bid": bid, f"{name}_ask": ask}
    if not asks:
        raise UnknownInput("missing input: an asset (a section such as USDT: {index, bid_buffer, ask_buffer, wallet})")
    available = max(equity - used - x.number("initial_margin", "im", default=0.0), 0.0)
    found |= {"account_equity": equity, "equity": equity, "uni_available": available}
    return {**found, **{f"avail_{name}": available / ask for name, ask in asks.items()}}


def multi_assets_ratio(x: Inputs) -> dict[str, Any]:
    """Compute equity, requirements at the ask and maintenance over equity, from wallets, rates and positions by margin asset."""
    rates = x.section("rates")
    wallet = {asset.lower(): amount for asset, amount in x.by_name("wallet").items()}
    asks: dict[str, float] = {}

    def both(asset: str) -> tuple[float, float]:
        plain = rates.optional(asset)
        bid, ask = rates.optional(f"{asset}_bid"), rates.optional(f"{asset}_ask")
        given = next((one for one in (bid, ask, plain) if one is not None), None)
        if given is None:
            raise UnknownInput(f"missing input: rates.{asset}")
        asks[asset] = ask if ask is not None else plain if plain is not None else given
        return (bid if bid is not None else plain if plain is not None else given), asks[asset]

    equity = sum(two_sided_value(amount, *both(asset)) for asset, amount in wallet.items())
    initial = maintenance = 0.0
    for row in x.rows("positions"):
        asset = _margin_asset(row, list(wallet))
        bid, ask = both(asset)
        quantity, price = row.number("qty", "quantity"), row.number("price", "mark")
        if row.has("entry", "entry_price"):
            profit = linear_pnl(row.side(default=1.0), quantity, row.number("entry", "entry_price"), price)
            equity += two_sided_value(profit, bid, ask)
        row.first("side")
        if row.has("imr", "leverage"):
            rate = row.number("imr") if row.has("imr") else 1.0 / row.number("leverage")
            initial += quantity * price * rate * ask
        maintenance += tier_maintenance(quantity * price, row.number("mmr", "mm_rate"), row.number("cum", "maintenance_amount", default=0.0)) * ask
    available = max(equity - initial, 0.0)
    ratio = maintenance / equity if equity > 0.0 else math.inf
    found = {"account_equity": equity, "uni_available": available, "initial_margin": initial, "maintenance_margin": maintenance}
    found |= {"margin_ratio_pct": 100.0 * ratio, "margin_ratio": ratio, "liquidated": ratio >= 1.0}
    return {**found, **{f"avail_{asset}": available / ask for asset, ask in asks.items()}}


def _margin_asset(row: Inputs, known: list[str]) -> str:
    """Return the asset that margins a position: `margin_asset`, or the one its symbol names ("BTC (USDT-margined)", BTCUSDT)."""
    words = row.text("margin_asset", "quote").lower() or row.text("symbol").lower()
    for asset in known:
        if words == asset or re.search(rf"\({asset}\b|\b{asset}-margined|{asset}$", words):
            return asset
    raise UnknownInput(f"input {row.where}margin_asset: none of {', '.join(known)} found in {words!r}")


def auto_exchange(x: Inputs) -> dict[str, Any]:
    """Compute value of another asset sold to cover a negative balance that has reached its threshold (or a loan to value its trigger)."""
    named = x.named(r"negative_balance(?:_(\w+))?")
    if len(named) != 1:
        raise UnknownInput("missing input: one negative balance (such as negative_balance_usdc)")
    asset, name = next(iter(named.items()))
    negative = abs(x.number(name))
    user = x.text("user", "tier", "vip").lower()
    regular = ("threshold_regular_vip1", "threshold_usd", f"threshold_{asset}", "threshold")
    others = ("threshold_others", *regular)
    threshold = x.number(
        *(others if user in ("others", "vip2", "vip3", "vip4", "vip5", "vip6", "vip7", "vip8", "vip9") else regular),
        default=venue_rules("binance").constants["auto_exchange_usd"],
    )
    if asset == "btc":
        threshold = x.number("threshold_btc", default=threshold)
    trigger, ltv = x.optional("ltv_trigger"), x.optional("ltv")
    x.first("threshold_btc", "threshold_others", *regular)
    if trigger is not None and ltv is not None and ltv >= trigger:
        threshold = 0.0
    sold = forced_exchange(negative, threshold, x.number("conversion_ratio", "ratio"))
    found: dict[str, Any] = {result: sold for result in x.wanted if "sold" in result}
    return {**found, "triggered": negative >= threshold}


def wallets_collateral(x: Inputs) -> dict[str, Any]:
    """Tell what an asset counts over all wallets: the sum of its wallets times the collateral rate (10 % where it has none)."""
    default = x.number("default_rate_unlisted", default=venue_rules("binance").constants["unlisted_ratio"])
    rate = x.number("collateral_rate", "rate", "ratio", default=default)
    total, assets = 0.0, []
    for asset, name in x.named(r"([a-z0-9]+)(?:_in_.*wallets?|_wallets?|_balances?)").items():
        total += sum(x.numbers(name))
        assets.append(asset)
    price = x.optional("price", "index")
    if not assets:
        asset, amount = x.amount()
        total, assets = amount, [asset]
    counted = min(total * rate, total)
    found = {f"margin_asset_{asset}": counted for asset in assets}
    return {**found, "margin_asset": counted, "collateral_usd": counted * (price if price is not None else 1.0)}


def loans_maintenance(x: Inputs) -> dict[str, Any]:
    """Compute maintenance and initial margin of loans per asset: the rate used, or that of the margin leverage."""
    rules = venue_rules("binance")
    table = x.by_name("mmr_by_leverage") if "mmr_by_leverage" in x else rules.debt_rates
    leverage = x.optional("margin_leverage", "leverage")
    rate = x.optional("mmr_used", "mmr")
    if rate is None:
        key = f"{leverage:g}x" if leverage is not None else str(rules.debt_leverage)
        if key not in table:
            raise UnknownInput(f"missing input: mmr_used, or a row for {key} in mmr_by_leverage")
        rate = table[key]
    found: dict[str, Any] = {}
    for asset, amount in x.by_name("loans").items():
        name = asset.lower()
        found[f"mm_{name}"] = debt_maintenance(amount, rate)
        if leverage is not None and leverage > 1.0:
            found[f"im_{name}"] = debt_initial(amount, leverage)
    return found


def margin_level(x: Inputs) -> dict[str, Any]:
    """Compute total assets over liabilities with interest, each at its price; what was bought with the loan is an asset."""
    x.first("price", *(name for name in x if name.endswith("_price")))
    assets = x.number("assets", "assets_usd", "total_assets", "total_asset_value", default=0.0)
    debts = x.number("liabilities", "liabilities_usd", "total_liabilities", "debt", "borrowed", default=0.0) + x.number(
        "interest", "accrued_interest", default=0.0
    )
    for pattern in (r"(?:net_equity|equity|collateral)_(\w+)", r"(\w+)_(?:bought|held|balance)"):
        assets += sum(x.number(name) * worth(asset, x) for asset, name in x.named(pattern).items())
    for pattern in (r"(?:loan|borrowed|debt|interest)_(\w+)", r"(\w+)_(?:loan|borrowed)"):
        debts += sum(x.number(name) * worth(asset, x) for asset, name in x.named(pattern).items())
    found = level(assets, debts)
    return {"margin_level": found, "ml": found, "assets": assets, "liabilities": debts, "liquidated": found < 1.1}


def pro_initial_margin(x: Inputs) -> dict[str, Any]:
    """Compute initial margin of liabilities in bands given by their widths; table `tiers_<asset>` or `tiers`."""
    total = 0.0
    for row in x.rows("liabilities"):
        asset = row.text("asset").lower()
        name = f"tiers_{asset}" if f"tiers_{asset}" in x else "tiers"
        table = x.table(name)
        widths = [math.inf if band[0] is None else band[0] for band in table]
        rates = [band[-1] or 0.0 for band in table]
        value = row.number("value", "usd") if row.has("value", "usd") else row.number("qty", "amount") * worth(asset, row)
        total += banded_widths(value, widths, rates)
    return {"im": total, "initial_margin": total}


def interest(x: Inputs) -> dict[str, Any]:
    """Compute interest of a Binance margin loan for the hours begun."""
    return {"interest": hourly_interest(x.number("borrowed", "loan"), x.number("daily_rate", "rate"), x.number("hours"))}


def kraken_interest(x: Inputs) -> dict[str, Any]:
    """Compute opening and rollover fees of a Kraken margin loan."""
    period = x.number("period_h", default=venue_rules("kraken").constants["rollover_h"])
    return {"interest": rollover_interest(x.number("borrowed", "loan"), x.number("rate", "daily_rate"), x.number("hours"), period)}


def crypto_loan(x: Inputs) -> dict[str, Any]:
    """Compute loan to value and its lines: the largest loan, the collateral values at margin call and liquidation, the state."""
    collateral = sum(x.numbers("collateral_usd", "collateral", "collateral_value")) if x.has("collateral_usd", "collateral", "collateral_value") else None
    names = ("loan_usd", "debt_usd", "loan", "debt")
    debt = sum(x.numbers(*names)) if x.has(*names) else None
    initial, call, line = x.optional("initial_ltv"), x.optional("call_ltv", "margin_call_ltv"), x.optional("liq_ltv", "liquidation_ltv")
    found: dict[str, Any] = {}
    if collateral is not None:
        found["total_collateral"] = collateral
        if initial is not None:
            found["max_loan"] = collateral * initial
    if debt is not None:
        found["total_debt"] = debt
        if initial is not None:
            found["collateral_at_initial"] = collateral_at(debt, initial)
        if call is not None:
            found["collateral_at_call"] = collateral_at(debt, call)
        if line is not None:
            found["collateral_at_liq"] = collateral_at(debt, line)
    if debt is not None and collateral is not None:
        ltv = loan_to_value(debt, collateral)
        found["ltv"] = ltv
        found |= {"margin_call": call is not None and ltv >= call, "liquidated": line is not None and ltv >= line}
    return found


def loan_interest(x: Inputs) -> dict[str, Any]:
    """Compute interest of a crypto loan over days (or hours)."""
    days = x.number("days") if x.has("days") else x.number("hours") / 24.0
    return {"interest": x.number("loan", "loan_usd", "borrowed") * x.number("daily_rate", "rate") * days}


def liquidation_amount(x: Inputs) -> dict[str, Any]:
    """Compute assets sold until the margin level is back at its stop."""
    assets, debts = x.number("assets", "total_assets"), x.number("liabilities", "debt") + x.number("interest", default=0.0)
    sold = sold_to_level(assets, debts, x.number("stop_ml", "stop_level", "target_ml"))
    return {"collateral_sold": sold, "sold": sold, "share_sold": sold / assets if assets else 0.0}


TOPICS = {
    ("binance", "multi_assets.equity"): multi_assets_equity,
    ("binance", "multi_assets.margin_ratio"): multi_assets_ratio,
    ("binance", "multi_assets.auto_exchange"): auto_exchange,
    ("binance", "portfolio_margin.collateral"): wallets_collateral,
    ("binance", "portfolio_margin.margin_mm"): loans_maintenance,
    ("binance", "cross_margin.margin_level"): margin_level,
    ("binance", "cross_margin_pro.initial_margin"): pro_initial_margin,
    ("binance", "margin_interest"): interest,
    ("kraken", "margin_interest"): kraken_interest,
    ("binance", "crypto_loan.ltv"): crypto_loan,
    ("binance", "crypto_loan.interest"): loan_interest,
    ("bybit", "crypto_loan.ltv"): crypto_loan,
    ("binance", "margin.liquidation_amount"): liquidation_amount,
}
