"""The waterfall around the accounts: records, margin calls, funds and vaults, the lending pool; called once per step after the watch ladders.

Accounts with many assets and deleveraging stand in files of their own.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.kernels import counted_value
from waxline.accounts.lines import called_of
from waxline.accounts.rules_collateral import health_factor
from waxline.accounts.tables import CASH, Cell, Status
from waxline.liquidation.kernels import generation_of
from waxline.liquidation.rules_pools import debt_for, keeper_profit, leaves_dust, pool_deficit, repayable, seized
from waxline.liquidation.settling import write_row
from waxline.liquidation.tables import FUND_BASE, Payer, Stage
from waxline.results.schema import N_CAUSES
from waxline.simulation.build_accounts import BORROWER, MAKER
from waxline.simulation.build_rules import PoolTerms
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


def fund_values(state: State) -> tuple[Floats, Floats]:
    """Return per fund its equity (cash, coins and positions at mark) and the gross notional of its perps [F], USD."""
    cells, markets, prices = state.cells, state.markets, state.prices
    value = cells.cash[Cell.FUND] + cells.quantity[Cell.FUND] * prices.mark - cells.cost[Cell.FUND]
    gross = np.where(markets.perp, np.abs(cells.quantity[Cell.FUND]) * prices.mark, 0.0)
    fund, count = state.venues.fund, state.venues.fund_cash.size
    equity: Floats = state.venues.fund_cash + np.bincount(fund, value, count)
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


def liquidate_pool(state: State) -> None:
    """Let keepers repay debts of pool borrowers below health 1 and sell what they receive, if that pays after impact and gas.

    Health = threshold * collateral / debt. Repaid: the close factor of the debt (all of it at low health); seized: repaid * (1 + bonus).
    """
    scenario, portfolios = state.scenario, state.portfolios
    rules = scenario.pool
    if not (rules.enabled and scenario.feedback):
        return
    borrowers = state.opening["borrowers"]
    for p in borrowers[(portfolios.status[borrowers] == Status.HEALTHY) & (portfolios.equity[borrowers] <= 0.0)]:
        liquidate_borrower(state, int(p))


def liquidate_borrower(state: State, p: int) -> None:
    """Liquidate one borrower's position once by the pool's rules; bad debt is what is left when no collateral is."""
    portfolios, rules, cells, books, markets = state.portfolios, state.scenario.pool, state.cells, state.books, state.markets
    held = np.flatnonzero(portfolios.balance[p, 1:] > 0.0) + 1
    debt = -float(portfolios.balance[p, CASH])
    if held.size == 0 or debt <= 0.0:
        return
    terms: PoolTerms = state.opening["pool_terms"]
    a = int(held[np.argmax(portfolios.balance[p, held] * state.prices.oracle[held])])
    price = float(state.prices.oracle[a])
    value = float(portfolios.balance[p, a]) * price
    health = health_factor(float(portfolios.collateral_usd[p]), debt)
    bonus = 1.0 + float(terms.bonus[a])
    repay = repayable(debt, debt, value, health, terms.close_factor, terms.close_all_at, terms.dust_usd)
    coins = seized(repay, 1.0, price, bonus)
    if coins * price >= value:
        coins, repay = value / price, debt_for(value / price, 1.0, price, bonus)
    elif leaves_dust(debt, repay, value, coins * price, terms.least_left_usd):
        return
    books_of_asset = state.opening["keeper_books"].get(a, ())
    targets = [m for m in books_of_asset if cells.cash[Cell.KEEPER, m] > repay / len(books_of_asset)]
    if not targets:
        return
    m = max(targets, key=lambda j: books.depth_bid_usd[j])
    seized_usd = coins * math.exp(float(books.mid[m]))
    impact = 0.5 * 0.01 * seized_usd / max(float(books.depth_bid_usd[m]), 1.0) * (1.0 - math.exp(-1.0 / rules.keeper_tau_s))
    if keeper_profit(seized_usd, repay, 1.0 - (1.0 - impact) * (1.0 - float(markets.fee_frac[m])), rules.gas_usd) < 0.0:
        return
    portfolios.balance[p, a] = max(float(portfolios.balance[p, a]) - coins, 0.0)
    portfolios.balance[p, CASH] += repay
    cells.quantity[Cell.KEEPER, m] += coins
    cells.cash[Cell.KEEPER, m] -= repay
    state.pending.pool += np.array([coins * price, coins * price - repay, 0.0])
    portfolios.liquidated_usd[p] += coins * price
    if math.isnan(portfolios.first_trigger_s[p]):
        portfolios.first_trigger_s[p] = state.clock.t_s
    shares, generation, part = consumed_shares(state, p)
    portfolios.perp_part[p] = part
    note(state, -1 - p, Stage.POOL_LIQUIDATION, m, coins, coins * price, float(portfolios.equity[p]), generation=generation, shares=shares)
    left = float(np.sum(portfolios.balance[p, 1:] * state.prices.oracle[1:]))
    unpaid = pool_deficit(-float(portfolios.balance[p, CASH]), 0.0 if left < 1.0 else left)
    if unpaid > 1.0:
        state.pending.pool[2] += unpaid
        portfolios.status[p] = Status.CLOSED
        equity = float(portfolios.equity[p])
        note(state, -1 - p, Stage.BAD_DEBT, -1, 0.0, unpaid, equity, generation=generation, shortfall=unpaid, payer=Payer.NOBODY, shares=shares)


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


def keeper_books(state: State) -> dict[int, list[int]]:
    """Return for each asset the spot markets in which keepers sell it."""
    markets, names = state.markets, state.names.venues
    venues = [names.index(name) for name in state.scenario.pool.venues if name in names]
    found: dict[int, list[int]] = {}
    for m in np.flatnonzero(~markets.perp & np.isin(markets.venue, venues)):
        found.setdefault(int(markets.asset[m]), []).append(int(m))
    return found
