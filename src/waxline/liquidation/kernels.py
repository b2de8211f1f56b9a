"""Compiled loops of the waterfall: triggers, the queue of forced orders, deleveraging.

Accounts triggered in a step are chosen from one snapshot and handled in the order of their numbers. An order's account is a trader
number (>= 0) or a portfolio p as -1 - p.
"""

from __future__ import annotations

import math

import numpy as np

from waxline.accounts.kernels import trade_portfolio, trade_single
from waxline.jit import njit
from waxline.liquidation.closing_kernels import FRACTION_ABOVE, fillable_price, first_closing
from waxline.market.tables import (
    O_ACCOUNT,
    O_CAUSE,
    O_EQUITY,
    O_GENERATION,
    O_LEFT,
    O_LIMIT,
    O_MARKET,
    O_RELEASE,
    O_SHARES,
    O_SIDE,
    O_SINCE,
    O_START,
)

PERP_LIQUIDATION, COLLATERAL_LIQUIDATION, DELEVERAGING, STOP_LOSS = 1, 2, 3, 12
HEALTHY, CALLED, STOPPING, LIQUIDATING, TAKEN_OVER, CLOSED = range(6)
CELL_BASE = 10**9
NOT_WATCHED = -2
UNBOUNDED, BANKRUPTCY, FILLABLE = range(3)
WHOLE_PART = 0.99
"""A first close of at least this part of a position takes all of it."""
LAST_PART = 0.05
"""Part of an order that is worked whole, so that no order trickles for ever."""


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
def add_order(table, link, head, used, account, market, side, quantity, limit, cause, generation, t_s, equity, shares):
    """Put a forced order into its market's list; writes the order table; returns its number, -1 when the table is full."""
    n = used[0]
    if n >= link.size:
        used[1] = 1
        return -1
    used[0] = n + 1
    for c in range(table.shape[1]):
        table[n, c] = 0.0
    table[n, O_ACCOUNT] = account
    table[n, O_MARKET] = market
    table[n, O_SIDE] = side
    table[n, O_LEFT] = quantity
    table[n, O_START] = quantity
    table[n, O_LIMIT] = limit
    table[n, O_CAUSE] = cause
    table[n, O_GENERATION] = generation
    table[n, O_SINCE] = t_s
    table[n, O_EQUITY] = equity
    for c in range(shares.size):
        table[n, O_SHARES + c] = shares[c]
    link[n] = head[market]
    head[market] = n
    return n


@njit
def release_orders(table, link, head, perp, claim_asset, depth_usd, mid, perp_tau, perp_least, spot_tau, spot_least, claim_tau, claim_delay, t_s, dt):
    """Set how much of each waiting order is worked this step: queue / tau, at least a share of calm depth per second.

    The parts are equal within a market and side, so that the order of accounts does not matter. Stop-losses are released whole. Claims wait
    `claim_delay` s and are then released over `claim_tau`. Writes the release column (coins); finished orders are unlinked.
    """
    waiting = np.zeros(2)
    pace = np.zeros(2)
    for m in range(head.size):
        if head[m] < 0:
            continue
        waiting[0] = 0.0
        waiting[1] = 0.0
        previous = -1
        n = head[m]
        while n >= 0:
            if table[n, O_LEFT] <= 0.0:
                if previous < 0:
                    head[m] = link[n]
                else:
                    link[previous] = link[n]
            else:
                if table[n, O_CAUSE] != STOP_LOSS:
                    waiting[0 if table[n, O_SIDE] < 0.0 else 1] += table[n, O_LEFT]
                previous = n
            n = link[n]
        claim = claim_asset[m] >= 0
        tau = claim_tau if claim else (perp_tau if perp[m] else spot_tau)
        least = 0.0 if claim else (perp_least if perp[m] else spot_least)
        for side in range(2):
            pace[side] = 0.0
            if waiting[side] > 0.0:
                pace[side] = min(1.0, max(1.0 - math.exp(-dt / tau), least * dt * depth_usd[m] / (waiting[side] * math.exp(mid[m]))))
        n = head[m]
        while n >= 0:
            if table[n, O_CAUSE] == STOP_LOSS:
                table[n, O_RELEASE] = table[n, O_LEFT]
            elif claim and t_s - table[n, O_SINCE] < claim_delay:
                table[n, O_RELEASE] = 0.0
            else:
                small = table[n, O_LEFT] < LAST_PART * table[n, O_START]
                table[n, O_RELEASE] = table[n, O_LEFT] * (1.0 if small else pace[0 if table[n, O_SIDE] < 0.0 else 1])
            n = link[n]


@njit
def close_size(rules, v, m, equity, maintenance, notional, whole_now, tier_cap, tier_rate):
    """Return the notional in USD that venue `v` closes first of a single position; rules: `CloseRules`.

    equity, maintenance, notional: USD of the row, which stands for `rules.people[v]` equal positions.
    """
    people = rules.people[v]
    amount = first_closing(
        rules.first[v], equity / people, maintenance / people, notional / people, tier_cap[m], tier_rate[m], rules.fee_frac[v], rules.tiers_down[v],
        rules.whole_up_to[v], rules.threshold_usd[v], rules.fraction[v], whole_now, rules.least_usd[v], rules.most_usd[v], rules.stop_at[v],
    )  # fmt: skip
    return people * amount


@njit
def trigger_traders(
    found, count, stopping, venue, traders, watched_head, mark, total, at_peak, at_trough, forced_usd, forced_generation, table, link, head, used, shares, t_s, rules,
    tier_cap, tier_rate,
):  # fmt: skip
    """Check the traders whose watch level was reached and queue their close; from one snapshot, in the order of their numbers.

    stopping: these are stop-loss levels (the close is no liquidation). A trader that is still safe (its slack changed) goes on the list of
    traders that are checked at every step. Equity = cash + q mark - cost, maintenance = |q| mark rate - deduction. How much is closed, at which
    worst price, and how long the venue waits after closing a part, is its rule; who is worth nothing any more is closed whole and at once. Returns
    the number triggered.
    """
    market, quantity, cost, cash, status, order = traders.market, traders.quantity, traders.cost, traders.cash, traders.status, traders.order
    next_watched = traders.next_watched
    triggered = 0
    for j in range(count):
        i = found[j]
        q = quantity[i]
        if status[i] >= LIQUIDATING or q == 0.0 or (stopping and status[i] == STOPPING):
            continue
        m = market[i]
        v = venue[m]
        side = -1 if q > 0.0 else 1
        equity = cash[i] + q * mark[m] - cost[i]
        if stopping:
            for c in range(shares.size):
                shares[c] = 0.0
            order[i] = add_order(table, link, head, used, i, m, side, abs(q), math.inf * side, STOP_LOSS, 0.0, t_s, equity, shares)
            status[i] = STOPPING
            if next_watched[i] == NOT_WATCHED:
                next_watched[i] = watched_head[0]
                watched_head[0] = i
            continue
        notional = abs(q) * mark[m]
        maintenance = max(notional * traders.rate[i] - traders.deduction[i], 0.0)
        pausing = rules.first[v] != FRACTION_ABOVE and equity > 0.0 and t_s < traders.whole_until_s[i]
        if pausing or equity > maintenance or (equity == maintenance and rules.at_equality[v] == 0):
            if next_watched[i] == NOT_WATCHED:
                next_watched[i] = watched_head[0]
                watched_head[0] = i
            continue
        shares_since(total[m], at_peak[m] if q > 0.0 else at_trough[m], q > 0.0, shares)
        generation = generation_of(shares, forced_usd[m], forced_generation[m])
        limit = math.inf * side
        if rules.bounded[v] == FILLABLE:
            worst = fillable_price(-1.0 * side, mark[m], rules.spread[v], traders.rate[i], rules.adjustment[v], equity, maintenance)
            limit = math.log(max(worst, 1e-300))
        elif rules.bounded[v] == BANKRUPTCY:
            limit = math.log(max((cost[i] - cash[i]) / q, 1e-300))
        if status[i] == STOPPING and order[i] >= 0:
            table[order[i], O_LEFT] = 0.0
        size = abs(q)
        if equity > 0.0:
            amount = close_size(rules, v, m, equity, maintenance, notional, t_s < traders.whole_until_s[i], tier_cap, tier_rate)
            if amount < WHOLE_PART * notional:
                size *= amount / notional
                traders.whole_until_s[i] = t_s + rules.wait_s[v]
        order[i] = add_order(table, link, head, used, i, m, side, size, limit, PERP_LIQUIDATION, generation, t_s, equity, shares)
        status[i] = LIQUIDATING
        if math.isnan(traders.first_trigger_s[i]):
            traders.first_trigger_s[i] = t_s
        triggered += 1
    return triggered


@njit
def collect_watched(status, quantity, next_watched, watched_head, found):
    """List the traders that are checked at every step and forget those that are gone; writes `found`; returns their number."""
    count = 0
    previous = -1
    i = watched_head[0]
    while i >= 0:
        following = next_watched[i]
        if status[i] >= LIQUIDATING or quantity[i] == 0.0:
            if previous < 0:
                watched_head[0] = following
            else:
                next_watched[previous] = following
            next_watched[i] = NOT_WATCHED
        else:
            found[count] = i
            count += 1
            previous = i
        i = following
    return count


@njit
def deleveraging_gain(quantity, cost, mark):
    """Return a position's unrealised profit as a part of its entry value."""
    return (quantity * mark - cost) / max(abs(cost), 1e-12)


@njit
def rank_winners(
    m, side, mark, first, last, quantity, cost, cash, status, cell_quantity, cell_cost, fund_row, position, position_cost, equity, allowed, candidate, score
):  # fmt: skip
    """List profitable positions opposite to `side` in perp `m` with their rank: profit share times leverage (notional over equity).

    Candidates: traders first..last (number), cells (CELL_BASE + row), portfolios that are `allowed` (-1 - number). Writes candidate, score;
    returns their number.
    """
    count = 0
    for i in range(first, last):
        if quantity[i] * side < 0.0 and status[i] < LIQUIDATING:
            gain = deleveraging_gain(quantity[i], cost[i], mark)
            if gain > 0.0:
                candidate[count] = i
                score[count] = gain * abs(quantity[i]) * mark / max(cash[i] + quantity[i] * mark - cost[i], 1e-9)
                count += 1
    for kind in range(cell_quantity.shape[0]):
        if kind != fund_row and cell_quantity[kind, m] * side < 0.0:
            gain = deleveraging_gain(cell_quantity[kind, m], cell_cost[kind, m], mark)
            if gain > 0.0:
                candidate[count] = CELL_BASE + kind
                score[count] = gain
                count += 1
    for p in range(position.shape[0]):
        if allowed[p] == 1 and position[p, m] * side < 0.0:
            gain = deleveraging_gain(position[p, m], position_cost[p, m], mark)
            if gain > 0.0:
                candidate[count] = -1 - p
                score[count] = gain * abs(position[p, m]) * mark / max(equity[p], 1e-9)
                count += 1
    return count


@njit
def close_winners(
    m, wanted, side, mark, ranked, most, price, quantity, cost, cash, cell_quantity, cell_cost, cell_cash, fund_row, position, position_cost, balance, closed,
    profit,
):  # fmt: skip
    """Close up to `wanted` coins of the fund's position in perp `m` against the `ranked` winners in turn.

    side +1: the fund is long, shorts are closed; -1 the reverse. most [R]: coins that each gives at the most; price [R]: USD per coin at which he
    is closed. Writes both sides' positions, closed (coins) and profit at the mark (part of entry value); returns how many winners were visited.
    """
    left = wanted
    done = 0
    for r in range(ranked.size):
        if left <= 0.0:
            break
        who = ranked[r]
        if who >= CELL_BASE:
            kind = who - CELL_BASE
            size = min(left, abs(cell_quantity[kind, m]), most[r])
            gain = deleveraging_gain(cell_quantity[kind, m], cell_cost[kind, m], mark)
            trade_single(cell_quantity[kind], cell_cost[kind], cell_cash[kind], m, True, side * size, side * size * price[r])
        elif who >= 0:
            size = min(left, abs(quantity[who]), most[r])
            gain = deleveraging_gain(quantity[who], cost[who], mark)
            trade_single(quantity, cost, cash, who, True, side * size, side * size * price[r])
        else:
            p = -1 - who
            size = min(left, abs(position[p, m]), most[r])
            gain = deleveraging_gain(position[p, m], position_cost[p, m], mark)
            trade_portfolio(position, position_cost, balance, p, m, 0, True, side * size, side * size * price[r])
        trade_single(cell_quantity[fund_row], cell_cost[fund_row], cell_cash[fund_row], m, True, -side * size, -side * size * price[r])
        closed[done] = size
        profit[done] = gain
        left -= size
        done += 1
    return done
