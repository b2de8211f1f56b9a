"""Lending pools and pool venues: Aave v3, Compound v3, GMX v2, bands of crvUSD."""

from __future__ import annotations

import math
from typing import Any

from waxline.accounts.rules_collateral import health_factor, percent_div, percent_mul
from waxline.liquidation.rules_deleveraging import pool_share
from waxline.liquidation.rules_pools import (
    absorbed_balance,
    bonus_value,
    debt_for,
    least_remaining,
    protocol_fee,
    repayable,
    repayable_of_reserve,
    reserves_after,
    seized,
    size_pnl,
    storefront_discount,
    storefront_quantity,
)
from waxline.market.rules_price import amm_price_at, band_top
from waxline.rulebook.hyperliquid import like
from waxline.rulebook.inputs import CASH, Inputs, UnknownInput, worth
from waxline.scenario.venue_rules import venue_rules


def health(x: Inputs) -> dict[str, Any]:
    """Compute health factor of collateral (one value or a list, each with its threshold) against all debts."""
    if isinstance(x.values_given.get("collateral"), list):
        rows = x.rows("collateral")
        values = [
            row.number("usd", "value_usd", "collateral_usd")
            if row.has("usd", "value_usd", "collateral_usd")
            else row.number("qty", "amount") * row.number("price")
            for row in rows
        ]
        thresholds = [row.number("liquidation_threshold", "lt") for row in rows]
    else:
        values = x.numbers("collateral_usd", "collateral")
        thresholds = x.numbers("liquidation_threshold", "lt", "liquidation_thresholds")
    if len(thresholds) not in (1, len(values)):
        raise UnknownInput(f"liquidation_threshold: {len(thresholds)} values for {len(values)} collaterals")
    weights = thresholds * len(values) if len(thresholds) == 1 else thresholds
    debt = math.fsum(x.numbers("debt_usd", "debts_usd", "debt"))
    covered = math.fsum(value * weight for value, weight in zip(values, weights, strict=True))
    found = health_factor(covered, debt)
    return {"health_factor": found, "hf": found, "liquidatable": found < 1.0}


def close_factor(x: Inputs) -> dict[str, Any]:
    """Compute debt of one reserve that may be repaid: by today's rule and by the rule before v3.3 (largest reserve of a list, or `target`)."""
    constants = venue_rules("aave").constants
    debts = x.numbers("debts_usd", "debt_usd", "debt", "debts")
    total = x.number("total_debt_usd", "total_debt", default=math.fsum(debts))
    reserve = x.number("target_debt_usd", "reserve_debt_usd", "reserve_debt", default=max(debts))
    collateral = min(x.numbers("collateral_usd", "collateral", "reserve_collateral_usd"))
    part, dust = x.number("close_factor", default=constants["close_factor"]), x.number("threshold_usd", "dust_usd", default=constants["dust_usd"])
    deep = x.number("hf_threshold", "close_factor_hf_threshold", default=constants["deep_health"])
    state = x.number("hf", "health_factor", default=math.nextafter(1.0, 0.0))
    now = repayable(reserve, total, collateral, state, part, deep, dust) if state < 1.0 else 0.0
    before = repayable_of_reserve(reserve, state, part, deep) if state < 1.0 else 0.0
    return {"max_single_reserve_v33": now, "max_single_reserve_before": before, "max_debt_repaid": now, "max_debt": now, "repaid": now}


def percentages(x: Inputs) -> dict[str, Any]:
    """Compute whole-number percentage arithmetic, half up."""
    value, bps = x.whole("value"), x.whole("bps", "percentage")
    return {"mul": percent_mul(value, bps), "div": percent_div(value, bps) if bps else None}


def seizure(x: Inputs) -> dict[str, Any]:
    """Compute collateral to the liquidator, protocol fee and debt repaid; too little collateral limits the debt."""
    debt, owed, worth_each = x.number("debt_to_cover", "debt"), x.number("debt_price", default=1.0), x.number("collateral_price")
    bonus, share = one_plus(x.number("bonus", "liquidation_bonus")), x.number("protocol_fee", "protocol_fee_share", default=0.0)
    balance = x.number("collateral_balance", "balance", default=math.inf)
    taken = seized(debt, owed, worth_each, bonus)
    if taken > balance:
        taken, debt = balance, debt_for(balance, owed, worth_each, bonus)
    fee = protocol_fee(taken, bonus, share)
    return {"collateral_to_liquidator": taken - fee, "protocol_fee": fee, "debt_repaid": debt, "collateral_seized": taken, "total_collateral": taken}


def one_plus(bonus: float) -> float:
    """Return a bonus as a factor: 0.05 and 1.05 are both 1.05; 10500 basis points too."""
    return bonus / 10000.0 if bonus > 1000.0 else bonus if bonus >= 1.0 else 1.0 + bonus


def seizure_in_category(x: Inputs) -> dict[str, Any]:
    """Compute collateral seized with the bonus of an efficiency category; debt and collateral are named by their inputs."""
    debts = x.named(r"debt_(\w+)")
    if len(debts) != 1:
        raise UnknownInput("missing input: one debt (such as debt_dai)")
    asset, name = next(iter(debts.items()))
    prices = [key.removesuffix("_price") for key in x if key.endswith("_price")]
    others = [key for key in prices if key != asset]
    if not others:
        raise UnknownInput("missing input: the price of the collateral (such as usdc_price)")
    x.first("emode_lt", "emode_ltv", "emode_category", *(f"{key}_price" for key in prices))
    bonus = one_plus(x.number("emode_bonus", "bonus"))
    taken = seized(x.number(name), worth(asset, x, default=1.0), x.number(f"{others[0]}_price"), bonus)
    return {f"{others[0]}_seized": taken, "collateral_seized": taken}


def bonus_of_repayment(x: Inputs) -> dict[str, Any]:
    """Compute debt repaid and bonus, in the unit of the debt."""
    debts = x.named(r"debt(?:_(\w+))?")
    if len(debts) != 1:
        raise UnknownInput("missing input: one debt (such as debt_eth)")
    unit, name = next(iter(debts.items()))
    debt, part, bonus = x.number(name), x.number("close_factor", default=1.0), x.number("bonus")
    gain = bonus_value(debt, part, one_plus(bonus) - 1.0)
    return {"repaid": debt * part, f"bonus_{unit}": gain, "bonus": gain, f"received_{unit}": debt * part + gain}


def storefront(x: Inputs) -> dict[str, Any]:
    """Compute collateral that an amount of base buys from the protocol."""
    amount = x.number(*([name for name in x if name.startswith("base")] or ["base_usdc"]))
    base_price = x.number("base_price", default=1.0) if "base_price" in x and not x.has("base_usdc") else 1.0
    discount = storefront_discount(x.number("store_front_price_factor"), x.number("liquidation_factor"))
    quantity = storefront_quantity(amount * base_price, x.number("collateral_price", "price"), discount)
    return {"collateral": quantity, "discount": discount}


def factored_collateral(x: Inputs, *factors: str) -> float:
    """Return sum of collateral times price times factor; each asset by its own `<asset>_price` and `<asset>_cf` where given."""
    x.first("price", *factors, *(name for name in x if name.endswith(("_price", "_cf"))))
    total = 0.0
    for asset, quantity in x.amounts().items():
        total += quantity * worth(asset, x) * x.number(f"{asset}_cf", *factors)
    return total


def debt_of(x: Inputs) -> float:
    """Return the debt at its price."""
    debt = abs(x.number("debt_usd", "debt", "borrow", "base_debt"))
    return debt * x.number("base_price", "debt_price", default=1.0)


def liquidatable(x: Inputs) -> dict[str, Any]:
    """Tell whether collateral at liquidation factors is below the debt; equality is safe."""
    debt = debt_of(x)
    return {"liquidatable": factored_collateral(x, "liquidate_cf", "liquidate_collateral_factor") < debt * (1.0 - 1e-12)}


def collateralized(x: Inputs) -> dict[str, Any]:
    """Tell whether collateral at borrow factors covers the debt."""
    debt = debt_of(x)
    return {"collateralized": factored_collateral(x, "borrow_cf", "borrow_collateral_factor") >= debt * (1.0 - 1e-12)}


def absorption(x: Inputs) -> dict[str, Any]:
    """Compute totals after absorbing accounts: their debts vanish, reserves pay them and what an account keeps beyond its debt. Exact."""
    debts = x.exacts("debts", "debt_base_units", "debt")
    names = ("collateral_values", "collateral_value", "collateral")
    credits = x.exacts(*names) if x.has(*names) else [0] * len(debts)
    factor = x.exact("liquidation_factor", default=1)
    credits = credits * len(debts) if len(credits) == 1 else credits
    reserves, kept = x.exact("reserves_before", "reserves", default=0), []
    for debt, credit in zip(debts, credits, strict=True):
        kept.append(absorbed_balance(debt, credit * factor))
        reserves = reserves_after(reserves, debt, kept[-1])
    borrowed = x.exact("total_borrow", "total_borrow_before", default=0) - sum(debts)
    supplied = x.exact("total_supply", "total_supply_before", default=0) + sum(kept)
    found = {"debt_after": 0, "reserves_after": reserves, "total_borrow_after": borrowed, "total_supply_after": supplied}
    return {**found, "balance_after": kept if len(kept) > 1 else kept[0]}


def pool_position(x: Inputs) -> dict[str, Any]:
    """Compute collateral plus profit less fees of a position against what it must keep."""
    constants = venue_rules("gmx").constants
    side, size, entry, price = x.side(default=1.0), x.number("size_usd", "size"), x.number("entry", "entry_price"), x.number("price", "mark")
    held = 0.0
    for asset, name in x.named(r"collateral_(?!factor)(\w+)").items():
        held += x.number(name) * (1.0 if asset in CASH else x.number(f"{asset}_price", "collateral_price", default=price))
    fees = x.number("fees", "fees_usd", "fee_usd", default=0.0)
    impact = min(x.number("price_impact", "impact_usd", default=0.0), 0.0)
    remaining = held + size_pnl(side, size, entry, price) + impact - fees
    least = least_remaining(
        size,
        x.number("min_collateral_factor", "factor", default=constants["least_factor"]),
        x.number("min_collateral_usd", "min_usd", default=constants["least_usd"]),
    )
    return {"remaining": remaining, "liquidatable": remaining <= 0.0 or remaining < least, "pnl": size_pnl(side, size, entry, price)}


def pool_trigger(x: Inputs) -> dict[str, Any]:
    """Compute open profit over pool value, and whether winners are deleveraged."""
    entry, price = x.number("entry", "entry_price"), x.number("price", "mark")
    profit = size_pnl(x.side(default=1.0), x.number("size_usd", "size"), entry, price)
    pool = 0.0
    for asset, name in x.named(r"pool_(\w+)").items():
        pool += x.number(name) * (1.0 if asset in CASH else price)
    share = pool_share(max(profit, 0.0), pool)
    least = x.optional("min_after", "min_pnl_factor")
    found = {"pnl_to_pool": share, "adl_enabled": share > x.number("max_pnl_factor", "max_factor"), "pnl": profit}
    return found if least is None else {**found, "pnl_to_reduce": max(profit - least * pool, 0.0)}


def _amplification(x: Inputs) -> float:
    """Return A of a band market: a band is 1 / A wide and its edges rise by A / (A - 1)."""
    found = x.number("A")
    if found <= 1.0:
        raise UnknownInput(f"input A must be above 1, was {found:g}")
    return found


def bands(x: Inputs) -> dict[str, Any]:
    """Compute upper and lower oracle price of bands."""
    factor, base, numbers = _amplification(x), x.number("base_price"), x.numbers("n")
    up = [band_top(base, factor, n) for n in numbers]
    down = [band_top(base, factor, n + 1.0) for n in numbers]
    return {"p_oracle_up": like(x, up, "n"), "p_oracle_down": like(x, down, "n")}


def amm_prices(x: Inputs) -> dict[str, Any]:
    """Compute prices of the AMM at the two ends of bands for an oracle price."""
    factor, base, oracle, numbers = _amplification(x), x.number("base_price"), x.number("oracle", "p_oracle"), x.numbers("n")
    up = [amm_price_at(oracle, band_top(base, factor, n + 1.0)) for n in numbers]
    down = [amm_price_at(oracle, band_top(base, factor, n)) for n in numbers]
    return {"p_current_up": like(x, up, "n"), "p_current_down": like(x, down, "n")}


TOPICS = {
    ("aave", "health_factor"): health,
    ("aave", "close_factor"): close_factor,
    ("aave", "percentage_math"): percentages,
    ("aave", "collateral_seized"): seizure,
    ("aave", "collateral_seized.emode"): seizure_in_category,
    ("aave", "liquidation_bonus"): bonus_of_repayment,
    ("compound", "storefront_price"): storefront,
    ("compound", "is_liquidatable"): liquidatable,
    ("compound", "is_borrow_collateralized"): collateralized,
    ("compound", "absorb"): absorption,
    ("gmx", "is_liquidatable"): pool_position,
    ("gmx", "adl_trigger"): pool_trigger,
    ("crvusd", "llamma.bands"): bands,
    ("crvusd", "llamma.current_price"): amm_prices,
}
