"""Rules of how concentrated makers are: how many equal makers they amount to, what one withdrawal does, a haircut for it.

Shares are each maker's part of what is quoted, positive; they need not sum to one.
Source: Chitra, Autodeleveraging: Impossibilities and Optimization, arXiv 2512.01112 (haircut); Herfindahl's index.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def effective_number(shares: Sequence[float]) -> float:
    """Return how many makers of equal size would be as concentrated: 1 / sum of squared parts (inverse of Herfindahl's index)."""
    whole = math.fsum(shares)
    return whole * whole / math.fsum(share * share for share in shares)


def largest_part(shares: Sequence[float]) -> float:
    """Return the part of the largest maker."""
    return max(shares) / math.fsum(shares)


def impact_multiplier(shares: Sequence[float]) -> float:
    """Return by how much impact grows when the largest maker withdraws: 1 / (1 - its part); inf where it is alone."""
    left = 1.0 - largest_part(shares)
    return 1.0 / left if left > 0.0 else math.inf


def concentration_haircut(effective: float, largest: float, wanted: float, threshold: float, slope_number: float, slope_largest: float) -> float:
    """Return slope_number max(0, wanted / effective - 1) + slope_largest max(0, largest - threshold), a multiple of the base haircut.

    effective: number of equal makers; largest: part of the largest; wanted: number below which the haircut grows.
    """
    return slope_number * max(0.0, wanted / effective - 1.0) + slope_largest * max(0.0, largest - threshold)
