"""Draw random numbers that belong to (seed, path, purpose, step, index) and not to the order of calls.

A key is mixed once per loop from seed, purpose and step; the draw of index i is the splitmix64 finaliser of key + (i+1) times the
golden-ratio constant. Switching a mechanism off, sorting accounts differently or using more workers leaves all other draws alone.
Every constant is a 64-bit unsigned number: with a signed literal the sum would turn signed.

Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014 (finaliser in Stafford's variant 13);
normals by Acklam's rational inverse of the normal distribution function, 2003 (relative error below 1.2e-9).
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from waxline.jit import njit

Whole: TypeAlias = "int | np.integer[Any]"


class Purpose(IntEnum):
    """Name what a draw is for. A number is never used again for something else; a new purpose takes the next free one."""

    NEWS = 1
    FAIR_COMMON = 2
    FAIR_OWN = 3
    NOISE_SIZE = 4
    NOISE_SIDE = 5
    POPULATION = 6
    MAKER = 7
    WHALE = 8
    TREND = 9
    VALUE = 10
    INFORMED = 11
    ARBITRAGE = 12
    ENTRY = 13
    STOP_LOSS = 14
    SHORT_COVERING = 15
    LEVERAGE = 16
    KEEPER = 17
    VENUE = 18
    POPULATION_SIZE = 19
    POPULATION_LEVERAGE = 20
    POPULATION_ENTRY = 21
    POPULATION_SIDE = 22
    POPULATION_MARKET = 23
    POPULATION_COLLATERAL = 24
    BOOTSTRAP = 25
    VOLATILITY_COMMON = 26
    VOLATILITY_OWN = 27
    DELEVERAGING = 28


GOLDEN = np.uint64(0x9E3779B97F4A7C15)
PURPOSE_STRIDE = np.uint64(0xD1B54A32D192ED03)
STEP_STRIDE = np.uint64(0x8CB92BA72F3D8DD7)
PATH_STRIDE = np.uint64(0xDB4F0B9175AE2165)
MULTIPLY_1 = np.uint64(0xBF58476D1CE4E5B9)
MULTIPLY_2 = np.uint64(0x94D049BB133111EB)
ONE = np.uint64(1)
SHIFT_12 = np.uint64(12)
SHIFT_27 = np.uint64(27)
SHIFT_30 = np.uint64(30)
SHIFT_31 = np.uint64(31)
TWO_TO_MINUS_52 = 2.0**-52


@njit
def mix(word: np.uint64) -> np.uint64:
    """Return the splitmix64 finaliser of `word`: a bijection of 64-bit numbers in which every bit depends on every bit."""
    word = (word ^ (word >> SHIFT_30)) * MULTIPLY_1
    word = (word ^ (word >> SHIFT_27)) * MULTIPLY_2
    return word ^ (word >> SHIFT_31)


@njit
def path_seed(seed: Whole, path: Whole) -> np.uint64:
    """Return the seed of path number `path` (0, 1, ...) of an ensemble that was started with `seed`; 63 bits, like a key."""
    return mix(mix(np.uint64(seed) + GOLDEN) + (np.uint64(path) + ONE) * PATH_STRIDE) >> ONE


@njit
def key(seed: Whole, purpose: Whole, step: Whole) -> np.uint64:
    """Return the key of all draws for one purpose at one step; arguments are below 2^63, steps may be negative.

    A key has 63 bits: it is below 2^63, so that it passes through plain Python, where numba takes larger numbers for errors.
    """
    word = mix(np.uint64(seed) + GOLDEN)
    word = mix(word + (np.uint64(purpose) + ONE) * PURPOSE_STRIDE)
    return mix(word + (np.uint64(np.int64(step)) + ONE) * STEP_STRIDE) >> ONE


@njit
def uniform(key: Whole, index: Whole) -> float:
    """Return draw number `index` under `key`, uniform on the open interval (0, 1): never 0, never 1."""
    word = mix(np.uint64(key) + (np.uint64(index) + ONE) * GOLDEN)
    return (np.float64(word >> SHIFT_12) + 0.5) * TWO_TO_MINUS_52


@njit
def normal(key: Whole, index: Whole) -> float:
    """Return draw number `index` under `key`, standard normal: the inverse of the distribution at `uniform(key, index)`."""
    return normal_quantile(uniform(key, index))


@njit
def normal_quantile(probability: float) -> float:
    """Return x with standard normal distribution function at x equal to `probability` in (0, 1); relative error below 1.2e-9."""
    q = probability - 0.5
    if abs(q) <= 0.47575:
        return q * central_ratio(q * q)
    tail = tail_ratio(math.sqrt(-2.0 * math.log(probability if q < 0.0 else 1.0 - probability)))
    return tail if q < 0.0 else -tail


@njit
def central_ratio(r: float) -> float:
    """Return the rational function of the centre, 0.02425 <= probability <= 0.97575, where r = (probability - 1/2)^2."""
    above = -3.969683028665376e01
    above = above * r + 2.209460984245205e02
    above = above * r - 2.759285104469687e02
    above = above * r + 1.383577518672690e02
    above = above * r - 3.066479806614716e01
    above = above * r + 2.506628277459239e00
    below = -5.447609879822406e01
    below = below * r + 1.615858368580409e02
    below = below * r - 1.556989798598866e02
    below = below * r + 6.680131188771972e01
    below = below * r - 1.328068155288572e01
    return above / (below * r + 1.0)


@njit
def tail_ratio(r: float) -> float:
    """Return the rational function of the lower tail, probability < 0.02425, where r = sqrt(-2 log probability)."""
    above = -7.784894002430293e-03
    above = above * r - 3.223964580411365e-01
    above = above * r - 2.400758277161838e00
    above = above * r - 2.549732539343734e00
    above = above * r + 4.374664141464968e00
    above = above * r + 2.938163982698783e00
    below = 7.784695709041462e-03
    below = below * r + 3.224671290700398e-01
    below = below * r + 2.445134137142996e00
    below = below * r + 3.754408661907416e00
    return above / (below * r + 1.0)


@njit
def uniforms(key: Whole, count: int) -> NDArray[np.float64]:
    """Return draws 0 to `count` - 1 under `key` as float64[count], each equal to `uniform(key, i)`."""
    draws = np.empty(count)
    for i in range(count):
        draws[i] = uniform(key, i)
    return draws


@njit
def normals(key: Whole, count: int) -> NDArray[np.float64]:
    """Return draws 0 to `count` - 1 under `key` as float64[count], each equal to `normal(key, i)`."""
    draws = np.empty(count)
    for i in range(count):
        draws[i] = normal(key, i)
    return draws
