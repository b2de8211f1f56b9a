"""State of a simulation: one record in labelled groups; nothing else remembers anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.tables import Cells, Portfolios, Traders, VenueTable, Watch
from waxline.agents.tables import ArbitrageRules, FlowRules, MakerTable, Pairs, QuoteRules
from waxline.liquidation.tables import CloseRules, Rows
from waxline.market.tables import Books, Causes, Flows, Markets, Orders
from waxline.scenario.venue_rules import RegimeRules
from waxline.simulation.clearing import Scratch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass
class Names:
    """Hold names in the canonical order of the arrays."""

    venues: list[str]
    funds: list[str]
    assets: list[str]
    markets: list[str]
    owners: list[str]
    portfolios: list[str]
    portfolio_kinds: list[str]


@dataclass
class Prices:
    """Hold prices that venues use: index per venue and asset, mark per perp, collateral price, oracle, and their memories."""

    index: Floats
    mark: Floats
    premium: Floats
    asset_price: Floats
    asset_price_start: Floats
    oracle: Floats
    oracle_age_s: Floats
    source_market: Ints
    source_weight: Floats
    outlier: Floats
    spot_market: Ints
    collateral_rule: Ints
    redeem_asset: Ints
    redeem_units: Floats


@dataclass
class Clockwork:
    """Hold time and what recurs: step number, time, fair values, history of mids, links open or cut."""

    step: int
    t_s: float
    dt: float
    start_t_s: float
    fair: Floats
    history: Floats
    place: int
    link_rate_open: Floats
    link_rate_halted: Floats
    link_rate: Floats
    link_pair: Ints
    pair_open: Ints
    halted: NDArray[np.bool_]
    funding_due: Floats


@dataclass
class Pending:
    """Hold what owners still have to do: coins to sell after a hedge was deleveraged, claims to redeem, and running totals."""

    naked: Floats
    outside: Floats
    fresh: Floats
    informed_capital: Floats
    topups_usd: Floats
    calls: Floats
    arbitrage_usd: Floats
    deleveraged_last_s: Floats
    pool: Floats
    claim_cash: Floats
    fund_most_usd: Floats
    drawn_down: NDArray[np.bool_]
    pool_supplied: float = 0.0
    auctions: list[Any] = field(default_factory=list)
    tranche_next: int = 0
    session_row: int = 0
    portfolio_orders: list[int] = field(default_factory=list)
    own_orders: dict[int, list[int]] = field(default_factory=dict)
    watched_head: Ints = field(default_factory=lambda: np.array([-1], dtype=np.int64))


@dataclass
class State:
    """Group the arrays of one run."""

    names: Names
    markets: Markets
    books: Books
    causes: Causes
    flows: Flows
    orders: Orders
    cells: Cells
    traders: Traders
    longs: Watch
    shorts: Watch
    stops: Watch
    portfolios: Portfolios
    venues: VenueTable
    makers: MakerTable
    quote_rules: QuoteRules
    flow_rules: FlowRules
    pairs: Pairs
    arbitrage_rules: ArbitrageRules
    prices: Prices
    clock: Clockwork
    pending: Pending
    rows: Rows
    scratch: Scratch
    slot_account: Ints
    tiers: tuple[Floats, Floats, Floats]
    perp_range: tuple[Ints, Ints]
    people: float
    drawn_traders: int
    trader_range: Ints
    tranche_side: Ints
    scenario: Any
    found: Ints
    spot_budget_share: Floats
    closing: CloseRules
    regimes: list[RegimeRules | None]
    opening: dict[str, Any] = field(default_factory=dict)
