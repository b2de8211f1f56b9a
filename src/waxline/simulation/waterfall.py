"""The waterfall around the accounts: records, margin calls, funds and vaults, the lending pool; called once per step after the watch ladders.

Accounts with many assets and deleveraging stand in files of their own.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.kernels import counted_value
from waxline.accounts.lines import called_of
from waxline.accounts.tables import CASH, Cell, Status
from waxline.liquidation.kernels import add_order, generation_of
from waxline.liquidation.settling import write_row
from waxline.liquidation.tables import FUND_BASE, Payer, Stage
from waxline.market.tables import O_LEFT, O_MARKET
from waxline.results.schema import N_CAUSES, Cause
from waxline.simulation.build_accounts import BORROWER, HOLDER, MAKER, WHALE
from waxline.simulation.state import State

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NO_SHARES = np.zeros(N_CAUSES)


def note(
    state: State,
    account: int,
    stage: int,
    m: int,
    quantity: float,
    notional: float,
    equity: float,
    *,
    side: int = -1,
    generation: float = 0.0,
    counted: int = 0,
    limit: float = math.nan,
    shortfall: float = 0.0,
    payer: int = Payer.NONE,
    shares: Floats = NO_SHARES,
) -> None:
    """Write one row of the record at the present time; see `settling.write_row`."""
    t_s = int(state.clock.t_s)
    # One kind of each argument: every other mix would be compiled again.
    write_row(
        *state.rows, t_s, int(account), int(stage), int(m), int(side), float(quantity), float(notional), float(equity), math.nan, float(generation), int(counted),
        float(limit), float(shortfall), int(payer), shares,
    )  # fmt: skip


def consumed_shares(state: State, p: int) -> tuple[Floats, float, float]:
    """Return what consumed portfolio `p`'s slack: shares by cause [C], generation, and the part that is due to perps.

    Each leg's loss since its market's peak (trough for shorts) is split by the causes booked to that market since then.
    """
    causes, portfolios = state.causes, state.portfolios
    v = int(portfolios.venue[p])
    shares = np.zeros(N_CAUSES)
    by_generation = 0.0
    parts = [0.0, 0.0]
    legs = [(int(m), portfolios.position[p, m] * state.prices.mark[m], 0) for m in np.flatnonzero(portfolios.position[p])]
    for a in np.flatnonzero(portfolios.balance[p, 1:] > 0.0) + 1:
        m = int(state.prices.spot_market[v, a])
        if m < 0:
            m = int(state.prices.source_market[v, a, 0])
        if m >= 0:
            legs.append((m, counted_value(portfolios.balance[p, a], state.prices.asset_price[v, a], v, int(a), state.venues.haircuts), 1))
    for m, exposure, kind in legs:
        reference = causes.at_peak[m] if exposure > 0.0 else causes.at_trough[m]
        lost = np.maximum(-(causes.total[m] - reference) * np.sign(exposure), 0.0)
        usd = abs(exposure) * lost
        generation = generation_of(lost / max(lost.sum(), 1e-300), causes.forced_usd[m], causes.forced_generation_usd[m])
        by_generation += usd.sum() * generation
        shares += usd
        parts[kind] += float(usd.sum())
    whole = float(shares.sum())
    if whole <= 0.0:
        return shares, 1.0, 0.5
    return shares / whole, by_generation / whole, parts[0] / whole


def call_margin(state: State) -> None:
    """Call owners whose equity is below the softer line, and let them add from their reserves after a delay."""
    portfolios, rules, pending = state.portfolios, state.scenario.topups, state.pending
    t_s = state.clock.t_s
    near = called_of(portfolios) & (portfolios.status <= Status.CALLED) & (portfolios.kind != BORROWER)
    for p in (int(x) for x in np.flatnonzero(near & (portfolios.status == Status.HEALTHY))):
        portfolios.status[p] = Status.CALLED
        portfolios.next_topup_s[p] = t_s + rules.delay_s
        pending.calls[portfolios.venue[p]] += 1.0
        note(state, -1 - p, Stage.MARGIN_CALL, -1, 0.0, 0.0, float(portfolios.equity[p]))
    if not rules.enabled:
        return
    for p in map(int, np.flatnonzero((portfolios.status == Status.CALLED) & (portfolios.next_topup_s <= t_s))):
        if not near[p]:
            portfolios.status[p] = Status.HEALTHY
            portfolios.next_topup_s[p] = np.inf
            continue
        amount = min(rules.size_frac * max(float(portfolios.collateral_usd[p]), 0.0), float(portfolios.reserve[p]))
        portfolios.next_topup_s[p] = t_s + rules.pause_s
        if amount > 0.0:
            portfolios.balance[p, CASH] += amount
            pending.outside[CASH] -= amount
            portfolios.reserve[p] -= amount
            portfolios.topups[p] += amount
            pending.topups_usd[portfolios.venue[p]] += amount
            note(state, -1 - p, Stage.TOP_UP, -1, 0.0, amount, float(portfolios.equity[p]))
        if portfolios.reserve[p] <= 0.0 and rules.reduce_frac > 0.0 and portfolios.kind[p] in (WHALE, HOLDER):
            reduce(state, p, rules.reduce_frac)


def reduce(state: State, p: int, part: float) -> None:
    """Let the owner of an account whose reserve is used up close `part` of each perp and sell `part` of each pledged coin, at most what it owes."""
    portfolios, prices = state.portfolios, state.prices
    v = int(portfolios.venue[p])
    for m in (int(x) for x in np.flatnonzero(portfolios.position[p])):
        wanted = part * abs(float(portfolios.position[p, m])) - own_coins_waiting(state, p, m)
        give_own_order(state, p, m, -1 if portfolios.position[p, m] > 0.0 else 1, wanted, Cause.STOP_LOSS)
    owed = max(-float(portfolios.balance[p, CASH]), 0.0)
    held = [int(a) for a in np.flatnonzero(portfolios.balance[p, 1:] > 0.0) + 1 if prices.spot_market[v, a] >= 0]
    worth = sum(float(portfolios.balance[p, a] * prices.asset_price[v, a]) for a in held)
    share = min(part, owed / worth) if worth > 0.0 else 0.0
    for a in held:
        m = int(prices.spot_market[v, a])
        give_own_order(state, p, m, -1, share * float(portfolios.balance[p, a]) - own_coins_waiting(state, p, m), Cause.STOP_LOSS)


def own_coins_waiting(state: State, p: int, m: int) -> float:
    """Return the coins that account `p` has ordered in market `m` by choice and that are not filled yet."""
    table, given = state.orders.table, state.pending.own_orders.get(p, [])
    given[:] = [n for n in given if table[n, O_LEFT] > 0.0]
    return sum(float(table[n, O_LEFT]) for n in given if table[n, O_MARKET] == m)


def trim_own_orders(state: State, p: int, m: int) -> None:
    """Shrink the orders by which account `p` reduces its position in perp `m` to what is left of it, so that none of them opens another."""
    table, left = state.orders.table, abs(float(state.portfolios.position[p, m]))
    for n in state.pending.own_orders.get(p, []):
        if table[n, O_MARKET] == m and table[n, O_LEFT] > 0.0:
            table[n, O_LEFT] = min(float(table[n, O_LEFT]), left)
            left -= float(table[n, O_LEFT])


def give_own_order(state: State, p: int, m: int, side: int, coins: float, cause: Cause) -> None:
    """Queue an order that the owner of account `p` gives by choice, at the market; it is cancelled when the account is liquidated."""
    if coins <= 0.0:
        return
    limit, equity, shares = -math.inf if side < 0 else math.inf, float(state.portfolios.equity[p]), np.zeros(N_CAUSES)
    n = add_order(*state.orders, -1 - p, m, side, coins, limit, int(cause), 1.0, int(state.clock.t_s), equity, shares)
    if n >= 0:
        state.pending.own_orders.setdefault(p, []).append(int(n))


def fund_values(state: State) -> tuple[Floats, Floats]:
    """Return per fund its equity (cash, coins and positions at mark) and the gross notional of its perps [F], USD."""
    cells, markets, prices = state.cells, state.markets, state.prices
    value = cells.cash[Cell.FUND] + cells.quantity[Cell.FUND] * prices.mark - cells.cost[Cell.FUND]
    gross = np.where(markets.perp, np.abs(cells.quantity[Cell.FUND]) * prices.mark, 0.0)
    fund, count = state.venues.fund, state.venues.fund_cash.size
    equity: Floats = state.venues.fund_cash + np.bincount(fund, value, count)
    own = state.opening.get("pool_account", -1)
    if own >= 0:  # coins that a pool has absorbed are its reserves
        equity[state.portfolios.venue[own]] += float(np.sum(state.portfolios.balance[own, 1:] * prices.oracle[1:]))
    return equity, np.asarray(np.bincount(fund, gross, count), dtype=np.float64)


def by_venue(state: State, of_funds: Floats) -> Floats:
    """Return the sums per venue [V] of what funds have [F]."""
    return np.asarray(np.bincount(state.venues.fund_venue, of_funds, len(state.names.venues)), dtype=np.float64)


def cover_funds(state: State) -> None:
    """Let each venue's owner fill a fund whose inventory has lost more than the fund had; the hole counts as bad debt."""
    equity, _ = fund_values(state)
    venue = state.venues.fund_venue
    hole = np.where(state.venues.has_vault[venue] == 1, 0.0, np.maximum(-equity, 0.0))
    state.venues.fund_cash[:] += hole
    state.venues.bad_debt_usd[:] += by_venue(state, hole)
    state.pending.outside[CASH] -= float(hole.sum())
    for f in np.flatnonzero(hole > 0.0):
        lost, left = float(hole[f]), float(equity[f])
        note(state, FUND_BASE + int(venue[f]), Stage.BAD_DEBT, -1, 0.0, lost, left, shortfall=lost, payer=Payer.NOBODY)


def update_makers(state: State, slack: Floats) -> None:
    """Set makers' funding cap from their free margin, who is alive, and how far new makers have taken up the dead share; slack [P] in USD."""
    portfolios, makers, rules = state.portfolios, state.makers, state.scenario.makers
    t_s = state.clock.t_s
    named = makers.share.shape[0] - 2
    rows: Ints = state.opening["maker_rows"]
    owner, start = portfolios.owner[rows], portfolios.slack_start[rows]
    free = np.where(portfolios.equity[rows] > portfolios.reduce_only[rows] * portfolios.maintenance[rows], slack[rows], 0.0)
    makers.cap[owner, portfolios.venue[rows]] = np.where(start > 0.0, np.clip(free / np.where(start > 0.0, start, 1.0), 0.0, 1.0), 1.0)
    dead = portfolios.status[rows] >= Status.LIQUIDATING
    makers.alive[:-1] = 1.0
    makers.alive[owner[dead]] = 0.0
    taken = np.zeros(makers.share.shape[1])
    if rules.entrant:
        for s in np.unique(owner[dead & (owner < named)]):
            waited = t_s - float(np.min(portfolios.since_s[rows[dead & (owner == s)]])) - rules.entrant_delay_s
            taken += makers.share[s] * min(max(waited / rules.entrant_ramp_s, 0.0), 1.0)
    makers.share[named] = taken * rules.entrant_share_frac


def maker_rows(state: State) -> Ints:
    """Return the accounts of the makers that quote, owner by owner."""
    portfolios = state.portfolios
    rows = np.flatnonzero((portfolios.kind == MAKER) & (portfolios.owner < state.makers.share.shape[0] - 1))
    return rows[np.argsort(portfolios.owner[rows], kind="stable")]
