"""One whole simulation of `oct-2025` with many accounts: 206 books, 3,600 steps that hold the crash, everything switched on, and the tables it leaves behind.

Timed is `simulate` (world built, steps, ledger every 60 steps, positions every 10) and `assemble` (tables of what happened); no run of the news alone beside it, no report.
The share of accounts that were liquidated stands among the ratios, because steps of the crash cost most. Peak memory is that of the process.

Physical estimate: what `case_books` counts per market and step; 16 bytes per account for each of the 60 checks of the ledger and 16 for each of the 360 sums of
open interest; and 232 bytes written and read per row of the record. What forced orders read at random places is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from case_books import READ, WRITTEN
from harness import Work, case

from waxline.scenario.files import load_scenario
from waxline.simulation.run import assemble, simulate

STEPS = 3_600
ROW_BYTES = 232
NOTES: dict[str, float] = {}


class Simulation:
    """Hold a scenario; running it keeps what the estimate needs."""

    def __init__(self, accounts: int) -> None:
        self.scenario = load_scenario("oct-2025", [f"population.traders={accounts}", f"clock.duration_s={STEPS}", "ledger.every_steps=60"])

    def run(self) -> None:
        """Simulate once."""
        state, recorder, ledger = simulate(self.scenario)
        result = assemble(self.scenario, state, recorder, ledger, 0.0)
        triggered = ~np.isnan(state.traders.first_trigger_s[: state.drawn_traders])
        NOTES.update(liquidated_share=float(triggered.mean()), accounts=float(triggered.size), rows=float(result.liquidations.height))


@case("simulation", small=20_000, medium=100_000, large=1_000_000, ratios=lambda _: dict(NOTES))
def simulation(size: int, pool: ThreadPoolExecutor) -> Iterator[Work]:
    """Yield one simulation; the first call, which compiles, has run before."""
    one = Simulation(size)
    one.run()
    markets, rows = len(one.scenario.markets), int(NOTES["rows"])
    sums = 16 * size * (STEPS // 60 + STEPS // 10)
    yield Work(
        "3,600 steps of 206 books", "market-steps", markets * STEPS, one.run, READ * markets * STEPS + sums + ROW_BYTES * rows,
        WRITTEN * markets * STEPS + ROW_BYTES * rows, runs=1,
    )  # fmt: skip
