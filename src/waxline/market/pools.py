"""Pools that trade by a formula instead of a book: constant product (Uniswap v2) and stable swap (Curve).

Reserves and amounts are in whole coins, all above zero; the fee is a fraction. A price is units received per unit given. A constant-product
pool takes its fee from what comes in, a stable-swap pool from what goes out, and both keep it, so that no trade ever lowers the invariant.
Compiled scalars; assumed unchecked: reserves > 0, amounts >= 0, 0 <= fee < 1, amplification > 0, coin numbers in range and different.

Sources: Uniswap v2 core (2020), section 3.2.1; Egorov, StableSwap (2019), with the amplification as in the deployed pools, Ann = A n.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.jit import njit

Floats = NDArray[np.float64]

NEWTON_ROUNDS = 255
"""Most rounds of Newton's method for the invariant, as in the deployed pools; one that is not reached by then is NaN."""
BISECTIONS = 200
"""Most halvings of the search for a trade that moves a price by a given part."""
NEAR, NOT_ARRIVED = 4e-16, 1e-12
"""Relative change at which Newton's method has arrived, and the one that may be left where rounding keeps it from standing still."""


@njit
def product_out(reserve_in: float, reserve_out: float, amount: float, fee: float) -> float:
    """Return what a constant-product pool gives for `amount`: y a (1 - g) / (x + a (1 - g)); below reserve_out always."""
    net = amount * (1.0 - fee)
    return reserve_out * net / (reserve_in + net)


@njit
def product_in(reserve_in: float, reserve_out: float, wanted: float, fee: float) -> float:
    """Return what must be given for `wanted` of the other coin: x b / ((y - b) (1 - g)); inf where the pool does not hold that much."""
    if wanted >= reserve_out:
        return math.inf
    return reserve_in * wanted / ((reserve_out - wanted) * (1.0 - fee))


@njit
def product_price(reserve_in: float, reserve_out: float) -> float:
    """Return the price of the next small amount before the fee: y / x."""
    return reserve_out / reserve_in


@njit
def product_depth(reserve_in: float, reserve_out: float, move: float, fee: float) -> tuple[float, float]:
    """Return (given, received) of the trade that lowers the price by the part `move` in (0, 1), the fee staying in the pool.

    The pool ends at x' = x + a and y' = y - out(a) with y' / x' = (1 - move) y / x; with m = 1 - move and f = 1 - g the positive root of
    m f a^2 + m x (1 + f) a + (m - 1) x^2 = 0 is given.
    """
    left = 1.0 - move
    kept = 1.0 - fee
    linear = left * (1.0 + kept)
    given = 2.0 * move * reserve_in / (linear + math.sqrt(linear * linear + 4.0 * left * kept * move))
    return given, product_out(reserve_in, reserve_out, given, fee)


@njit
def stable_invariant(balances: Floats, amplification: float) -> float:
    """Return D of a stable-swap pool: Ann sum(x) + D = Ann D + D^(n+1) / (n^n prod(x)); balances [n]. With equal balances D is their sum."""
    count = balances.size
    whole = 0.0
    for i in range(count):
        whole += balances[i]
    ann = amplification * count
    d = whole
    for _ in range(NEWTON_ROUNDS):
        product = d
        for i in range(count):
            product *= d / (count * balances[i])
        before = d
        d = (ann * whole + product * count) * d / ((ann - 1.0) * d + (count + 1.0) * product)
        if abs(d - before) <= NEAR * d:
            return d
    return d if abs(d - before) <= NOT_ARRIVED * d else math.nan


@njit
def stable_balance(coin_in: int, coin_out: int, balance_in: float, balances: Floats, amplification: float, invariant: float) -> float:
    """Return the balance of coin_out that keeps the invariant D when coin_in's balance is `balance_in`; balances [n] of the others.

    The positive root of y^2 + b y = c; deployed pools find it by Newton's method in whole numbers.
    """
    count = balances.size
    ann = amplification * count
    others = 0.0
    c = invariant
    for i in range(count):
        if i == coin_out:
            continue
        held = balance_in if i == coin_in else balances[i]
        others += held
        c *= invariant / (count * held)
    c *= invariant / (count * ann)
    b = others + invariant / ann - invariant
    root = math.sqrt(b * b + 4.0 * c)
    return 2.0 * c / (b + root) if b > 0.0 else 0.5 * (root - b)


@njit
def stable_out(coin_in: int, coin_out: int, amount: float, balances: Floats, amplification: float, fee: float) -> float:
    """Return what a stable-swap pool gives of coin_out for `amount` of coin_in, after the fee; balances [n] are left alone."""
    invariant = stable_invariant(balances, amplification)
    left = stable_balance(coin_in, coin_out, balances[coin_in] + amount, balances, amplification, invariant)
    return float(max(balances[coin_out] - left, 0.0) * (1.0 - fee))


@njit
def stable_price(coin_in: int, coin_out: int, balances: Floats, amplification: float) -> float:
    """Return the price of the next small amount before the fee: (Ann + P / x_in) / (Ann + P / x_out), P = D^(n+1) / (n^n prod(x))."""
    count = balances.size
    invariant = stable_invariant(balances, amplification)
    product = invariant
    for i in range(count):
        product *= invariant / (count * balances[i])
    ann = amplification * count
    return float((ann + product / balances[coin_in]) / (ann + product / balances[coin_out]))


@njit
def stable_swap(coin_in: int, coin_out: int, amount: float, balances: Floats, amplification: float, fee: float) -> float:
    """Trade `amount` of coin_in for coin_out; writes `balances` [n]; returns what is received. The fee stays in the pool."""
    received = stable_out(coin_in, coin_out, amount, balances, amplification, fee)
    balances[coin_in] += amount
    balances[coin_out] -= received
    return received


@njit
def stable_depth(coin_in: int, coin_out: int, move: float, balances: Floats, amplification: float, fee: float) -> tuple[float, float]:
    """Return (given, received) of the trade that lowers the price by the part `move` in (0, 1); (inf, all) beyond 2^60 times the balance.

    Bisection on the price after the trade, which falls with the amount. Leaves `balances` [n] alone.
    """
    target = stable_price(coin_in, coin_out, balances, amplification) * (1.0 - move)
    trial = balances.copy()
    low, high = 0.0, balances[coin_in]
    for _ in range(60):
        trial[:] = balances
        stable_swap(coin_in, coin_out, high, trial, amplification, fee)
        if stable_price(coin_in, coin_out, trial, amplification) <= target:
            break
        low, high = high, 2.0 * high
    else:
        return math.inf, balances[coin_out]
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        trial[:] = balances
        stable_swap(coin_in, coin_out, middle, trial, amplification, fee)
        if stable_price(coin_in, coin_out, trial, amplification) > target:
            low = middle
        else:
            high = middle
    return high, stable_out(coin_in, coin_out, high, balances, amplification, fee)
