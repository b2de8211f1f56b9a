"""Measure a calm time of a run against its inputs: volatility, spread, depth, volume, basis, tails, clustering, impact; from results only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.analysis.estimators import Estimate, Impact, autocorrelation, impact_by_size, power, tail_index
from waxline.results.opening import Opening
from waxline.results.run_result import RunResult
from waxline.results.schema import BIN_STEPS

Floats = NDArray[np.float64]

WARM_UP_S = 300.0
MINUTE_S = 60.0
LAGS = 30
EVERYTHING = "all coins"
FACTOR = 2.0
TAIL_RANGE, IMPACT_RANGE = (2.0, 5.0), (0.4, 0.7)
SIZES_OF_FIT = (0.1, 2.0)


@dataclass(frozen=True)
class Calm:
    """Keep what was measured; M markets; groups are size classes and "all coins"; NaN = none.

    volatility_bps [M] one-minute standard deviation of log mid; spread_bps, depth_usd (mean of both sides within 1 %) [M] means over bins;
    volume_usd_h [M] traded per hour; basis_bps [M, 3] mean, mean size and 95 % quantile of the size of log(perp mid / spot mid);
    basis_within_frac [M] part of seconds in which |basis| <= cost; clustering[group] [L] autocorrelation of |10 s returns| at lags of 10 s, mean over
    markets; noise_band: two standard errors of one market's autocorrelation; step_exponent[group]: walked distance ~ size^exponent in one sale.
    """

    from_s: float
    to_s: float
    volatility_bps: Floats
    spread_bps: Floats
    depth_usd: Floats
    volume_usd_h: Floats
    basis_bps: Floats
    basis_within_frac: Floats
    tail: dict[str, Estimate]
    clustering: dict[str, Floats]
    clustering_last: dict[str, Floats]
    noise_band: float
    impact: dict[str, Impact]
    step_exponent: dict[str, float]
    liquidated_usd: float
    liquidations: int
    empty_bid_s: float


def measure(run: RunResult, opening: Opening, warm_up_s: float = WARM_UP_S) -> Calm:
    """Return the calm statistics of `run` from `warm_up_s` after its start to its end, in the market order of `opening`, which the run shares."""
    assert [run.market_name(m) for m in range(run.markets.height)] == opening.names, "opening and run must have the same markets in the same order"
    from_s = float(run.t_s[0]) + warm_up_s
    rows = slice(int(np.searchsorted(run.t_s, from_s)), run.t_s.size)
    t_s = run.t_s[rows]
    mid = np.log(np.asarray(run.mid_usd[:, rows], dtype=np.float64))
    step_s = float(t_s[1] - t_s[0]) if t_s.size > 1 else 1.0
    bins = run.bins_in(from_s - 1.0, float(run.end_t_s))
    hours = (t_s.size * step_s) / 3600.0
    minute, ten = (thinned(mid, round(span / step_s)) for span in (MINUTE_S, 10.0))
    basis, within = _basis(mid, run, opening)
    liquidations = run.liquidations.filter(pl.col("counted") & (pl.col("t_s") >= from_s))
    clustering, last = _clustering(ten, opening)
    return Calm(
        from_s=from_s,
        to_s=float(run.end_t_s),
        volatility_bps=1e4 * _deviation(minute),
        spread_bps=_mean(run.spread_bps[:, bins]),
        depth_usd=0.5 * (_mean(run.bid_depth_usd[:, bins]) + _mean(run.ask_depth_usd[:, bins])),
        volume_usd_h=np.asarray(run.volume_usd[:, bins], dtype=np.float64).sum(axis=1) / max(hours, 1e-9),
        basis_bps=basis,
        basis_within_frac=within,
        tail=_tails(minute, opening),
        clustering=clustering,
        clustering_last=last,
        noise_band=2.0 / np.sqrt(max(ten.shape[1], 1)),
        impact=_impact(run, bins, opening),
        step_exponent=step_exponents(opening),
        liquidated_usd=float(liquidations["notional_usd"].sum()),
        liquidations=liquidations.height,
        empty_bid_s=float(np.nansum(run.empty_bid_s[:, bins])),
    )


def groups_of(opening: Opening) -> dict[str, NDArray[np.int64]]:
    """Return group -> rows of its markets: each size class that occurs, and all coins together (claims left out)."""
    classes = np.array(opening.size_class)
    found = {name: np.flatnonzero(classes == name) for name in dict.fromkeys(opening.size_class)}
    return {EVERYTHING: np.flatnonzero(classes != "claim"), **found}


def thinned(log_mid: Floats, every: int) -> Floats:
    """Return returns [M, N] of log mids [M, T] over `every` rows that do not overlap, counted back from the last row."""
    every = max(every, 1)
    return np.diff(log_mid[:, ::-every][:, ::-1], axis=1)


def step_exponents(opening: Opening) -> dict[str, float]:
    """Return group -> exponent of walked distance against size of one sale, median over markets; above 1 is convex.

    Per market the slope in logarithms over sizes of 0.1 to 2 times the depth within 1 %; sizes that stay at the best bid are left out.
    """
    low, high = SIZES_OF_FIT
    inside = (opening.sale_frac >= low) & (opening.sale_frac <= high)
    slopes = np.full(len(opening.names), np.nan)
    for m in range(len(opening.names)):
        use = inside & (np.nan_to_num(opening.walked_bps[m]) > 0.0) & (np.nan_to_num(opening.filled_frac[m]) > 0.999)
        slopes[m] = power(opening.sale_frac[use], opening.walked_bps[m][use])
    return {name: _median(slopes[members]) for name, members in groups_of(opening).items()}


def within_factor(measured: Floats, given: Floats, factor: float = FACTOR) -> tuple[int, int]:
    """Return (how many of the pairs lie within the factor of each other, how many pairs are finite and positive)."""
    good = np.isfinite(measured) & np.isfinite(given) & (measured > 0.0) & (given > 0.0)
    ratio = measured[good] / given[good]
    return int(np.count_nonzero((ratio <= factor) & (ratio >= 1.0 / factor))), int(good.sum())


def _basis(mid: Floats, run: RunResult, opening: Opening) -> tuple[Floats, Floats]:
    out, within = np.full((mid.shape[0], 3), np.nan), np.full(mid.shape[0], np.nan)
    for m, sister in enumerate(run.markets["sister_id"].to_list()):
        if opening.kind[m] != "perp" or sister is None or sister < 0:
            continue
        gap = 1e4 * (mid[m] - mid[sister])
        size = np.abs(gap)
        out[m] = np.mean(gap), np.mean(size), np.quantile(size, 0.95)
        within[m] = float(np.mean(size <= opening.basis_cost_bps[m]))
    return out, within


def _tails(returns: Floats, opening: Opening) -> dict[str, Estimate]:
    """Return the tail index of returns over each market's own standard deviation, pooled over the markets of a group."""
    deviation = _deviation(returns)[:, None]
    scaled = np.divide(returns, deviation, out=np.full_like(returns, np.nan), where=deviation > 0.0)
    return {name: tail_index(scaled[members].ravel()) for name, members in groups_of(opening).items()}


def _clustering(returns: Floats, opening: Opening) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return mean and middle half (25 and 75 %) over the markets of a group of the autocorrelation of |returns|."""
    lags = min(LAGS, max(returns.shape[1] - 2, 1))
    each = np.array([autocorrelation(np.abs(row), lags) for row in returns]) if returns.size else np.zeros((returns.shape[0], lags))
    mean: dict[str, Floats] = {}
    spread: dict[str, Floats] = {}
    for name, members in groups_of(opening).items():
        rows = each[members][np.isfinite(each[members]).all(axis=1)]
        mean[name] = rows.mean(axis=0) if rows.size else np.full(lags, np.nan)
        spread[name] = np.quantile(rows, (0.25, 0.75), axis=0) if rows.size else np.full((2, lags), np.nan)
    return mean, spread


def _impact(run: RunResult, bins: slice, opening: Opening) -> dict[str, Impact]:
    """Return impact over minutes: net taker purchases over the market's own calm depth against the change of log mid over its volatility."""
    per = round(MINUTE_S / (BIN_STEPS * _step(run)))
    net = np.asarray(run.cause_bought_usd[:, bins].sum(axis=2) - run.cause_sold_usd[:, bins].sum(axis=2), dtype=np.float64)
    ends = np.searchsorted(run.t_s, run.bin_t_s[bins])
    whole = net.shape[1] // max(per, 1) if per else 0
    if whole < 2:
        return {name: Impact(np.zeros(0), np.zeros(0), Estimate()) for name in groups_of(opening)}
    net = net[:, : whole * per].reshape(net.shape[0], whole, per).sum(axis=2)[:, 1:]
    log_mid = np.log(np.asarray(run.mid_usd[:, ends[per - 1 : whole * per : per]], dtype=np.float64))
    moved = np.diff(log_mid, axis=1)
    size = net / opening.depth_input_usd[:, None]
    deviation = _deviation(moved)[:, None]
    move = np.divide(moved, deviation, out=np.full_like(moved, np.nan), where=deviation > 0.0)
    return {name: impact_by_size(size[members].ravel(), move[members].ravel()) for name, members in groups_of(opening).items()}


def _step(run: RunResult) -> float:
    return float(run.t_s[1] - run.t_s[0]) if run.t_s.size > 1 else 1.0


def _deviation(values: Floats) -> Floats:
    """Return the standard deviation [M] of rows [M, N]; NaN for fewer than two."""
    return np.asarray(values.std(axis=1, ddof=1), dtype=np.float64) if values.shape[1] > 1 else np.full(values.shape[0], np.nan)


def _mean(values: NDArray[np.float32]) -> Floats:
    """Return the mean [M] over bins without NaN; NaN where there is none."""
    table = np.asarray(values, dtype=np.float64)
    number = np.isfinite(table).sum(axis=1)
    return np.where(number > 0, np.nansum(table, axis=1) / np.maximum(number, 1), np.nan)


def _median(values: Floats) -> float:
    good = values[np.isfinite(values)]
    return float(np.median(good)) if good.size else float("nan")
