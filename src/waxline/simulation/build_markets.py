"""Build the market side of a state from a scenario: books, links between them, arbitrage pairs, rules as plain numbers."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.tables import Cell
from waxline.agents.tables import ArbitrageRules, Flow, FlowRules, Pairs, QuoteRules
from waxline.market.ladder import crowd_ladder, depth_inside, maker_ladder, shape_sums
from waxline.market.tables import RUNGS, Books, Causes, Flows, Markets
from waxline.parameter import CLASSES, ByClass
from waxline.results.schema import N_CAUSES, Cause
from waxline.scenario.schema import Scenario
from waxline.simulation.state import Names, Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LINKS = 6
SISTER, SPOT_VENUE, PERP_VENUE, PERP_OUTSIDE, REDEMPTION = range(5)
REDEMPTION_MARKET = -2
INDEX_SOURCES = 4
HISTORY_S = 512
BELIEVED = 1e9
"""Gap to fair value, in calm volatilities, that no gap reaches: makers follow it whatever their books say."""


def stream_number(name: str) -> int:
    """Return a stable number of a name for random draws, so that adding a market leaves the draws of all others alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1


def canonical_names(scenario: Scenario) -> Names:
    """Return names in canonical order: venues, assets and markets sorted, so that the order of rows in a file does not matter."""
    rows = sorted(scenario.markets, key=lambda row: (row.venue, str(row.kind), row.asset))
    venues = sorted(row.name for row in scenario.venues)
    groups = [f"{name}/{group}" for name in venues for group in sorted(one.name for one in scenario.venue(name).fund_groups)]
    return Names(
        venues=venues,
        funds=[*venues, *groups],
        assets=["USD", *sorted(row.symbol for row in scenario.assets)],
        markets=[row.name for row in rows],
        owners=[],
        portfolios=[],
        portfolio_kinds=[],
    )


def build_markets(scenario: Scenario, names: Names) -> Markets:
    """Return the static columns of all markets in canonical order."""
    rows = [scenario.market(name) for name in names.markets]
    count = len(rows)
    asset_of = {row.symbol: row for row in scenario.assets}
    venue_of = {row.name: row for row in scenario.venues}
    number = {name: m for m, name in enumerate(names.markets)}
    classes = np.array([CLASSES.index(asset_of[row.asset].size_class.value) for row in rows])
    class_half = np.array(scenario.makers.half_spread_bps.values())
    grid = np.array([scenario.grid_of(row) * 1e-4 for row in rows])
    half = np.array([(row.half_spread_bps if row.half_spread_bps is not None else class_half[classes[m]]) * 1e-4 for m, row in enumerate(rows)])
    depth = np.array([row.depth_usd for row in rows])
    offset = np.zeros((count, 2, RUNGS), dtype=np.int64)
    usd = np.zeros((count, 2, RUNGS))
    share = scenario.makers.depth_share_frac
    volatility = np.array([max(asset_of[row.asset].volatility_1m_bps, 1.0) * 1e-4 for row in rows])
    for m in range(count):
        gap = min(scenario.crowd.gap_volatilities * volatility[m], scenario.crowd.gap_limit_frac)
        offset[m, 1], usd[m, 1] = crowd_ladder((1.0 - share) * depth[m], grid[m], half[m], scenario.crowd.reach_frac, gap)
        shown = depth[m] - depth_inside(offset[m, 1], usd[m, 1], grid[m], half[m])
        offset[m, 0], usd[m, 0] = maker_ladder(shown, grid[m], half[m], scenario.makers.reach_frac, scenario.makers.depth_exponent)
    relative, cumulative = shape_sums(offset, usd, grid)
    reference = np.array([reference_price(scenario, row.asset) for row in rows])
    log_reference = np.log(reference)
    perp = np.array([str(row.kind) == "perp" for row in rows])
    sister = np.array([number.get(f"{row.venue}-{'spot' if p else 'perp'}-{row.asset}", -1) for row, p in zip(rows, perp, strict=True)])
    claim_asset, claim_units = np.full(count, -1, dtype=np.int64), np.ones(count)
    for m, row in enumerate(rows):
        redeems = asset_of[row.asset].redeems
        if redeems is not None:
            claim_asset[m] = names.assets.index(redeems.asset)
            claim_units[m] = redeems.units
    link_market, link_kind = find_links(scenario, names, rows, perp, sister, claim_asset)
    return Markets(
        venue=np.array([names.venues.index(row.venue) for row in rows]),
        asset=np.array([names.assets.index(row.asset) for row in rows]),
        perp=perp,
        sister=sister,
        size_class=classes,
        grid=grid,
        depth_usd=depth,
        volatility=volatility,
        half_spread=half,
        log_reference=log_reference,
        link_market=link_market,
        link_kind=link_kind,
        claim_asset=claim_asset,
        claim_units=claim_units,
        offset=offset,
        usd=usd,
        maker_whole_usd=usd[:, 0].sum(axis=1),
        relative=relative,
        cumulative=cumulative,
        bid_end=log_reference + np.log1p(-np.array([row.bid_end_frac for row in rows])),
        fee_frac=np.array([venue_of[row.venue].taker_fee_bps * 1e-4 for row in rows]),
        stream=np.array([stream_number(row.name) for row in rows]),
    )


def reference_price(scenario: Scenario, symbol: str) -> float:
    """Return the price of an asset before the event: its own, for a claim its redemption value."""
    row = scenario.asset(symbol)
    if row.redeems is None:
        return row.price_usd
    base = 1.0 if row.redeems.asset == "USD" else scenario.asset(row.redeems.asset).price_usd
    return base * row.redeems.units


def find_links(scenario, names, rows, perp, sister, claim_asset):  # type: ignore[no-untyped-def]
    """Return for every market up to LINKS markets whose mids its makers watch, nearest kind first (-1 none, -2 redemption value)."""
    count = len(rows)
    market = np.full((count, LINKS), -1, dtype=np.int64)
    kind = np.full((count, LINKS), -1, dtype=np.int64)
    for m, row in enumerate(rows):
        found: list[tuple[int, int]] = []
        if sister[m] >= 0:
            found.append((int(sister[m]), SISTER))
        if claim_asset[m] >= 0:
            found.append((REDEMPTION_MARKET, REDEMPTION))
        same = [j for j, other in enumerate(rows) if j != m and other.asset == row.asset and perp[j] == perp[m]]
        same.sort(key=lambda j: -rows[j].depth_usd)
        found += [(j, PERP_VENUE if perp[m] else SPOT_VENUE) for j in same]
        if perp[m] and sister[m] < 0:
            spots = [j for j, other in enumerate(rows) if other.asset == row.asset and not perp[j]]
            spots.sort(key=lambda j: -rows[j].depth_usd)
            found += [(j, PERP_OUTSIDE) for j in spots[:1]]
        for n, (j, what) in enumerate(found[:LINKS]):
            market[m, n], kind[m, n] = j, what
    return market, kind


def link_rates(scenario: Scenario, markets: Markets, dt: float) -> tuple[Floats, Floats]:
    """Return the part of a linked market's gap that an estimate takes over per step [M, L]: links open, links halted.

    Between venues the deeper book leads: the rate is weighted with its share of the two depths, times two.
    """
    rules = scenario.makers
    tau_open = {
        SISTER: rules.sister_tau_s,
        SPOT_VENUE: rules.venue_tau_s,
        PERP_VENUE: rules.perp_venue_tau_s,
        PERP_OUTSIDE: rules.perp_outside_tau_s,
        REDEMPTION: rules.redemption_tau_s,
    }
    tau_halted = {**tau_open, SPOT_VENUE: rules.venue_halted_tau_s, REDEMPTION: rules.redemption_halted_tau_s}
    shape = markets.link_market.shape
    rates = [np.zeros(shape), np.zeros(shape)]
    for m in range(shape[0]):
        for n in range(shape[1]):
            j, what = markets.link_market[m, n], markets.link_kind[m, n]
            if j == -1:
                continue
            weight = 1.0
            if what in (SPOT_VENUE, PERP_VENUE):
                weight = 2.0 * markets.depth_usd[j] / (markets.depth_usd[j] + markets.depth_usd[m])
            for rate, tau in ((rates[0], tau_open), (rates[1], tau_halted)):
                rate[m, n] = weight * (1.0 - math.exp(-dt / tau[int(what)]))
    for rate in rates:
        whole = rate.sum(axis=1, keepdims=True)
        rate /= np.maximum(whole / 0.9, 1.0)
    return rates[0], rates[1]


def build_books(markets: Markets, owners: int) -> tuple[Books, Causes]:
    """Return empty books around the reference prices; the first steps of the run fill them."""
    count = markets.venue.size
    mid = markets.log_reference.copy()
    books = Books(
        base=np.zeros((count, owners, 2), dtype=np.int64),
        scale=np.zeros((count, owners, 2)),
        eaten=np.zeros((count, owners, 2), dtype=np.int64),
        left=np.zeros((count, owners, 2, RUNGS)),
        first=np.full((count, owners, 2), RUNGS),
        inside=np.zeros((count, 2), dtype=np.int64),
        estimate=np.tile(mid, (owners, 1)),
        skew=np.zeros((owners, count)),
        size_frac=np.ones((owners, count)),
        pulled_until_s=np.full((owners, count), -1e9),
        mid=mid.copy(),
        best_bid=mid - markets.half_spread,
        best_ask=mid + markets.half_spread,
        last=np.exp(mid),
        low=np.full(count, np.nan),
        high=np.full(count, np.nan),
        traded_usd=np.zeros(count),
        turnover_usd_s=np.zeros(count),
        depth_bid_usd=markets.depth_usd.copy(),
        depth_ask_usd=markets.depth_usd.copy(),
        variance=markets.volatility**2 / 60.0,
        variance_fast=markets.volatility**2 / 60.0,
        lag=np.zeros(count),
        slow_mean=mid.copy(),
        anchor=mid.copy(),
        last_bid=0.05 * markets.depth_usd / np.exp(mid),
        traded_log=mid.copy(),
    )
    table = {name: np.zeros((count, N_CAUSES)) for name in Causes._fields}
    table["peak"], table["trough"] = mid.copy(), mid.copy()
    causes = Causes(**table)
    return books, causes


def build_flows(count: int) -> Flows:
    """Return empty market flows with the account and cause of each kind."""
    table = {
        Flow.INFORMED: (Cell.INFORMED, Cause.NEWS),
        Flow.NOISE_BUY: (Cell.NOISE, Cause.NOISE),
        Flow.NOISE_SELL: (Cell.NOISE, Cause.NOISE),
        Flow.VALUE_BUY: (Cell.VALUE_BUYER, Cause.VALUE_BUYING),
        Flow.VALUE_SELL: (Cell.VALUE_SELLER, Cause.VALUE_SELLING),
        Flow.SHORT_COVER: (Cell.SHORTS, Cause.SHORT_COVERING),
        Flow.TREND: (Cell.HOLDERS, Cause.TREND_SELLING),
        Flow.NEW_SHORT: (Cell.NEW_SHORTS, Cause.NEW_LEVERAGE),
        Flow.ARBITRAGE_BUY: (Cell.ARBITRAGE, Cause.ARBITRAGE),
        Flow.ARBITRAGE_SELL: (Cell.ARBITRAGE, Cause.ARBITRAGE),
        Flow.NAKED_HEDGE: (Cell.CARRY, Cause.DELEVERAGING),
        Flow.FUND: (Cell.FUND, Cause.FUND_WORKOFF),
        Flow.KEEPER: (Cell.KEEPER, Cause.KEEPER),
    }
    return Flows(
        quantity=np.zeros((count, Flow.COUNT)),
        limit=np.zeros((count, Flow.COUNT)),
        cell=np.array([table[f][0] for f in range(Flow.COUNT)], dtype=np.int64),
        cause=np.array([int(table[f][1]) for f in range(Flow.COUNT)], dtype=np.int64),
    )


def per_market(values: ByClass, markets: Markets) -> Floats:
    """Return a per-class parameter for every market."""
    return np.array(values.values())[markets.size_class]


def build_quote_rules(scenario: Scenario) -> QuoteRules:
    """Return the quoting rules of makers and crowd as plain numbers.

    Without feedback makers neither withdraw nor shrink, and believe fair value rather than their books, however far apart the two are.
    """
    rules, crowd = scenario.makers, scenario.crowd
    refill = np.full(len(CLASSES), rules.refill_rate)
    refill[CLASSES.index("tiny")] = rules.refill_rate_tiny
    return QuoteRules(
        own_rate=rules.own_book_rate,
        learning_floor=rules.learning_floor_frac,
        learning_turnover=rules.learning_turnover_frac,
        learning_spread=rules.learning_spread_frac,
        volatility_window_s=rules.volatility_window_s,
        spread_share=rules.spread_volatility_share,
        size_scale=rules.size_volatility_scale,
        skew_share=rules.skew_share,
        skew_limit=rules.skew_limit_frac,
        inventory_limit=rules.inventory_limit,
        inventory_limit_spot=rules.inventory_limit_spot,
        inventory_tau_s=rules.inventory_tau_s,
        refill_rate=refill,
        cut_rate=rules.cut_rate,
        pulled_frac=rules.pulled_size_frac,
        ramp_s=rules.ramp_s,
        news_tau_s=rules.news_tau_s,
        news_small_tau_s=rules.news_small_tau_s,
        news_small_limit=rules.news_small_limit if scenario.feedback else BELIEVED,
        crowd_tau_s=np.array(crowd.anchor_tau_s.values()),
        crowd_refill=np.array(crowd.refill_rate.values()),
        crowd_cancel=crowd.cancel_rate,
        withdraw=rules.withdraw and scenario.feedback,
        funding_cap=rules.funding_cap and scenario.feedback,
        volatility_response=rules.volatility_response,
    )


def build_flow_rules(scenario: Scenario, markets: Markets, short_full: Floats, dt: float) -> FlowRules:
    """Return the rules of everyone who trades at the market as plain numbers; switches set rates to zero."""
    value, trend, shorts, funds = scenario.value_buyers, scenario.trend, scenario.shorts, scenario.funds
    kinds = {row.name: str(row.kind) for row in scenario.venues}
    outside = np.array([kinds[row] == "spot_exchange" for row in (scenario.market(n).venue for n in canonical_names(scenario).markets)])
    return FlowRules(
        noise_rate=scenario.noise.rate_frac if scenario.noise.enabled else 0.0,
        informed_rate=scenario.informed.rate_frac if scenario.informed.enabled else 0.0,
        informed_gap=scenario.informed.gap_limit_frac,
        informed_buy_gap=scenario.informed.buying_gap_limit_frac,
        value_on=value.enabled,
        value_sellers=value.sellers,
        value_cash=per_market(value.cash_depths, markets) * markets.depth_usd * np.where(outside, value.cash_factor_outside, 1.0),
        value_start=np.array(value.start_discount_frac.values()),
        value_width=np.array(value.full_discount_width_frac.values()),
        value_tau=np.array(value.tau_s.values()),
        value_delay=np.minimum(np.round(np.array(value.delay_s.values()) / dt), HISTORY_S - 1).astype(np.int64),
        fresh_tau=value.fresh_money_tau_s,
        seller_tau=value.seller_tau_s,
        seller_start=value.seller_start_frac,
        anchor_tau=value.anchor_tau_s,
        trend_on=trend.enabled and scenario.feedback,
        trend_holdings=markets.depth_usd * np.where(outside, trend.holdings_depths_outside, trend.holdings_depths),
        trend_window=trend.window_s,
        trend_start=trend.start_frac,
        trend_full=trend.full_frac,
        trend_rate=trend.rate,
        trend_depth_share=trend.depth_share,
        trend_turnover=trend.turnover_share,
        trend_elsewhere=trend.seen_elsewhere_frac,
        new_short_frac=trend.new_short_frac if scenario.new_leverage.enabled else 0.0,
        shorts_on=shorts.enabled and scenario.feedback,
        short_start=shorts.start_frac,
        short_width=shorts.width_frac,
        short_tau=shorts.tau_s,
        short_full=short_full,
        close_rate=shorts.agreed_close_rate if scenario.feedback else 0.0,
        close_ratio=shorts.agreed_close_volatility_ratio,
        fund_tau=funds.tau_s,
        fund_depth=funds.depth_share,
        fund_walk=funds.walk_frac,
        fund_quiet=funds.quiet_volatility_ratio,
        naked_tau=scenario.deleveraging.sold_tau_s,
        naked_floor=math.log(1.0 - scenario.deleveraging.sold_floor_frac),
        keeper_tau=scenario.pool.keeper_tau_s,
    )


def build_pairs(scenario: Scenario, names: Names, markets: Markets) -> tuple[Pairs, ArbitrageRules]:
    """Return arbitrage pairs: spot and perp of a venue, spot books of two venues, perps of two venues with the deepest one."""
    rules = scenario.arbitrage
    pairs: list[tuple[int, int, int]] = []
    if rules.enabled:
        for m in range(markets.venue.size):
            if not markets.perp[m] and markets.sister[m] >= 0:
                pairs.append((m, int(markets.sister[m]), 0))
        for perp in (False, True):
            for a in sorted(set(markets.asset[markets.perp == perp].tolist())):
                same = [int(m) for m in np.flatnonzero((markets.asset == a) & (markets.perp == perp))]
                same.sort(key=lambda m: (-markets.depth_usd[m], names.markets[m]))
                pairs += [(same[0], other, 2 if perp else 1) for other in same[1:]]
    first = np.array([p[0] for p in pairs], dtype=np.int64)
    second = np.array([p[1] for p in pairs], dtype=np.int64)
    kind = np.array([p[2] for p in pairs], dtype=np.int64)
    capital = np.where(kind == 0, rules.basis_capital_depths, rules.venue_capital_depths)
    calm = np.minimum(markets.depth_usd[first], markets.depth_usd[second]) if pairs else np.zeros(0)
    stock = capital * calm
    return (
        Pairs(first=first, second=second, kind=kind, stock_first=stock.copy(), stock_second=stock.copy()),
        ArbitrageRules(
            rate=rules.rate_frac,
            cost=rules.cost_bps * 1e-4,
            depth_limit=rules.depth_limit_frac,
            restock_tau=rules.restock_tau_s,
            claim_cost=rules.claim_discount_bps * 1e-4,
        ),
    )


def build_prices(scenario: Scenario, names: Names, markets: Markets) -> Prices:
    """Return index sources, collateral rules and prices at the reference."""
    venues, assets = len(names.venues), len(names.assets)
    number = {name: m for m, name in enumerate(names.markets)}
    source_market = np.full((venues, assets, INDEX_SOURCES), -1, dtype=np.int64)
    source_weight = np.zeros((venues, assets, INDEX_SOURCES))
    outlier = np.full(venues, 0.05)
    rule = np.zeros((venues, assets), dtype=np.int64)
    spot_market = np.full((venues, assets), -1, dtype=np.int64)
    redeem_asset, redeem_units = np.full(assets, -1, dtype=np.int64), np.ones(assets)
    for row in scenario.assets:
        if row.redeems is not None:
            redeem_asset[names.assets.index(row.symbol)] = names.assets.index(row.redeems.asset)
            redeem_units[names.assets.index(row.symbol)] = row.redeems.units
    for v, name in enumerate(names.venues):
        venue = scenario.venue(name)
        weights = venue.index.weights if venue.index is not None else {name: 1.0}
        if venue.index is not None:
            outlier[v] = venue.index.outlier_frac
        for a, symbol in enumerate(names.assets):
            spot_market[v, a] = number.get(f"{name}-spot-{symbol}", -1)
            found = [(number[f"{other}-spot-{symbol}"], w) for other, w in sorted(weights.items()) if f"{other}-spot-{symbol}" in number]
            if not found:
                found = [(m, 1.0) for m in range(markets.venue.size) if markets.asset[m] == a and not markets.perp[m]]
            if not found:
                found = [(m, 1.0) for m in range(markets.venue.size) if markets.asset[m] == a][:1]
            for n, (m, w) in enumerate(found[:INDEX_SOURCES]):
                source_market[v, a, n], source_weight[v, a, n] = m, w
    for item in scenario.collateral:
        codes = {"index": 0, "own_book": 1, "redemption": 2}
        rule[names.venues.index(item.venue), names.assets.index(item.asset)] = codes[str(item.price_rule)]
    reference = np.array([1.0] + [reference_price(scenario, symbol) for symbol in names.assets[1:]])
    table = np.tile(reference, (venues, 1))
    return Prices(
        index=table.copy(),
        mark=np.exp(markets.log_reference),
        premium=np.zeros(markets.venue.size),
        asset_price=table.copy(),
        asset_price_start=table.copy(),
        oracle=reference.copy(),
        oracle_age_s=np.zeros(assets),
        source_market=source_market,
        source_weight=source_weight,
        outlier=outlier,
        spot_market=spot_market,
        collateral_rule=rule,
        redeem_asset=redeem_asset,
        redeem_units=redeem_units,
    )
