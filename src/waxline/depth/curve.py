"""Turn samples into one depth curve: typical cumulative size per distance with its interval, and the power law that fits it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waxline.bootstrap import interval
from waxline.depth.samples import BANDS, BPS, DepthError, DepthRequestError, Floats, Samples

ONE_PER_CENT = math.log1p(0.01)


@dataclass(frozen=True)
class Estimate:
    """Hold a number with the ends of its 90 % interval (NaN: one moment gives no interval)."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class DepthCurve:
    """Describe a book's depth: cumulative USD per log distance from the mid, and its fit N(d) = depth (d / 1 %)^exponent.

    distance, usd, low, high [2, N] (side 0 bids, 1 asks); usd is the median over moments, low and high the 90 % interval of that median;
    reach [2] log distance up to which the source tells every order; from_bps and to_bps bound the distances the fit used.
    """

    distance: Floats
    usd: Floats
    low: Floats
    high: Floats
    reach: Floats
    depth_usd: Estimate
    exponent: Estimate
    half_spread_bps: Estimate
    mid_usd: float
    moments: int
    from_bps: float
    to_bps: float

    def within(self, distance: Floats | float) -> Floats:
        """Return the fitted USD on one side within log distances of the mid: depth (d / 1 %)^exponent."""
        d = np.maximum(np.asarray(distance, dtype=np.float64), 0.0)
        return np.asarray(self.depth_usd.value * (d / ONE_PER_CENT) ** self.exponent.value, dtype=np.float64)


def depth_curve(samples: Samples, from_bps: float = 1.0, to_bps: float | None = None) -> DepthCurve:
    """Return the depth curve of samples; the power law is fitted to both sides between `from_bps` and `to_bps` (log distance).

    Without `to_bps` 100, for percent bands 500.

    Least squares of log size on log distance, the same weight for every distance at which the median size is positive; intervals by
    resampling blocks of moments. Raises DepthError where fewer than two distances lie in the range.
    """
    to_bps = to_bps if to_bps is not None else (500.0 if samples.kind == BANDS else 100.0)
    if not 0.0 <= from_bps < to_bps:
        raise DepthRequestError(f"the range of the fit must rise, was {from_bps:g} to {to_bps:g} bps: give --from-bps below --to-bps")
    distance, usd = samples.distance, samples.usd
    # Bands of a percentage stand a little nearer (bids) or farther (asks) in log distance: half a part in a hundred is let in.
    inside = np.isfinite(distance) & (distance >= from_bps * BPS * 0.99) & (distance <= to_bps * BPS * 1.01)

    def middle(rows: NDArray[np.int64]) -> Floats:
        return np.asarray(np.median(usd[rows], axis=0), dtype=np.float64)

    def fitted(rows: NDArray[np.int64]) -> Floats:
        table = middle(rows)
        use = inside & (np.nan_to_num(table) > 0.0)
        if np.unique(np.round(distance[use], 12)).size < 2:
            return np.full(2, np.nan)
        exponent, level = fit_power_law(distance[use], table[use])
        return np.array([level, exponent])

    every = np.arange(usd.shape[0])
    level, exponent = fitted(every)
    if math.isnan(exponent):
        known = ", ".join(f"{d / BPS:.4g}" for d in np.unique(distance[np.isfinite(distance)]))
        raise DepthError(f"the fit needs depth at two distances between {from_bps:g} and {to_bps:g} bps, the file has {known} bps: widen --from-bps, --to-bps")
    low, high = interval(every.size, middle)
    fit_low, fit_high = interval(every.size, fitted)
    at_one = _at_one_per_cent(distance, middle(every), level, exponent)
    one_low, one_high = interval(every.size, lambda rows: np.array([_at_one_per_cent(distance, middle(rows), *fitted(rows))]))
    half = samples.half_spread[np.isfinite(samples.half_spread)] / BPS
    half_low, half_high = interval(half.size, lambda rows: np.array([np.median(half[rows])])) if half.size else (np.array([math.nan]),) * 2
    return DepthCurve(
        distance=distance,
        usd=middle(every),
        low=low,
        high=high,
        reach=samples.reach,
        depth_usd=Estimate(at_one, float(one_low[0]), float(one_high[0])),
        exponent=Estimate(float(exponent), float(fit_low[1]), float(fit_high[1])),
        half_spread_bps=Estimate(float(np.median(half)) if half.size else math.nan, float(half_low[0]), float(half_high[0])),
        mid_usd=float(np.median(samples.mid_usd)),
        moments=int(every.size),
        from_bps=from_bps,
        to_bps=to_bps,
    )


def fit_power_law(distance: Floats, usd: Floats) -> tuple[float, float]:
    """Return (exponent, USD within 1 %) of the least-squares line of log usd [N] on log distance [N], both positive."""
    x, y = np.log(distance / ONE_PER_CENT), np.log(usd)
    exponent = float(np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2))
    return exponent, float(np.exp(y.mean() - exponent * x.mean()))


def _at_one_per_cent(distance: Floats, usd: Floats, level: float, exponent: float) -> float:
    """Return USD within 1 % on one side, mean of both sides: read off between the distances around it, by the fit where there are none."""
    found = []
    for side in range(2):
        use = np.isfinite(distance[side]) & (np.nan_to_num(usd[side]) > 0.0)
        d, n = distance[side, use], usd[side, use]
        if d.size and d[0] <= ONE_PER_CENT * 1.01 and d[-1] >= ONE_PER_CENT * 0.99:
            found.append(float(np.exp(np.interp(math.log(ONE_PER_CENT), np.log(d), np.log(n)))))
        else:
            found.append(level)
    return sum(found) / len(found) if not math.isnan(exponent) else math.nan
