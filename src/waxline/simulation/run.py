"""Run a scenario from begin to end and hand over what it left behind."""

from __future__ import annotations

import math
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np
import polars as pl

from waxline import __version__
from waxline.accounts.tables import Cell
from waxline.errors import SimulationLimitError
from waxline.liquidation.parameters import SocialisingRule
from waxline.results.run_result import RunResult
from waxline.results.schema import FORMAT, N_CAUSES, TABLES, table
from waxline.scenario.schema import Scenario
from waxline.simulation.build import build_state
from waxline.simulation.build_accounts import BORROWER
from waxline.simulation.build_markets import LINKS
from waxline.simulation.build_rules import drawdown_of, perps_at_index, pool_terms
from waxline.simulation.deleveraging import write_summed_rows
from waxline.simulation.ledger import Ledger
from waxline.simulation.news_alone import NewsAlone
from waxline.simulation.pool import keeper_books, open_pool, pool_account
from waxline.simulation.portfolios import given_at_once, write_open_rows
from waxline.simulation.recorder import Recorder, account_table, liquidation_table, market_table, named_table
from waxline.simulation.socialising import end_session
from waxline.simulation.state import State
from waxline.simulation.step import halt_times, take_step
from waxline.simulation.waterfall import maker_rows

Progress = Callable[[int, int], None]
POSITIONS_CHECK_STEPS = 10


def open_state(scenario: Scenario) -> State:
    """Build the state and the small working arrays that steps share."""
    state = build_state(scenario)
    slots, count = state.slot_account.shape
    claims = np.flatnonzero((state.markets.claim_asset >= 0) & ~state.markets.perp)
    pools = [v for v, name in enumerate(state.names.venues) if scenario.venue(name).kind.value == "lending_pool"]
    midnight = scenario.clock.t0_utc.replace(hour=0, minute=0, second=0, microsecond=0)
    state.opening.update(
        claim_markets=claims,
        claim_stock={int(m): float(state.cells.quantity[Cell.ARBITRAGE, m]) for m in claims},
        maker_limits=tuple(np.zeros((slots, count)) for _ in range(3)),
        links=np.zeros(LINKS),
        perps=np.flatnonzero(state.markets.perp),
        watched=np.zeros(state.traders.quantity.size + 16, dtype=np.int64),
        pool_venue=pools[0] if pools else -1,
        untouched=np.zeros_like(state.cells.quantity),
        funding={v: scenario.venue(name).funding for v, name in enumerate(state.names.venues) if scenario.venue(name).funding is not None},
        t0_day_s=(scenario.clock.t0_utc - midnight).total_seconds(),
        redemption=np.full(count, np.nan),
        shares=np.zeros(N_CAUSES),
        at_index=perps_at_index(scenario, state.names, state.markets),
        pool_terms=pool_terms(scenario, state.names),
        drawdown=np.array([drawdown_of(scenario, name) for name in state.names.venues]).T,
        take_bound=np.array(scenario.liquidation.take_bound_frac.values()),
        borrowers=np.flatnonzero(state.portfolios.kind == BORROWER),
        maker_rows=maker_rows(state),
        keeper_books=keeper_books(state),
        pool_account=pool_account(state),
        given_at_once=given_at_once(state),
        halt_times=halt_times(scenario),
        socialising=any(venue.socialising is not SocialisingRule.NONE for venue in scenario.venues),
    )
    open_pool(state)
    return state


def widen_tables(state: State) -> None:
    """Double the table of orders or of the record once three quarters of it are used."""
    orders, rows = state.orders, state.rows
    if orders.used[0] > 0.75 * orders.link.size:
        size = orders.link.size
        state.orders = orders._replace(
            table=np.concatenate([orders.table, np.zeros_like(orders.table)]), link=np.concatenate([orders.link, np.full(size, -1, dtype=np.int64)])
        )
    if rows.used[0] > 0.75 * rows.table.shape[0]:
        state.rows = rows._replace(table=np.concatenate([rows.table, np.zeros_like(rows.table)]))


def simulate(scenario: Scenario, progress: Progress | None = None) -> tuple[State, Recorder, Ledger]:
    """Run all steps; raises SimulationLimitError when a table is full, AssertionError when a law is broken."""
    state = open_state(scenario)
    steps = scenario.clock.steps
    recorder, ledger = Recorder(state, steps), Ledger(state)
    for n in range(steps):
        take_step(state)
        recorder.record(state)
        if n % scenario.ledger.every_steps == 0:
            ledger.check(state)
        if n % POSITIONS_CHECK_STEPS == 0:
            ledger.check_positions(state)
        widen_tables(state)
        if state.orders.used[1] or state.rows.used[1]:
            which = "orders" if state.orders.used[1] else "liquidations"
            raise SimulationLimitError(
                f"the table of {which} is full at t = {state.clock.t_s:.0f} s: run fewer accounts (population.traders) or a shorter time (clock.duration_s)"
            )
        if progress is not None:
            progress(n + 1, steps)
    if state.opening["socialising"]:
        end_session(state)
    write_open_rows(state)
    write_summed_rows(state)
    return state, recorder, ledger


def run_scenario(scenario: Scenario, seed: int | None = None, *, progress: Progress | None = None, baseline: bool = True) -> RunResult:
    """Run `scenario` with `seed` (its own if none) and return what it leaves behind.

    With `baseline`, a run without feedback (same seed, same draws) tells what the news alone would have done, in a process beside this one.
    `progress(done, total)` is called after each step of the run itself.
    """
    begun = time.perf_counter()
    if seed is not None:
        scenario = scenario.model_copy(update={"seed": seed})
    twin = NewsAlone(scenario) if baseline and scenario.feedback else None

    def report(done: int, total: int) -> None:
        # Not before the first step: then the kernels are on disk, and the other process need not compile them again.
        if twin is not None and done == 1:
            twin.start()
        if progress is not None:
            progress(done, total)

    try:
        state, recorder, ledger = simulate(scenario, report)
        falls = twin.falls() if twin is not None else None
    finally:
        if twin is not None:
            twin.stop()
    result = assemble(scenario, state, recorder, ledger, time.perf_counter() - begun)
    result.baseline = falls
    return result


def assemble(scenario: Scenario, state: State, recorder: Recorder, ledger: Ledger, wall_s: float) -> RunResult:
    """Return the result of finished steps."""
    series, prices = recorder.series, recorder.prices
    return RunResult(
        manifest=manifest(scenario, wall_s),
        markets=market_table(state, recorder),
        assets=list(state.names.assets),
        t_s=recorder.t_s,
        mid_usd=prices["mid"].T.copy(),
        close_usd=prices["close"].T.copy(),
        low_usd=prices["low"].T.copy(),
        high_usd=prices["high"].T.copy(),
        mark_usd=prices["mark"].T.copy(),
        fair_usd=recorder.fair.T.copy(),
        bin_t_s=recorder.bin_t_s,
        bid_depth_usd=series["bid_depth"].T.copy(),
        ask_depth_usd=series["ask_depth"].T.copy(),
        spread_bps=series["spread"].T.copy(),
        volume_usd=series["volume"].T.copy(),
        open_interest=series["interest"].T.copy(),
        empty_bid_s=series["empty"].T.copy(),
        buyer_cash_usd=series["buyer_cash"].T.copy(),
        maker_quote_frac=series["quote"].T.copy(),
        cause_dlog=np.moveaxis(recorder.causes["dlog"], 0, 1).copy(),
        cause_sold_usd=np.moveaxis(recorder.causes["sold"], 0, 1).copy(),
        cause_bought_usd=np.moveaxis(recorder.causes["bought"], 0, 1).copy(),
        liquidations=liquidation_table(state),
        named=named_table(recorder.named_rows),
        accounts=account_table(state, recorder),
        venues=table("venues", {k: [row[k] for row in recorder.venue_rows] for k in recorder.venue_rows[0]}),
        funds=table("funds", {column.name: [row[column.name] for row in recorder.fund_rows] for column in TABLES["funds"]}),
        liquidation_map=recorder.map if recorder.map is not None else table("map", {"market_id": [], "price_frac": [], "long_usd": [], "short_usd": []}),
        slack=recorder.slack if recorder.slack is not None else empty_slack(),
        ledger=ledger.report(),
        scenario_yaml=scenario.resolved_yaml(),
    )


def empty_slack() -> pl.DataFrame:
    """Return an empty slack table for runs that end before t = -1 s."""
    from waxline.results.schema import empty_table

    return empty_table("slack")


def manifest(scenario: Scenario, wall_s: float) -> dict[str, Any]:
    """Return provenance: version, scenario, seed, machine, versions, time taken."""
    versions = {name: metadata.version(name) for name in ("numpy", "numba", "polars", "pydantic")}
    return {
        "format": FORMAT,
        "version": __version__,
        "status": "complete",
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": scenario.seed,
        "scenario_hash": scenario.hash(),
        "t0_utc": scenario.clock.t0_utc.isoformat(),
        "start_t_s": scenario.clock.start_t_s,
        "end_t_s": scenario.clock.end_t_s,
        "step_s": scenario.clock.step_s,
        "machine": {"system": platform.system(), "processor": platform.machine(), "python": sys.version.split()[0]},
        "versions": versions,
        "wall_s": round(wall_s, 2) if math.isfinite(wall_s) else None,
        "assumptions": assumptions(scenario),
    }


def assumptions(scenario: Scenario) -> list[dict[str, Any]]:
    """Return every parameter whose source says it is assumed: path, value, unit, range, meaning, source."""
    found: list[dict[str, Any]] = []

    def visit(model: Any, path: str) -> None:
        for name, info in type(model).model_fields.items():
            value = getattr(model, name)
            here = f"{path}.{name}" if path else name
            extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            if str(extra.get("source", "")).startswith("assumed") and isinstance(value, int | float) and not isinstance(value, bool):
                low = next((m.ge for m in info.metadata if hasattr(m, "ge")), None)
                high = next((m.le for m in info.metadata if hasattr(m, "le")), None)
                found.append(
                    {"path": here, "value": value, "unit": extra.get("unit"), "range": [low, high], "meaning": info.description, "source": extra.get("source")}
                )
            elif hasattr(type(value), "model_fields"):
                visit(value, here)

    for name in type(scenario).model_fields:
        value = getattr(scenario, name)
        if hasattr(type(value), "model_fields"):
            visit(value, name)
    return found


__all__ = ["run_scenario", "simulate"]
