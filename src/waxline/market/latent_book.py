"""The latent book: intentions that diffuse and are linear around the price, and what a long order does to them.

phi(x, t), bids minus asks per USD of price, follows d phi / dt = D d2 phi / dx2 + m0 delta(x - y), from -L x, and the price y is where it is zero.
A constant buying rate m0 moves the price by y = A sqrt(D t), where A depends on r = m0 / (D L) only:

    A = r / sqrt(pi) * integral over w in (0, pi/2) of exp(-A^2 tan^2(w / 2) / 4) cos(w),     A -> r / sqrt(pi) slow, sqrt(2 r) fast

So impact grows with the square root of what was bought. Compiled loops and scalars.

Source: Donier, Bonart, Mastromatteo, Bouchaud, A fully consistent, minimal model for non-linear market impact, Quantitative Finance 15, 2015;
the integral with u = cos^2(w) in place of their time variable.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.jit import njit

Floats = NDArray[np.float64]

PANELS = 4000
"""Panels of Simpson's rule for the integral."""
BISECTIONS = 200
"""Most halvings of the search for the amplitude."""


@njit
def scaled_supply(amplitude: float) -> float:
    """Return the integral over w in (0, pi/2) of exp(-A^2 tan^2(w/2) / 4) cos(w): 1 at amplitude 0, falling."""
    width = 0.5 * math.pi / PANELS
    total = 0.0
    for n in range(PANELS + 1):
        half = math.tan(0.5 * n * width)
        value = math.exp(-0.25 * amplitude * amplitude * half * half) * math.cos(n * width)
        total += value * (1.0 if n == 0 or n == PANELS else (4.0 if n % 2 else 2.0))
    return total * width / 3.0


@njit
def impact_amplitude(participation: float) -> float:
    """Return A of y = A sqrt(D t) for r = m0 / (D L) >= 0: the only zero of A - r / sqrt(pi) * scaled_supply(A), by bisection."""
    low, high = 0.0, participation / math.sqrt(math.pi)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if middle < participation / math.sqrt(math.pi) * scaled_supply(middle):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit
def find_price(density: Floats, first: float, spacing: float, cell: int) -> tuple[float, int]:
    """Return (price, cell) where `density` [N] falls through zero, looking from `cell` outwards; NaN in the outermost cells or beyond."""
    while cell > 0 and density[cell] <= 0.0:
        cell -= 1
    while cell < density.size - 1 and density[cell + 1] > 0.0:
        cell += 1
    if cell < 1 or cell >= density.size - 2 or density[cell] <= 0.0:
        return math.nan, cell
    return first + spacing * (cell + density[cell] / (density[cell] - density[cell + 1])), cell


@njit
def bought_through(density: Floats, first: float, spacing: float, diffusion: float, rate: float, step: float, prices: Floats) -> None:
    """Let `rate` coins per unit of time be bought at the price; writes `density` [N] and `prices` [n], the price after each of n steps.

    density[i] is bids minus asks per USD at first + i spacing; its two ends stay as they are. Explicit differences: the step must satisfy
    diffusion step <= spacing^2 / 2. What is bought at the price is shared linearly between the two nodes around it. When the price reaches
    the ends of the book, it and all later ones are NaN: take a wider book.
    """
    size = density.size
    ahead = density.copy()
    weight = diffusion * step / (spacing * spacing)
    price, cell = find_price(density, first, spacing, size // 2)
    for n in range(prices.size):
        if math.isnan(price):
            prices[n] = math.nan
            continue
        for i in range(1, size - 1):
            ahead[i] = density[i] + weight * (density[i + 1] - 2.0 * density[i] + density[i - 1])
        part = (price - first) / spacing - cell
        ahead[cell] += rate * step / spacing * (1.0 - part)
        ahead[cell + 1] += rate * step / spacing * part
        for i in range(1, size - 1):
            density[i] = ahead[i]
        price, cell = find_price(density, first, spacing, cell)
        prices[n] = price
