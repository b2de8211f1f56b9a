"""The waterfall of accounts with many assets, of funds and vaults, and of the lending pool; called once per step after the watch ladders.

Deleveraging stands in a file of its own.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.kernels import trade_portfolio, trade_single
from waxline.accounts.tables import CASH, Cell, Status
from waxline.liquidation.kernels import add_order, generation_of
from waxline.liquidation.settling import flush_order, write_payments, write_row
from waxline.liquidation.tables import FUND_BASE, Payer, Stage
from waxline.market.tables import O_ACCOUNT, O_CAUSE, O_GENERATION, O_LEFT, O_MARKET, O_ROW_FILLED, O_SHARES, O_TAKEN
from waxline.results.schema import N_CAUSES, Cause
from waxline.simulation.build_accounts import BORROWER, MAKER
from waxline.simulation.state import State

Floats = NDArray[np.float64]
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
    write_row(*state.rows, t_s, account, stage, m, side, quantity, notional, equity, math.nan, generation, counted, limit, shortfall, payer, shares)


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
            legs.append((m, portfolios.balance[p, a] * state.prices.asset_price[v, a] * state.venues.collateral_ratio[v, a], 1))
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


def trigger_portfolios(state: State) -> None:
    """Find accounts at their line from one snapshot and queue their closes and collateral sales, in the order of their numbers."""
    portfolios, scenario = state.portfolios, state.scenario
    at_line = (portfolios.equity <= portfolios.maintenance) & (portfolios.status <= Status.CALLED) & (portfolios.maintenance > 0.0)
    if not scenario.feedback:
        return
    for p in np.flatnonzero(at_line & (portfolios.kind != BORROWER)):
        liquidate_portfolio(state, int(p))


def liquidate_portfolio(state: State, p: int) -> None:
    """Cancel the account's quotes, queue closes of its perps and sales of its coins."""
    portfolios, scenario, prices = state.portfolios, state.scenario, state.prices
    shares, generation, perp_part = consumed_shares(state, p)
    equity = float(portfolios.equity[p])
    portfolios.status[p] = Status.LIQUIDATING
    portfolios.since_s[p] = state.clock.t_s
    if math.isnan(portfolios.first_trigger_s[p]):
        portfolios.first_trigger_s[p] = state.clock.t_s
    portfolios.perp_part[p] = perp_part
    v = int(portfolios.venue[p])
    note(state, -1 - p, Stage.CANCEL, -1, 0.0, 0.0, equity, generation=generation, shares=shares)
    if scenario.liquidation.perps.enabled:
        for m in (int(x) for x in np.flatnonzero(portfolios.position[p])):
            quantity = float(portfolios.position[p, m])
            side = -1 if quantity > 0.0 else 1
            give_order(state, p, m, side, abs(quantity), int(Cause.PERP_LIQUIDATION), generation, equity, shares)
    if scenario.liquidation.collateral.enabled and portfolios.balance[p, CASH] < 0.0:
        for a in np.flatnonzero(portfolios.balance[p, 1:] > 0.0) + 1:
            m = int(prices.spot_market[v, a])
            if m >= 0:
                give_order(state, p, m, -1, float(portfolios.balance[p, a]), int(Cause.COLLATERAL_LIQUIDATION), generation, equity, shares)


def give_order(state: State, p: int, m: int, side: int, quantity: float, cause: int, generation: float, equity: float, shares: Floats) -> None:
    """Queue a forced order of portfolio `p` without a limit price of its own."""
    limit = -math.inf if side < 0 else math.inf
    n = add_order(*state.orders, -1 - p, m, side, quantity, limit, cause, generation, int(state.clock.t_s), equity, shares)
    if n >= 0:
        state.pending.portfolio_orders.append(int(n))


def call_margin(state: State) -> None:
    """Call owners whose equity is below the softer line, and let them add from their reserves after a delay."""
    portfolios, rules, pending = state.portfolios, state.scenario.topups, state.pending
    t_s = state.clock.t_s
    near = (
        (portfolios.equity <= rules.call_ratio * portfolios.maintenance)
        & (portfolios.maintenance > 0.0)
        & (portfolios.status <= Status.CALLED)
        & (portfolios.kind != BORROWER)
    )
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


def work_liquidations(state: State) -> None:
    """Follow accounts being liquidated: stop when the debt is repaid, take the rest over when time is up, cover shortfalls."""
    portfolios, orders, scenario = state.portfolios, state.orders, state.scenario
    busy = np.flatnonzero(portfolios.status == Status.LIQUIDATING)
    if busy.size == 0:
        return
    table = orders.table
    given = np.array(state.pending.portfolio_orders, dtype=np.int64)
    waiting = given[table[given, O_LEFT] > 0.0]
    state.pending.portfolio_orders = waiting.tolist()
    owners = -1 - table[waiting, O_ACCOUNT].astype(np.int64)
    for p in busy:
        mine = waiting[owners == p]
        open_perps = bool(np.any(portfolios.position[p] != 0.0)) and scenario.liquidation.perps.enabled
        repaid = portfolios.balance[p, CASH] >= 0.0
        if repaid and not open_perps:
            cancel_orders(state, mine)
            portfolios.status[p] = Status.CLOSED
            continue
        if repaid:
            cancel_orders(state, mine[table[mine, O_CAUSE] == Cause.COLLATERAL_LIQUIDATION])
        waited = state.clock.t_s - portfolios.since_s[p]
        if waited >= scenario.liquidation.takeover_after_s or mine.size == 0:
            claims = claim_orders(state, mine)
            if claims and waited < scenario.liquidation.takeover_after_s + 2.0 * scenario.liquidation.claim_tau_s:
                take_over(state, int(p), np.setdiff1d(mine, claims), keep_claims=True)
            else:
                take_over(state, int(p), mine, keep_claims=False)


def mark_of(state: State, n: int) -> float:
    """Return the mark price of order `n`'s market."""
    return float(state.prices.mark[int(state.orders.table[n, O_MARKET])])


def cancel_orders(state: State, numbers: NDArray[np.int64]) -> None:
    """Write what the orders filled so far into the record and cancel the rest."""
    table = state.orders.table
    for n in numbers:
        stage = Stage.CLOSE_IN_BOOK if state.markets.perp[int(table[n, O_MARKET])] else Stage.COLLATERAL_SALE
        flush_order(
            table, int(n), *state.rows, stage, int(state.clock.t_s), mark_of(state, int(n)), state.traders.liquidated_usd, state.portfolios.liquidated_usd
        )
    table[numbers, O_LEFT] = 0.0


def write_open_rows(state: State) -> None:
    """Write what waiting orders filled and is not yet in the record; called once at the end of a run."""
    table = state.orders.table[: int(state.orders.used[0])]
    for n in np.flatnonzero((table[:, O_ROW_FILLED] > 0.0) | (table[:, O_TAKEN] > 0.0)):
        stage = Stage.CLOSE_IN_BOOK if state.markets.perp[int(table[n, O_MARKET])] else Stage.COLLATERAL_SALE
        flush_order(
            state.orders.table,
            int(n),
            *state.rows,
            stage,
            int(state.clock.t_s),
            mark_of(state, int(n)),
            state.traders.liquidated_usd,
            state.portfolios.liquidated_usd,
        )


def claim_orders(state: State, mine: NDArray[np.int64]) -> list[int]:
    """Return the waiting orders that sell claims: they are sold slowly and are taken over later."""
    return [int(n) for n in mine if state.markets.claim_asset[int(state.orders.table[n, O_MARKET])] >= 0]


def take_over(state: State, p: int, mine: NDArray[np.int64], keep_claims: bool) -> None:
    """Pass what is left of a liquidated account to the venue's fund: perps at the mark, coins at a discount until the debt is repaid."""
    portfolios, prices, markets = state.portfolios, state.prices, state.markets
    v = int(portfolios.venue[p])
    t_s = int(state.clock.t_s)
    cancel_orders(state, mine)
    shares = state.orders.table[mine[0], O_SHARES:].copy() if mine.size else np.zeros(N_CAUSES)
    generation = float(state.orders.table[mine[0], O_GENERATION]) if mine.size else 1.0
    equity = float(portfolios.equity[p])
    for m in (int(x) for x in np.flatnonzero(portfolios.position[p])):
        quantity = float(portfolios.position[p, m])
        notional = abs(quantity) * float(prices.mark[m])
        pass_to_fund(state, p, int(m), 0, -quantity, float(prices.mark[m]))
        side = -1 if quantity > 0 else 1
        note(state, -1 - p, Stage.TAKEOVER, m, abs(quantity), notional, equity, side=side, generation=generation, counted=1, shares=shares)
        portfolios.liquidated_usd[p] += notional
        state.pending.deleveraged_last_s[m] = t_s
    keep = 1.0 - state.scenario.liquidation.takeover_discount_frac
    for a in np.flatnonzero(portfolios.balance[p, 1:] > 0.0) + 1:
        need = -float(portfolios.balance[p, CASH])
        m = int(prices.spot_market[v, a])
        if need <= 0.0 or m < 0 or (keep_claims and markets.claim_asset[m] >= 0):
            continue
        price = keep * float(prices.asset_price[v, a])
        quantity = min(float(portfolios.balance[p, a]), need / price)
        pass_to_fund(state, p, m, int(a), -quantity, price)
        note(state, -1 - p, Stage.TAKEOVER, m, quantity, quantity * price, equity, generation=generation, counted=1, limit=price, shares=shares)
        portfolios.liquidated_usd[p] += quantity * price
    if keep_claims and portfolios.balance[p, CASH] < 0.0:
        return
    short = -float(portfolios.balance[p, CASH])
    if short > 0.0:
        portfolios.negative_usd[p] += short
        paid = min(short, max(float(state.venues.fund_cash[v]), 0.0))
        state.venues.fund_cash[v] -= paid
        portfolios.balance[p, CASH] += paid
        state.venues.bad_debt_usd[v] += short - paid
        write_payments(*state.rows, t_s, -1 - p, -1, -1, short, paid, equity, generation, shares)
    portfolios.status[p] = Status.TAKEN_OVER


def pass_to_fund(state: State, p: int, m: int, a: int, traded: float, price: float) -> None:
    """Move `traded` coins (signed, from the account's side) of portfolio `p` in market `m` to the fund's cell at `price`."""
    portfolios, cells, perp = state.portfolios, state.cells, bool(state.markets.perp[m])
    trade_portfolio(portfolios.position, portfolios.cost, portfolios.balance, p, m, a, perp, traded, traded * price)
    trade_single(cells.quantity[Cell.FUND], cells.cost[Cell.FUND], cells.cash[Cell.FUND], m, perp, -traded, -traded * price)


def fund_values(state: State) -> tuple[Floats, Floats]:
    """Return per venue the fund's equity (cash, coins and positions at mark) and the gross notional of its perps, USD."""
    cells, markets, prices = state.cells, state.markets, state.prices
    value = cells.cash[Cell.FUND] + cells.quantity[Cell.FUND] * prices.mark - cells.cost[Cell.FUND]
    gross = np.where(markets.perp, np.abs(cells.quantity[Cell.FUND]) * prices.mark, 0.0)
    count = len(state.names.venues)
    equity: Floats = state.venues.fund_cash + np.bincount(markets.venue, value, count)
    return equity, np.asarray(np.bincount(markets.venue, gross, count), dtype=np.float64)


def cover_funds(state: State) -> None:
    """Let each venue's owner fill a fund whose inventory has lost more than the fund had; the hole counts as bad debt."""
    equity, _ = fund_values(state)
    hole = np.where(state.venues.has_vault == 1, 0.0, np.maximum(-equity, 0.0))
    state.venues.fund_cash[:] += hole
    state.venues.bad_debt_usd[:] += hole
    state.pending.outside[CASH] -= float(hole.sum())
    for v in np.flatnonzero(hole > 0.0):
        note(state, FUND_BASE + int(v), Stage.BAD_DEBT, -1, 0.0, float(hole[v]), float(equity[v]), shortfall=float(hole[v]), payer=Payer.NOBODY)


def liquidate_pool(state: State) -> None:
    """Let keepers repay debts of pool borrowers below health 1 and sell what they receive, if that pays after impact and gas.

    Health = threshold * collateral / debt. Repaid: the close factor of the debt (all of it at low health); seized: repaid * (1 + bonus).
    """
    scenario, portfolios = state.scenario, state.portfolios
    rules = scenario.pool
    if not (rules.enabled and scenario.feedback):
        return
    mine = np.flatnonzero((portfolios.kind == BORROWER) & (portfolios.status == Status.HEALTHY) & (portfolios.equity <= 0.0))
    for p in mine:
        liquidate_borrower(state, int(p))


def liquidate_borrower(state: State, p: int) -> None:
    """Liquidate one borrower's position once; bad debt is what is left when no collateral is."""
    portfolios, rules, cells, books, markets = state.portfolios, state.scenario.pool, state.cells, state.books, state.markets
    held = np.flatnonzero(portfolios.balance[p, 1:] > 0.0) + 1
    debt = -float(portfolios.balance[p, CASH])
    if held.size == 0 or debt <= 0.0:
        return
    a = int(held[0])
    price = float(state.prices.oracle[a])
    value = float(portfolios.balance[p, a]) * price
    health = rules.liquidation_threshold_frac * value / debt
    repay = debt if health < rules.close_all_below else debt * rules.close_factor_frac
    seized = min(repay * (1.0 + rules.bonus_frac), value)
    repay = min(repay, seized / (1.0 + rules.bonus_frac)) if seized < repay * (1.0 + rules.bonus_frac) else repay
    venues = [state.names.venues.index(name) for name in rules.venues if name in state.names.venues]
    targets = [int(m) for m in np.flatnonzero((markets.asset == a) & ~markets.perp & np.isin(markets.venue, venues))]
    targets = [m for m in targets if cells.cash[Cell.KEEPER, m] > repay / max(len(targets), 1)]
    if not targets:
        return
    m = max(targets, key=lambda j: books.depth_bid_usd[j])
    impact = 0.5 * 0.01 * seized / max(float(books.depth_bid_usd[m]), 1.0) * (1.0 - math.exp(-1.0 / rules.keeper_tau_s))
    proceeds = seized / price * math.exp(float(books.mid[m])) * (1.0 - impact) * (1.0 - float(markets.fee_frac[m]))
    if proceeds - repay < rules.gas_usd:
        return
    coins = seized / price
    portfolios.balance[p, a] -= coins
    portfolios.balance[p, CASH] += repay
    cells.quantity[Cell.KEEPER, m] += coins
    cells.cash[Cell.KEEPER, m] -= repay
    bonus = seized - repay
    state.pending.pool += np.array([seized, bonus, 0.0])
    portfolios.liquidated_usd[p] += seized
    if math.isnan(portfolios.first_trigger_s[p]):
        portfolios.first_trigger_s[p] = state.clock.t_s
    shares, generation, part = consumed_shares(state, p)
    portfolios.perp_part[p] = part
    note(state, -1 - p, Stage.POOL_LIQUIDATION, m, coins, seized, float(portfolios.equity[p]), generation=generation, shares=shares)
    if float(portfolios.balance[p, a]) * price < 1.0 and -float(portfolios.balance[p, CASH]) > 1.0:
        unpaid = -float(portfolios.balance[p, CASH])
        state.pending.pool[2] += unpaid
        portfolios.status[p] = Status.CLOSED
        equity = float(portfolios.equity[p])
        note(state, -1 - p, Stage.BAD_DEBT, -1, 0.0, unpaid, equity, generation=generation, shortfall=unpaid, payer=Payer.NOBODY, shares=shares)


def update_makers(state: State) -> None:
    """Set makers' funding cap from their free margin, who is alive, and how far new makers have taken up the dead share."""
    portfolios, makers, rules = state.portfolios, state.makers, state.scenario.makers
    t_s = state.clock.t_s
    slots = makers.share.shape[0]
    named = slots - 2
    free = portfolios.equity - portfolios.maintenance
    taken = np.zeros(makers.share.shape[1])
    for s in range(slots - 1):
        mine = np.flatnonzero((portfolios.kind == MAKER) & (portfolios.owner == s))
        for p in mine:
            start = float(portfolios.slack_start[p])
            makers.cap[s, portfolios.venue[p]] = min(max(float(free[p]) / start, 0.0), 1.0) if start > 0.0 else 1.0
        dead = mine[portfolios.status[mine] >= Status.LIQUIDATING]
        if dead.size and makers.alive[s] == 1.0:
            makers.alive[s] = 0.0
        if dead.size and s < named and rules.entrant:
            waited = t_s - float(np.min(portfolios.since_s[dead])) - rules.entrant_delay_s
            taken += makers.share[s] * min(max(waited / rules.entrant_ramp_s, 0.0), 1.0)
    makers.share[named] = taken * rules.entrant_share_frac
