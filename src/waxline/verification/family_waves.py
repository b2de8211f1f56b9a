"""Checks of the real waves of deleveraging of 10 October 2025: what was needed, what the queue and the alternatives took.

The files hold, per wave, what each policy took and the largest part it took of anyone's equity, and per wave and coin the gap between mark and
execution price with the coins closed. Positions of winners are not among them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from waxline.analysis import concentration, estimators
from waxline.liquidation import rules_regret
from waxline.verification.court import Check, Computed
from waxline.verification.shared_data import DataFileError, numbers_of

POLICIES_FILE, COINS_FILE, SHOCKS_FILE = "policy_per_wave_metrics.csv", "two_pass_wave_coin_gap_per_contract.csv", "per_shock_metrics_queue.csv"
USERS_FILE, REPLAYED_COINS_FILE, TIMING_FILE = "adl_by_user_REALTIME.csv", "adl_by_coin_REALTIME.csv", "cascade_timing_results.json"


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


def counts_by_minute(seconds: Sequence[int], counts: Sequence[int]) -> list[int]:
    """Return the sums of `counts` per whole minute of `seconds`, from minute 0 to the last that has any."""
    sums = [0] * (max(seconds, default=-60) // 60 + 1)
    for second, count in zip(seconds, counts, strict=True):
        sums[second // 60] += count
    return sums


def _batches(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / TIMING_FILE).read_text(encoding="utf-8"))
        seconds, events = ([int(batch[name]) for batch in found["timeline"]] for name in ("second", "liquidations"))
        if not seconds or min(seconds) < 0:
            raise ValueError("its timeline is empty or begins before second 0")
        return {"delay": float(found["delay_seconds"]), "second": seconds, "events": events}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataFileError(f"{folder / TIMING_FILE}: cannot be read ({error}): take the file from the source that the check names") from error


def totals(inputs: Mapping[str, Any]) -> Computed:
    """Compute events and USD of the published replay: sums over users, coins and batches."""
    folder = inputs["folder"]
    users = numbers_of(folder / USERS_FILE, ("adl_notional", "closed_pnl", "num_adl_events"))
    coins = np.array(numbers_of(folder / REPLAYED_COINS_FILE, ("adl_notional",))["adl_notional"])
    batches = _batches(folder)
    figures = {
        "liq_events": sum(batches["events"]),
        "adl_events": math.fsum(users["num_adl_events"]),
        "adl_notional": math.fsum(users["adl_notional"]),
        "adl_realized_pnl": math.fsum(users["closed_pnl"]),
        "first_adl_delay_s": batches["delay"],
        "tickers": coins.size,
        f"top{inputs['top']}_share": concentration.top_share(coins, inputs["top"]),
    }
    return Computed(figures)


def spread(inputs: Mapping[str, Any]) -> Computed:
    """Compute how unequally deleveraging was spread over users: parts of the largest, Gini, Hill's tail index, the median."""
    usd = np.array(numbers_of(inputs["folder"] / USERS_FILE, ("adl_notional",))["adl_notional"])
    tail = estimators.tail_index(usd, (inputs["tail"] + 0.5) / max(np.count_nonzero(usd), 1))
    tops = {f"top{most}": concentration.top_share(usd, most) for most in inputs["tops"]}
    figures = {"users": usd.size, **tops, "gini": concentration.gini(usd), f"hill_top{inputs['tail']}": tail.value, "median_usd": float(np.median(usd))}
    return Computed(figures)


def timing(inputs: Mapping[str, Any]) -> Computed:
    """Compute liquidations per minute and the mean gap between the first batches."""
    batches = _batches(inputs["folder"])
    first = min(int(inputs["first_batches"]), len(batches["second"]))
    gap = (batches["second"][first - 1] - batches["second"][0]) / max(first - 1, 1)
    return Computed({"counts": counts_by_minute(batches["second"], batches["events"]), f"mean_gap_of_first_{inputs['first_batches']}_batches_s": gap})


CHECKS: dict[str, Check] = {
    "ADL-13-regret-table": regrets,
    "ADL-14-envelope": envelope,
    "ADL-15-oct10-totals": totals,
    "ADL-17-oct10-concentration": spread,
    "ADL-18-minute-counts": timing,
}
