"""Carry a depth curve into a scenario: the fields that make the simulation's ladders follow it, and what those ladders then show.

A book of the simulation is the makers' ladder (a power law up to their reach) plus the crowd's (an exponential density); see
`waxline.market.ladder`. The market's `depth_usd` sets the size within 1 %, `makers.depth_exponent` the makers' shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from waxline.depth.curve import DepthCurve, fit_power_law
from waxline.depth.samples import BPS, DepthRequestError, Floats
from waxline.market.ladder import crowd_ladder, depth_inside, maker_ladder

LOWEST, HIGHEST = 0.2, 3.0
LEAST_HALF_SPREAD_BPS = 0.01


@dataclass(frozen=True)
class LadderRules:
    """Hold what a scenario says of its ladders: level distance, makers' part of depth within 1 %, makers' reach, crowd's reach (fractions)."""

    grid_bps: float = 2.0
    maker_share: float = 0.70
    maker_reach: float = 0.06
    crowd_reach: float = 0.22
    crowd_gap: float = 0.0


def ladder_usd(depth_usd: float, half_spread_bps: float, exponent: float, distances: Floats, rules: LadderRules) -> Floats:
    """Return USD [N] on one side of a simulated book within log distances [N] of the mid: the ladders as the simulation builds them."""
    grid, half = rules.grid_bps * BPS, half_spread_bps * BPS
    total = np.zeros(distances.size)
    crowd = crowd_ladder((1.0 - rules.maker_share) * depth_usd, grid, half, rules.crowd_reach, rules.crowd_gap)
    makers = maker_ladder(depth_usd - depth_inside(*crowd, grid, half), grid, half, rules.maker_reach, exponent)
    for offsets, usd in (makers, crowd):
        away = offsets * grid + half
        total += np.array([usd[away <= d + 1e-12].sum() for d in distances])
    return total


def ladder_exponent(depth_usd: float, half_spread_bps: float, exponent: float, distances: Floats, rules: LadderRules) -> float:
    """Return the exponent that a power law fitted to a simulated book at `distances` has; distances without a level are left out."""
    usd = ladder_usd(depth_usd, half_spread_bps, exponent, distances, rules)
    seen = usd > 0.0
    return fit_power_law(distances[seen], usd[seen])[0] if np.count_nonzero(seen) > 1 else math.nan


def maker_exponent(curve: DepthCurve, rules: LadderRules) -> tuple[float, float]:
    """Return (makers.depth_exponent, exponent of the whole simulated book it gives) closest to the curve's, within the field's range 0.2 to 3."""
    distances = np.array([10.0, 20.0, 50.0, 100.0]) * BPS
    half = half_spread_of(curve)
    low, high = LOWEST, HIGHEST
    for _ in range(50):
        middle = 0.5 * (low + high)
        if ladder_exponent(curve.depth_usd.value, half, middle, distances, rules) < curve.exponent.value:
            low = middle
        else:
            high = middle
    chosen = 0.5 * (low + high)
    return chosen, ladder_exponent(curve.depth_usd.value, half, chosen, distances, rules)


def check_market(market: str | None) -> None:
    """Raise DepthRequestError where a market's name is not venue-kind-asset with a kind of spot or perp."""
    parts = (market or "venue-perp-ASSET").split("-", 2)
    if len(parts) != 3 or parts[1] not in ("spot", "perp") or not all(parts):
        raise DepthRequestError(f"--market: must be venue-kind-asset with kind spot or perp, was {market!r}: write for example binance-perp-BTC")


def half_spread_of(curve: DepthCurve) -> float:
    """Return the half spread for a scenario in bps: the curve's, not below what the field accepts; 1 where the source tells none."""
    value = curve.half_spread_bps.value
    return 1.0 if math.isnan(value) else max(value, LEAST_HALF_SPREAD_BPS)


def yaml_lines(curve: DepthCurve, rules: LadderRules, source: str, market: str | None = None) -> list[str]:
    """Return lines for a scenario file: the market's row with its source, and the makers' exponent; `market` is a name venue-kind-asset."""
    venue, kind, asset = (market or "VENUE-perp-ASSET").split("-", 2)
    exponent, _ = maker_exponent(curve, rules)
    fields = [f"venue: {venue}", f"asset: {asset}", f"kind: {kind}", f"depth_usd: {_rounded(curve.depth_usd.value)}"]
    if not math.isnan(curve.half_spread_bps.value):
        fields.append(f"half_spread_bps: {half_spread_of(curve):.3g}")
    return [
        "markets:",
        f'  - {{{", ".join(fields)}, source: "{source}"}}',
        "makers:",
        f"  depth_exponent: {exponent:.3g}  # of all books; makers.depth_share_frac {rules.maker_share:g}, crowd.reach_frac {rules.crowd_reach:g}",
    ]


def override_words(curve: DepthCurve, rules: LadderRules, market: str) -> list[str]:
    """Return the same as overrides for --set."""
    words = [f"markets[{market}].depth_usd={_rounded(curve.depth_usd.value)}"]
    if not math.isnan(curve.half_spread_bps.value):
        words.append(f"markets[{market}].half_spread_bps={half_spread_of(curve):.3g}")
    return [*words, f"makers.depth_exponent={maker_exponent(curve, rules)[0]:.3g}"]


def _rounded(usd: float) -> str:
    """Return USD with three digits in the form scenario files use: 188e6, 30.1e6, 712e3."""
    for power, scale in ((9, 1e9), (6, 1e6), (3, 1e3)):
        if usd >= 0.9995 * scale:
            return f"{float(f'{usd / scale:.3g}'):g}e{power}"
    return f"{usd:.3g}"
