"""Rows of the liquidation record as columns that kernels fill."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Stage:
    """Name the stages of the waterfall; the number is the code in a row."""

    MARGIN_CALL = 0
    CANCEL = 1
    CLOSE_IN_BOOK = 2
    COLLATERAL_SALE = 3
    TAKEOVER = 4
    DELEVERAGING = 5
    SOCIALISED = 6
    BAD_DEBT = 7
    POOL_LIQUIDATION = 8


class Rows(NamedTuple):
    """Hold the liquidation record; `used[0]` rows are filled."""

    used: Ints
    t_s: Ints
    account: Ints
    stage: Ints
    market: Ints
    side: Ints
    quantity: Floats
    notional: Floats
    equity: Floats
    profit: Floats
    generation: Floats
    counted: Ints
    shares: Floats
