"""Measure facts about depth and open interest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waxline.analysis.facts_file import Fact
from waxline.analysis.selection import NotMeasured, fact_markets, window
from waxline.results.run_result import REFERENCE_T_S, RunResult

RECORDED_BAND_BPS = 100.0


def open_interest_change(run: RunResult, fact: Fact) -> float:
    """Measure open interest at the window's end over that at t = -1 s, less 1; USD at mark, coins where the unit says so."""
    found = [market for market in fact_markets(run, fact) if run.markets["kind"][market] == "perp"]
    in_coins = "coins" in fact.unit.split()
    if in_coins and len({run.markets["asset"][market] for market in found}) > 1:
        raise NotMeasured("coins of several assets cannot be added: name one asset or a unit in USD")
    end_s = window(run, fact)[1]
    before = sum(_open_interest(run, market, REFERENCE_T_S, in_coins) for market in found)
    after = sum(_open_interest(run, market, end_s, in_coins) for market in found)
    if not before > 0.0:
        raise NotMeasured("there was no open interest before")
    return after / before - 1.0


def depth_ratio_min(run: RunResult, fact: Fact) -> float:
    """Measure the least of two-sided depth over its level at t = -1 s in the window, 10 s averages."""
    return float(np.min(_ratios(run, fact, fact_markets(run, fact))))


def depth_ratio_median(run: RunResult, fact: Fact) -> float:
    """Measure the median over the window of two-sided depth over its level at t = -1 s, 10 s averages."""
    return float(np.median(_ratios(run, fact, fact_markets(run, fact))))


def depth_ratio_min_median_over_alts(run: RunResult, fact: Fact) -> float:
    """Measure the least depth ratio per market, then the median over the markets."""
    least = []
    for market in fact_markets(run, fact):
        try:
            least.append(float(np.min(_ratios(run, fact, [market]))))
        except NotMeasured:
            if fact.band_bps not in (None, RECORDED_BAND_BPS):
                raise
    if not least:
        raise NotMeasured("none of the markets selected had depth before")
    return float(np.median(least))


def depth_ratios(run: RunResult, markets: list[int], from_s: float, to_s: float) -> NDArray[np.float64]:
    """Return two-sided depth within 1 % of mid, summed over `markets`, over its last whole 10 s average before t = 0.

    One value per bin of the window; empty when there was no depth before.
    """
    depth = run.depth_usd(markets).sum(axis=0)
    before = float(depth[run.bin_at(REFERENCE_T_S)])
    if not before > 0.0:
        return np.empty(0)
    return np.asarray(depth[run.bins_in(from_s, to_s)] / before, dtype=np.float64)


def _ratios(run: RunResult, fact: Fact, markets: list[int]) -> NDArray[np.float64]:
    if fact.band_bps not in (None, RECORDED_BAND_BPS):
        raise NotMeasured(f"depth is recorded within {RECORDED_BAND_BPS:g} bps of mid, not {fact.band_bps:g}")
    ratios = depth_ratios(run, markets, *window(run, fact))
    if ratios.size == 0:
        raise NotMeasured("there was no depth before, or the window holds no 10 s average")
    return ratios


def _open_interest(run: RunResult, market: int, t_s: float, in_coins: bool) -> float:
    coins = float(run.open_interest[market, run.bin_at(t_s)])
    if in_coins:
        return coins
    at = run.bin_t_s[run.bin_at(t_s)]
    for price in ("mark", "close", "mid"):
        value = run.price_at(market, at, price)
        if np.isfinite(value):
            return coins * value
    raise NotMeasured(f"{run.market_name(market)} has no price at {t_s:g} s")
