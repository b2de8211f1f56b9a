"""Liquidation of accounts with many assets: what goes first, how much, when it is enough, and who takes over what the books do not.

Amounts and order follow the regime of the account's venue (`scenario/venues`); an account at a venue without a rule file, or one that is
worth nothing any more, gives everything at once.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.kernels import maintenance_of, trade_portfolio, trade_single
from waxline.accounts.lines import DEBT_TO_COLLATERAL, measure_of, owes
from waxline.accounts.rules_collateral import slices
from waxline.accounts.tables import CASH, Cell, Status
from waxline.liquidation.closing_kernels import first_closing, sold_in_order
from waxline.liquidation.kernels import add_order
from waxline.liquidation.rules_waterfall import backstop_takes_over
from waxline.liquidation.settling import flush_order, write_payments
from waxline.liquidation.tables import First, Stage
from waxline.market.tables import O_ACCOUNT, O_CAUSE, O_GENERATION, O_LEFT, O_MARKET, O_ROW_FILLED, O_SHARES, O_TAKEN
from waxline.results.schema import N_CAUSES, Cause
from waxline.scenario.rule_codes import FIRST
from waxline.scenario.venue_rules import FirstStep, Order, RegimeRules
from waxline.simulation.build_accounts import BORROWER
from waxline.simulation.state import State
from waxline.simulation.waterfall import consumed_shares, note

Floats = NDArray[np.float64]
LEAST_LEG_USD = 1.0
BACK = 1e-9
"""Rounding allowed where an account is sold back to exactly its stop level."""


def regime_of(state: State, p: int) -> RegimeRules | None:
    """Return the rules of amounts for portfolio `p`; None where everything goes at once."""
    return state.regimes[p] if state.scenario.liquidation.by_rule else None


def sells_whole(regime: RegimeRules) -> bool:
    """Tell whether a venue sells pledged assets until the debts are repaid, whatever becomes of the account's measure."""
    return regime.first.of == "collateral" and regime.first.rule is FirstStep.WHOLE


def trigger_portfolios(state: State, slack: Floats) -> None:
    """Find accounts at their line from one snapshot and queue their closes and collateral sales, in the order of their numbers; slack [P] in USD."""
    portfolios = state.portfolios
    if not state.scenario.feedback:
        return
    at_line = np.where(portfolios.at_equality == 1, slack <= 0.0, slack < 0.0) & (portfolios.status <= Status.CALLED) & owes(portfolios)
    for p in (int(x) for x in np.flatnonzero(at_line & (portfolios.kind != BORROWER))):
        start_liquidation(state, p)


def start_liquidation(state: State, p: int) -> None:
    """Cancel the account's quotes and orders and take the first step of its liquidation."""
    portfolios = state.portfolios
    cancel_orders(state, np.array(state.pending.own_orders.pop(p, []), dtype=np.int64))
    shares, generation, perp_part = consumed_shares(state, p)
    portfolios.status[p] = Status.LIQUIDATING
    portfolios.since_s[p] = state.clock.t_s
    if math.isnan(portfolios.first_trigger_s[p]):
        portfolios.first_trigger_s[p] = state.clock.t_s
    portfolios.perp_part[p] = perp_part
    note(state, -1 - p, Stage.CANCEL, -1, 0.0, 0.0, float(portfolios.equity[p]), generation=generation, shares=shares)
    take_step_of(state, p, shares, generation)


def take_step_of(state: State, p: int, shares: Floats, generation: float) -> None:
    """Queue the next closes and sales of an account by its venue's rule, or of everything where it has none or the account is worth nothing."""
    portfolios, scenario = state.portfolios, state.scenario
    regime = regime_of(state, p)
    whole = regime is None or sells_whole(regime) or portfolios.equity[p] <= 0.0
    equity = float(portfolios.equity[p])
    if scenario.liquidation.perps.enabled:
        for m, quantity in legs_to_close(state, p, None if whole else regime):
            give_order(state, p, m, -1 if portfolios.position[p, m] > 0.0 else 1, quantity, int(Cause.PERP_LIQUIDATION), generation, equity, shares)
    positions_first = not whole and regime is not None and regime.first.of == "positions" and bool(np.any(portfolios.position[p] != 0.0))
    if scenario.liquidation.collateral.enabled and portfolios.balance[p, CASH] < 0.0 and not positions_first:
        for m, quantity in coins_to_sell(state, p, None if whole else regime):
            give_order(state, p, m, -1, quantity, int(Cause.COLLATERAL_LIQUIDATION), generation, equity, shares)


def legs_to_close(state: State, p: int, regime: RegimeRules | None) -> list[tuple[int, float]]:
    """Return (market, coins) of the perps closed now: all of them, or by the rule the first leg in the venue's order and its first amount.

    Where collateral is sold first, the perps are closed in their books at the same time.
    """
    portfolios, mark = state.portfolios, state.prices.mark
    legs = [int(m) for m in np.flatnonzero(portfolios.position[p])]
    if regime is None or regime.first.of == "collateral" or not legs:
        return [(m, abs(float(portfolios.position[p, m]))) for m in legs]
    notional = {m: abs(float(portfolios.position[p, m])) * float(mark[m]) for m in legs}
    flat = float(portfolios.flat_rate[p])
    required = {m: notional[m] * flat if flat > 0.0 else float(maintenance_of(m, notional[m], *state.tiers)) for m in legs}
    if regime.first.order is Order.LARGEST_LOSS:
        key = {m: float(portfolios.cost[p, m] - portfolios.position[p, m] * mark[m]) for m in legs}
    else:
        key = required if regime.first.order is Order.LARGEST_MAINTENANCE else notional
    m = max(legs, key=lambda j: (key[j], -j))
    first = regime.first
    caps = state.tiers[0][m] if flat == 0.0 else np.array([math.inf])
    rates = state.tiers[1][m] if flat == 0.0 else np.array([flat])
    cooling = state.clock.t_s < portfolios.whole_until_s[p]
    amount = float(
        first_closing(
            FIRST.get(first.rule, First.WHOLE), float(portfolios.equity[p]), float(portfolios.maintenance[p]), notional[m], caps, rates, first.fee_frac, first.tiers_down,
            first.whole_up_to_tier, first.threshold_usd, first.fraction, cooling, first.least_usd, first.most_usd, first.stop_at,
        )
    )  # fmt: skip
    if amount < notional[m]:
        portfolios.whole_until_s[p] = state.clock.t_s + first.wait_s
    part = 1.0 if notional[m] - amount < LEAST_LEG_USD else amount / notional[m]
    return [(m, abs(float(portfolios.position[p, m])) * part)]


def coins_to_sell(state: State, p: int, regime: RegimeRules | None) -> list[tuple[int, float]]:
    """Return (spot market, coins) of the pledged assets sold now: all of them, or in the venue's order until its stop level would be reached."""
    portfolios, prices = state.portfolios, state.prices
    v = int(portfolios.venue[p])
    held = [int(a) for a in np.flatnonzero(portfolios.balance[p, 1:] > 0.0) + 1 if prices.spot_market[v, a] >= 0]
    coins = {a: float(portfolios.balance[p, a]) for a in held}
    if regime is None or not held:
        return [(int(prices.spot_market[v, a]), coins[a]) for a in held]
    worth = {a: coins[a] * float(prices.asset_price[v, a]) for a in held}
    bands = {a: bands_of(state, p, v, a, coins[a]) for a in held}
    ratio = {a: sum(usd * part for usd, part in bands[a]) / worth[a] if worth[a] > 0.0 else 0.0 for a in held}
    order = sorted(held, key=(lambda a: (-ratio[a], a)) if regime.first.order is Order.HIGHEST_RATIO else (lambda a: (-worth[a], a)))
    owed = np.where(portfolios.balance[p] < 0.0, -portfolios.balance[p], 0.0)
    debt = float(owed[CASH] + np.sum(owed[1:] * prices.asset_price[v, 1:]))
    collateral = float(portfolios.collateral_usd[p])
    parts = [(a, *part) for a in order for part in bands[a]]
    sold = np.zeros(len(parts))
    sold_in_order(
        float(portfolios.equity[p]), float(portfolios.maintenance[p]), debt, float(np.sum(list(worth.values()))), collateral, int(portfolios.measure[p]),
        regime.first.stop_at, float(portfolios.debt_rate[p]), np.array([usd for _, usd, _ in parts]), np.array([part for _, _, part in parts]), sold,
    )  # fmt: skip
    found = []
    for a in order:
        usd = float(sum(amount for amount, (b, _, _) in zip(sold, parts, strict=True) if b == a))
        if usd > 0.0:
            part = 1.0 if worth[a] - usd < LEAST_LEG_USD else usd / worth[a]
            found.append((int(prices.spot_market[v, a]), coins[a] * part))
    return found


def bands_of(state: State, p: int, v: int, a: int, coins: float) -> list[tuple[float, float]]:
    """Return (USD, part that counts) of the bands in which `coins` of asset `a` lie, the last first: what counts least is sold first."""
    haircuts, price = state.venues.haircuts, float(state.prices.asset_price[v, a])
    if state.portfolios.plain[p] == 1:
        return [(coins * price, 1.0)]
    unit = price if haircuts.in_coins[v, a] == 1 else 1.0
    return slices(coins * price, (haircuts.end[v, a] * unit).tolist(), haircuts.part[v, a].tolist())


def give_order(state: State, p: int, m: int, side: int, quantity: float, cause: int, generation: float, equity: float, shares: Floats) -> None:
    """Queue a forced order of portfolio `p` without a limit price of its own."""
    limit = -math.inf if side < 0 else math.inf
    n = add_order(*state.orders, -1 - p, m, side, quantity, limit, cause, generation, int(state.clock.t_s), equity, shares)
    if n >= 0:
        state.pending.portfolio_orders.append(int(n))


def work_liquidations(state: State) -> None:
    """Follow accounts being liquidated: stop when it is enough, take the next step, take the rest over when time is up, cover shortfalls."""
    portfolios, orders = state.portfolios, state.orders
    busy = np.flatnonzero(portfolios.status == Status.LIQUIDATING)
    if busy.size == 0:
        return
    table = orders.table
    given = np.array(state.pending.portfolio_orders, dtype=np.int64)
    waiting = given[table[given, O_LEFT] > 0.0]
    state.pending.portfolio_orders = waiting.tolist()
    owners = -1 - table[waiting, O_ACCOUNT].astype(np.int64)
    for p in busy[~nothing_to_do(state, busy, waiting, owners)]:
        follow(state, int(p), waiting[owners == p])


def nothing_to_do(state: State, busy: NDArray[np.int64], waiting: NDArray[np.int64], owners: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which accounts of `busy` `follow` would leave as they are: all is given, debts remain, and only orders are awaited.

    Accounts at whose venue amounts are chosen again at each step, or a backstop may step in, are never among them. `owners` of the orders `waiting`.
    """
    portfolios, prices, rules = state.portfolios, state.prices, state.scenario.liquidation
    ordered, unclaimed = np.zeros(portfolios.venue.size, dtype=np.bool_), np.zeros(portfolios.venue.size, dtype=np.bool_)
    ordered[owners] = True
    waited = state.clock.t_s - portfolios.since_s[busy]
    waits = state.opening["given_at_once"][busy] & ordered[busy] & (portfolios.balance[busy, CASH] < 0.0)
    idle: NDArray[np.bool_] = waits & (waited < rules.takeover_after_s)
    late = waits & ~idle & (waited < rules.takeover_after_s + 2.0 * rules.claim_tau_s)
    if late.any():  # only claims are left to wait for
        rows = busy[late]
        claims = state.markets.claim_asset >= 0
        unclaimed[owners[~claims[state.orders.table[waiting, O_MARKET].astype(np.int64)]]] = True
        books = prices.spot_market[portfolios.venue[rows]]
        others = (portfolios.balance[rows] > 0.0) & (books >= 0) & ~claims[books]
        idle[late] = ~unclaimed[rows] & ~others[:, 1:].any(axis=1) & ~(portfolios.position[rows] != 0.0).any(axis=1)
    return idle


def given_at_once(state: State) -> NDArray[np.bool_]:
    """Tell which accounts [P] give all they have at once when they are liquidated, and wait for nothing but their orders."""
    found = [regime_of(state, p) for p in range(state.portfolios.venue.size)]
    vaults = [r is not None and r.takeover is not None and r.takeover.at_maintenance_share is not None for r in found]
    return np.array([(r is None or sells_whole(r)) and not vault for r, vault in zip(found, vaults, strict=True)], dtype=np.bool_)


def follow(state: State, p: int, mine: NDArray[np.int64]) -> None:
    """Follow one account whose waiting orders are `mine`."""
    portfolios, scenario, table = state.portfolios, state.scenario, state.orders.table
    open_perps = bool(np.any(portfolios.position[p] != 0.0)) and scenario.liquidation.perps.enabled
    repaid = portfolios.balance[p, CASH] >= 0.0
    if repaid and not open_perps:
        cancel_orders(state, mine)
        portfolios.status[p] = Status.CLOSED
        return
    regime = regime_of(state, p)
    if regime is not None and not sells_whole(regime) and is_enough(state, p, regime):
        cancel_orders(state, mine)
        portfolios.status[p] = Status.HEALTHY
        portfolios.since_s[p] = -1e9
        return
    if regime is not None and is_for_vault(state, p, regime):
        take_over(state, p, mine, keep_claims=False)
        return
    if repaid:
        cancel_orders(state, mine[table[mine, O_CAUSE] == Cause.COLLATERAL_LIQUIDATION])
    waited = state.clock.t_s - portfolios.since_s[p]
    if waited < scenario.liquidation.takeover_after_s:
        pausing = regime is not None and regime.first.rule is not FirstStep.FRACTION_ABOVE and state.clock.t_s < portfolios.whole_until_s[p]
        if mine.size == 0 and pausing and portfolios.equity[p] > 0.0:
            return
        if mine.size == 0 and regime is not None and not sells_whole(regime):
            shares, generation, _ = consumed_shares(state, p)
            take_step_of(state, p, shares, generation)
            mine = np.array([n for n in state.pending.portfolio_orders if -1 - int(table[n, O_ACCOUNT]) == p], dtype=np.int64)
        if mine.size:
            return
    claims = claim_orders(state, mine)
    if claims and waited < scenario.liquidation.takeover_after_s + 2.0 * scenario.liquidation.claim_tau_s:
        take_over(state, p, np.setdiff1d(mine, claims), keep_claims=True)
    else:
        take_over(state, p, mine, keep_claims=False)


def is_enough(state: State, p: int, regime: RegimeRules) -> bool:
    """Tell whether an account being liquidated is back where its venue stops: at the stop level of a sale, beyond its line otherwise."""
    portfolios = state.portfolios
    if portfolios.equity[p] <= 0.0:
        return False
    measure = measure_of(portfolios, p)
    stop = regime.first.stop_at if regime.first.of == "collateral" else regime.liquidated_at
    if portfolios.measure[p] == DEBT_TO_COLLATERAL:
        return measure <= stop * (1.0 + BACK)
    return measure >= stop * (1.0 - BACK) and measure > regime.liquidated_at


def is_for_vault(state: State, p: int, regime: RegimeRules) -> bool:
    """Tell whether the venue's backstop takes the account now: its equity is below the stated part of maintenance."""
    takeover = regime.takeover
    if takeover is None or takeover.at_maintenance_share is None or state.venues.has_vault[int(state.portfolios.venue[p])] == 0:
        return False
    return bool(backstop_takes_over(float(state.portfolios.equity[p]), float(state.portfolios.maintenance[p]), takeover.at_maintenance_share))


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
    regime = regime_of(state, p)
    if regime is not None and regime.takeover is not None and regime.takeover.price == "account" and portfolios.balance[p, CASH] > 0.0:
        state.venues.fund_cash[v] += portfolios.balance[p, CASH]
        portfolios.balance[p, CASH] = 0.0
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
