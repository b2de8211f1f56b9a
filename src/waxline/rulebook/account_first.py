"""What a venue closes or sells first once an account is at its line, how much, and at which worst price."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from waxline.accounts.rules_collateral import slices
from waxline.liquidation import closing_kernels
from waxline.liquidation.rules_pools import repayable, seized
from waxline.liquidation.rules_waterfall import backstop_takes_over, distance_to_zero, fillable_price
from waxline.rulebook.account import Account, Position, Value, value
from waxline.scenario.rule_codes import FIRST, MEASURES
from waxline.scenario.venue_rules import FirstStep, Order


class Step(NamedTuple):
    """Hold one leg of the first step: what is done, of which asset, how much in coins and USD, the worst price, what follows."""

    action: str
    asset: str
    side: str
    quantity: float
    value_usd: float
    worst_price_usd: float | None
    then: str


def first_step(account: Account, moved: Mapping[str, float] | None = None) -> list[Step]:
    """Return what the venue closes or sells first at the given prices, in order; empty where there is nothing to take."""
    at = dict(moved or {})
    worth = value(account, at)
    takeover = account.regime.takeover
    share = takeover.at_maintenance_share if takeover is not None else None
    if share is not None and worth.maintenance > 0.0 and backstop_takes_over(worth.equity, worth.maintenance, share):
        return [_taken_over(account, position, at) for position in account.positions]
    first = account.regime.first
    if first.of == "collateral" and worth.debt > 0.0:
        return _collateral(account, worth, at)
    return _positions(account, worth, at)


def _mark(account: Account, asset: str, at: Mapping[str, float]) -> float:
    return at.get(asset, account.prices[asset])


def _word(side: float) -> str:
    return "long" if side > 0.0 else "short"


def _taken_over(account: Account, position: Position, at: Mapping[str, float]) -> Step:
    mark = _mark(account, position.asset, at)
    takeover = account.regime.takeover
    assert takeover is not None
    coins = position.notional(mark) / mark
    return Step(f"taken over by the {takeover.by}", position.asset, _word(position.side), coins, position.notional(mark), None, "with its margin")


def _positions(account: Account, worth: Value, at: Mapping[str, float]) -> list[Step]:
    """Return the first position to be closed and how much of it."""
    if not account.positions:
        return []
    regime, first = account.regime, account.regime.first

    def maintenance(position: Position) -> float:
        return position.maintenance(_mark(account, position.asset, at), regime.maintenance_on, regime.taker_fee_frac)

    keys: dict[Order, Callable[[Position], float]] = {
        Order.LARGEST_MAINTENANCE: maintenance,
        Order.LARGEST_LOSS: lambda position: -position.profit(_mark(account, position.asset, at)),
    }
    key = keys.get(first.order, lambda position: position.notional(_mark(account, position.asset, at)))
    position = max(account.positions, key=key)
    mark = _mark(account, position.asset, at)
    notional = position.notional(mark)
    amount = min(_amount(account, position, worth, mark), notional)
    limit = None
    if first.limit == "bankruptcy":
        limit = distance_to_zero(position.side, notional / mark, mark, worth.full)
    elif first.limit == "fillable" and worth.maintenance > 0.0:
        rate = position.rates[position.tier(mark)]
        limit = fillable_price(position.side, mark, first.spread, rate, first.adjustment, worth.equity, worth.maintenance)
    return [Step("close in the book", position.asset, _word(position.side), amount / mark, amount, limit, first.then)]


def _amount(account: Account, position: Position, worth: Value, mark: float) -> float:
    """Return the notional of a position that is closed first, in USD, by the function that the simulation calls."""
    first, notional = account.regime.first, position.notional(mark)
    if first.rule not in FIRST:
        return notional
    closing: Any = closing_kernels.first_closing
    return float(
        closing(
            FIRST[first.rule], worth.equity, worth.maintenance, notional, np.array(position.caps), np.array(position.rates), first.fee_frac,
            first.tiers_down, first.whole_up_to_tier, first.threshold_usd, first.fraction, False, first.least_usd, first.most_usd, first.stop_at,
        )
    )  # fmt: skip


def _collateral(account: Account, worth: Value, at: Mapping[str, float]) -> list[Step]:
    """Return the pledged assets sold first against the debts, in the venue's order, until its stop level is reached."""
    first = account.regime.first
    held = {asset: amount for asset, amount in account.balances.items() if amount > 0.0 and account.price(asset, at) > 0.0}
    ratios = {asset: account.counted(asset, amount, account.price(asset, at)) / (amount * account.price(asset, at)) for asset, amount in held.items()}

    def size(asset: str) -> float:
        return held[asset] * account.price(asset, at)

    order = sorted(held, key=(lambda asset: -ratios[asset]) if first.order is Order.HIGHEST_RATIO else (lambda asset: -size(asset)))
    if first.rule is FirstStep.CLOSE_FACTOR:
        return _by_keeper(account, worth, at, order[0]) if order else []
    parts = [(asset, *part) for asset in order for part in _bands(account, asset, size(asset), account.price(asset, at))]
    sold = np.zeros(len(parts))
    stop = math.inf if first.rule is FirstStep.WHOLE else first.stop_at
    selling: Any = closing_kernels.sold_in_order
    selling(
        worth.equity, worth.maintenance, worth.debt, worth.assets, worth.collateral, MEASURES[account.regime.measure], stop, account.debt_rate(),
        np.array([usd for _, usd, _ in parts]), np.array([part for _, _, part in parts]), sold,
    )  # fmt: skip
    whole = {asset: math.fsum(usd for usd, (name, _, _) in zip(sold, parts, strict=True) if name == asset) for asset in order}
    return [
        Step("sell in spot to repay the debt", asset, "long", usd / account.price(asset, at), usd, None, first.then)
        for asset, usd in whole.items()
        if usd > 0.0
    ]


def _bands(account: Account, asset: str, usd: float, price: float) -> list[tuple[float, float]]:
    """Return (USD, part that counts) of the bands in which a holding lies, the highest first."""
    row = account.bands.get(asset)
    if row is None or not account.regime.haircuts:
        return [(usd, 1.0)]
    unit = price if row.unit == "coins" else 1.0
    return slices(usd, [math.inf if end is None else end * unit for end, _ in row.bands], [part for _, part in row.bands])


def _by_keeper(account: Account, worth: Value, at: Mapping[str, float], asset: str) -> list[Step]:
    """Return what a keeper repays at most and the collateral he receives with the bonus."""
    first = account.regime.first
    debts = {name: -amount * account.price(name, at) for name, amount in account.balances.items() if amount < 0.0}
    owed = max(debts, key=lambda name: debts[name])
    price = account.price(asset, at)
    holding = account.balances[asset] * price
    row = account.bands.get(asset)
    bonus = 1.0 + (row.bonus if row is not None else 0.0)
    repaid = repayable(debts[owed], worth.debt, holding, worth.measure, first.fraction, first.deep_at, first.dust_usd)
    coins = seized(repaid, 1.0, price, bonus)
    if coins * price > holding:
        coins, repaid = holding / price, holding / bonus
    text = f"for {repaid:,.2f} USD of {owed} repaid by a keeper; {first.then}"
    return [Step("seized by a keeper", asset, "long", coins, coins * price, price / bonus, text)]
