"""Columns of markets, books and flows as arrays: what the market kernels read and write.

Indices: m market, s quote owner (makers, then the crowd), k rung of an owner's ladder counted from its own best quote, c cause,
f flow of a kind of trader. Log prices are natural logarithms of USD per unit; a level is a log price in steps of the market's grid.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

RUNGS = 40
"""Rungs per side of one owner's ladder."""

BID, ASK = 0, 1


class Markets(NamedTuple):
    """Hold what does not change in a run, per market.

    offset [M, 2, K]: levels from an owner's best quote to its rungs, shape 0 of makers, 1 of the crowd; usd [M, 2, K] on each rung of a full ladder,
    maker_whole_usd [M] on all rungs of makers; relative [M, 2, 2, K]: price of a rung over that of the best one, per side and shape;
    cumulative [M, 2, 2, K + 1]: sums of usd times it over the rungs before.
    """

    venue: Ints
    asset: Ints
    perp: Bools
    sister: Ints
    size_class: Ints
    grid: Floats
    depth_usd: Floats
    volatility: Floats
    half_spread: Floats
    log_reference: Floats
    link_market: Ints
    link_kind: Ints
    claim_asset: Ints
    claim_units: Floats
    offset: Ints
    usd: Floats
    maker_whole_usd: Floats
    relative: Floats
    cumulative: Floats
    bid_end: Floats
    fee_frac: Floats
    stream: Ints


class Books(NamedTuple):
    """Hold the ladders and everything derived from them, per market.

    base [M, S, 2]: levels of best quotes; scale [M, S, 2]: coins per USD of the owner's shape, so that rung k shows scale * usd[k] coins from `eaten`
    [M, S, 2] on; before it, left [M, S, 2, K] coins (what stands there from `eaten` on is old). `waxline.market.ladder.posted_coins` writes it out.
    first [M, S, 2]: the first rung with coins after the last posting (K: none); inside [M, 2]: rungs of each shape that lay within 1 % of the mid,
    where the next look at depth starts.
    """

    base: Ints
    scale: Floats
    eaten: Ints
    left: Floats
    first: Ints
    inside: Ints
    estimate: Floats
    skew: Floats
    size_frac: Floats
    pulled_until_s: Floats
    mid: Floats
    best_bid: Floats
    best_ask: Floats
    last: Floats
    low: Floats
    high: Floats
    traded_usd: Floats
    turnover_usd_s: Floats
    depth_bid_usd: Floats
    depth_ask_usd: Floats
    variance: Floats
    variance_fast: Floats
    lag: Floats
    slow_mean: Floats
    anchor: Floats
    last_bid: Floats
    traded_log: Floats


class Causes(NamedTuple):
    """Hold the booking of mid changes to causes, per market and cause."""

    step: Floats
    recent: Floats
    temporary: Floats
    pending: Floats
    total: Floats
    at_peak: Floats
    at_trough: Floats
    peak: Floats
    trough: Floats
    forced_usd: Floats
    forced_generation_usd: Floats
    sold_usd: Floats
    bought_usd: Floats


class Flows(NamedTuple):
    """Hold market orders of one step by kind of trader: signed quantity (buy positive) and worst log price."""

    quantity: Floats
    limit: Floats
    cell: Ints
    cause: Ints


class Orders(NamedTuple):
    """Hold forced orders that wait to be worked: rows of `table` [N, columns below], one list per market linked by `link` from `head`.

    used[0] rows are taken; used[1] is 1 once the table was full.
    """

    table: Floats
    link: Ints
    head: Ints
    used: Ints


O_ACCOUNT, O_MARKET, O_SIDE, O_LEFT, O_RELEASE, O_LIMIT, O_CAUSE, O_GENERATION = range(8)
O_FILLED, O_CASH, O_ROW_FILLED, O_ROW_CASH, O_SINCE, O_EQUITY, O_TAKEN, O_TAKEN_CASH, O_START, O_SHARES = range(8, 18)
"""Columns of an order: account (trader, or -1 - portfolio), market, side, coins left, coins worked this step, worst log price, cause,
generation, coins and USD filled in all and since the last row, second it was given, equity then,
coins and USD taken over since the last row, coins at the start, and from O_SHARES the shares by cause."""

E_QUANTITY, E_LIMIT, E_FILLED, E_CASH, E_NETTED = range(5)
"""Columns of a market order while a market is cleared: coins left after netting, worst log price, coins filled, USD filled, coins netted."""
