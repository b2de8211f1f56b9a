"""Read depth, spread, impact and makers' balance sheets off a built state; nothing is traded and nothing is changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.accounts.kernels import counted_value, value_portfolios
from waxline.accounts.lines import requirement_of, slack_of
from waxline.accounts.tables import CASH
from waxline.market.kernels import NO_LEVEL, depth_usd
from waxline.market.ladder import posted_coins
from waxline.market.one_side import Side, walk
from waxline.market.tables import ASK, BID
from waxline.results.opening import Opening
from waxline.scenario.schema import Scenario
from waxline.scenario.world import USD
from waxline.simulation.run import open_state
from waxline.simulation.state import State

Floats = NDArray[np.float64]

DISTANCES_BPS = np.array([2.0, 5.0, 10.0, 20.0, 35.0, 50.0, 75.0, 100.0, 150.0, 200.0, 350.0, 500.0, 1000.0, 2000.0])
SALES_FRAC = np.array([0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.5, 5.0, 10.0])
FALL_STEPS = 400


def look(scenario: Scenario) -> Opening:
    """Return the opening of a scenario: the state its run starts from, read off through the kernels the run uses."""
    return opening_of(open_state(scenario), scenario)


def opening_of(state: State, scenario: Scenario) -> Opening:
    """Return the opening of a state that was built and not stepped; `scenario` is the one it was built from."""
    names, markets = state.names, state.markets
    rows = [scenario.market(name) for name in names.markets]
    depth, spread = book_shapes(state)
    walked, cost, filled = sale_impact(state, SALES_FRAC)
    fee = [scenario.venue(row.venue).taker_fee_bps for row in rows]
    half = markets.half_spread * 1e4
    basis_cost = np.full(len(rows), np.nan)
    for m, sister in enumerate(markets.sister):
        if markets.perp[m] and sister >= 0:
            basis_cost[m] = fee[m] + fee[sister] + half[m] + half[sister]
    return Opening(
        names=list(names.markets),
        venue=[row.venue for row in rows],
        kind=[row.kind.value for row in rows],
        asset=[row.asset for row in rows],
        size_class=[scenario.asset(row.asset).size_class.value for row in rows],
        depth_input_usd=np.array([row.depth_usd for row in rows]),
        spread_input_bps=2.0 * half,
        volatility_input_bps=np.array([scenario.asset(row.asset).volatility_1m_bps for row in rows]),
        basis_cost_bps=basis_cost,
        distance_bps=DISTANCES_BPS,
        depth_usd=depth,
        spread_bps=spread,
        sale_frac=SALES_FRAC,
        walked_bps=walked,
        cost_bps=cost,
        filled_frac=filled,
        makers=maker_sheets(state, scenario),
    )


def book_shapes(state: State) -> tuple[Floats, Floats]:
    """Return cumulative USD [M, 2, D] within the distances of the mid, and the full spread [M] in bps, of the books as posted."""
    markets, books = state.markets, state.books
    depth = np.zeros((markets.venue.size, 2, DISTANCES_BPS.size))
    spread, looked = np.full(markets.venue.size, np.nan), np.zeros_like(books.inside)
    for m, sides, mid in standing(state):
        spread[m] = (sides[ASK].best - sides[BID].best) * sides[BID].grid * 1e4
        for n, bps in enumerate(DISTANCES_BPS):
            depth[m, :, n] = depth_usd(
                m,
                books.base,
                markets.offset,
                markets.relative,
                markets.cumulative,
                books.scale,
                books.eaten,
                books.left,
                looked,
                sides[BID].grid,
                mid,
                bps * 1e-4,
            )
    return depth, spread


def standing(state: State) -> Iterator[tuple[int, tuple[Side, Side], float]]:
    """Yield every market where both sides stand: its number, bids and asks, log mid."""
    markets, base = state.markets, state.books.base
    coins = posted_coins(markets, state.books)
    for m in range(markets.venue.size):
        grid = float(markets.grid[m])
        bids, asks = (Side(side, grid, base[m, :, side], markets.offset[m], coins[m, :, side]) for side in (BID, ASK))
        if bids.best != NO_LEVEL and asks.best != NO_LEVEL:
            yield m, (bids, asks), 0.5 * (bids.best + asks.best) * grid


def sale_impact(state: State, sizes: Floats) -> tuple[Floats, Floats, Floats]:
    """Return for sales of `sizes` [X] times each market's depth: walked bps from the best bid, cost in bps from mid, part filled, each [M, X].

    Each sale walks a copy of the bids by the clearing's own kernel, without limit; NaN where nothing is filled.
    """
    markets = state.markets
    walked, cost, filled = (np.full((markets.venue.size, sizes.size), np.nan) for _ in range(3))
    for m, (bids, _), mid in standing(state):
        for n, size in enumerate(sizes):
            quantity = size * markets.depth_usd[m] / math.exp(mid)
            sale = walk(bids, np.array([quantity]), np.array([-np.inf]))
            if sale.filled[0] > 0.0:
                walked[m, n] = (bids.best * bids.grid - sale.last) * 1e4
                cost[m, n] = (mid - math.log(sale.cash[0] / sale.filled[0])) * 1e4
                filled[m, n] = sale.filled[0] / quantity
    return walked, cost, filled


def maker_sheets(state: State, scenario: Scenario) -> pl.DataFrame:
    """Return the balance sheet of every account of a maker; accounts that quote nothing and own nothing are left out."""
    portfolios, prices, names, markets = state.portfolios, state.prices, state.names, state.markets
    rules = scenario.makers
    distance = fall_to_line(state, scenario)
    posted = posted_usd(state)
    rows = []
    for s, maker in enumerate(sorted(rules.accounts, key=lambda row: row.name)):
        for v in sorted(set(markets.venue.tolist())):
            mine = np.flatnonzero(markets.venue == v)
            p = int(state.slot_account[s, mine[0]])
            held = portfolios.balance[p, 1:]
            pledged, loan = pledged_and_loan(state, scenario, s, v, maker.pledged_share_frac) if rules.pledge else (0.0, 0.0)
            rows.append(
                {
                    "account": names.portfolios[p],
                    "owner": maker.name,
                    "venue": names.venues[v],
                    "pledged_usd": pledged,
                    "coins_usd": float(np.sum(np.maximum(held, 0.0) * np.nan_to_num(prices.asset_price[v, 1:]))),
                    "counted_usd": float(portfolios.collateral_usd[p]),
                    "borrowed_usd": loan,
                    "lent_usd": loan * maker.lent_frac,
                    "debt_usd": float(max(-portfolios.balance[p, CASH], 0.0)),
                    "cash_usd": float(max(portfolios.balance[p, CASH], 0.0)),
                    "equity_usd": float(portfolios.equity[p]),
                    "maintenance_usd": float(requirement_of(portfolios)[p]),
                    "distance_frac": float(distance[p]),
                    "quote_usd": float(posted[s, mine].sum()),
                    "books": int(np.count_nonzero(posted[s, mine] > 0.0)),
                }
            )
    schema = {
        **dict.fromkeys(("account", "owner", "venue"), pl.String),
        **dict.fromkeys(
            ("pledged_usd", "coins_usd", "counted_usd", "borrowed_usd", "lent_usd", "debt_usd", "cash_usd", "equity_usd", "maintenance_usd", "distance_frac"),
            pl.Float64,
        ),
        "quote_usd": pl.Float64,
        "books": pl.Int64,
    }
    table = pl.DataFrame(rows, schema=schema)
    return table.filter((pl.col("quote_usd") > 0.0) | (pl.col("coins_usd") > 0.0) | (pl.col("debt_usd") > 0.0))


def pledged_and_loan(state: State, scenario: Scenario, s: int, v: int, share: float) -> tuple[float, float]:
    """Return (value of the coins maker `s` pledges at venue `v`, loan against them) in USD, by the scenario's rules for both."""
    rules, venue = scenario.makers, state.names.venues[v]
    pledged = loan = 0.0
    for item in scenario.collateral:
        if item.venue == venue:
            usd = item.maker_pledged_usd * share
            pledged += usd
            a = state.names.assets.index(item.asset)
            price = float(state.prices.asset_price[v, a])
            loan += min(rules.loan_to_value_frac * usd, rules.loan_to_margin_frac * counted_value(usd / price, price, v, a, state.venues.haircuts))
    return pledged, loan


def posted_usd(state: State) -> Floats:
    """Return what each maker posts within 1 % of the mid, both sides together, USD [S, M]."""
    out = np.zeros((state.books.base.shape[1], state.markets.venue.size))
    for m, sides, mid in standing(state):
        out[:, m] = sides[BID].depth_usd(mid, 0.01) + sides[ASK].depth_usd(mid, 0.01)
    return out


def fall_to_line(state: State, scenario: Scenario) -> Floats:
    """Return the common fall of all coins at which each portfolio [P] reaches equity <= requirement, as a fraction; NaN where none up to 99 % does.

    Claims on coins fall with them, claims on USD do not; debts and cash stay; spot, marks and collateral prices fall together.
    """
    portfolios, venues, prices, markets = state.portfolios, state.venues, state.prices, state.markets
    falls_with = np.ones(len(state.names.assets), dtype=bool)
    falls_with[CASH] = False
    for a, symbol in enumerate(state.names.assets[1:], 1):
        redeems = scenario.asset(symbol).redeems
        if redeems is not None and redeems.asset == USD:
            falls_with[a] = False
    count = portfolios.venue.size
    out, before, before_f = np.full(count, np.nan), np.full(count, np.nan), 0.0
    for f in np.linspace(0.0, 0.99, FALL_STEPS):
        price = np.where(falls_with[None, :], prices.asset_price * (1.0 - f), prices.asset_price)
        mark = np.where(falls_with[markets.asset], prices.mark * (1.0 - f), prices.mark)
        equity, maintenance, collateral = (np.zeros(count) for _ in range(3))
        value_portfolios(
            portfolios.venue, portfolios.balance, portfolios.position, portfolios.cost, venues.haircuts, portfolios.debt_rate, mark, price, *state.perp_range,
            *state.tiers, portfolios.flat_rate, portfolios.plain, portfolios.closing_fee, equity, maintenance, collateral,
        )  # fmt: skip
        slack = slack_of(portfolios._replace(equity=equity, maintenance=maintenance, collateral_usd=collateral))
        owes = (portfolios.balance[:, CASH] < 0.0) | np.any(portfolios.position != 0.0, axis=1)
        reached = np.isnan(out) & owes & (slack <= 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            between = before_f + (f - before_f) * before / (before - slack)
        out[reached] = np.where(np.isfinite(between), between, f)[reached]
        before, before_f = slack, float(f)
    return out


def calm_overrides(overrides: Sequence[str], hours: float, warm_up_s: float, step_s: float) -> list[str]:
    """Return overrides of a calm time: those asked for, then no news, no halts, and a length of warm-up plus `hours`, in whole steps."""
    steps = math.ceil((hours * 3600.0 + warm_up_s) / step_s - 1e-9)
    return [*overrides, "shock.news=off", "halts=off", f"clock.duration_s={steps * step_s!r}"]
