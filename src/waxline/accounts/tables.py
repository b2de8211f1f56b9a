"""Columns of accounts as arrays: what the account kernels read and write.

Three kinds of account share one form (cash, balances, positions with their cost):
cells hold one market for one kind of trader; traders hold one perp position; portfolios hold many assets and positions of a venue.
A position is a signed quantity and its cost, the sum of quantity times price paid, so unrealised profit is quantity times mark minus cost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CASH = 0
"""Index of USD among the assets."""


class Cell:
    """Name the kinds of single-market accounts; the number is the row in the cell table."""

    CROWD = 0
    NOISE = 1
    INFORMED = 2
    VALUE_BUYER = 3
    VALUE_SELLER = 4
    SHORTS = 5
    HOLDERS = 6
    ARBITRAGE = 7
    CARRY = 8
    FUND = 9
    KEEPER = 10
    OUTSIDE = 11
    NEW_SHORTS = 12
    COUNT = 13


class Status:
    """Name what happens to an account."""

    HEALTHY = 0
    CALLED = 1
    STOPPING = 2
    LIQUIDATING = 3
    TAKEN_OVER = 4
    CLOSED = 5


class Cells(NamedTuple):
    """Hold single-market accounts, kind by market: quantity (coins, or position in a perp), cost of the position, cash."""

    quantity: Floats
    cost: Floats
    cash: Floats


class Traders(NamedTuple):
    """Hold leveraged traders with one perp position each; maintenance is |q| mark rate - deduction, the tier that holds at the liquidation line.

    Until `whole_until_s` a venue that has closed a part waits, or, where its rule is a fraction first, would take the rest whole.
    """

    market: Ints
    quantity: Floats
    cost: Floats
    cash: Floats
    rate: Floats
    deduction: Floats
    status: Ints
    order: Ints
    first_trigger_s: Floats
    liquidated_usd: Floats
    negative_usd: Floats
    next_watched: Ints
    whole_until_s: Floats


class Watch(NamedTuple):
    """Hold the watch ladder of single-leg accounts: per market and side, levels sorted by how soon the mark reaches them.

    `account[start[m]:start[m + 1]]` are the accounts of market m in that order, `level` their watch prices, `place` the next not reached.
    """

    account: Ints
    level: Floats
    start: Ints
    place: Ints


class Portfolios(NamedTuple):
    """Hold accounts with many assets: makers, whales, holders, borrowers.

    By its venue's rules an account goes when its measure (equity to maintenance, assets to debts, debt to collateral) reaches `line`, is called
    at `call`, and may not raise risk at `reduce_only`; `plain` 1: pledged assets count in full; `debt_rate`: maintenance of its loans.
    """

    venue: Ints
    owner: Ints
    kind: Ints
    balance: Floats
    balance_start: Floats
    position: Floats
    cost: Floats
    equity: Floats
    maintenance: Floats
    collateral_usd: Floats
    slack_start: Floats
    status: Ints
    since_s: Floats
    reserve: Floats
    topups: Floats
    next_topup_s: Floats
    first_trigger_s: Floats
    liquidated_usd: Floats
    negative_usd: Floats
    perp_part: Floats
    flat_rate: Floats
    debt_rate: Floats
    measure: Ints
    line: Floats
    call: Floats
    reduce_only: Floats
    whole_until_s: Floats
    plain: Ints
    closing_fee: Floats
    at_equality: Ints


class Haircuts(NamedTuple):
    """Hold what part of pledged assets counts at each venue: marginal bands by the amount one account holds.

    ratio [V, A]: part of the first band; end, part [V, A, B]: upper ends and parts, filled up with an infinite end of part 0; in_coins [V, A] 1: ends in coins, not USD.
    """

    ratio: Floats
    end: Floats
    part: Floats
    in_coins: Ints


def flat_haircuts(ratio: Floats) -> Haircuts:
    """Return haircuts [V, A] that do not depend on the amount."""
    return Haircuts(ratio, np.full((*ratio.shape, 1), np.inf), ratio[:, :, None].copy(), np.zeros(ratio.shape, dtype=np.int64))


class VenueTable(NamedTuple):
    """Hold per venue: fund, capacity, totals of the waterfall, status, collateral rules and prices per asset.

    Funds [F] are numbered: first the general one of each venue, then those of contract groups; fund [M]: the one behind a market, fund_venue [F].
    """

    fund: Ints
    fund_venue: Ints
    fund_cash: Floats
    capacity_usd: Floats
    fees: Floats
    deleveraged_usd: Floats
    bad_debt_usd: Floats
    socialised_usd: Floats
    has_vault: Ints
    trigger_frac: Floats
    haircuts: Haircuts
    collateral_price: Floats
    open: Ints
    speed: Floats
