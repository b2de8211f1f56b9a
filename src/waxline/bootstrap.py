"""Intervals by resampling: blocks of samples that follow each other, so that slow swings are not taken for independent draws.

Source: H. R. Kuensch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics, 1989.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from waxline.streams import Purpose, key, uniforms

Floats = NDArray[np.float64]

REPLICATES = 400
LEVEL = 0.90
LEAST = 8
SEED = 1


def block_rows(count: int, block: int, replicate: int) -> NDArray[np.int64]:
    """Return `count` row numbers of one replicate: blocks of `block` rows that follow each other, starts drawn with equal chance."""
    blocks = -(-count // block)
    draws = uniforms(key(SEED, int(Purpose.BOOTSTRAP), replicate), blocks)
    starts = np.floor(draws * (count - block + 1)).astype(np.int64)
    return np.asarray((starts[:, None] + np.arange(block)).ravel()[:count], dtype=np.int64)


def interval(count: int, statistic: Callable[[NDArray[np.int64]], Floats], block: int | None = None) -> tuple[Floats, Floats]:
    """Return the ends of the 90 % interval of a statistic of rows 0..count-1; NaN where there are fewer than 8 rows.

    statistic(rows) gives an array for row numbers with repetition; block: rows per block, without it the square root of their number.
    """
    shape = np.asarray(statistic(np.arange(count)), dtype=np.float64).shape
    if count < LEAST:
        return np.full(shape, np.nan), np.full(shape, np.nan)
    length = block or max(1, math.isqrt(count))
    values = np.array([statistic(block_rows(count, length, replicate)) for replicate in range(REPLICATES)])
    low, high = np.nanquantile(values, (0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0), axis=0) if values.size else (values, values)
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
