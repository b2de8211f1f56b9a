"""Rules of how much of one position is closed when the execution price is known to differ from the mark.

The rules of venues that size an order by fees alone stand in `rules_waterfall`; these count what the sale itself costs.
side +1 for a long position, -1 for a short one; quantity in coins; prices in USD per coin; fees are fractions.
Source: Chitra, Autodeleveraging: Impossibilities and Optimization, arXiv 2512.01112.
"""

from __future__ import annotations

import math


def closing_fees(mark: float, executed: float, quantity: float, mark_fee: float, executed_fee: float) -> float:
    """Return the fees in USD of closing: one part on the value at the mark, one on the executed value."""
    return mark_fee * mark * quantity + executed_fee * executed * quantity


def closing_at_price(equity: float, side: float, quantity: float, mark: float, executed: float, rate: float, fee: float) -> float:
    """Return the coins to close at `executed` so that equity meets maintenance again; the whole position where that is not enough.

    e + s x (executed - mark) - fee mark x = rate mark (q - x), so x = (rate mark q - e) / (s (executed - mark) - fee mark + rate mark).
    """
    missing = rate * mark * quantity - equity
    if missing <= 0.0:
        return 0.0
    freed = side * (executed - mark) - fee * mark + rate * mark
    return min(missing / freed, quantity) if freed > 0.0 else quantity


def closing_with_impact(equity: float, quantity: float, mark: float, rate: float, impact: float, fees: float) -> float:
    """Return the coins to close so that equity meets maintenance again when the sale moves the price by `impact` USD per coin.

    The average price is impact x / 2 worse than the mark: impact / 2 x^2 - rate mark x + (rate mark q - e + fees) = 0, the smaller root; the
    whole position where there is none. fees: USD, whatever the size.
    """
    missing = rate * mark * quantity - equity + fees
    if missing <= 0.0:
        return 0.0
    freed = rate * mark
    inside = freed * freed - 2.0 * impact * missing
    return min(2.0 * missing / (freed + math.sqrt(inside)), quantity) if inside >= 0.0 else quantity
