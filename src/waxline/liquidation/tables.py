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
    HEDGE_SALE = 11
    REDUCTION = 12


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


class First:
    """Name how much of a single position a venue closes first; the number is the code in `CloseRules`."""

    WHOLE = 0
    TO_COMPLIANCE = 1
    TIERS_DOWN = 2
    FRACTION_ABOVE = 3
    PORTION = 4
    TO_LEVEL = 5


class CloseRules(NamedTuple):
    """Hold per venue [V] how a position that is an account's only one is closed; USD and tiers are those of one person's position.

    `people`: positions that one row stands for. `on_entry`: maintenance is taken on the entry value. `at_equality`: an account exactly at the line
    goes. `bounded`: 0 no worst price, 1 the bankruptcy price, 2 the fillable price. `closing_fee`: part of the value that counts as maintenance besides.
    """

    first: NDArray[np.int64]
    on_entry: NDArray[np.int64]
    at_equality: NDArray[np.int64]
    bounded: NDArray[np.int64]
    tiers_down: NDArray[np.int64]
    whole_up_to: NDArray[np.int64]
    fee_frac: NDArray[np.float64]
    closing_fee: NDArray[np.float64]
    threshold_usd: NDArray[np.float64]
    fraction: NDArray[np.float64]
    wait_s: NDArray[np.float64]
    least_usd: NDArray[np.float64]
    most_usd: NDArray[np.float64]
    stop_at: NDArray[np.float64]
    spread: NDArray[np.float64]
    adjustment: NDArray[np.float64]
    people: NDArray[np.float64]


class Rows(NamedTuple):
    """Hold the liquidation record: used[0] rows of `table` are filled; used[1] is 1 once it was full."""

    table: NDArray[np.float64]
    used: NDArray[np.int64]
