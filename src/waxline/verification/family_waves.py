"""Checks of the real waves of deleveraging of 10 October 2025: what was needed, what the queue and the alternatives took.

The files hold, per wave, what each policy took and the largest part it took of anyone's equity, and per wave and coin the gap between mark and
execution price with the coins closed. Positions of winners are not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waxline.liquidation import rules_regret
from waxline.verification.court import Check, Computed
from waxline.verification.shared_data import numbers_of

POLICIES_FILE, COINS_FILE, SHOCKS_FILE = "policy_per_wave_metrics.csv", "two_pass_wave_coin_gap_per_contract.csv", "per_shock_metrics_queue.csv"


def needed_by_wave(folder: Path) -> dict[int, float]:
    """Return wave -> USD that winners had to give up, from gaps and coins."""
    rows = numbers_of(folder / COINS_FILE, ("wave", "gap_per_contract_usd", "qty_contracts"))
    waves: dict[int, tuple[list[float], list[float]]] = {}
    for wave, gap, coins in zip(*rows.values(), strict=True):
        gaps, held = waves.setdefault(int(wave), ([], []))
        gaps.append(gap)
        held.append(coins)
    return {wave: rules_regret.needed_haircut(*columns) for wave, columns in waves.items()}


def regrets(inputs: Mapping[str, Any]) -> Computed:
    """Compute tracking, fairness and whole regret of every policy over the waves, against what the coins say was needed."""
    folder = inputs["folder"]
    by_wave = needed_by_wave(folder)
    suffixes = inputs["policies"].values()
    names = ("wave", *(f"{figure}_{suffix}" for suffix in suffixes for figure in ("budget", "max_pct")))
    rows = numbers_of(folder / POLICIES_FILE, names)
    needed = [by_wave[int(wave)] for wave in rows["wave"]]
    fairest = rows[f"max_pct_{inputs['fairest']}"]
    figures: dict[str, Any] = {}
    for policy, suffix in inputs["policies"].items():
        tracking = rules_regret.tracking_regret(rows[f"budget_{suffix}"], needed)
        fairness = rules_regret.fairness_regret(rows[f"max_pct_{suffix}"], fairest, needed)
        figures[policy] = [tracking, fairness, tracking + fairness]
    figures["overshoot"] = sum(rows[f"budget_{inputs['production']}"]) - sum(needed)
    figures["queue_overshoot"] = sum(numbers_of(folder / SHOCKS_FILE, ("overshoot_queue_usd",))["overshoot_queue_usd"])
    return Computed(figures)


def envelope(inputs: Mapping[str, Any]) -> Computed:
    """Compute the bound on the regret from deficits and from the severities that were needed."""
    folder = inputs["folder"]
    by_wave = needed_by_wave(folder)
    rows = numbers_of(folder / POLICIES_FILE, ("wave", "deficit_usd"))
    deficits = rows["deficit_usd"]
    severities = [rules_regret.severity(by_wave[int(wave)], deficit) for wave, deficit in zip(rows["wave"], deficits, strict=True)]
    length = rules_regret.path_length(severities)
    return Computed(
        {"P": length, "sqrt_sum_D2": rules_regret.regret_bound(0.0, deficits), "bound_musd": rules_regret.regret_bound(length, deficits) / 1e6},
    )


CHECKS: dict[str, Check] = {"ADL-13-regret-table": regrets, "ADL-14-envelope": envelope}
