"""Whole simulations: paths of a venue with 20 assets (spot and perp of each), 20,000 accounts, 3,600 steps and a shock, in one process and in two.

A path is `run_scenario` with a seed of its own: it builds the world, steps it, checks the ledger and assembles tables; no run of the news alone beside it. Processes
are spawned and have run one path before the clock starts. Parallel efficiency is the speed of two over twice the speed of one.

Physical estimate: what `case_books` counts per market and step, and 16 bytes per account written once when the world is built. Everything else that a step does
is interpreter and small tables: the ratio says how much that is.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

from case_books import READ, WRITTEN
from harness import Work, case

from waxline.scenario.files import parse_scenario
from waxline.simulation.run import run_scenario

ASSETS, ACCOUNTS, STEPS, PROCESSES = 20, 20_000, 3_600, 2
RUNS = 3
HEAD = """\
name: twenty
title: Twenty assets on one venue
sources: {A: "assumed: round numbers for a measurement"}
clock: {start_utc: 2025-10-10T20:49:50Z, t0_utc: 2025-10-10T20:50:00Z, duration_s: DURATION, step_s: 1}
shock: {news: {size: 0.12, legs: [{at_s: 0, share_frac: 1.0, rise_tau_s: 120, decay_tau_s: 1500, lasting_frac: 0.75}]}}
venues:
  - {name: venue, kind: exchange, margin: unified, taker_fee_bps: 5, maker_fee_bps: 2, fund_usd: 3e7, index: {weights: {venue: 1}}, deleveraging: profit_times_leverage, source: A}
tiers:
  - {name: alt, steps: [[2e5, 0.01], [1e6, 0.025], [5e6, 0.05]], source: A}
population: {traders: TRADERS}
whales: {named: []}
pool: {collateral_usd: {C0: 2e7}, venues: [venue]}
"""


def scenario_text(assets: int = ASSETS, accounts: int = ACCOUNTS, steps: int = STEPS) -> str:
    """Return the scenario as text: each asset with a spot and a perp market, depths falling with rank."""
    lines = [HEAD.replace("DURATION", f"{steps}s").replace("TRADERS", str(accounts)), "assets:"]
    sizes = ["btc_eth" if n < 2 else ("major" if n < 6 else ("mid" if n < 12 else "small")) for n in range(assets)]
    for n, size in enumerate(sizes):
        lines.append(
            f"  - {{symbol: C{n}, size_class: {size}, price_usd: {10.0 + n}, news_beta: {1.0 + 0.05 * n:.2f}, volatility_1m_bps: {10 + n}, source: A}}"
        )
    lines.append("markets:")
    for n in range(assets):
        depth = 2e7 / (n + 1)
        lines.append(f"  - {{venue: venue, asset: C{n}, kind: spot, depth_usd: {depth:.0f}, source: A}}")
        perp = f"depth_usd: {3.0 * depth:.0f}, open_interest_usd: {60.0 * depth:.0f}, tiers: alt, max_leverage: 50"
        lines.append(f"  - {{venue: venue, asset: C{n}, kind: perp, {perp}, source: A}}")
    return "\n".join([*lines, ""])


def run_paths(text: str, seeds: list[int]) -> int:
    """Run a path per seed and return how many liquidations there were in all."""
    scenario = parse_scenario(text, (), "twenty.yaml")
    return sum(run_scenario(scenario, seed, baseline=False).liquidations.height for seed in seeds)


def share_out(workers: ProcessPoolExecutor, count: int, text: str, seeds: list[int]) -> int:
    """Run the paths in `count` processes, every other one in each."""
    return sum(workers.map(partial(run_paths, text), [seeds[n::count] for n in range(count)]))


def efficiency(found: list[dict[str, Any]]) -> dict[str, float]:
    """Return the speed of two processes over that of one, and over twice that of one."""
    one, two = (next(work["per_s_median"] for work in found if work["threads"] == count) for count in (1, PROCESSES))
    return {"two_processes_vs_one": two / one, "parallel_efficiency": two / (PROCESSES * one)}


@case("paths", small=2, medium=4, large=20, ratios=efficiency)
def paths(size: int, pool: ThreadPoolExecutor) -> Iterator[Work]:
    """Yield `size` paths a run, in one process and in two."""
    text = scenario_text()
    read, written = (size * (2 * ASSETS * STEPS * part + 16 * ACCOUNTS) for part in (READ, WRITTEN))
    spawn = multiprocessing.get_context("spawn")
    for count, bar in ((1, None), (PROCESSES, 8.0)):
        with ProcessPoolExecutor(count, mp_context=spawn) as workers:
            share_out(workers, count, text, list(range(count)))
            run = partial(share_out, workers, count, text, list(range(1, size + 1)))
            yield Work(f"whole paths, {count} process{'es' if count > 1 else ''}", "paths", size, run, read, written, count, bar, runs=RUNS)
