"""Measure facts about prices: falls, lows, returns, recovery, gaps between venues, falls over many pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waxline.analysis.facts_file import REDEMPTION, Fact
from waxline.analysis.selection import (
    NotMeasured,
    against_market,
    fact_markets,
    instant,
    minute_closes,
    one_market,
    redemption_usd,
    share,
    window,
)
from waxline.results.run_result import RunResult

LOWS_BETWEEN_S = (0.0, 6000.0)


def drawdown(run: RunResult, fact: Fact) -> float:
    """Measure 1 - lowest traded price in the window over the reference, or over the redemption value at that moment."""
    return _drawdown_of(run, fact, one_market(run, fact))


def fall_at(run: RunResult, fact: Fact) -> float:
    """Measure 1 - price at the instant over the reference; mark price for perps, last traded price for spot."""
    market = one_market(run, fact)
    price = "mark" if run.markets["kind"][market] == "perp" else "close"
    return 1.0 - _price(run, market, instant(run, fact), price) / run.reference_usd(market, price)


def time_of_low(run: RunResult, fact: Fact) -> float:
    """Measure the seconds from t = 0 to the lowest traded price in the window."""
    return float(_low(run, one_market(run, fact), *window(run, fact))[1])


def time_of_low_after(run: RunResult, fact: Fact) -> float:
    """Measure the time of the low minus that of the asset in `after` on the same venue's perp, spot where it has none."""
    if fact.after is None:
        raise NotMeasured("after is not given")
    market = one_market(run, fact)
    venue = str(run.markets["venue"][market])
    others = run.select(venue, "perp", fact.after) or run.select(venue, "spot", fact.after)
    if not others:
        raise NotMeasured(f"{fact.after} has no market on {venue} in the run")
    bounds = window(run, fact)
    return float(_low(run, market, *bounds)[1] - _low(run, others[0], *bounds)[1])


def worst_minute_return(run: RunResult, fact: Fact) -> float:
    """Measure the most negative close-to-close return over whole minutes of the window."""
    closes = _closes(run, fact)
    return float(np.min(closes[1:] / closes[:-1] - 1.0))


def realised_volatility(run: RunResult, fact: Fact) -> float:
    """Measure the square root of the sum of squared one-minute log returns in the window."""
    return float(np.sqrt(np.sum(np.diff(np.log(_closes(run, fact))) ** 2)))


def recovered_fraction(run: RunResult, fact: Fact) -> float:
    """Measure (last traded price at the instant - low before it) over (reference - low before it)."""
    market, at_s = one_market(run, fact), instant(run, fact)
    low = _low(run, market, 0.0, at_s)[0]
    reference = run.reference_usd(market)
    return share(_price(run, market, at_s, "close") - low, reference - low, "fall to recover from")


def venue_gap_min(run: RunResult, fact: Fact) -> float:
    """Measure the smallest one-minute close of price here over price at `against` - 1 in the window."""
    bounds = window(run, fact)
    here = minute_closes(run, one_market(run, fact), *bounds)
    there = minute_closes(run, against_market(run, fact), *bounds)
    gaps = here / there - 1.0
    if not np.isfinite(gaps).any():
        raise NotMeasured("there is no minute in the window with a price on both")
    return float(np.nanmin(gaps))


def venue_gap_at(run: RunResult, fact: Fact) -> float:
    """Measure price here over price at `against` - 1 at the instant, last traded prices."""
    at_s = instant(run, fact)
    here, there = one_market(run, fact), against_market(run, fact)
    return _price(run, here, at_s, "close") / _price(run, there, at_s, "close") - 1.0


def drawdown_mean_over_pairs(run: RunResult, fact: Fact) -> float:
    """Measure the mean drawdown of the markets selected, each counted by the real pairs it stands for."""
    falls, pairs = _falls(run, fact)
    return float(np.sum(falls * pairs) / np.sum(pairs))


def drawdown_quantile_over_pairs(run: RunResult, fact: Fact) -> float:
    """Measure the `quantile` of drawdown over real pairs; larger is a larger fall.

    The smallest fall at which the pairs up to it make up the quantile; halfway to the next where they make it up exactly.
    """
    if fact.quantile is None:
        raise NotMeasured("quantile is not given")
    falls, pairs = _falls(run, fact)
    return weighted_quantile(falls, pairs, fact.quantile)


def share_of_pairs_fallen_more_than(run: RunResult, fact: Fact) -> float:
    """Measure the part of real pairs with a drawdown above `threshold`."""
    falls, pairs = _falls(run, fact)
    return float(np.sum(pairs[falls > _threshold(fact)]) / np.sum(pairs))


def pairs_fallen_more_than(run: RunResult, fact: Fact) -> float:
    """Measure the number of real pairs with a drawdown above `threshold`."""
    falls, pairs = _falls(run, fact)
    return float(np.sum(pairs[falls > _threshold(fact)]))


def share_of_lows_in_window(run: RunResult, fact: Fact) -> float:
    """Measure the part of the selected markets whose low between t = 0 and 6,000 s lies in the window."""
    start, end = window(run, fact)
    lows = [run.low(market, *LOWS_BETWEEN_S) for market in fact_markets(run, fact)]
    times = [low[1] for low in lows if low is not None]
    return share(float(sum(start <= time <= end for time in times)), float(len(times)), "trade in the markets selected")


def weighted_quantile(values: NDArray[np.float64], weights: NDArray[np.float64], quantile: float) -> float:
    """Return the quantile of `values` as if each were there `weights` times."""
    order = np.argsort(values, kind="stable")
    ordered, up_to = values[order], np.cumsum(weights[order])
    wanted = quantile * up_to[-1]
    tolerance = 1e-12 * up_to[-1]
    low = int(np.searchsorted(up_to, wanted - tolerance))
    high = int(np.searchsorted(up_to, wanted + tolerance))
    last = values.size - 1
    return float(0.5 * (ordered[min(low, last)] + ordered[min(high, last)]))


def _drawdown_of(run: RunResult, fact: Fact, market: int) -> float:
    start, end = window(run, fact)
    if fact.against not in (None, REDEMPTION):
        raise NotMeasured(f"against must be {REDEMPTION!r} or left out, was {fact.against!r}")
    low, time = _low(run, market, start, end)
    reference = redemption_usd(run, market)[run.row_at(time)] if fact.against == REDEMPTION else run.reference_usd(market)
    return 1.0 - low / float(reference)


def _low(run: RunResult, market: int, from_s: float, to_s: float) -> tuple[float, int]:
    low = run.low(market, from_s, to_s)
    if low is None:
        raise NotMeasured(f"{run.market_name(market)} has no trade in the window")
    return low


def _price(run: RunResult, market: int, t_s: float, price: str) -> float:
    value = run.price_at(market, t_s, price)
    if not np.isfinite(value) or value <= 0.0:
        raise NotMeasured(f"{run.market_name(market)} has no {price} price at {t_s:g} s")
    return value


def _closes(run: RunResult, fact: Fact) -> NDArray[np.float64]:
    closes = minute_closes(run, one_market(run, fact), *window(run, fact), before=True)
    closes = closes[np.isfinite(closes)]
    if closes.size < 2:
        raise NotMeasured("the window holds no whole minute with a traded price before and in it")
    return closes


def _falls(run: RunResult, fact: Fact) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return drawdowns and numbers of real pairs of the markets selected that traded in the window."""
    falls, pairs = [], []
    for market in fact_markets(run, fact):
        try:
            falls.append(_drawdown_of(run, fact, market))
        except NotMeasured:
            continue
        pairs.append(float(run.markets["pairs"][market]))
    if not falls or sum(pairs) <= 0.0:
        raise NotMeasured("none of the markets selected has a drawdown in the window")
    return np.array(falls), np.array(pairs)


def _threshold(fact: Fact) -> float:
    if fact.threshold is None:
        raise NotMeasured("threshold is not given")
    return fact.threshold
