"""Compiled loops of a step between clearing and prices: makers' limits and inventory, agreed closing, memories, sums for the ledger."""

from __future__ import annotations

import math

from waxline.accounts.kernels import maintenance_of, tier_at_line, trade_portfolio, trade_single
from waxline.jit import njit

CROWD, INFORMED, HOLDERS, OUTSIDE = 0, 2, 6, 11
LIQUIDATING, CLOSED = 3, 5


@njit
def set_maker_limits(perp, market_asset, crowd_quantity, crowd_cash, position, balance, balance_start, slot_account, budget_share, inventory, coins, budget):
    """Set what makers and crowd hold above target (coins), may offer (coins) and may bid (USD), per slot and market; writes the last three."""
    slots = slot_account.shape[0]
    for m in range(perp.size):
        asset = market_asset[m]
        for s in range(slots):
            p = slot_account[s, m]
            if p < 0:
                inventory[s, m] = 0.0
                coins[s, m] = math.inf if perp[m] else crowd_quantity[m]
                budget[s, m] = math.inf if perp[m] else crowd_cash[m]
                continue
            if perp[m]:
                inventory[s, m] = position[p, m]
                coins[s, m] = math.inf
                budget[s, m] = math.inf
            else:
                inventory[s, m] = balance[p, asset] - balance_start[p, asset]
                coins[s, m] = balance[p, asset]
                budget[s, m] = math.inf
                if budget_share[m] > 0.0:
                    budget[s, m] = max(balance[p, 0], 0.0) * budget_share[m]


@njit
def shed_inventory(market_perp, market_asset, mid, status, position, cost, balance, balance_start, out_quantity, out_cost, out_cash, slot_account, tau_s, dt):
    """Let makers pass part of their inventory to holders outside at the mid, off the book: part 1 - exp(-dt / tau) of it per step."""
    share = 1.0 - math.exp(-dt / tau_s)
    for m in range(market_perp.size):
        price = math.exp(mid[m])
        asset = market_asset[m]
        perp = market_perp[m]
        for s in range(slot_account.shape[0] - 1):
            p = slot_account[s, m]
            if status[p] >= LIQUIDATING:
                continue
            held = position[p, m] if perp else balance[p, asset] - balance_start[p, asset]
            if held != 0.0:
                moved = held * share
                trade_portfolio(position, cost, balance, p, m, asset, perp, -moved, -moved * price)
                trade_single(out_quantity, out_cost, out_cash, m, perp, moved, moved * price)


@njit
def close_by_agreement(perp, volatility, mid, variance, quantity, cost, cash, rate, least_ratio, dt):
    """Let longs and shorts without a liquidation line close against each other at the mid while volatility is above five times calm.

    Informed sellers of perps are holders who reduce: what they sold is taken from the holders' longs first, and
    then from longs outside, which stand for shorts that covered.
    """
    share = 1.0 - math.exp(-rate * dt)
    for m in range(perp.size):
        if not perp[m]:
            continue
        sellers = min(max(quantity[HOLDERS, m], 0.0), max(-quantity[INFORMED, m], 0.0))
        if sellers > 0.0:
            value = sellers * math.exp(mid[m])
            trade_single(quantity[HOLDERS], cost[HOLDERS], cash[HOLDERS], m, True, -sellers, -value)
            trade_single(quantity[INFORMED], cost[INFORMED], cash[INFORMED], m, True, sellers, value)
        buyers = min(max(quantity[OUTSIDE, m], 0.0), max(-quantity[INFORMED, m], 0.0))
        if buyers > 0.0:
            value = buyers * math.exp(mid[m])
            trade_single(quantity[OUTSIDE], cost[OUTSIDE], cash[OUTSIDE], m, True, -buyers, -value)
            trade_single(quantity[INFORMED], cost[INFORMED], cash[INFORMED], m, True, buyers, value)
        if math.sqrt(variance[m] * 60.0) < least_ratio * volatility[m]:
            continue
        size = min(max(quantity[HOLDERS, m], 0.0), max(-quantity[OUTSIDE, m], 0.0)) * share
        if size > 0.0:
            notional = size * math.exp(mid[m])
            trade_single(quantity[HOLDERS], cost[HOLDERS], cash[HOLDERS], m, True, -size, -notional)
            trade_single(quantity[OUTSIDE], cost[OUTSIDE], cash[OUTSIDE], m, True, size, notional)


@njit
def update_memories(mid, anchor_mean, slow_mean, anchor_tau, trend_tau, history, place, dt):
    """Move the anchor and the trend mean toward the mid and keep the mid in the history ring."""
    anchor = 1.0 - math.exp(-dt / anchor_tau)
    trend = 1.0 - math.exp(-dt / trend_tau)
    for m in range(mid.size):
        anchor_mean[m] += anchor * (mid[m] - anchor_mean[m])
        slow_mean[m] += trend * (mid[m] - slow_mean[m])
        history[m, place] = mid[m]


@njit
def open_tranche(traders, cells, kind, m, v, i, side, part, distance, mark, taken, rules, tier_cap, tier_rate, tier_deduction):
    """Turn `part` of a cell's position in perp `m` into leveraged trader `i`, liquidated `distance` away from the mark; returns done.

    The position moves at the cell's cost; the margin comes from the cell's cash, so that the line stands at mark (1 - side distance).
    `taken` is the quantity of the cell that is already spoken for (not touched); rules of venue `v`: `CloseRules`, tiers [M, N].
    """
    quantity = cells.quantity[kind, m]
    free = (quantity - taken) * part
    if free * side <= 0.0 or abs(free) * mark < 1000.0:
        return False
    share = free / quantity
    cost = cells.cost[kind, m] * share
    line = mark * (1.0 - side * distance)
    tier = abs(cost) if rules.on_entry[v] == 1 else abs(free) * line
    margin = (
        cost
        - free * line
        + abs(free) * line * rules.closing_fee[v]
        + rules.people[v] * maintenance_of(m, tier / rules.people[v], tier_cap, tier_rate, tier_deduction)
    )
    if margin <= 0.0 or margin > cells.cash[kind, m]:
        return False
    cells.quantity[kind, m] -= free
    cells.cost[kind, m] -= cost
    cells.cash[kind, m] -= margin
    traders.market[i] = m
    traders.quantity[i] = free
    traders.cost[i] = cost
    traders.cash[i] = margin
    traders.rate[i], traders.deduction[i] = tier_at_line(
        m, free, cost, margin, rules.people[v], rules.on_entry[v], rules.closing_fee[v], tier_cap, tier_rate, tier_deduction
    )
    traders.status[i] = 0
    return True


@njit
def ledger_sums(perp, market_asset, cells, trader_cash, trader_cost, balance, cost, venue_fees, fund_cash, outside, assets):
    """Return sums [A] that never change: cash minus cost of positions over all accounts, and units of every other asset.

    Cells as `Cells`; trader_cash, trader_cost [N]; balance [P, A], cost [P, M] of portfolios; venue_fees [V], fund_cash [F]; outside [A]. Writes assets.
    """
    cash = 0.0
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = trader_cash.size - trader_cash.size % 4
    for i in range(0, whole, 4):
        first += trader_cash[i] - trader_cost[i]
        second += trader_cash[i + 1] - trader_cost[i + 1]
        third += trader_cash[i + 2] - trader_cost[i + 2]
        fourth += trader_cash[i + 3] - trader_cost[i + 3]
    for i in range(whole, trader_cash.size):
        first += trader_cash[i] - trader_cost[i]
    cash += (first + second) + (third + fourth)
    for v in range(venue_fees.size):
        cash += venue_fees[v]
    for f in range(fund_cash.size):
        cash += fund_cash[f]
    for a in range(assets.size):
        assets[a] = outside[a]
    for p in range(balance.shape[0]):
        for a in range(assets.size):
            assets[a] += balance[p, a]
    for k in range(cells.cash.shape[0]):
        for m in range(perp.size):
            cash += cells.cash[k, m] - cells.cost[k, m]
            if not perp[m]:
                assets[market_asset[m]] += cells.quantity[k, m]
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = perp.size - perp.size % 4
    for p in range(cost.shape[0]):
        for m in range(0, whole, 4):
            first += cost[p, m]
            second += cost[p, m + 1]
            third += cost[p, m + 2]
            fourth += cost[p, m + 3]
        for m in range(whole, perp.size):
            first += cost[p, m]
    cash -= (first + second) + (third + fourth)
    assets[0] += cash


@njit
def net_positions(perp, cell_quantity, trader_market, trader_quantity, position, long_total, net):
    """Set long_total [M] (coins, the open interest) and net [M] (longs less shorts) of every perp; cell_quantity [KINDS, M], position [P, M]."""
    for m in range(perp.size):
        long_total[m] = 0.0
        net[m] = 0.0
    for i in range(trader_quantity.size):
        quantity = trader_quantity[i]
        if quantity != 0.0:
            net[trader_market[i]] += quantity
            if quantity > 0.0:
                long_total[trader_market[i]] += quantity
    for k in range(cell_quantity.shape[0]):
        for m in range(perp.size):
            if perp[m]:
                net[m] += cell_quantity[k, m]
                long_total[m] += max(cell_quantity[k, m], 0.0)
    for p in range(position.shape[0]):
        for m in range(perp.size):
            if position[p, m] != 0.0:
                net[m] += position[p, m]
                long_total[m] += max(position[p, m], 0.0)
