"""Estimate how fast depth comes back after large trades: the half-life of what a trade took from the side it hit.

A large trade takes at least `least_share` of the USD that rest on its side within `band_bps` of the mid before it, at least `pause_s`
after the last one. What it took is the largest loss of that depth, between the same prices, within 0.3 s. The trade's refill time is the
time from that moment until half of it is back; the half-life is the median over trades. Trades that see less than half back within
`window_s` count as longer than that, so that slow refills are not left out. Interval: trades drawn anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waxline.bootstrap import interval
from waxline.depth.curve import Estimate
from waxline.depth.samples import BPS, Floats
from waxline.depth.stream import Stream, replay

BAND_BPS, LEAST_SHARE, PAUSE_S, WINDOW_S, LOSS_S = 5.0, 0.05, 2.0, 20.0, 0.3
LEAST_TRADES = 8


@dataclass(frozen=True)
class Refill:
    """Hold the refill of a book: half-life in seconds (inf: longer than the window), part of trades half refilled within 1, 3 and 10 s."""

    trades: int
    half_life_s: Estimate
    back_frac: tuple[tuple[float, Estimate], ...]
    band_bps: float
    least_share: float
    pause_s: float
    window_s: float


@dataclass
class _Watch:
    t_s: float
    side: int
    edge: float
    before_usd: float
    lags: list[float]
    depths: list[float]


def refill(
    stream: Stream, *, band_bps: float = BAND_BPS, least_share: float = LEAST_SHARE, pause_s: float = PAUSE_S, window_s: float = WINDOW_S
) -> Refill | None:
    """Return the refill of a stream's book after large trades; None where fewer than 8 trades are large and followed to the window's end."""
    found = [refill_time(watch.before_usd, watch.lags, watch.depths) for watch in _watches(stream, band_bps, least_share, pause_s, window_s)]
    times = np.array([time for time in found if time is not None])
    if times.size < LEAST_TRADES:
        return None

    def estimated(rows: NDArray[np.int64]) -> Floats:
        # An upper middle of an even number would mix a time with "never"; the lower of the two middles is a time that was seen.
        middle = np.sort(times[rows])[(rows.size - 1) // 2]
        return np.array([middle, *(np.mean(times[rows] <= within) for within in (1.0, 3.0, 10.0))])

    value = estimated(np.arange(times.size))
    low, high = _interval(times.size, estimated)
    shares = tuple((within, Estimate(float(value[n]), float(low[n]), float(high[n]))) for n, within in enumerate((1.0, 3.0, 10.0), 1))
    return Refill(int(times.size), Estimate(float(value[0]), float(low[0]), float(high[0])), shares, band_bps, least_share, pause_s, window_s)


def _interval(count: int, statistic):  # type: ignore[no-untyped-def]
    """Return the interval of a statistic that may be infinite: infinity is drawn as a very large number and given back as infinity."""
    low, high = interval(count, lambda rows: np.minimum(statistic(rows), 1e12), block=1)
    return np.where(low > 1e9, math.inf, low), np.where(high > 1e9, math.inf, high)


def refill_time(before_usd: float, lags: list[float], depths: list[float]) -> float | None:
    """Return seconds from the largest loss within 0.3 s of a trade until half of it is back; inf where it is not, None without a loss.

    lags [K] seconds after the trade, rising; depths [K] USD within the watched prices after each change.
    """
    missing = before_usd - np.array(depths)
    times = np.array(lags)
    if times.size == 0:
        return None
    early = times <= max(LOSS_S, times[0])
    worst = int(np.argmax(missing[early]))
    if missing[worst] <= 0.0:
        return None
    back = np.flatnonzero(missing[worst:] <= 0.5 * missing[worst])
    return float(times[worst + back[0]] - times[worst]) if back.size else math.inf


def _watches(stream: Stream, band_bps: float, least_share: float, pause_s: float, window_s: float) -> list[_Watch]:
    """Return for every large trade the depth on its side before it and after each change until the window ends."""
    trades, place, free_s = stream.trades, 0, -math.inf
    done: list[_Watch] = []
    running: list[_Watch] = []
    # Edge of the band and depth within it, bids and asks, as they were before the next change.
    state: tuple[tuple[float, float], tuple[float, float]] | None = None
    for change, book in replay(stream):
        while place < len(trades) and trades[place].t_s <= change.t_s:
            trade = trades[place]
            place += 1
            if state is None or trade.t_s < free_s:
                continue
            edge, before = state[trade.side]
            if before > 0.0 and trade.usd >= least_share * before:
                running.append(_Watch(trade.t_s, trade.side, edge, before, [], []))
                free_s = trade.t_s + pause_s
        for watch in running:
            watch.lags.append(change.t_s - watch.t_s)
            watch.depths.append(book.within_usd(watch.side, watch.edge))
        done += [watch for watch in running if watch.lags[-1] > window_s]
        running = [watch for watch in running if watch.lags[-1] <= window_s]
        best_bid, best_ask = book.best
        state = None
        if best_bid < best_ask:
            mid = 0.5 * (best_bid + best_ask)
            low, high = mid * math.exp(-band_bps * BPS), mid * math.exp(band_bps * BPS)
            state = ((low, book.within_usd(0, low)), (high, book.within_usd(1, high)))
    return done
