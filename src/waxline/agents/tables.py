"""Rules of agents as plain numbers, in the form that kernels read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Flow:
    """Name the kinds of market flow; the number is the column in the flow table."""

    INFORMED = 0
    NOISE_BUY = 1
    NOISE_SELL = 2
    VALUE_BUY = 3
    VALUE_SELL = 4
    SHORT_COVER = 5
    TREND = 6
    NEW_SHORT = 7
    ARBITRAGE_BUY = 8
    ARBITRAGE_SELL = 9
    NAKED_HEDGE = 10
    FUND = 11
    KEEPER = 12
    COUNT = 13


class QuoteRules(NamedTuple):
    """Hold how makers quote."""

    own_rate: float
    learning_floor: float
    learning_turnover: float
    learning_spread: float
    volatility_window_s: float
    spread_share: float
    size_scale: float
    skew_share: float
    skew_limit: float
    inventory_limit: float
    inventory_limit_spot: float
    inventory_tau_s: float
    refill_rate: Floats
    cut_rate: float
    pulled_frac: float
    ramp_s: float
    news_tau_s: float
    news_small_tau_s: float
    news_small_limit: float
    crowd_tau_s: Floats
    crowd_refill: Floats
    crowd_cancel: float
    withdraw: bool
    funding_cap: bool
    volatility_response: bool


class MakerTable(NamedTuple):
    """Hold makers per slot (the last slot is the crowd): share per size class [S, C], account per market [S, M], state."""

    share: Floats
    account: Ints
    pull_ratio: Floats
    cool_down_s: Floats
    speed: Floats
    cap: Floats
    alive: Floats
    entered: Floats


class FlowRules(NamedTuple):
    """Hold how kinds of traders trade; arrays are by size class or market."""

    noise_rate: float
    informed_rate: float
    informed_gap: float
    informed_buy_gap: float
    value_on: bool
    value_sellers: bool
    value_cash: Floats
    value_start: Floats
    value_width: Floats
    value_tau: Floats
    value_delay: Ints
    fresh_tau: float
    seller_tau: float
    seller_start: float
    anchor_tau: float
    trend_on: bool
    trend_holdings: Floats
    trend_window: float
    trend_start: float
    trend_full: float
    trend_rate: float
    trend_depth_share: float
    trend_turnover: float
    trend_elsewhere: float
    new_short_frac: float
    shorts_on: bool
    short_start: float
    short_width: float
    short_tau: float
    short_full: Floats
    close_rate: float
    close_ratio: float
    fund_tau: float
    fund_depth: float
    fund_walk: float
    fund_quiet: float
    naked_tau: float
    naked_floor: float
    keeper_tau: float


class Pairs(NamedTuple):
    """Hold arbitrage pairs: two markets whose log mids should differ by `gap` times nothing but costs."""

    first: Ints
    second: Ints
    kind: Ints
    stock_first: Floats
    stock_second: Floats


class ArbitrageRules(NamedTuple):
    """Hold how arbitrageurs trade."""

    rate: float
    cost: float
    depth_limit: float
    restock_tau: float
    claim_cost: float
