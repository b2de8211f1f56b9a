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
    PAYMENT = 9
    TOP_UP = 10


class Payer:
    """Name who settles what is missing; the number is the code in a row."""

    NONE = -1
    FUND = 0
    VAULT = 1
    WINNERS = 2
    USERS = 3
    NOBODY = 4


(
    R_T_S, R_ACCOUNT, R_STAGE, R_MARKET, R_SIDE, R_QUANTITY, R_NOTIONAL, R_EQUITY, R_PROFIT, R_GENERATION, R_COUNTED, R_LIMIT, R_SHORTFALL, R_PAYER, R_SHARES,
) = range(15)  # fmt: skip
"""Columns of a row; R_LIMIT is the worst price that was allowed (NaN: none), R_SHORTFALL the USD missing that R_PAYER settled; from R_SHARES the shares."""

FUND_BASE = 2 * 10**9
"""Account number of a venue's fund in a row: FUND_BASE plus the venue's number."""


class Rows(NamedTuple):
    """Hold the liquidation record: used[0] rows of `table` are filled; used[1] is 1 once it was full."""

    table: NDArray[np.float64]
    used: NDArray[np.int64]
