"""Value an account by a venue's rules: equity, requirement, distance to the line. One form for all regimes.

E = sum f(balance price) + sum q (mark - entry); M = sum maintenance of positions + rate times debts; the account is liquidated when its
measure (equity to maintenance, assets to debts, debt to collateral, health) reaches the regime's line. Amounts in USD, quantities in coins,
contracts of coin-margined perps in USD; side +1 long, -1 short.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from waxline.accounts.rules_collateral import haircut_value, level, loan_to_value
from waxline.accounts.rules_margin import inverse_pnl, linear_pnl
from waxline.accounts.rules_tiers import NO_END, banded_value, tier_index, tier_maintenance
from waxline.scenario.venue_rules import Basis, CollateralBands, Measure, Regime, RegimeRules, VenueRules

NOISE = 1e-9


@dataclass(frozen=True)
class Position:
    """Hold one perp position; `quantity` in coins, or in USD of contracts where `inverse`; `margin` (isolated) in USD or coins."""

    asset: str
    side: float
    quantity: float
    entry: float
    caps: tuple[float, ...]
    rates: tuple[float, ...]
    deductions: tuple[float, ...]
    leverage: float | None = None
    margin: float | None = None
    inverse: bool = False

    def notional(self, mark: float) -> float:
        """Return the value of the position in USD."""
        return self.quantity if self.inverse else self.quantity * mark

    def profit(self, mark: float) -> float:
        """Return the unrealised profit in USD; that of coin-margined contracts is s Q (P / EP - 1)."""
        if self.inverse:
            return self.side * self.quantity * (mark / self.entry - 1.0)
        return linear_pnl(self.side, self.quantity, self.entry, mark)

    def coins_paid(self, mark: float) -> float:
        """Return the unrealised profit of a coin-margined position in its coin: s Q (1 / EP - 1 / P)."""
        return inverse_pnl(self.side, self.quantity, self.entry, mark)

    def tier(self, mark: float) -> int:
        """Return the number of its tier, 0 first."""
        return tier_index(self.notional(mark), self.caps)

    def maintenance(self, mark: float, basis: Basis, fee: float) -> float:
        """Return its maintenance in USD on mark, entry or bankruptcy value, plus the closing fee where the venue counts it."""
        at = mark
        if basis is not Basis.MARK:
            at = self.entry if basis is Basis.ENTRY or self.leverage is None else self.entry * (1.0 - self.side / self.leverage)
        n = tier_index(self.notional(at), self.caps)
        amount = tier_maintenance(self.notional(at), self.rates[n], self.deductions[n])
        # Coin-margined maintenance is a part of the value in coins at entry, or at the mark: in USD the price comes in again.
        scale = mark / at if self.inverse and basis is not Basis.MARK else 1.0
        return amount * scale + fee * self.notional(mark)


@dataclass(frozen=True)
class Account:
    """Hold an account under one regime of a venue; balances in coins (negative: borrowed), prices USD by asset."""

    name: str
    rules: VenueRules
    regime: RegimeRules
    balances: dict[str, float]
    positions: tuple[Position, ...]
    prices: dict[str, float]
    collateral_prices: dict[str, float] = field(default_factory=dict)
    bands: dict[str, CollateralBands] = field(default_factory=dict)

    def price(self, asset: str, moved: Mapping[str, float]) -> float:
        """Return what a balance is valued at: the moved price, the venue's collateral price, else the price; cash is one USD."""
        if asset in moved:
            factor = self.collateral_prices[asset] / self.prices[asset] if asset in self.collateral_prices and asset in self.prices else 1.0
            return moved[asset] * factor
        if asset in self.collateral_prices:
            return self.collateral_prices[asset]
        return self.prices.get(asset, 1.0 if asset in self.rules.cash else math.nan)

    def counted(self, asset: str, amount: float, price: float) -> float:
        """Return what a balance counts in USD: by the venue's bands where positive, in full where negative."""
        if amount <= 0.0 or not self.regime.haircuts or asset not in self.bands:
            return amount * price
        row = self.bands[asset]
        caps = [NO_END if end is None else end for end, _ in row.bands]
        ratios = [ratio for _, ratio in row.bands]
        units = amount if row.unit == "coins" else amount * price
        value = banded_value(units, [0.0, *caps[:-1]], caps, ratios, 0.0)
        return haircut_value(amount * price, value / units if units else 1.0)

    def debt_rate(self) -> float:
        """Return the maintenance of loans as a part of them: accounts with loans in one pool have one, others do not."""
        pooled = self.regime.regime in (Regime.PORTFOLIO,)
        return self.rules.debt_rates[self.rules.debt_leverage] if pooled and self.rules.debt_leverage else 0.0


class Value(NamedTuple):
    """Hold what an account is worth: equity as counted and in full, maintenance, collateral as counted, assets, debts, measure, slack."""

    equity: float
    full: float
    maintenance: float
    collateral: float
    assets: float
    debt: float
    measure: float
    slack: float


def value(account: Account, moved: Mapping[str, float] | None = None) -> Value:
    """Return the value of an account at its prices, some of them moved; slack is zero at the line, below it the account is liquidated."""
    at = moved or {}
    regime = account.regime
    profits: dict[str, float] = {}
    maintenance = 0.0
    for position in account.positions:
        mark = at.get(position.asset, account.prices[position.asset])
        # Profit is paid in the settlement currency, that of coin-margined contracts in the coin, and joins that balance.
        currency = position.asset if position.inverse else regime.settles_in
        profits[currency] = profits.get(currency, 0.0) + (
            position.coins_paid(mark) if position.inverse else position.profit(mark) / account.price(currency, at)
        )
        maintenance += position.maintenance(mark, regime.maintenance_on, regime.taker_fee_frac)
    collateral = assets = debt = full = 0.0
    for asset in sorted({*account.balances, *profits}):
        price = account.price(asset, at)
        amount = account.balances.get(asset, 0.0) + profits.get(asset, 0.0)
        worth = amount * price
        full += worth
        if amount >= 0.0:
            assets += worth
            collateral += account.counted(asset, amount, price)
        else:
            debt -= worth
    maintenance += account.debt_rate() * debt
    equity = collateral - debt
    line = regime.liquidated_at
    if regime.measure is Measure.ASSETS_TO_DEBTS:
        return Value(equity, full, maintenance, collateral, assets, debt, level(assets, debt), assets - line * debt)
    if regime.measure is Measure.DEBT_TO_COLLATERAL:
        return Value(equity, full, maintenance, collateral, assets, debt, loan_to_value(debt, collateral), line * collateral - debt)
    if regime.measure is Measure.HEALTH_FACTOR:
        return Value(equity, full, maintenance, collateral, assets, debt, level(collateral, debt), collateral - line * debt)
    return Value(equity, full, maintenance, collateral, assets, debt, level(equity, maintenance), equity - line * maintenance)


def is_liquidated(account: Account, worth: Value) -> bool:
    """Tell whether the account has reached its line (venues differ in whether equality counts); nothing owed is never liquidated."""
    if worth.maintenance <= 0.0 and worth.debt <= 0.0:
        return False
    return bool(is_liquidated_at(worth.slack, max(abs(worth.equity), worth.maintenance, worth.debt), account.regime.at_equality))


def is_liquidated_at(slack: Any, size: Any, at_equality: bool) -> Any:
    """Tell whether slack (USD) has come down to zero, for numbers or arrays; a billionth of `size` (USD) is noise."""
    return slack <= NOISE * size if at_equality else slack < -NOISE * size


def state_of(account: Account, worth: Value) -> str:
    """Return the state in words: liquidated, the tightest line that is reached, or safe."""
    if is_liquidated(account, worth):
        return "liquidated"
    rising = account.regime.measure is Measure.DEBT_TO_COLLATERAL
    reached = [line for line in account.regime.levels if (worth.measure >= line.at if rising else worth.measure <= line.at)]
    if not reached:
        return "safe"
    tightest = max(reached, key=lambda line: line.at) if rising else min(reached, key=lambda line: line.at)
    return tightest.meaning


def parts_of(account: Account) -> list[Account]:
    """Return the account itself, or under an isolated regime one account per position with its own margin."""
    if account.regime.regime is not Regime.ISOLATED:
        return [account]
    parts = []
    for n, position in enumerate(account.positions, start=1):
        cost = position.quantity / position.entry if position.inverse else position.quantity * position.entry
        margin = position.margin if position.margin is not None else cost / (position.leverage or 1.0)
        currency = position.asset if position.inverse else account.regime.settles_in
        name = f"{account.name}/{position.asset}" if len(account.positions) == 1 else f"{account.name}/{position.asset}#{n}"
        parts.append(replace(account, name=name, balances={currency: margin}, positions=(position,)))
    return parts


def crossing(account: Account, asset: str, side: float, of_equity: bool = False) -> float | None:
    """Return the price of one asset, all others unchanged, at which the account meets its line (or, of_equity, is worth nothing).

    side +1: the asset is held, look below the price first; -1: look above. Where the account is past the line already, the other way.
    Between the ends of tiers and bands slack is a straight line, so that no crossing is passed over. None where there is none.
    """
    start = account.prices[asset] if asset in account.prices else account.price(asset, {})

    def slack(price: float) -> float:
        worth = value(account, {asset: price})
        return worth.full if of_equity else worth.slack

    now = slack(start)
    if now == 0.0:
        return start
    down = (side > 0.0) == (now > 0.0)
    ends = [end for end in _ends(account, asset) if (end < start if down else end > start)]
    stops = [*sorted(ends, reverse=down), start * 1e-12 if down else max(start, *ends, 0.0) * 1e9]
    near, near_slack = start, now
    for stop in stops:
        far_slack = slack(stop)
        if (far_slack <= 0.0) != (near_slack <= 0.0):
            return _root(slack, near, near_slack, stop, far_slack)
        near, near_slack = stop, far_slack
    return None


def _ends(account: Account, asset: str) -> list[float]:
    """Return the prices of an asset at which a tier or a band of its legs ends."""
    found = []
    for position in account.positions:
        if position.asset == asset and not position.inverse:
            found += [cap / position.quantity for cap in position.caps if math.isfinite(cap)]
    held = account.balances.get(asset, 0.0)
    row = account.bands.get(asset)
    if held > 0.0 and row is not None and row.unit == "USD":
        found += [end / held for end, _ in row.bands if end is not None]
    return [price for price in found if price > 0.0]


def _root(slack: Callable[[float], float], low: float, low_slack: float, high: float, high_slack: float) -> float:
    """Return the place between two prices of different sign where slack is zero (regula falsi with bisection, at most 200 rounds)."""
    for turn in range(200):
        share = low_slack / (low_slack - high_slack)
        middle = low + share * (high - low) if turn % 3 else 0.5 * (low + high)
        found = slack(middle)
        if found == 0.0 or abs(high - low) <= 1e-14 * abs(middle):
            return middle
        if (found <= 0.0) == (low_slack <= 0.0):
            low, low_slack = middle, found
        else:
            high, high_slack = middle, found
    return low + low_slack / (low_slack - high_slack) * (high - low)
