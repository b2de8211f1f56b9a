"""Rules of lending pools: close factor, seized collateral, bonus, dust, absorption, storefront, liquidatable positions of a pool."""

from __future__ import annotations

import math


def repayable(reserve_debt: float, total_debt: float, reserve_collateral: float, health: float, part: float, deep: float, dust: float) -> float:
    """Return the debt of one reserve a keeper may repay: all if health <= deep or a side is below `dust`, else min(debt, part of ALL debt).

    USD; deep 0.95, dust 2,000 USD, part 0.5 as deployed. Source: Aave v3.3 LiquidationLogic.sol.
    """
    if health <= deep or reserve_debt < dust or reserve_collateral < dust:
        return reserve_debt
    return min(reserve_debt, part * total_debt)


def repayable_of_reserve(reserve_debt: float, health: float, part: float, deep: float) -> float:
    """Return the debt a keeper may repay by the rule before Aave v3.3: part of the reserve's own debt."""
    return reserve_debt if health <= deep else part * reserve_debt


def leaves_dust(debt: float, repaid: float, collateral: float, seized: float, least: float) -> bool:
    """Tell whether a partial liquidation leaves a remainder below `least` USD on either side, which Aave v3.3 refuses."""
    left_debt, left_collateral = debt - repaid, collateral - seized
    return left_debt > 0.0 and left_collateral > 0.0 and (left_debt < least or left_collateral < least)


def seized(debt: float, debt_price: float, collateral_price: float, bonus: float) -> float:
    """Return the collateral in coins for a repaid debt: debt Pd / Pc bonus, bonus 1.05 for 5 %. Source: Aave v3."""
    return debt * debt_price / collateral_price * bonus


def debt_for(collateral: float, debt_price: float, collateral_price: float, bonus: float) -> float:
    """Return the debt that a given amount of collateral repays: coll Pc / Pd / bonus. Source: Aave v3 (too little collateral)."""
    return collateral * collateral_price / debt_price / bonus


def protocol_fee(collateral: float, bonus: float, share: float) -> float:
    """Return the protocol's part of the bonus in coins: share (coll - coll / bonus). Source: Aave v3."""
    return share * (collateral - collateral / bonus)


def keeper_profit(seized_usd: float, repaid_usd: float, slippage: float, gas_usd: float) -> float:
    """Return what a keeper earns by repaying and selling what he seized; he acts only if it is positive."""
    return seized_usd * (1.0 - slippage) - repaid_usd - gas_usd


def storefront_discount(price_factor: float, liquidation_factor: float) -> float:
    """Return the discount of absorbed collateral: price factor (1 - liquidation factor). Source: Compound v3 quoteCollateral."""
    return price_factor * (1.0 - liquidation_factor)


def storefront_quantity(base: float, price: float, discount: float) -> float:
    """Return the collateral sold for an amount of base: base / (P (1 - discount)). Source: Compound v3."""
    return base / (price * (1.0 - discount))


def absorbed_balance(debt: float, credit: float) -> float:
    """Return what an absorbed account keeps: collateral value times liquidation factor beyond its debt, never less than nothing."""
    return max(credit - debt, 0)


def reserves_after(reserves: float, debt: float, kept: float) -> float:
    """Return protocol reserves after an absorption: they pay the debt and what the account keeps. Source: Compound v3 absorb."""
    return reserves - debt - kept


def implied_debt(asset: float, asset_price: float, asset_multiplier: float, debt_price: float, debt_multiplier: float) -> float:
    """Return the debt that an amount of asset repays with both fees: asset Pa lm / (Pl am). Source: Drift v2 liquidation.rs."""
    return asset * asset_price * debt_multiplier / (debt_price * asset_multiplier)


def implied_asset(debt: float, debt_price: float, debt_multiplier: float, asset_price: float, asset_multiplier: float) -> float:
    """Return the asset taken for a repaid debt with both fees: liability Pl am / (Pa lm). Source: Drift v2 liquidation.rs."""
    return debt * debt_price * asset_multiplier / (asset_price * debt_multiplier)


def snapped(transfer: float, balance: float, price: float, dust: float) -> float:
    """Return the transfer, or the whole balance where the difference is worth less than `dust` USD. Source: Drift v2 (1 USDC)."""
    return balance if abs(balance - transfer) * price < dust else transfer


def least_remaining(size_usd: float, factor: float, floor_usd: float) -> float:
    """Return the margin a pool position must keep: max(floor, factor size). Source: GMX v2."""
    return max(floor_usd, factor * size_usd)


def size_pnl(side: float, size_usd: float, entry: float, price: float) -> float:
    """Return the profit of a position given by its size in USD at entry: s size (P - EP) / EP. Source: GMX v2."""
    return side * size_usd * (price - entry) / entry


def bonus_value(debt: float, part: float, bonus: float) -> float:
    """Return the bonus paid on the part of a debt that is repaid. Source: Aave FAQ."""
    return debt * part * bonus


def kinked_rate(used: float, base: float, slope: float, kink: float, beyond: float) -> float:
    """Return the yearly borrowing rate at a utilisation: base + slope used / kink up to the kink, then + beyond (used - kink) / (1 - kink).

    Source: Aave v3 DefaultReserveInterestRateStrategyV2.sol; at full utilisation the rate is base + slope + beyond.
    """
    if used <= kink or kink >= 1.0:
        return base + slope * used / kink
    return base + slope + beyond * (used - kink) / (1.0 - kink)


def pool_deficit(debt: float, collateral: float) -> float:
    """Return the bad debt of an account with nothing left: its debt where there is no collateral, else 0. Source: Aave v3.3 deficit."""
    return debt if collateral <= 0.0 and math.isfinite(debt) else 0.0
