"""Build the state of a run from a scenario."""

from __future__ import annotations

import math

import numpy as np

from waxline.accounts.kernels import value_portfolios
from waxline.accounts.lines import slack_of
from waxline.agents.tables import Flow
from waxline.liquidation.tables import R_SHARES, Rows
from waxline.market.sorting import DIGITS
from waxline.market.tables import O_SHARES, Orders
from waxline.parameter import CLASSES
from waxline.results.schema import N_CAUSES
from waxline.scenario.schema import Scenario
from waxline.shocks.news import fair_paths
from waxline.simulation.build_accounts import (
    build_cells,
    build_portfolios,
    build_traders,
    maintenance_tiers,
)
from waxline.simulation.build_markets import (
    HISTORY_S,
    REDEMPTION,
    SPOT_VENUE,
    build_books,
    build_flow_rules,
    build_flows,
    build_markets,
    build_pairs,
    build_prices,
    build_quote_rules,
    canonical_names,
    link_rates,
    reference_price,
    stream_number,
)
from waxline.simulation.build_rules import close_rules
from waxline.simulation.build_venues import build_venues
from waxline.simulation.clearing import Scratch
from waxline.simulation.state import Clockwork, Pending, State

SPARE_ORDERS = 60_000
SPARE_ROWS = 400_000


def build_state(scenario: Scenario) -> State:
    """Return the state before the first step; the scenario's seed decides every draw."""
    accounts = sorted(scenario.makers.accounts, key=lambda row: row.name)
    scenario = scenario.model_copy(update={"makers": scenario.makers.model_copy(update={"accounts": accounts})})
    names = canonical_names(scenario)
    markets = build_markets(scenario, names)
    dt = scenario.clock.step_s
    owners = len(scenario.makers.accounts) + 2
    books, causes = build_books(markets, owners)
    prices = build_prices(scenario, names, markets)
    venues = build_venues(scenario, names, markets)
    tiers = maintenance_tiers(scenario, names, markets)
    portfolios, slot_account, makers, regimes = build_portfolios(scenario, names, markets, venues, tiers, prices.asset_price)
    closing = close_rules(scenario, names)
    pairs, arbitrage_rules = build_pairs(scenario, names, markets)
    interest = np.array([scenario.market(name).open_interest_usd for name in names.markets])
    short_full = scenario.shorts.share_frac * interest / np.exp(markets.log_reference)
    flow_rules = build_flow_rules(scenario, markets, short_full, dt)
    cells = build_cells(scenario, names, markets, pairs, flow_rules.value_cash, flow_rules.trend_holdings)
    traders, longs, shorts, stops, trader_range, tranche_side, drawn = build_traders(scenario, names, markets, tiers, portfolios, cells, closing)
    count = markets.venue.size
    starts = np.array([int(np.searchsorted(markets.venue, v)) for v in range(len(names.venues))], dtype=np.int64)
    ends = np.append(starts[1:], count).astype(np.int64)
    capacity = traders.quantity.size * 2 + SPARE_ORDERS
    state = State(
        names=names,
        markets=markets,
        books=books,
        causes=causes,
        flows=build_flows(count),
        orders=empty_orders(capacity, count),
        cells=cells,
        traders=traders,
        longs=longs,
        shorts=shorts,
        stops=stops,
        portfolios=portfolios,
        venues=venues,
        makers=makers,
        quote_rules=build_quote_rules(scenario),
        flow_rules=flow_rules,
        pairs=pairs,
        arbitrage_rules=arbitrage_rules,
        prices=prices,
        clock=build_clock(scenario, names, markets, pairs),
        pending=build_pending(scenario, names, markets),
        rows=empty_rows(traders.quantity.size * 6 + SPARE_ROWS),
        scratch=empty_scratch(traders.quantity.size + 4096, owners, len(names.venues)),
        slot_account=slot_account,
        tiers=tiers,
        perp_range=(starts, ends),
        people=scenario.population.people_per_account,
        drawn_traders=drawn,
        trader_range=trader_range,
        tranche_side=tranche_side,
        scenario=scenario,
        found=np.zeros(traders.quantity.size + 16, dtype=np.int64),
        spot_budget_share=spot_budget(scenario, names, markets),
        closing=closing,
        regimes=regimes,
    )
    value_all(state)
    portfolios.slack_start[:] = slack_of(portfolios)
    fill_books(state)
    return state


def value_all(state: State) -> None:
    """Value every portfolio at the venue's current prices; pool borrowers at the oracle."""
    prices = state.prices
    for v, name in enumerate(state.names.venues):
        if state.scenario.venue(name).kind.value == "lending_pool":
            prices.asset_price[v] = prices.oracle
    portfolios, venues = state.portfolios, state.venues
    value_portfolios(
        portfolios.venue, portfolios.balance, portfolios.position, portfolios.cost, venues.haircuts, portfolios.debt_rate, prices.mark, prices.asset_price,
        *state.perp_range, *state.tiers, portfolios.flat_rate, portfolios.plain, portfolios.closing_fee, portfolios.equity, portfolios.maintenance, portfolios.collateral_usd,
    )  # fmt: skip


def fill_books(state: State) -> None:
    """Post every owner's calm ladder before the first step, so that the run starts with calm books."""
    markets, books, makers = state.markets, state.books, state.makers
    price = np.exp(markets.log_reference)
    owners = books.base.shape[1]
    for m in range(markets.venue.size):
        bid = int(np.floor((books.mid[m] - markets.half_spread[m]) / markets.grid[m]))
        ask = max(int(np.ceil((books.mid[m] + markets.half_spread[m]) / markets.grid[m])), bid + 1)
        books.base[m, :, 0], books.base[m, :, 1] = bid, ask
        for s in range(owners - 2):
            books.scale[m, s] = makers.share[s, markets.size_class[m]] / price[m]
        books.scale[m, owners - 1] = 1.0 / price[m]
        end = (bid - markets.offset[m, 1]) * markets.grid[m] < markets.bid_end[m]
        if end.any():
            books.eaten[m, owners - 1, 0] = end.size
            books.left[m, owners - 1, 0] = np.where(end, 0.0, markets.usd[m, 1] / price[m])


def spot_budget(scenario: Scenario, names, markets) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return the share of a maker's cash it may bid with in each spot book of a venue that lends nothing; 0 where margin bounds it."""
    share = np.zeros(markets.venue.size)
    for v, name in enumerate(names.venues):
        if scenario.venue(name).margin.value == "none":
            mine = (markets.venue == v) & ~markets.perp
            share[mine] = 4.0 * markets.depth_usd[mine] / max(markets.depth_usd[mine].sum(), 1.0)
    return share


def build_clock(scenario: Scenario, names, markets, pairs) -> Clockwork:  # type: ignore[no-untyped-def]
    """Return time, fair values of every asset and step, and the links between markets."""
    dt = scenario.clock.step_s
    steps = scenario.clock.steps
    t_s = np.asarray(scenario.clock.start_t_s + dt * np.arange(1, steps + 1), dtype=np.float64)
    rows = [scenario.asset(symbol) for symbol in names.assets[1:]]
    coins = [row.redeems is None for row in rows]
    log_price = np.array([math.log(reference_price(scenario, row.symbol)) for row in rows], dtype=np.float64)
    paths = fair_paths(
        scenario.shock.news,
        scenario.fair_value,
        scenario.seed,
        t_s,
        dt,
        log_price,
        np.array([row.news_beta if coin else 0.0 for row, coin in zip(rows, coins, strict=True)]),
        np.array([row.volatility_1m_bps * 1e-4 if coin else 0.0 for row, coin in zip(rows, coins, strict=True)]),
        np.array([stream_number(row.symbol) for row in rows]),
    )
    fair = np.zeros((steps, len(names.assets)))
    fair[:, 1:] = paths
    for n, row in enumerate(rows):
        if row.redeems is not None:
            base = 0.0 if row.redeems.asset == "USD" else fair[:, names.assets.index(row.redeems.asset)]
            fair[:, n + 1] = base + np.log(row.redeems.units)
    opened, halted = link_rates(scenario, markets, dt)
    ring = max(int(HISTORY_S / dt), HISTORY_S)
    return Clockwork(
        step=0,
        t_s=scenario.clock.start_t_s,
        dt=dt,
        start_t_s=scenario.clock.start_t_s,
        fair=fair,
        history=np.tile(markets.log_reference[:, None], (1, ring)),
        place=0,
        link_rate_open=opened,
        link_rate_halted=halted,
        link_rate=opened.copy(),
        link_pair=np.isin(markets.link_kind, (SPOT_VENUE, REDEMPTION)).astype(np.int64),
        pair_open=np.ones(pairs.first.size, dtype=np.int64),
        halted=np.zeros((len(names.venues), len(names.assets)), dtype=bool),
        funding_due=np.zeros(len(names.venues)),
    )


def build_pending(scenario: Scenario, names, markets) -> Pending:  # type: ignore[no-untyped-def]
    """Return running totals at zero and the capital of informed traders."""
    count, venues = markets.venue.size, len(names.venues)
    return Pending(
        naked=np.zeros(count),
        outside=np.zeros(len(names.assets)),
        fresh=np.where(markets.claim_asset >= 0, 0.0, 1.0),
        informed_capital=scenario.informed.capital_depths * markets.depth_usd,
        topups_usd=np.zeros(venues),
        calls=np.zeros(venues),
        arbitrage_usd=np.zeros(venues),
        deleveraged_last_s=np.full(count, -1e9),
        pool=np.zeros(3),
        claim_cash=np.zeros(count),
        fund_most_usd=np.zeros(len(names.funds)),
        drawn_down=np.zeros(len(names.funds), dtype=np.bool_),
    )


def empty_orders(capacity: int, markets: int) -> Orders:
    """Return an empty table of forced orders."""
    return Orders(
        table=np.zeros((capacity, O_SHARES + N_CAUSES)),
        link=np.full(capacity, -1, dtype=np.int64),
        head=np.full(markets, -1, dtype=np.int64),
        used=np.zeros(2, dtype=np.int64),
    )


def empty_rows(capacity: int) -> Rows:
    """Return an empty liquidation record."""
    return Rows(table=np.zeros((capacity, R_SHARES + N_CAUSES)), used=np.zeros(2, dtype=np.int64))


def empty_scratch(capacity: int, owners: int, venues: int) -> Scratch:
    """Return working arrays of posting and clearing."""
    entries = capacity + Flow.COUNT
    return Scratch(
        entries=np.zeros((2, 5, entries)),
        cause=np.zeros((2, entries), dtype=np.int64),
        source=np.zeros((2, entries), dtype=np.int64),
        order=np.zeros(entries, dtype=np.int64),
        sorting=np.zeros((4, max(entries, DIGITS)), dtype=np.int64),
        owner=np.zeros((4, owners)),
        place=np.zeros((2, owners), dtype=np.int64),
        key=np.zeros((2, owners), dtype=np.int64),
        at=np.zeros((2, owners), dtype=np.int64),
        counts=np.zeros(2, dtype=np.int64),
        rates=np.zeros((len(CLASSES), venues + 2)),
        charge=np.zeros(N_CAUSES),
        by_cause=np.zeros(N_CAUSES),
    )
