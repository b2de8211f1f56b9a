"""Rows of the liquidation record as columns that kernels fill."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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


R_T_S, R_ACCOUNT, R_STAGE, R_MARKET, R_SIDE, R_QUANTITY, R_NOTIONAL, R_EQUITY, R_PROFIT, R_GENERATION, R_COUNTED, R_SHARES = range(12)
"""Columns of a row; from R_SHARES the shares by cause."""


class Rows(NamedTuple):
    """Hold the liquidation record: used[0] rows of `table` are filled; used[1] is 1 once it was full."""

    table: NDArray[np.float64]
    used: NDArray[np.int64]
