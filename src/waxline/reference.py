"""The rules of the model in plain Python, slow and without short cuts: a book, prices, accounts, the waterfall, who trades.

The compiled kernels must agree with it (tests/test_twins_*.py); it imports nothing of them. Buy and long are +1, sell and short -1.
A log price is the natural logarithm of USD per unit; a level is a log price in whole steps of a book's grid.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

BUY, SELL = 1, -1
ROUNDING = 1e-12
NOTHING_LEFT = 1e-14
WIDE = 0.005

# A book -----------------------------------------------------------------------------------------------------------------


@dataclass
class Order:
    """Hold a market order: side, coins still wanted, worst log price, cause; and the coins and USD it got."""

    side: int
    quantity: float
    limit: float
    cause: int = 0
    filled: float = 0.0
    cash: float = 0.0

    def accepts(self, log_price: float) -> bool:
        """Tell whether the order trades at a log price: a buyer at its limit or below, a seller at its limit or above."""
        return self.side * (self.limit - log_price) >= -ROUNDING

    def take(self, quantity: float, price_usd: float) -> None:
        """Book a fill."""
        self.quantity -= quantity
        self.filled += quantity
        self.cash += quantity * price_usd


@dataclass
class Walk:
    """Hold what a walk did: coins traded, its last log price, levels before and after, log distance walked by cause."""

    traded: float
    last: float | None
    before: int | None
    after: int | None
    charge: dict[int, float]


@dataclass
class Book:
    """Hold resting quotes, level by level and owner by owner, and what each owner bought and sold.

    `bids` and `asks` map level -> owner -> coins; `bought`, `paid`, `sold`, `received` map owner -> coins or USD.
    """

    grid: float
    bids: dict[int, dict[int, float]] = field(default_factory=dict)
    asks: dict[int, dict[int, float]] = field(default_factory=dict)
    bought: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    paid: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    sold: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    received: dict[int, float] = field(default_factory=lambda: defaultdict(float))

    def quotes(self, side: int) -> dict[int, dict[int, float]]:
        """Return the quotes that buy or those that sell."""
        return self.bids if side == BUY else self.asks

    def post(self, side: int, level: int, owner: int, quantity: float) -> None:
        """Let an owner show coins at a level."""
        if quantity > 0.0:
            owners = self.quotes(side).setdefault(level, {})
            owners[owner] = owners.get(owner, 0.0) + quantity

    def best(self, side: int) -> int | None:
        """Return the highest bid or the lowest ask; None when the side is empty."""
        levels = self.quotes(side)
        return (max if side == BUY else min)(levels, default=None)

    def shown(self, side: int, level: int) -> float:
        """Return the coins that all owners show at a level."""
        return sum(self.quotes(side)[level].values())

    def fill(self, side: int, level: int, quantity: float, price_usd: float) -> None:
        """Trade `quantity` coins of a level; its owners share them in proportion to what they show."""
        owners = self.quotes(side)[level]
        shown = self.shown(side, level)
        coins, usd = (self.bought, self.paid) if side == BUY else (self.sold, self.received)
        for owner, own in owners.items():
            part = own if quantity >= shown else own * (quantity / shown)
            owners[owner] = own - part
            coins[owner] += part
            usd[owner] += part * price_usd
        if quantity >= shown:
            del self.quotes(side)[level]

    def cross(self) -> tuple[float, list[float]]:
        """Match quotes that cross, best bid with best ask, at the middle of their log prices; return coins and log prices."""
        traded, log_prices = 0.0, list[float]()
        while True:
            bid, ask = self.best(BUY), self.best(SELL)
            if bid is None or ask is None or bid < ask:
                return traded, log_prices
            log_price = 0.5 * (bid + ask) * self.grid
            quantity = min(self.shown(BUY, bid), self.shown(SELL, ask))
            self.fill(BUY, bid, quantity, math.exp(log_price))
            self.fill(SELL, ask, quantity, math.exp(log_price))
            traded += quantity
            log_prices.append(log_price)

    def walk(self, side: int, orders: Sequence[Order]) -> Walk:
        """Fill the market orders of one side level by level, at each level those that accept its price, in proportion."""
        before = self.best(-side)
        traded, last, charge = 0.0, None, defaultdict[int, float](float)
        asked = {id(order): order.quantity for order in orders}
        while (level := self.best(-side)) is not None:
            active = [order for order in orders if order.quantity > 0.0 and order.accepts(level * self.grid)]
            wanted = sum(order.quantity for order in active)
            if wanted <= NOTHING_LEFT * sum(asked[id(order)] for order in active):
                break
            last = level * self.grid
            quantity = min(wanted, self.shown(-side, level))
            share = {id(order): order.quantity / wanted for order in active}
            for order in active:
                order.take(order.quantity * (quantity / wanted), math.exp(last))
            self.fill(-side, level, quantity, math.exp(last))
            traded += quantity
            after = self.best(-side)
            for order in active:
                if after is not None:
                    charge[order.cause] += (after - level) * self.grid * share[id(order)]
        return Walk(traded, last, before, self.best(-side), dict(charge))

    def depth_usd(self, side: int, log_mid: float, band: float) -> float:
        """Return the USD that rest on a side within a log distance of the mid."""
        near = [level for level in self.quotes(side) if side * (level * self.grid - log_mid) >= -band]
        return sum(self.shown(side, level) * math.exp(level * self.grid) for level in near)

    def log_mid(self, last_log_mid: float) -> float:
        """Return the middle of the best quotes; if they are wide apart the last price between them; beside an empty side it is bounded by the other."""
        bid, ask = self.best(BUY), self.best(SELL)
        if bid is not None and ask is not None:
            middle, half = 0.5 * (bid + ask) * self.grid, 0.5 * (ask - bid) * self.grid
            if half <= WIDE:
                return middle
            return sorted((middle - half + WIDE, last_log_mid, middle + half - WIDE))[1]
        if bid is not None:
            return max(last_log_mid, bid * self.grid)
        return last_log_mid if ask is None else min(last_log_mid, ask * self.grid)


def net(orders: Sequence[Order], log_mid: float) -> float:
    """Let market orders that accept the mid trade with each other there, each side in proportion; return the coins."""
    willing = [order for order in orders if order.side * (order.limit - log_mid) >= 0.0]
    wanted = {side: sum(order.quantity for order in willing if order.side == side) for side in (BUY, SELL)}
    quantity = min(wanted.values())
    if quantity <= 0.0:
        return 0.0
    for order in willing:
        order.take(order.quantity * (quantity / wanted[order.side]), math.exp(log_mid))
    return quantity


def by_limit(orders: Sequence[Order]) -> list[Order]:
    """Return orders of one side from the most to the least restrictive limit; equal limits keep their places."""
    return sorted(orders, key=lambda order: order.side * order.limit)


# Prices -----------------------------------------------------------------------------------------------------------------


def median(values: Sequence[float]) -> float:
    """Return the middle one of sorted values, or the mean of the two in the middle."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])


def index_price(prices_usd: Sequence[float], weights: Sequence[float], outlier_frac: float) -> float:
    """Return the weighted mean of sources, without those too far from their median; the median if that leaves none."""
    if not prices_usd:
        return math.nan
    middle = median(prices_usd)
    kept = [(p, w) for p, w in zip(prices_usd, weights, strict=True) if abs(p / middle - 1.0) <= outlier_frac and w > 0.0]
    whole = sum(weight for _, weight in kept)
    return sum(price * weight for price, weight in kept) / whole if kept else middle


def premium_after(premium: float, own_usd: float, index_usd: float, dt_s: float, memory_s: float = 150.0) -> float:
    """Return the average premium of a contract over its index one step later."""
    return premium + (1.0 - math.exp(-dt_s / memory_s)) * (own_usd / index_usd - 1.0 - premium)


def mark_price(own_usd: float, index_usd: float, premium: float) -> float:
    """Return the middle one of index, index plus average premium, and the contract's own mid; its own mid without an index."""
    return own_usd if math.isnan(index_usd) else median([index_usd, index_usd * (1.0 + premium), own_usd])


def collateral_price(rule: str, index_usd: float, own_usd: float | None, redemption_usd: float | None, claims_by_own_book: bool = True) -> float:
    """Return what a venue counts a pledged asset at; `rule` is index, own_book or redemption; only claims have a redemption value."""
    if redemption_usd is not None and (rule == "redemption" or not claims_by_own_book):
        return redemption_usd
    if rule == "own_book" and own_usd is not None and (claims_by_own_book or redemption_usd is None):
        return own_usd
    return index_usd


def oracle_after(oracle_usd: float, age_s: float, index_usd: float, deviation_frac: float, heartbeat_s: float, dt_s: float) -> tuple[float, float]:
    """Return an oracle's price and age one step later: it moves when the index is far enough away or the heartbeat is over."""
    age_s += dt_s
    if math.isnan(index_usd):
        return oracle_usd, age_s
    if oracle_usd <= 0.0 or abs(index_usd / oracle_usd - 1.0) >= deviation_frac or age_s >= heartbeat_s:
        return index_usd, 0.0
    return oracle_usd, age_s


# Accounts ---------------------------------------------------------------------------------------------------------------


def position_after(quantity: float, cost_usd: float, cash_usd: float, traded: float, notional_usd: float) -> tuple[float, float, float]:
    """Return (quantity, cost, cash) of a perp position after a trade; `traded` and `notional_usd` carry the sign of the side.

    What closes is settled against the average entry price; what opens adds to the cost at the traded price.
    """
    price = notional_usd / traded
    sign = 1.0 if quantity > 0.0 else -1.0
    closing = min(abs(traded), abs(quantity)) if quantity * traded < 0.0 else 0.0
    entry = cost_usd / quantity if quantity != 0.0 else 0.0
    profit = sign * closing * (price - entry)
    kept, opened = quantity - sign * closing, traded + sign * closing
    return quantity + traded, kept * entry + opened * price, cash_usd + profit


def maintenance_usd(notional_usd: float, tiers: Sequence[tuple[float, float]]) -> float:
    """Return the requirement of a position: each slice of its notional up to a tier's cap at the rate of that tier."""
    edges = [0.0, *(cap for cap, _ in tiers[:-1]), math.inf]
    slices = [max(min(notional_usd, high) - low, 0.0) for low, high in pairwise(edges)]
    return sum(part * rate for part, (_, rate) in zip(slices, tiers, strict=True))


def liquidation_price(quantity: float, cost_usd: float, cash_usd: float, rate: float, deduction_usd: float) -> float:
    """Return the mark at which equity equals the requirement: the zero of a straight line through its values at 0 and 1 USD."""

    def slack(mark_usd: float) -> float:
        equity = cash_usd + quantity * mark_usd - cost_usd
        return equity - (abs(quantity) * mark_usd * rate - deduction_usd)

    slope = slack(1.0) - slack(0.0)
    return 0.0 if quantity == 0.0 else max(-slack(0.0) / slope, 0.0)


@dataclass
class Held:
    """Hold one asset of an account: signed units, collateral price, and the part of its value that counts.

    bands: [upper end in USD (or coins), part that counts of what lies below it]; without any, ratio_frac of all counts.
    """

    units: float
    price_usd: float
    ratio_frac: float
    bands: Sequence[tuple[float, float]] = ()
    in_coins: bool = False


def counted_usd(asset: Held) -> float:
    """Return what a positive balance counts as margin, cent by cent as it were: each band's part of what lies in it."""
    if not asset.bands:
        return asset.units * asset.price_usd * asset.ratio_frac
    counted, floor = 0.0, 0.0
    for end, part in asset.bands:
        end_usd = end * asset.price_usd if asset.in_coins else end
        counted += part * max(min(asset.units * asset.price_usd, end_usd) - floor, 0.0)
        floor = max(floor, end_usd)
    return counted


@dataclass
class Position:
    """Hold one perp position of an account: signed coins, their cost, the mark, and the tiers (largest notional, rate)."""

    quantity: float
    cost_usd: float
    mark_usd: float
    tiers: Sequence[tuple[float, float]] = ()


def portfolio_value(
    cash_usd: float, assets: Sequence[Held], positions: Sequence[Position], debt_rate: float, flat_rate: float = 0.0
) -> tuple[float, float, float]:
    """Return (equity, requirement, collateral value) of an account with many assets; `flat_rate` > 0 replaces the tiers.

    Profit joins the cash balance: a loss beyond it is owed and needs maintenance like any debt.
    """
    collateral = sum(counted_usd(asset) for asset in assets if asset.units > 0.0)
    owed_coins = sum(-asset.units * asset.price_usd for asset in assets if asset.units < 0.0)
    profit = sum(position.quantity * position.mark_usd - position.cost_usd for position in positions)
    required = debt_rate * (max(-(cash_usd + profit), 0.0) + owed_coins)
    for position in positions:
        notional = abs(position.quantity) * position.mark_usd
        required += notional * flat_rate if flat_rate > 0.0 else maintenance_usd(notional, position.tiers)
    return cash_usd + collateral - owed_coins + profit, required, collateral


# Liquidation ------------------------------------------------------------------------------------------------------------


def released(waiting: Sequence[float], tau_s: float, least_frac: float, depth_usd: float, price_usd: float, dt_s: float) -> list[float]:
    """Return how many coins of each waiting forced order of one side are worked now: the same part of each.

    The queue empties over `tau_s`, but no slower than `least_frac` of calm depth per second.
    """
    whole = sum(waiting)
    if whole <= 0.0:
        return [0.0 for _ in waiting]
    by_time = 1.0 - math.exp(-dt_s / tau_s)
    by_depth = least_frac * dt_s * depth_usd / price_usd / whole
    return [left * min(1.0, max(by_time, by_depth)) for left in waiting]


def shares_since(total: Mapping[int, float], then: Mapping[int, float], falling: bool) -> dict[int, float]:
    """Return each cause's part of a move: of what it took down (longs) or pushed up (shorts) since then; sum 1, or all 0."""
    sign = -1.0 if falling else 1.0
    moved = {cause: max(sign * (now - then[cause]), 0.0) for cause, now in total.items()}
    whole = sum(moved.values())
    return {cause: part / whole if whole > 0.0 else 0.0 for cause, part in moved.items()}


def generation_of(shares: Mapping[int, float], forced: Mapping[int, tuple[float, float]]) -> float:
    """Return 1 + the mean generation of the forced flows (cause -> USD, USD times generation), weighted with their shares."""
    return 1.0 + sum(shares[cause] * weighted / usd for cause, (usd, weighted) in forced.items() if usd > 1.0)


@dataclass
class Winner:
    """Hold a candidate for deleveraging: name, signed coins, cost, and equity (None: not leveraged)."""

    name: int
    quantity: float
    cost_usd: float
    equity_usd: float | None = None

    def profit_frac(self, mark_usd: float) -> float:
        """Return unrealised profit over entry value."""
        return (self.quantity * mark_usd - self.cost_usd) / max(abs(self.cost_usd), 1e-12)

    def rank(self, mark_usd: float) -> float:
        """Return profit times leverage."""
        if self.equity_usd is None:
            return self.profit_frac(mark_usd)
        return self.profit_frac(mark_usd) * abs(self.quantity) * mark_usd / max(self.equity_usd, 1e-9)


def deleveraged(winners: Sequence[Winner], side: int, mark_usd: float, wanted: float) -> list[tuple[int, float]]:
    """Return who is closed and how many coins: those in profit opposite to `side`, the highest rank first, until `wanted` is done."""
    facing = [winner for winner in winners if winner.quantity * side < 0.0 and winner.profit_frac(mark_usd) > 0.0]
    closed = []
    for winner in sorted(facing, key=lambda who: -who.rank(mark_usd)):
        if wanted <= 0.0:
            break
        size = min(wanted, abs(winner.quantity))
        closed.append((winner.name, size))
        wanted -= size
    return closed


# Who trades -------------------------------------------------------------------------------------------------------------


def done(rate: float, dt_s: float) -> float:
    """Return the part done within a step at `rate` per second."""
    return 1.0 - math.exp(-rate * dt_s)


def informed_usd(gap: float, rate: float, gap_limit: float, buy_gap_limit: float, depth_usd: float, dt_s: float) -> float:
    """Return the signed USD of informed orders: `rate` of depth per second and 1 % of gap; beyond a limit no faster."""
    seen = max(-gap_limit, min(gap, buy_gap_limit))
    return 100.0 * seen * rate * depth_usd * dt_s


def value_rate(discount: float, discount_before: float, start: float, width: float, cash_usd: float, tau_s: float) -> float:
    """Return the USD per second of value buyers: they see the smaller discount of now and a delay ago, and spend faster below."""
    beyond = min(discount, discount_before) - start
    return max(cash_usd, 0.0) / tau_s * min(max(beyond, 0.0) / width, 1.5)


def trend_usd(fall: float, full: float, rate: float, holdings_usd: float, depth_share: float, bids_usd: float, turnover_usd_s: float, dt_s: float) -> float:
    """Return the USD that trend sellers sell: a part of their holdings, but no more than a part of the bids they see or of what trades."""
    if fall <= 0.0:
        return 0.0
    strength = min(fall / full, 1.0)
    return min(holdings_usd * done(rate * strength, dt_s), max(bids_usd * done(depth_share, dt_s), turnover_usd_s * dt_s))


def arbitrage_usd(gap: float, cost: float, depth_usd: float, rate: float, dt_s: float) -> float:
    """Return the USD of arbitrage on a log gap: faster the more it exceeds its costs, at most half of the smaller depth."""
    return depth_usd * min(done(100.0 * rate * max(abs(gap) - cost, 0.0), dt_s), 0.5)


def quote_target(
    volatility_ratio: float, pull_ratio: float, cool_down_s: float, pulled_until_s: float, t_s: float, cap: float, size_scale: float, pulled_frac: float,
    ramp_s: float, withdraw: bool,
) -> tuple[float, float]:  # fmt: skip
    """Return the part of its full size that a maker shows, and until when it stays away.

    Volatility above calm shrinks the size; above `pull_ratio` the maker leaves for `cool_down_s` and then returns over `ramp_s`.
    """
    excess = max(volatility_ratio - 1.0, 0.0)
    size = cap * size_scale / (size_scale + excess)
    if not withdraw:
        return size, pulled_until_s
    away = t_s < pulled_until_s
    if not away and volatility_ratio > pull_ratio:
        away, pulled_until_s = cool_down_s > 0.0, t_s + cool_down_s
    if away:
        return min(size, pulled_frac), pulled_until_s
    back_s = t_s - pulled_until_s
    return (size * (0.1 + 0.9 * back_s / ramp_s) if back_s < ramp_s else size), pulled_until_s
