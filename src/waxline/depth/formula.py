"""Depth by formula: a power law, or a few stated points."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from waxline.depth.samples import BPS, DepthRequestError, Floats, Samples, standard_distances
from waxline.units import parse_bps, parse_usd

LEAST_USD, MOST_USD = 0.01, 1e15
"""Ends of the range of a stated depth."""


def power_law(depth_usd: float, exponent: float, half_spread_bps: float = 0.0) -> Samples:
    """Return the sample of a formula: USD within distance d of the mid = depth_usd (d / 1 %)^exponent, alike on both sides.

    depth_usd USD within 1 %, positive; exponent positive; half_spread_bps >= 0. Source of the form: Amberdata,
    BTC/FDUSD July and August 2025, 3.50 M USD at 10 bp and 16.53 M USD at 100 bp.
    """
    if not (depth_usd > 0.0 and exponent > 0.0):
        raise DepthRequestError(f"a power law needs a positive depth and exponent, was {depth_usd:g} USD and {exponent:g}: give both above 0")
    distances = standard_distances()
    usd = depth_usd * (distances / 0.01) ** exponent
    return _formula("power law", distances, usd, half_spread_bps)


def from_points(points: list[tuple[float, float]]) -> Samples:
    """Return the sample of stated points (distance in bps, USD on one side within it), rising in both; raises DepthRequestError."""
    ranked = sorted(points)
    if len(ranked) < 2 or any(b[0] <= a[0] or b[1] < a[1] for a, b in pairwise(ranked)) or ranked[0][0] <= 0.0 or ranked[0][1] <= 0.0:
        raise DepthRequestError("points must be two or more distances above 0 with depths that do not fall: write for example 10bps=3.5M,100bps=16.5M")
    if ranked[0][1] < LEAST_USD or ranked[-1][1] > MOST_USD:
        shown = f"{ranked[0][1]:g} to {ranked[-1][1]:g}"
        raise DepthRequestError(f"depth of points must lie in [{LEAST_USD:g}, {MOST_USD:g}] USD, was {shown}: write for example 10bps=3.5M,100bps=16.5M")
    distance = np.array([point[0] for point in ranked]) * BPS
    usd: Floats = np.array([point[1] for point in ranked])
    return _formula("stated points", np.tile(distance, (2, 1)), np.tile(usd, (2, 1)), float("nan"))


def _formula(kind: str, distance: Floats, usd: Floats, half_spread_bps: float) -> Samples:
    half = np.array([half_spread_bps * BPS])
    return Samples(kind, np.zeros(1), distance, usd[None], half, np.full(1, np.nan), np.full(2, np.inf))


def read_points(text: str) -> Samples:
    """Return the sample of points written as distance=USD with a comma between: "10bps=3.5M,100bps=16.5M", "1%=16.5M"; raises DepthRequestError, UnitError."""
    points = []
    for part in text.split(","):
        distance, mark, usd = part.partition("=")
        if not mark:
            raise DepthRequestError(f"{text}: points must be distance=USD, was {part[:30]!r}: write for example 10bps=3.5M,100bps=16.5M")
        points.append((parse_bps(distance), parse_usd(usd)))
    return from_points(points)
