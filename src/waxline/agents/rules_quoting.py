"""Rules of market makers as formulas: reservation price, spread and distances of quotes against inventory, and who trades with them.

Compiled scalars; prices and distances in one unit (USD or log price), inventory q in lots (long positive), sigma in price per square root of
time, gamma = risk aversion per unit of money, k = decay of arrivals per unit of price, A = arrivals per unit of time at distance 0.

Sources: Avellaneda, Stoikov, High-frequency trading in a limit order book, Quantitative Finance 8, 2008; Guéant, Lehalle, Fernandez-Tapia,
Dealing with the inventory risk, Mathematics and Financial Economics 7, 2013.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.jit import njit

Floats = NDArray[np.float64]


@njit
def inventory_shift(inventory: float, aversion: float, risk: float) -> float:
    """Return by how much a maker quotes lower for what it holds: gamma q times the risk of one lot; the maker of the simulation uses it.

    Avellaneda-Stoikov: risk = sigma^2 (T - t). The maker of the simulation: q its part of the most it holds, risk its volatility.
    """
    return aversion * inventory * risk


@njit
def reservation_price(price: float, inventory: float, aversion: float, sigma: float, left: float) -> float:
    """Return the price at which a maker is indifferent: s - q gamma sigma^2 (T - t); below the price for a long maker. Avellaneda-Stoikov."""
    return price - inventory_shift(inventory, aversion, sigma * sigma * left)


@njit
def fill_distance(aversion: float, decay: float) -> float:
    """Return the part of a quote's distance that pays for being filled: (1 / gamma) ln(1 + gamma / k); 1 / k without risk aversion."""
    return math.log1p(aversion / decay) / aversion if aversion > 0.0 else 1.0 / decay


@njit
def optimal_spread(aversion: float, sigma: float, left: float, decay: float) -> float:
    """Return ask minus bid: gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma / k). Avellaneda-Stoikov."""
    return aversion * sigma * sigma * left + 2.0 * fill_distance(aversion, decay)


@njit
def mean_spread(aversion: float, sigma: float, horizon: float, decay: float) -> float:
    """Return the spread averaged over the horizon: gamma sigma^2 T / 2 + (2 / gamma) ln(1 + gamma / k)."""
    return optimal_spread(aversion, sigma, 0.5 * horizon, decay)


@njit
def arrival_rate(distance: float, arrivals: float, decay: float) -> float:
    """Return how often a quote at `distance` from the price is hit per unit of time: A exp(-k distance)."""
    return arrivals * math.exp(-decay * distance)


@njit
def inventory_distance(aversion: float, sigma: float, arrivals: float, decay: float) -> float:
    """Return by how much one lot of inventory moves both quotes far from the horizon: sqrt(sigma^2 gamma / (2 k A) (1 + gamma/k)^(1 + k/gamma)).

    Guéant-Lehalle-Fernandez-Tapia, closed-form approximation of the asymptotic quotes; aversion > 0.
    """
    ratio = aversion / decay
    return math.sqrt(sigma * sigma * aversion / (2.0 * decay * arrivals) * math.exp((1.0 + 1.0 / ratio) * math.log1p(ratio)))


@njit
def bid_distance(inventory: float, aversion: float, sigma: float, arrivals: float, decay: float) -> float:
    """Return how far below the price to bid: (1/gamma) ln(1 + gamma/k) + (2 q + 1) / 2 times `inventory_distance`."""
    return fill_distance(aversion, decay) + (inventory + 0.5) * inventory_distance(aversion, sigma, arrivals, decay)


@njit
def ask_distance(inventory: float, aversion: float, sigma: float, arrivals: float, decay: float) -> float:
    """Return how far above the price to ask: (1/gamma) ln(1 + gamma/k) - (2 q - 1) / 2 times `inventory_distance`."""
    return fill_distance(aversion, decay) - (inventory - 0.5) * inventory_distance(aversion, sigma, arrivals, decay)


def asymptotic_bid_distances(most: int, aversion: float, sigma: float, arrivals: float, decay: float) -> Floats:
    """Return the exact distances of bids far from the horizon, [2 most], for inventories -most to most - 1 lots (no bid at `most`).

    With f the eigenvector of the smallest eigenvalue of the matrix that has (k gamma sigma^2 / 2) q^2 on the diagonal and
    -A (1 + gamma/k)^-(1 + k/gamma) beside it, the distance is (1/k) ln(f(q) / f(q + 1)) + (1/gamma) ln(1 + gamma/k). Asks mirror it:
    ask(q) = bid(-q). Guéant-Lehalle-Fernandez-Tapia, theorem on the asymptotic quotes. A vector's last entries lose digits where f is small.
    """
    lots = np.arange(-most, most + 1, dtype=np.float64)
    beside = -arrivals * math.exp(-(1.0 + decay / aversion) * math.log1p(aversion / decay))
    matrix = np.diag(0.5 * decay * aversion * sigma * sigma * lots**2) + beside * (np.eye(lots.size, k=1) + np.eye(lots.size, k=-1))
    eigenvector = np.abs(np.linalg.eigh(matrix)[1][:, 0])
    distances: Floats = np.log(eigenvector[:-1] / eigenvector[1:]) / decay + fill_distance(aversion, decay)
    return distances
