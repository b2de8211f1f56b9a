"""Record a run: prices each step, books and causes every ten steps, accounts and venues in time, the liquidation record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.accounts.lines import owes, requirement_of, slack_of
from waxline.accounts.tables import CASH, Cell, Status
from waxline.liquidation.kernels import CELL_BASE
from waxline.liquidation.tables import (
    FUND_BASE,
    R_ACCOUNT,
    R_COUNTED,
    R_EQUITY,
    R_GENERATION,
    R_LIMIT,
    R_MARKET,
    R_NOTIONAL,
    R_PAYER,
    R_PROFIT,
    R_QUANTITY,
    R_SHARES,
    R_SHORTFALL,
    R_SIDE,
    R_STAGE,
    R_T_S,
)
from waxline.results.schema import ACCOUNT_STATUS, BIN_STEPS, N_CAUSES, PAYERS, SHARE_COLUMNS, STAGES, table
from waxline.simulation.build_accounts import BORROWER, HOLDER, MAKER, WHALE
from waxline.simulation.ledger import positions_of
from waxline.simulation.pool import pool_figures
from waxline.simulation.state import State
from waxline.simulation.waterfall import by_venue, fund_values

Float32 = NDArray[np.float32]
STATUS_NAMES = {0: "healthy", 1: "called", 2: "healthy", 3: "liquidating", 4: "taken_over", 5: "closed"}
assert set(STATUS_NAMES.values()) == set(ACCOUNT_STATUS)


class Recorder:
    """Collect what a run leaves behind while it goes; `tables` makes the finished tables."""

    def __init__(self, state: State, steps: int) -> None:
        """Reserve arrays for `steps` steps."""
        markets, assets = state.markets.venue.size, len(state.names.assets)
        self.t_s = np.zeros(steps, dtype=np.int64)
        self.prices = {name: np.full((steps, markets), np.nan, dtype=np.float32) for name in ("mid", "close", "low", "high", "mark")}
        self.fair = np.zeros((steps, assets), dtype=np.float32)
        self.bins = (steps + BIN_STEPS - 1) // BIN_STEPS
        names = ("bid_depth", "ask_depth", "spread", "volume", "interest", "empty", "buyer_cash", "quote")
        self.series = {name: np.zeros((self.bins, markets), dtype=np.float32) for name in names}
        self.causes = {name: np.zeros((self.bins, markets, N_CAUSES), dtype=np.float32) for name in ("dlog", "sold", "bought")}
        self.bin_t_s = np.zeros(self.bins, dtype=np.int64)
        self.sums = {name: np.zeros(markets) for name in ("bid_depth", "ask_depth", "spread", "spread_n", "volume", "empty", "quote")}
        self.cause_sums = {name: np.zeros((markets, N_CAUSES)) for name in ("dlog", "sold", "bought")}
        self.counted = 0
        self.named = named_columns(state)
        self.named_rows: list[dict[str, Any]] = []
        self.venue_rows: list[dict[str, Any]] = []
        self.equity_before: NDArray[np.float64] | None = None
        self.trader_equity_before: NDArray[np.float64] | None = None
        self.slack: pl.DataFrame | None = None
        self.map: pl.DataFrame | None = None
        self.reference = np.exp(state.books.mid)
        self.vault_start = by_venue(state, fund_values(state)[0])
        self.fund_rows: list[dict[str, Any]] = []
        self.calm_quote = state.makers.share[:-2].sum(axis=0)

    def record(self, state: State) -> None:
        """Keep the state at the end of a step."""
        k, books = state.clock.step - 1, state.books
        self.t_s[k] = round(state.clock.t_s)
        self.prices["mid"][k] = np.exp(books.mid)
        self.prices["close"][k] = books.last
        self.prices["low"][k] = books.low
        self.prices["high"][k] = books.high
        self.prices["mark"][k] = np.where(state.markets.perp, state.prices.mark, np.nan)
        self.fair[k] = np.exp(state.clock.fair[k])
        sums = self.sums
        spread = (books.best_ask - books.best_bid) * 1e4
        shown = np.isfinite(spread)
        sums["bid_depth"] += books.depth_bid_usd
        sums["ask_depth"] += books.depth_ask_usd
        sums["spread"] += np.where(shown, spread, 0.0)
        sums["spread_n"] += shown
        sums["volume"] += books.traded_usd
        sums["empty"] += np.isneginf(books.best_bid) * state.clock.dt
        shown_part = (state.makers.share[:-1][:, state.markets.size_class] * books.size_frac[:-1]).sum(axis=0)
        sums["quote"] += shown_part / np.maximum(self.calm_quote[state.markets.size_class], 1e-12)
        self.cause_sums["dlog"] += state.causes.step
        self.cause_sums["sold"] += state.causes.sold_usd
        self.cause_sums["bought"] += state.causes.bought_usd
        self.counted += 1
        if self.counted == BIN_STEPS or state.clock.step == self.t_s.size:
            self.close_bin(state, k // BIN_STEPS)
        if self.slack is None and state.clock.t_s >= -1.0:
            self.before_the_shock(state)

    def close_bin(self, state: State, b: int) -> None:
        """Write the sums of the last steps as one bin."""
        n, sums, series = max(self.counted, 1), self.sums, self.series
        series["bid_depth"][b] = sums["bid_depth"] / n
        series["ask_depth"][b] = sums["ask_depth"] / n
        with np.errstate(invalid="ignore", divide="ignore"):
            series["spread"][b] = np.where(sums["spread_n"] > 0, sums["spread"] / sums["spread_n"], np.nan)
        series["volume"][b] = sums["volume"]
        series["empty"][b] = sums["empty"]
        series["quote"][b] = sums["quote"] / n
        series["buyer_cash"][b] = state.cells.cash[Cell.VALUE_BUYER]
        series["interest"][b], _ = positions_of(state)
        for name, values in self.cause_sums.items():
            self.causes[name][b] = values
            values[:] = 0.0
        for total in sums.values():
            total[:] = 0.0
        self.counted = 0
        self.bin_t_s[b] = round(state.clock.t_s)
        self.named_rows.append(named_rows(state, self.named))
        self.venue_rows += venue_rows(state, self.vault_start)
        self.fund_rows += fund_rows(state)

    def before_the_shock(self, state: State) -> None:
        """Keep balance sheets, slack and the liquidation map as they are one second before t = 0."""
        portfolios, traders = state.portfolios, state.traders
        self.reference = np.exp(state.books.mid)
        self.equity_before = portfolios.equity.copy()
        mark = state.prices.mark[traders.market]
        self.trader_equity_before = traders.cash + traders.quantity * mark - traders.cost
        rows = np.flatnonzero(owes(portfolios))
        gross = np.abs(portfolios.position) @ state.prices.mark + np.maximum(portfolios.balance[:, 1:], 0.0).sum(axis=1) * 0.0
        held = np.array(
            [np.sum(np.maximum(portfolios.balance[p, 1:], 0.0) * state.prices.asset_price[portfolios.venue[p], 1:]) for p in range(portfolios.venue.size)]
        )
        gross = gross + held
        self.slack = table(
            "slack",
            {
                "account": global_ids(state)[rows],
                "name": [state.names.portfolios[p] for p in rows],
                "kind": [state.names.portfolio_kinds[p] for p in rows],
                "venue": [state.names.venues[portfolios.venue[p]] for p in rows],
                "equity_usd": portfolios.equity[rows],
                "maintenance_usd": requirement_of(portfolios)[rows],
                "slack_frac": slack_of(portfolios)[rows] / np.maximum(gross[rows], 1.0),
                "topups_24h_usd": portfolios.topups[rows],
            },
        )
        self.map = liquidation_map(state)


def global_ids(state: State) -> NDArray[np.int64]:
    """Return account numbers of portfolios: they follow the traders."""
    return state.traders.quantity.size + np.arange(state.portfolios.venue.size, dtype=np.int64)


def liquidation_map(state: State) -> pl.DataFrame:
    """Return the notional registered per market at price levels of 1 % of the reference, longs and shorts."""
    columns: dict[str, list[NDArray[Any]]] = {"market_id": [], "price_frac": [], "long_usd": [], "short_usd": []}
    mid = np.exp(state.books.mid)
    for m in np.flatnonzero(state.markets.perp):
        grid: dict[int, list[float]] = {}
        for n, watch in enumerate((state.longs, state.shorts)):
            part = slice(int(watch.start[m]), int(watch.start[m + 1]))
            level = np.floor(watch.level[part] / mid[m] * 100.0)
            usd = np.abs(state.traders.quantity[watch.account[part]]) * mid[m]
            for value, amount in zip(level, usd, strict=True):
                if 0 <= value <= 300:
                    grid.setdefault(int(value), [0.0, 0.0])[n] += float(amount)
        keys = sorted(grid)
        columns["market_id"].append(np.full(len(keys), m))
        columns["price_frac"].append(np.array(keys) / 100.0)
        columns["long_usd"].append(np.array([grid[k][0] for k in keys]))
        columns["short_usd"].append(np.array([grid[k][1] for k in keys]))
    return table("map", {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in columns.items()})


def named_columns(state: State) -> dict[str, Any]:
    """Return the columns of makers, whales and funds that never change: their rows among the portfolios and what they are called."""
    portfolios, names = state.portfolios, state.names
    rows = np.flatnonzero(np.isin(portfolios.kind, (MAKER, WHALE)))
    markets_of = [np.flatnonzero(state.markets.venue == v) for v in range(len(names.venues))]
    quoted = [(n, int(portfolios.owner[p]), markets_of[portfolios.venue[p]]) for n, p in enumerate(rows) if portfolios.kind[p] == MAKER]
    return {
        "rows": rows,
        "quoted": [(n, owner, mine) for n, owner, mine in quoted if mine.size],
        "account": global_ids(state)[rows],
        "name": [names.portfolios[p] for p in rows],
        "owner": [names.owners[portfolios.owner[p]] for p in rows],
        "venue": [names.venues[portfolios.venue[p]] for p in rows],
        "kind": [names.portfolio_kinds[p] for p in rows],
    }


def named_rows(state: State, fixed: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of one row per maker, whale and fund as of now; `fixed` from `named_columns`."""
    portfolios, prices, rows = state.portfolios, state.prices, fixed["rows"]
    perp = portfolios.position[rows] @ prices.mark
    pnl = perp - portfolios.cost[rows].sum(axis=1)
    held = (portfolios.balance[rows, 1:] * np.nan_to_num(prices.index[:, 1:])[portfolios.venue[rows]]).sum(axis=1)
    quote = np.full(rows.size, np.nan)
    for n, owner, mine in fixed["quoted"]:
        quote[n] = float(np.mean(state.books.size_frac[owner, mine]))
    return {
        "t_s": np.full(rows.size, round(state.clock.t_s)),
        **{name: fixed[name] for name in ("account", "name", "owner", "venue", "kind")},
        "equity_usd": portfolios.equity[rows],
        "maintenance_usd": requirement_of(portfolios)[rows],
        "collateral_usd": portfolios.collateral_usd[rows],
        "debt_usd": np.maximum(-portfolios.balance[rows, CASH], 0.0),
        "perp_pnl_usd": pnl,
        "spot_delta_usd": held,
        "perp_delta_usd": perp,
        "quote_frac": quote,
        "topups_usd": portfolios.topups[rows],
        "reserve_usd": portfolios.reserve[rows],
        "status": [STATUS_NAMES[int(status)] for status in portfolios.status[rows]],
    }


def named_table(parts: list[dict[str, Any]]) -> pl.DataFrame:
    """Return the table of makers, whales and funds from its parts in time."""
    columns = {key: [part[key] for part in parts] for key in parts[0]}
    joined = {key: np.concatenate(many) if isinstance(many[0], np.ndarray) else [one for part in many for one in part] for key, many in columns.items()}
    return table("named", joined)


def venue_rows(state: State, start: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return one row per venue as of now."""
    equity, gross = (by_venue(state, values) for values in fund_values(state))
    used, rate = pool_figures(state)
    rows = []
    for v, name in enumerate(state.names.venues):
        vault = bool(state.venues.has_vault[v])
        pool = state.scenario.venue(name).kind.value == "lending_pool"
        rows.append(
            {
                "t_s": round(state.clock.t_s),
                "venue": name,
                "fund_usd": 0.0 if vault else float(equity[v]),
                "fund_inventory_usd": float(gross[v]),
                "vault_usd": float(equity[v]) if vault else 0.0,
                "vault_pnl_usd": float(equity[v] - start[v]) if vault else 0.0,
                "adl_usd": float(state.venues.deleveraged_usd[v]),
                "bad_debt_usd": float(state.venues.bad_debt_usd[v]),
                "socialised_usd": float(state.venues.socialised_usd[v]),
                "transfers_open": bool(state.venues.open[v]),
                "orders_slowed": bool(state.venues.speed[v] < 1.0),
                "pool_liquidated_usd": float(state.pending.pool[0]) if pool else 0.0,
                "pool_bonus_usd": float(state.pending.pool[1]) if pool else 0.0,
                "pool_bad_debt_usd": float(state.pending.pool[2]) if pool else 0.0,
                "pool_utilisation": used if pool else 0.0,
                "pool_rate": rate if pool else 0.0,
                "arbitrage_usd": float(state.pending.arbitrage_usd[v]),
                "topups_usd": float(state.pending.topups_usd[v]),
                "margin_calls": float(state.pending.calls[v]),
            }
        )
    return rows


def fund_rows(state: State) -> list[dict[str, Any]]:
    """Return one row per insurance fund or vault as of now, for venues with perps."""
    equity, gross = fund_values(state)
    perps = set(state.markets.venue[state.markets.perp].tolist())
    rows = []
    for f, name in enumerate(state.names.funds):
        v = int(state.venues.fund_venue[f])
        if v in perps:
            drawn = bool(state.pending.drawn_down[f])
            venue = state.names.venues[v]
            values = {"fund_usd": float(equity[f]), "fund_inventory_usd": float(gross[f]), "drawn_down": drawn}
            rows.append({"t_s": round(state.clock.t_s), "venue": venue, "fund": name, **values})
    return rows


def words(choices: Sequence[str | None], codes: NDArray[np.int64]) -> pl.Series:
    """Return choices[code] for every code: text kept once per choice, not once per row."""
    return pl.Series(choices, dtype=pl.String).gather(codes)


def account_kinds(state: State, ids: NDArray[np.int64]) -> tuple[pl.Series, pl.Series, NDArray[np.int64]]:
    """Return kind, name and global number of accounts given as in orders and rows (trader, 10**9 + cell, FUND_BASE + venue, -1 - portfolio)."""
    names, portfolios, count = state.names, state.portfolios, state.traders.quantity.size
    large = portfolios.venue.size
    fund, trader, portfolio = ids >= FUND_BASE, (ids >= 0) & (ids < CELL_BASE), ids < 0
    cell = ~fund & ~trader & ~portfolio
    kinds = ["fund", "holder", "trader", "tranche", *names.portfolio_kinds]
    kind = np.select([fund, cell, trader], [0, 1, np.where(ids < state.drawn_traders, 2, 3)], 4 - 1 - ids)
    called = [None, "carry book", "shorts without leverage", *(f"fund of {venue}" for venue in names.venues)]
    own = [name if k != BORROWER else None for name, k in zip(names.portfolios, portfolios.kind, strict=True)]
    name = np.select(
        [fund, cell, trader], [3 + ids - FUND_BASE, np.where(ids == CELL_BASE + Cell.CARRY, 1, 2), np.zeros_like(ids)], 3 + len(names.venues) - 1 - ids
    )
    number = np.select([fund, cell, trader], [count + large + Cell.COUNT + ids - FUND_BASE, count + large + ids - CELL_BASE, ids], count - 1 - ids)
    return words(kinds, kind), words([*called, *own], name), number


def liquidation_table(state: State) -> pl.DataFrame:
    """Return the liquidation record as a table."""
    rows = state.rows.table[: int(state.rows.used[0])]
    order = np.argsort(rows[:, R_T_S], kind="stable")
    # Column by column: a sorted copy of the whole record would be as large again.
    account, market, stage, payer = (rows[order, column].astype(np.int64) for column in (R_ACCOUNT, R_MARKET, R_STAGE, R_PAYER))
    kinds, names, numbers = account_kinds(state, account)
    venue_of = np.where(market >= 0, state.markets.venue[market], 0)
    portfolio_venue = (
        np.where(account < 0, state.portfolios.venue[np.where(account < 0, -1 - account, 0)], 0) if state.portfolios.venue.size else np.zeros_like(account)
    )
    venue_of = np.where((market < 0) & (account < 0), portfolio_venue, venue_of)
    venue_of = np.where(account >= FUND_BASE, account - FUND_BASE, venue_of)
    quantity, notional = rows[order, R_QUANTITY], rows[order, R_NOTIONAL]
    venue_of = np.where(stage == STAGES.index("pool_liquidation"), portfolio_venue, venue_of)
    with np.errstate(invalid="ignore", divide="ignore"):
        price = np.where(quantity > 0.0, notional / quantity, np.nan)
    columns: dict[str, Any] = {
        "t_s": rows[order, R_T_S],
        "account": numbers,
        "account_kind": kinds,
        "account_name": names,
        "venue": words(state.names.venues, venue_of),
        "stage": words(STAGES, stage),
        "market_id": market,
        "asset": words([*state.names.assets, "USD"], np.where(market >= 0, state.markets.asset[market], len(state.names.assets))),
        "side": rows[order, R_SIDE],
        "quantity": quantity,
        "price_usd": price,
        "notional_usd": notional,
        "weight": np.where((account >= 0) & (account < CELL_BASE), state.people, 1.0),
        "equity_usd": rows[order, R_EQUITY],
        "profit_frac": rows[order, R_PROFIT],
        "limit_usd": rows[order, R_LIMIT],
        "shortfall_usd": rows[order, R_SHORTFALL],
        "payer": words([*PAYERS, None], np.where(payer >= 0, payer, len(PAYERS))),
        "generation": rows[order, R_GENERATION],
        "counted": rows[order, R_COUNTED].astype(bool),
    }
    for c, name in enumerate(SHARE_COLUMNS):
        columns[name] = rows[order, R_SHARES + c].astype(np.float32)
    return table("liquidations", columns)


def account_table(state: State, recorder: Recorder) -> pl.DataFrame:
    """Return the final row of every account."""
    traders, portfolios = state.traders, state.portfolios
    used = state.drawn_traders + state.pending.tranche_next
    mark = state.prices.mark[traders.market]
    equity = traders.cash + traders.quantity * mark - traders.cost
    before = recorder.trader_equity_before if recorder.trader_equity_before is not None else equity
    large = np.arange(portfolios.venue.size, dtype=np.int64)
    before_p = recorder.equity_before if recorder.equity_before is not None else portfolios.equity
    return table(
        "accounts",
        {
            "account": np.concatenate([np.arange(used), global_ids(state)]),
            "kind": words(["trader", "tranche", *state.names.portfolio_kinds], np.concatenate([1 * (np.arange(used) >= state.drawn_traders), 2 + large])),
            "name": words([None, *state.names.portfolios], np.concatenate([np.zeros(used, dtype=np.int64), 1 + large])),
            "venue": words(state.names.venues, np.concatenate([state.markets.venue[traders.market[:used]], portfolios.venue])),
            "weight": np.concatenate([np.full(used, state.people), np.ones(portfolios.venue.size)]),
            "equity_before_usd": np.concatenate([before[:used], before_p]),
            "equity_end_usd": np.concatenate([equity[:used], portfolios.equity]),
            "liquidated_usd": np.concatenate([traders.liquidated_usd[:used], portfolios.liquidated_usd]),
            "negative_equity_usd": np.concatenate([traders.negative_usd[:used], portfolios.negative_usd]),
            "first_trigger_t_s": np.concatenate([traders.first_trigger_s[:used], portfolios.first_trigger_s]),
            "by_perp_frac": np.concatenate([np.where(np.isnan(traders.first_trigger_s[:used]), np.nan, 1.0), portfolios.perp_part]),
        },
    )


def market_table(state: State, recorder: Recorder) -> pl.DataFrame:
    """Return the table of markets."""
    scenario, markets = state.scenario, state.markets
    rows = [scenario.market(name) for name in state.names.markets]
    assets = [scenario.asset(row.asset) for row in rows]
    return table(
        "markets",
        {
            "market_id": np.arange(len(rows)),
            "name": state.names.markets,
            "venue": [row.venue for row in rows],
            "kind": [row.kind.value for row in rows],
            "asset": [row.asset for row in rows],
            "asset_kind": [row.kind.value for row in assets],
            "size_class": [row.size_class.value for row in assets],
            "pairs": [float(scenario.pairs_of(row)) for row in rows],
            "reference_usd": recorder.reference,
            "depth_usd": [row.depth_usd for row in rows],
            "open_interest_usd": [row.open_interest_usd for row in rows],
            "sister_id": markets.sister,
            "redeems_asset": [row.redeems.asset if row.redeems else None for row in assets],
            "redeems_units": [float(row.redeems.units) if row.redeems else math.nan for row in assets],
        },
    )


__all__ = ["HOLDER", "Recorder", "Status"]
