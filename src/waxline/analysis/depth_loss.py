"""Measure how the depth of altcoins is lost in a run, and how much of the loss goes away with a mechanism: from results only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waxline.results.run_result import RunResult
from waxline.results.schema import BIN_STEPS

Floats = NDArray[np.float64]

CALM_S = 600.0
DEAD_FRAC = 0.1
BACK_FRAC = 0.5


@dataclass(frozen=True)
class DepthLoss:
    """Keep what happened to the depth of the median altcoin perp of a venue, over its own mean of the ten minutes before t0; NaN: no such market.

    lowest: least minute mean (fraction of calm); lowest_at_s: its time; dead_s: time below a tenth; mean_loss: 1 - mean from t0 to the end;
    back_after_s: time from the lowest minute until half is back (inf: not within the run); fall: median fall of these perps (fraction).
    """

    lowest: float
    lowest_at_s: float
    dead_s: float
    mean_loss: float
    back_after_s: float
    fall: float


def depth_loss(run: RunResult, venue: str) -> DepthLoss:
    """Return the loss of depth within 1 % (mean of both sides) of the altcoin perps of `venue`."""
    rows = run.select(venue, "perp", "alts")
    before, after = run.bins_in(-CALM_S, 0.0), run.bins_in(0.0, float(run.end_t_s))
    if not rows or before.stop <= before.start or after.stop <= after.start:
        return DepthLoss(*[float("nan")] * 6)
    depth = 0.5 * (np.asarray(run.bid_depth_usd[rows], dtype=np.float64) + np.asarray(run.ask_depth_usd[rows], dtype=np.float64))
    ratio = np.median(depth[:, after] / np.maximum(depth[:, before].mean(axis=1, keepdims=True), 1e-300), axis=0)
    bin_s = BIN_STEPS * float(run.t_s[1] - run.t_s[0])
    per = max(round(60.0 / bin_s), 1)
    whole = max(ratio.size // per, 1)
    minutes = ratio[: whole * per].reshape(whole, -1).mean(axis=1)
    low = int(np.argmin(minutes))
    back = np.flatnonzero(minutes[low:] >= BACK_FRAC)
    drawdowns = run.drawdowns()
    names = [run.market_name(m) for m in rows]
    return DepthLoss(
        lowest=float(minutes[low]),
        lowest_at_s=60.0 * low,
        dead_s=float(np.count_nonzero(ratio < DEAD_FRAC) * bin_s),
        mean_loss=float(1.0 - ratio.mean()),
        back_after_s=60.0 * float(back[0]) if back.size else float("inf"),
        fall=float(np.median([drawdowns[name] for name in names])),
    )
