"""Haircuts, discount rates and equities of several assets: the same forms at several venues."""

from __future__ import annotations

from typing import Any

from waxline.accounts.rules_collateral import haircut_value, truncated
from waxline.rulebook.inputs import CASH, Inputs, UnknownInput, worth
from waxline.rulebook.tables import banded

RATIOS = ("ratio", "rate", "collateral_ratio", "collateral_rate", "discount_rate")


def ratio_of(x: Inputs, asset: str) -> float:
    """Return the part of an asset that counts: `<asset>_ratio`, `<asset>_rate`, the common one, or one minus the haircut."""
    name = x.first(f"{asset}_ratio", f"{asset}_rate", f"{asset}_discount_rate", *RATIOS)
    if name is not None:
        return x.number(name)
    if x.has(f"{asset}_haircut", "haircut"):
        return 1.0 - x.number(f"{asset}_haircut", "haircut")
    raise UnknownInput(f"missing input: {asset}_ratio")


def values_counted(x: Inputs) -> dict[str, Any]:
    """Compute counted values: pairs such as bnb_value and bnb_ratio, or an amount with price and ratio (or haircut)."""
    found: dict[str, Any] = {}
    total = 0.0
    for asset, name in x.named(r"(?:(.+)_)?value").items():
        counted = haircut_value(x.number(name), ratio_of(x, asset or ""))
        found[f"{asset}_counted"] = counted
        total += counted
    x.named(r"(.+_(?:ratio|rate|haircut|price)|ratio|rate|haircut|price)")
    for asset, quantity in x.amounts().items():
        counted = haircut_value(quantity * worth(asset, x, default=1.0), ratio_of(x, asset))
        found |= {f"{asset}_counted": counted, f"{asset}_collateral": counted}
        total += counted
    if not found:
        raise UnknownInput("missing input: a value (such as bnb_value) or an amount (such as btc)")
    return {**found, "counted": total, "collateral": total, "usd": total, "collateral_usd": total, "total": total}


def values_truncated(x: Inputs) -> dict[str, Any]:
    """Compute counted value cut to cents, as Bybit's loan page shows it."""
    found = values_counted(x)
    return {name: truncated(value, 0.01) for name, value in found.items()}


def discounted_equity(x: Inputs) -> dict[str, Any]:
    """Compute equity after discount rates: each amount times its price times its rate; the first asset takes plain `price` and `rate`."""
    read = [name for name in x if name in ("price", "rate") or name.endswith(("_price", "_rate", "_ratio"))]
    x.first(*read)
    total = 0.0
    for place, (asset, quantity) in enumerate(x.amounts().items()):
        has_own = x.has(f"{asset}_price")
        price = worth(asset, x, default=1.0) if has_own or place == 0 or asset in CASH else 1.0
        if not x.has(f"{asset}_rate", f"{asset}_ratio") and place > 0:
            raise UnknownInput(f"missing input: {asset}_rate")
        total += haircut_value(quantity * price, ratio_of(x, asset))
    return {"discount_equity": total, "discounted_equity": total, "equity": total}


def banded_collateral(x: Inputs) -> dict[str, Any]:
    """Compute value of an amount in bands, for each table given (tiers, tiers_before, tiers_after); times the price where one is given."""
    tables = [name for name in x if name.startswith(("tiers", "scale", "bands"))]
    if not tables:
        raise UnknownInput("missing input: tiers")
    for name in tables:
        x.table(name)
    price = x.optional("price", "mark", "index")
    in_coins = x.text("tiers_in", "unit") in ("coins", "coin")
    in_usd_name = x.first("usd_value", "value_usd", "usd", "value")
    asset, quantity = (in_usd_name, x.number(in_usd_name)) if in_usd_name is not None else x.amount()
    found: dict[str, Any] = {}
    for name in tables:
        suffix = next(name.removeprefix(start) for start in ("tiers", "scale", "bands") if name.startswith(start))
        # A table without a suffix beside the one before is the one after.
        suffixes = ("", "_after") if suffix == "" and f"{name}_before" in tables else (suffix,)
        coins_table = in_coins or price is None or _looks_like_coins(x, name, quantity, price)
        value = banded(x, name, quantity if coins_table else quantity * (price or 1.0))
        in_usd = value * price if coins_table and price is not None else value
        in_coins_value = value if coins_table else value / (price or 1.0)
        for end in suffixes:
            for key in ("collateral_value", "collateral_usd", "collateral", "discount_equity", "discounted_equity", "usd"):
                found[f"{key}{end}"] = in_usd
            for key in ("effective", f"effective_{asset}", "effective_coins"):
                found[f"{key}{end}"] = in_coins_value
    return found


def _looks_like_coins(x: Inputs, name: str, quantity: float, price: float) -> bool:
    """Tell whether the ends of a table are coins: the amount lies within them but its value is far beyond all of them."""
    ends = [row[1] for row in x.table(name) if row[1] is not None]
    return bool(ends) and quantity * price > 10.0 * ends[-1] and quantity <= 10.0 * ends[-1]


TOPICS = {
    ("binance", "multi_assets.haircut"): values_counted,
    ("phemex", "multi_assets.haircut"): values_counted,
    ("bit", "unified_margin.haircut"): values_counted,
    ("bybit", "crypto_loan.haircut"): values_truncated,
    ("binance", "pm_pro.tiered_collateral"): banded_collateral,
    ("binance", "cross_margin.collateral_value"): banded_collateral,
    ("bybit", "uta.collateral_value"): banded_collateral,
    ("okx", "discount_rate.tiered"): banded_collateral,
    ("okx", "discount_rate.equity"): discounted_equity,
}
