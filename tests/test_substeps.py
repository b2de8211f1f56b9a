"""Shorter steps, as a second cleared in four or in sixteen batches, give the same falls: rates are per second, not per step."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from small_world import scenario
from waxline.simulation.run import run_scenario

SEEDS = (1, 2, 3, 4)
CRASH = ("shock.news.size=0.25", "clock.duration_s=8m", "ledger.every_steps=60")


def falls_and_liquidated(step_s: float) -> NDArray[np.float64]:
    """Return per seed the deepest fall of each market (part of its reference) and, last, what was liquidated in USD."""
    found = []
    for seed in SEEDS:
        run = run_scenario(scenario(*CRASH, f"clock.step_s={step_s}"), seed=seed, baseline=False)
        lowest = np.nanmin(run.low_usd, axis=1)
        rows = run.liquidations
        found.append([*(1.0 - lowest / run.markets["reference_usd"].to_numpy()), float(rows.filter(rows["counted"])["notional_usd"].sum())])
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("step_s", [0.25, 0.0625])
def test_falls_and_sums_are_those_of_steps_of_a_second(step_s: float) -> None:
    whole, finer = falls_and_liquidated(1.0), falls_and_liquidated(step_s)
    noise = whole[:, :-1].std(axis=0, ddof=1)
    assert np.all(whole[:, :-1].mean(axis=0) > 0.05), "all markets fell"
    assert np.all(np.abs(finer[:, :-1].mean(axis=0) - whole[:, :-1].mean(axis=0)) <= 2.0 * noise + 0.01)
    # Paired seeds: what is liquidated differs by less than between seeds.
    assert np.all(np.abs(finer[:, -1] / whole[:, -1] - 1.0) < whole[:, -1].std(ddof=1) / whole[:, -1].mean())
