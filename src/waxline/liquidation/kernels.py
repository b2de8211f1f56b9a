"""Compiled loops of the waterfall: triggers, the queue of forced orders, takeover, deleveraging.

Accounts triggered in a step are chosen from one snapshot and handled in the order of their numbers. An order's account is a trader
number (>= 0) or a portfolio p as -1 - p.
"""

from __future__ import annotations

import math

import numpy as np

from waxline.accounts.kernels import position_after, trader_equity
from waxline.jit import njit

PERP_LIQUIDATION, COLLATERAL_LIQUIDATION, DELEVERAGING, STOP_LOSS = 1, 2, 3, 12
HEALTHY, CALLED, STOPPING, LIQUIDATING, TAKEN_OVER, CLOSED = range(6)
FUND, SHORTS, CARRY, OUTSIDE, HOLDERS = 9, 5, 8, 11, 6


@njit
def shares_since(total, reference, falling, shares):
    """Set `shares` [C] to the parts of each cause in the move since a reference (falls for longs, rises for shorts); sum 1 or 0."""
    whole = 0.0
    for c in range(shares.size):
        moved = total[c] - reference[c]
        shares[c] = max(-moved, 0.0) if falling else max(moved, 0.0)
        whole += shares[c]
    if whole > 0.0:
        for c in range(shares.size):
            shares[c] /= whole
    return whole


@njit
def generation_of(shares, forced_usd, forced_generation_usd):
    """Return 1 + sum over forced causes of share times the mean generation of that cause's recent flow."""
    generation = 1.0
    for c in range(1, 5):
        if forced_usd[c] > 1.0:
            generation += shares[c] * forced_generation_usd[c] / forced_usd[c]
    return generation


@njit
def add_order(orders, account, market, side, quantity, limit, cause, generation, t_s, equity, shares):
    """Put a forced order into its market's list; writes `orders`; returns its number, -1 when the table is full."""
    n = orders.used[0]
    if n >= orders.account.size:
        orders.used[1] = 1
        return -1
    orders.used[0] = n + 1
    orders.account[n] = account
    orders.market[n] = market
    orders.side[n] = side
    orders.left[n] = quantity
    orders.release[n] = 0.0
    orders.limit[n] = limit
    orders.cause[n] = cause
    orders.generation[n] = generation
    orders.filled[n] = 0.0
    orders.cash[n] = 0.0
    orders.row_filled[n] = 0.0
    orders.row_cash[n] = 0.0
    orders.since[n] = t_s
    orders.equity[n] = equity
    for c in range(shares.size):
        orders.shares[n, c] = shares[c]
    orders.next[n] = orders.head[market]
    orders.head[market] = n
    return n


@njit
def release_orders(orders, markets, mid, depth_bid, depth_ask, perp_tau, perp_least, spot_tau, spot_least, claim_tau, t_s, claim_delay, dt):
    """Set how much of each waiting order is worked this step: queue / tau, at least a share of calm depth per second.

    The shares are equal within a market and side, so that the order of accounts does not matter. Stop-losses are released whole.
    Writes `orders.release` (coins); orders with nothing left are unlinked.
    """
    for m in range(orders.head.size):
        waiting = np.zeros(2)
        previous = -1
        n = orders.head[m]
        while n >= 0:
            if orders.left[n] <= 0.0:
                if previous < 0:
                    orders.head[m] = orders.next[n]
                else:
                    orders.next[previous] = orders.next[n]
            else:
                if orders.cause[n] != STOP_LOSS:
                    waiting[0 if orders.side[n] < 0 else 1] += orders.left[n]
                previous = n
            n = orders.next[n]
        if orders.head[m] < 0:
            continue
        price = math.exp(mid[m])
        tau = perp_tau if markets.perp[m] else spot_tau
        least = perp_least if markets.perp[m] else spot_least
        if markets.claim_asset[m] >= 0:
            tau = claim_tau
            least = 0.0
        pace = np.empty(2)
        for side in range(2):
            pace[side] = 0.0
            if waiting[side] > 0.0:
                pace[side] = min(1.0, max(1.0 - math.exp(-dt / tau), least * dt * markets.depth_usd[m] / (waiting[side] * price)))
        n = orders.head[m]
        while n >= 0:
            side = 0 if orders.side[n] < 0 else 1
            if orders.cause[n] == STOP_LOSS:
                orders.release[n] = orders.left[n]
            elif markets.claim_asset[m] >= 0 and t_s - orders.since[n] < claim_delay:
                orders.release[n] = 0.0
            else:
                orders.release[n] = orders.left[n] * pace[side]
            n = orders.next[n]


@njit
def trigger_traders(traders, found, count, mark, causes_total, at_peak, at_trough, forced_usd, forced_generation, orders, t_s, stopping, shares, watched_head, trigger_frac):
    """Check the traders whose watch level was reached and queue their close; from one snapshot, in the order of their numbers.

    stopping: these are stop-loss levels (the close is no liquidation). A trader that is still safe (its slack changed) goes on the list of
    traders that are checked at every step. Returns the number triggered.
    """
    triggered = 0
    for j in range(count):
        i = found[j]
        status = traders.status[i]
        if status >= LIQUIDATING or traders.quantity[i] == 0.0 or (stopping and status == STOPPING):
            continue
        m = traders.market[i]
        equity, maintenance = trader_equity(traders, i, mark[m])
        quantity = traders.quantity[i]
        if stopping:
            for c in range(shares.size):
                shares[c] = 0.0
            limit = -math.inf if quantity > 0.0 else math.inf
            n = add_order(orders, i, m, -1 if quantity > 0.0 else 1, abs(quantity), limit, STOP_LOSS, 0.0, t_s, equity, shares)
            traders.status[i] = STOPPING
            traders.order[i] = n
            continue
        if equity > maintenance:
            if traders.next_watched[i] == -2:
                traders.next_watched[i] = watched_head[0]
                watched_head[0] = i
            continue
        reference = at_peak[m] if quantity > 0.0 else at_trough[m]
        shares_since(causes_total[m], reference, quantity > 0.0, shares)
        generation = generation_of(shares, forced_usd[m], forced_generation[m])
        zero = (traders.cost[i] - traders.cash[i]) / quantity
        limit = math.log(max(zero, 1e-300)) if quantity > 0.0 else math.log(max(zero, 1e-300))
        if status == STOPPING and traders.order[i] >= 0:
            orders.left[traders.order[i]] = 0.0
        n = add_order(orders, i, m, -1 if quantity > 0.0 else 1, abs(quantity), limit, PERP_LIQUIDATION, generation, t_s, equity, shares)
        traders.status[i] = LIQUIDATING
        traders.order[i] = n
        if math.isnan(traders.first_trigger_s[i]):
            traders.first_trigger_s[i] = t_s
        triggered += 1
    return triggered


@njit
def collect_watched(traders, watched_head, found):
    """List the traders that are checked at every step and forget those that are gone; writes `found`; returns their number."""
    count = 0
    previous = -1
    i = watched_head[0]
    while i >= 0:
        following = traders.next_watched[i]
        if traders.status[i] >= LIQUIDATING or traders.quantity[i] == 0.0:
            if previous < 0:
                watched_head[0] = following
            else:
                traders.next_watched[previous] = following
            traders.next_watched[i] = -2
        else:
            found[count] = i
            count += 1
            previous = i
        i = following
    return count


@njit
def deleverage_market(m, wanted, side, mark, first, last, traders, cells, fund_row, portfolios, perp_portfolios, candidate, score, closed, profit):
    """Close `wanted` coins of the fund's (or vault's) position in perp `m` against profitable opposite positions, by rank, at the mark.

    side +1: the fund is long, shorts are deleveraged; -1 the reverse. Rank = profit share of entry value times leverage (notional over
    equity), as exchanges publish it. Candidates: traders first..last of that market, cells, portfolios. Writes positions of both sides,
    `candidate` (trader i, 10**9 + cell, -1 - portfolio), `closed` (coins) and `profit` (share of entry value). Returns the number closed.
    """
    count = 0
    for i in range(first, last):
        quantity = traders.quantity[i]
        if quantity * side < 0.0 and traders.status[i] < LIQUIDATING and traders.market[i] == m:
            gain = (quantity * mark - traders.cost[i]) / max(abs(traders.cost[i]), 1e-12)
            if gain > 0.0:
                equity = traders.cash[i] + quantity * mark - traders.cost[i]
                candidate[count] = i
                score[count] = gain * abs(quantity) * mark / max(equity, 1e-9)
                count += 1
    for kind in range(cells.quantity.shape[0]):
        quantity = cells.quantity[kind, m]
        if kind != fund_row and quantity * side < 0.0:
            gain = (quantity * mark - cells.cost[kind, m]) / max(abs(cells.cost[kind, m]), 1e-12)
            if gain > 0.0:
                candidate[count] = 10**9 + kind
                score[count] = gain
                count += 1
    for p in range(portfolios.venue.size):
        quantity = portfolios.position[p, m]
        if quantity * side < 0.0 and perp_portfolios[p] == 1 and portfolios.status[p] < LIQUIDATING:
            gain = (quantity * mark - portfolios.cost[p, m]) / max(abs(portfolios.cost[p, m]), 1e-12)
            if gain > 0.0:
                candidate[count] = -1 - p
                score[count] = gain * abs(quantity) * mark / max(portfolios.equity[p], 1e-9)
                count += 1
    ranked = np.argsort(-score[:count], kind="mergesort")
    chosen = np.empty(count, np.int64)
    done = 0
    left = wanted
    for r in range(count):
        if left <= 0.0:
            break
        who = candidate[ranked[r]]
        if who >= 10**9:
            kind = who - 10**9
            size = min(left, abs(cells.quantity[kind, m]))
            gain = (cells.quantity[kind, m] * mark - cells.cost[kind, m]) / max(abs(cells.cost[kind, m]), 1e-12)
            quantity, cost, cash = position_after(cells.quantity[kind, m], cells.cost[kind, m], cells.cash[kind, m], side * size, side * size * mark)
            cells.quantity[kind, m], cells.cost[kind, m], cells.cash[kind, m] = quantity, cost, cash
        elif who >= 0:
            size = min(left, abs(traders.quantity[who]))
            gain = (traders.quantity[who] * mark - traders.cost[who]) / max(abs(traders.cost[who]), 1e-12)
            quantity, cost, cash = position_after(traders.quantity[who], traders.cost[who], traders.cash[who], side * size, side * size * mark)
            traders.quantity[who], traders.cost[who], traders.cash[who] = quantity, cost, cash
        else:
            p = -1 - who
            size = min(left, abs(portfolios.position[p, m]))
            gain = (portfolios.position[p, m] * mark - portfolios.cost[p, m]) / max(abs(portfolios.cost[p, m]), 1e-12)
            quantity, cost, cash = position_after(portfolios.position[p, m], portfolios.cost[p, m], portfolios.balance[p, 0], side * size, side * size * mark)
            portfolios.position[p, m], portfolios.cost[p, m], portfolios.balance[p, 0] = quantity, cost, cash
        quantity, cost, cash = position_after(cells.quantity[fund_row, m], cells.cost[fund_row, m], cells.cash[fund_row, m], -side * size, -side * size * mark)
        cells.quantity[fund_row, m], cells.cost[fund_row, m], cells.cash[fund_row, m] = quantity, cost, cash
        chosen[done] = who
        closed[done] = size
        profit[done] = gain
        left -= size
        done += 1
    for r in range(done):
        candidate[r] = chosen[r]
    return done
