"""How much memory a run will take, said before it starts; what cannot fit is refused with what would."""

from __future__ import annotations

import os
from pathlib import Path

from waxline.agents.tables import Flow
from waxline.errors import SimulationLimitError
from waxline.liquidation.tables import R_SHARES
from waxline.market.tables import O_SHARES
from waxline.results.schema import BIN_STEPS, N_CAUSES
from waxline.scenario.schema import Scenario

BASE_BYTES = 260_000_000
"""Interpreter, libraries and compiled kernels."""
TRADER_BYTES = 13 * 8 + 2 * 16 + 2 * 8
"""Columns of a trader, its place in the watch ladders of both sides, places in two lists."""
ROW_BYTES = 8 * (R_SHARES + N_CAUSES) + 230 + 230
"""A row of the record while it is kept, in the finished table, and in what the summary selects of it."""
ORDER_BYTES = 8 * (O_SHARES + N_CAUSES)
ROWS_PER_TRADER, ORDERS_PER_TRADER = 2.5, 0.5
"""Rows and orders of a run in which three traders in ten are liquidated, per trader of all."""
PRICES_PER_STEP = 5
BOOK_BYTES = 2 * 8 * (8 * 40 + 4 * 300)
"""Both sides of a book: rungs of its owners, and tables of its two shapes."""
SAY_FROM_BYTES = 2_000_000_000


def expected_bytes(scenario: Scenario) -> int:
    """Return about how many bytes of memory a run takes at its peak: traders, record, orders, series of every market and account with many assets.

    Compared with measured peaks in tests/test_memory.py.
    """
    markets, steps = len(scenario.markets), scenario.clock.steps
    accounts = scenario.whales.holders + scenario.whales.holders_second + scenario.pool.borrowers
    traders = scenario.population.traders * (TRADER_BYTES + ROWS_PER_TRADER * ROW_BYTES + ORDERS_PER_TRADER * ORDER_BYTES)
    series = steps * markets * PRICES_PER_STEP * 4 + steps / BIN_STEPS * markets * (3 * N_CAUSES + 8) * 4 + steps * len(scenario.assets) * 12
    return int(BASE_BYTES + traders + 2.0 * series + accounts * (2 * markets + 2 * len(scenario.assets)) * 8 + markets * (BOOK_BYTES + Flow.COUNT * 64))


def available_bytes() -> int | None:
    """Return how many bytes of memory are free for use on this machine; None where it does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def memory_line(scenario: Scenario, free: int | None) -> str | None:
    """Return what to say before a large run, None for others; raises SimulationLimitError where it cannot fit in `free` bytes."""
    needed = expected_bytes(scenario)
    if free is not None and needed > free:
        per_trader = TRADER_BYTES + ROWS_PER_TRADER * ROW_BYTES + ORDERS_PER_TRADER * ORDER_BYTES
        fits = int((free - (needed - scenario.population.traders * per_trader)) / per_trader)
        advice = f"--set population.traders={fits // 1000 * 1000} would fit" if fits >= 1000 else "a shorter run (clock.duration_s) or fewer markets are needed"
        raise SimulationLimitError(
            f"this run needs about {needed / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free: {scenario.population.traders:,} traders, "
            f"{len(scenario.markets)} markets, {scenario.clock.steps:,} steps; {advice}"
        )
    if needed < SAY_FROM_BYTES:
        return None
    there = f" of {free / 1e9:.1f} GB free" if free is not None else ""
    return f"a large run: about {needed / 1e9:.1f} GB of memory{there}, {scenario.population.traders:,} traders, {scenario.clock.steps:,} steps"
