"""Drift v2: how much is liquidated, fees and their ramp, socialised losses, weights that shrink with size."""

from __future__ import annotations

import math
from typing import Any

from waxline.accounts.rules_collateral import rounded_up, truncated
from waxline.accounts.rules_margin import linear_pnl
from waxline.accounts.rules_tiers import deposit_scaled_weight, size_discounted_asset_weight, size_premium_liability_weight
from waxline.liquidation.rules_pools import implied_asset, implied_debt, snapped
from waxline.liquidation.rules_waterfall import (
    covering_debt,
    covering_quantity,
    debt_fund_fee,
    deposit_cut,
    pace_of_shortage,
    perp_fund_fee,
    ramped_fee,
    socialised_per_unit,
)
from waxline.rulebook.inputs import Inputs
from waxline.scenario.venue_rules import venue_rules

SHORTAGE = ("margin_shortage", "shortage")
ASSET_FEE = ("am", "asset_multiplier", "asset_liquidation_multiplier")
DEBT_FEE = ("lm", "liab_multiplier", "liability_multiplier", "liability_liquidation_multiplier")
DEBT_PRICE = ("liab_price", "liability_price")
DEBT_WEIGHT = ("liab_weight", "liability_weight")
FUND_FEE = ("if_fee", "if_liquidation_fee", "insurance_fee")
RATE = ("maintenance_ratio", "margin_ratio", "mmr")
NINE, SIX = 1e-9, 1e-6


def unit_of(x: Inputs, *names: str) -> float:
    """Return the smallest unit of a token by its decimals; nine where they are not given."""
    return math.pow(10.0, -x.number(*names, default=9.0))


def perp_amount(x: Inputs) -> dict[str, Any]:
    """Compute coins of a perp that clear the shortage exactly."""
    amount = covering_quantity(
        x.number(*SHORTAGE),
        x.number("oracle", "price", "oracle_price"),
        x.number("quote_price", "quote_oracle_price", default=1.0),
        x.number(*RATE),
        x.number("liquidator_fee", "liquidation_fee", default=0.0),
        x.number(*FUND_FEE, default=0.0),
    )
    return {"base_to_liquidate": truncated(amount, NINE) if math.isfinite(amount) else amount}


def debt_amount(x: Inputs) -> dict[str, Any]:
    """Compute tokens of a debt whose repayment clears the shortage exactly."""
    unit = unit_of(x, "liab_decimals", "liability_decimals", "decimals")
    amount = covering_debt(
        x.number(*SHORTAGE),
        x.number(*DEBT_PRICE, "price"),
        x.number("asset_weight"),
        x.number(*ASSET_FEE, default=1.0),
        x.number(*DEBT_WEIGHT),
        x.number(*DEBT_FEE, default=1.0),
        x.number(*FUND_FEE, default=0.0),
    )
    return {"liability_transfer": truncated(amount, unit) if math.isfinite(amount) else amount}


def implied_by_asset(x: Inputs) -> dict[str, Any]:
    """Compute debt that an amount of asset repays, rounded up to the debt's smallest unit."""
    unit = unit_of(x, "liab_decimals", "liability_decimals", "decimals")
    x.first("asset_decimals")
    amount = implied_debt(
        x.number("asset", "asset_amount"), x.number("asset_price"), x.number(*ASSET_FEE, default=1.0), x.number(*DEBT_PRICE), x.number(*DEBT_FEE, default=1.0)
    )
    return {"liability_transfer": rounded_up(amount, unit)}


def asset_taken(x: Inputs) -> dict[str, Any]:
    """Compute asset taken for a repaid debt; the whole balance where the rest is worth less than one USDC."""
    price = x.number("asset_price")
    amount = implied_asset(
        x.number("liability", "liability_amount", "liab"), x.number(*DEBT_PRICE), x.number(*DEBT_FEE, default=1.0), price, x.number(*ASSET_FEE, default=1.0)
    )
    amount = truncated(amount, unit_of(x, "asset_decimals", "decimals"))
    x.first("liab_decimals", "liability_decimals")
    balance = x.optional("asset_balance", "asset_amount", "asset", "balance")
    if balance is not None:
        amount = snapped(amount, balance, price, venue_rules("drift").constants["dust_usd"])
    return {"asset_transfer": amount}


def perp_loss(x: Inputs) -> dict[str, Any]:
    """Compute loss per unit of open interest, charged to both sides through funding; rounded up at six decimals."""
    long_units, short_units = x.number("base_long", "long"), x.number("base_short", "short")
    charge = rounded_up(socialised_per_unit(x.number("loss"), long_units, short_units), SIX)
    return {"funding_delta_per_base": charge, "charge_per_base": charge}


def spot_loss(x: Inputs) -> dict[str, Any]:
    """Compute part that every deposit loses, rounded up at ten decimals."""
    return {"deposit_index_cut": rounded_up(deposit_cut(abs(x.number("loss", "borrow")), x.number("total_deposits", "deposits")), 1e-10)}


def perp_fee(x: Inputs) -> dict[str, Any]:
    """Compute fee of the insurance fund on a liquidated perp."""
    price = x.number("oracle", "price", "oracle_price") * x.number("quote_price", "quote_oracle_price", default=1.0)
    quantity, most = abs(x.number("base", "base_asset_amount")), x.number("max_if_fee", "max_fee")
    return {"if_fee": perp_fund_fee(x.number(*SHORTAGE), quantity, price, x.number(*RATE), x.number("liquidator_fee"), most)}


def debt_fee(x: Inputs) -> dict[str, Any]:
    """Compute fee of the insurance fund on a liquidated loan."""
    x.first("decimals", "liab_decimals", "liability_decimals")
    fee = debt_fund_fee(
        x.number(*SHORTAGE),
        x.number("token", "token_amount", "tokens"),
        x.number("price", *DEBT_PRICE, "oracle"),
        x.number("asset_weight"),
        x.number(*ASSET_FEE, default=1.0),
        x.number(*DEBT_WEIGHT),
        x.number(*DEBT_FEE, default=1.0),
        x.number("max_if_fee", "max_fee"),
    )
    return {"if_fee": truncated(fee, SIX)}


def fee_ramp(x: Inputs) -> dict[str, Any]:
    """Compute liquidator's fee after a number of slots."""
    constants = venue_rules("drift").constants
    slots = x.number("slots_elapsed", "elapsed_slots", "slots")
    per_slot = x.number("fee_per_slot", default=constants["fee_per_slot"])
    fee = ramped_fee(x.number("base_fee"), x.number("max_fee"), slots, x.number("grace_slots", default=constants["grace_slots"]), per_slot)
    return {"fee": fee}


def pace(x: Inputs) -> dict[str, Any]:
    """Compute part of the shortage that may be cleared now."""
    small = x.number("small_shortage_usd", "threshold", default=venue_rules("drift").constants["small_shortage_usd"])
    slots = x.number("slots_elapsed", "elapsed_slots", "slots", default=0.0)
    freed = x.number("margin_freed", "liquidation_margin_freed", "freed", default=0.0)
    share = pace_of_shortage(x.number(*SHORTAGE), small, x.number("initial_pct", "initial_fraction"), slots, x.number("duration_slots", "duration"), freed)
    return {"pct": share}


def weight_by_size(x: Inputs) -> dict[str, Any]:
    """Compute weight of a deposit (asset) or of a debt or position (liability) of a size in tokens."""
    weight, factor, size = x.number("base_weight", "weight"), x.number("imf_factor", "imf"), x.number("size", "amount")
    x.first("price", "type")
    rule = size_premium_liability_weight if x.text("kind", default="asset").lower().startswith("liab") else size_discounted_asset_weight
    return {"weight": rule(weight, factor, size)}


def weight_by_deposits(x: Inputs) -> dict[str, Any]:
    """Compute initial weight of an asset by the value of all deposits of it."""
    deposits = x.number("deposits_usd") if x.has("deposits_usd") else x.number("deposits") * x.number("price", "oracle", default=1.0)
    return {
        "weight": deposit_scaled_weight(
            x.number("initial_asset_weight", "base_weight", "weight"), deposits, x.number("scale_start_usd", "scale_start", default=0.0)
        )
    }


def weight_by_profit(x: Inputs) -> dict[str, Any]:
    """Compute unrealised profit and its weight, also at multiples of it."""
    base = x.number("base", "base_asset_amount")
    profit = linear_pnl(1.0, base, x.number("entry"), x.number("oracle", "price")) if x.has("entry") else x.number("upnl")
    factor, plain = x.number("imf", "imf_factor"), x.number("base_weight", default=1.0)
    multiples = x.numbers("multiples") if x.has("multiples") else [1.0]
    weights = [size_discounted_asset_weight(plain, factor, max(profit * multiple, 0.0)) for multiple in multiples]
    return {"upnl": profit, "weights": weights, "weight": weights[0]}


TOPICS = {
    ("drift", "partial_liquidation.perp"): perp_amount,
    ("drift", "partial_liquidation.spot"): debt_amount,
    ("drift", "liquidation.asset_implied"): implied_by_asset,
    ("drift", "collateral_seized"): asset_taken,
    ("drift", "socialised_loss.perp"): perp_loss,
    ("drift", "socialised_loss.spot"): spot_loss,
    ("drift", "insurance_fee.perp"): perp_fee,
    ("drift", "insurance_fee.spot"): debt_fee,
    ("drift", "liquidation_fee_ramp"): fee_ramp,
    ("drift", "partial_liquidation.pace"): pace,
    ("drift", "size_scaled_weight"): weight_by_size,
    ("drift", "deposit_scaled_asset_weight"): weight_by_deposits,
    ("drift", "unrealised_pnl_weight"): weight_by_profit,
}
