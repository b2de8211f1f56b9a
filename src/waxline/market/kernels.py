"""Compiled loops of one ladder book: best quotes, crossing quotes, netting, walking, depth.

A market is cleared in this order: quotes that cross are matched; opposing market orders are netted at the mid; what is left walks the
ladder, and at each level the owners are filled pro rata, and so are the orders whose worst price allows that level. So neither the
order of accounts nor that of orders matters. Twins in plain Python: `waxline.reference`.
"""

from __future__ import annotations

import math

from waxline.jit import njit

BID, ASK = 0, 1
NO_LEVEL = -(2**60)
CROSS_ROUNDS = 4000
DUST = 1e-300
WIDE = 0.005
"""Half spread (log) up to which the price of a book is its mid."""


@njit
def advance(posted, place, owners, rungs):
    """Move each owner's `place` [S] to its first rung with quantity in `posted` [S, K] (K: none left); writes `place`."""
    for s in range(owners):
        k = place[s]
        while k < rungs and posted[s, k] <= DUST:
            k += 1
        place[s] = k


@njit
def best_level(base, offset, place, owners, rungs, side):
    """Return the best level of a side (highest bid or lowest ask), NO_LEVEL when it is empty."""
    best = NO_LEVEL
    for s in range(owners):
        k = place[s]
        if k < rungs:
            shape = 1 if s == owners - 1 else 0
            level = base[s] - offset[shape, k] if side == BID else base[s] + offset[shape, k]
            if best == NO_LEVEL or (level > best if side == BID else level < best):
                best = level
    return best


@njit
def quantity_at(level, base, offset, posted, place, owners, rungs, side):
    """Return the quantity that all owners show at `level`, the best of a side."""
    total = 0.0
    for s in range(owners):
        k = place[s]
        if k < rungs:
            shape = 1 if s == owners - 1 else 0
            own = base[s] - offset[shape, k] if side == BID else base[s] + offset[shape, k]
            if own == level:
                total += posted[s, k]
    return total


@njit
def take_at(level, part, whole, price, base, offset, posted, place, owners, rungs, side, got, paid):
    """Fill `part` (0..1) of every owner's rung at `level`; writes `posted`, `got` [S] (coins) and `paid` [S] (USD)."""
    for s in range(owners):
        k = place[s]
        if k < rungs:
            shape = 1 if s == owners - 1 else 0
            own = base[s] - offset[shape, k] if side == BID else base[s] + offset[shape, k]
            if own == level:
                quantity = posted[s, k] if whole else posted[s, k] * part
                posted[s, k] = 0.0 if whole else posted[s, k] - quantity
                got[s] += quantity
                paid[s] += quantity * price


@njit
def cross_quotes(base, offset, posted, grid, owners, rungs, place_bid, place_ask, bought, paid, sold, received):
    """Match quotes that cross, best against best, at the geometric mid of the two levels, owners pro rata.

    Writes `posted` and adds to `bought`, `paid`, `sold`, `received` [S] (coins, USD). Returns (coins traded, lowest and highest log price).
    """
    traded = 0.0
    lowest = math.inf
    highest = -math.inf
    for _ in range(CROSS_ROUNDS):
        advance(posted[:, BID], place_bid, owners, rungs)
        advance(posted[:, ASK], place_ask, owners, rungs)
        bid = best_level(base[:, BID], offset, place_bid, owners, rungs, BID)
        ask = best_level(base[:, ASK], offset, place_ask, owners, rungs, ASK)
        if bid == NO_LEVEL or ask == NO_LEVEL or bid < ask:
            break
        shown_bid = quantity_at(bid, base[:, BID], offset, posted[:, BID], place_bid, owners, rungs, BID)
        shown_ask = quantity_at(ask, base[:, ASK], offset, posted[:, ASK], place_ask, owners, rungs, ASK)
        quantity = min(shown_bid, shown_ask)
        log_price = 0.5 * (bid + ask) * grid
        price = math.exp(log_price)
        take_at(bid, quantity / shown_bid, shown_bid <= shown_ask, price, base[:, BID], offset, posted[:, BID], place_bid, owners, rungs, BID, bought, paid)
        take_at(ask, quantity / shown_ask, shown_ask <= shown_bid, price, base[:, ASK], offset, posted[:, ASK], place_ask, owners, rungs, ASK, sold, received)
        traded += quantity
        lowest = min(lowest, log_price)
        highest = max(highest, log_price)
    return traded, lowest, highest


@njit
def walk(side, count, order, quantity, limit, cause, filled, cash, charge, base, offset, posted, grid, owners, rungs, place, got, paid, by_cause):
    """Walk one side of the book with `count` market orders: sells walk the bids, buys walk the asks.

    order[:count] lists them from the most to the least restrictive limit (log price). At each level the orders that its price satisfies are
    filled pro rata, and so are the owners who rest there. All active orders share one surviving part, so each is settled when it drops out.
    Writes `filled`, `cash` per order (adds), `posted`, `got`, `paid` [S]; `charge` [C] gets the walked log distance by cause.
    Returns (coins traded, last log price or NaN, best level before, best level after).
    """
    sign = 1.0 if side == BID else -1.0
    for c in range(by_cause.size):
        by_cause[c] = 0.0
    active = 0.0
    for i in range(count):
        active += quantity[order[i]]
        by_cause[cause[order[i]]] += quantity[order[i]]
    whole_active = active
    survive = 1.0
    per_unit = 0.0
    dropped = 0
    traded = 0.0
    last = math.nan
    advance(posted, place, owners, rungs)
    level = best_level(base, offset, place, owners, rungs, side)
    before = level
    while level != NO_LEVEL and dropped < count:
        log_price = level * grid
        while dropped < count and sign * limit[order[dropped]] > sign * log_price + 1e-12:
            i = order[dropped]
            filled[i] += quantity[i] * (1.0 - survive)
            cash[i] += quantity[i] * per_unit
            active -= quantity[i] * survive
            by_cause[cause[i]] -= quantity[i]
            dropped += 1
        if dropped == count or active <= 1e-14 * whole_active:
            break
        price = math.exp(log_price)
        shown = quantity_at(level, base, offset, posted, place, owners, rungs, side)
        part = min(1.0, shown / active)
        take = active * part
        take_at(level, take / shown, part < 1.0 or take >= shown, price, base, offset, posted, place, owners, rungs, side, got, paid)
        per_unit += survive * part * price
        survive *= 1.0 - part
        active -= take
        traded += take
        last = log_price
        advance(posted, place, owners, rungs)
        after = best_level(base, offset, place, owners, rungs, side)
        if after != NO_LEVEL:
            moved = (after - level) * grid
            total = 0.0
            for c in range(by_cause.size):
                total += max(by_cause[c], 0.0)
            if total > 0.0:
                for c in range(by_cause.size):
                    charge[c] += moved * max(by_cause[c], 0.0) / total
        level = after
        if part >= 1.0 and active <= 1e-14 * whole_active:
            break
    for j in range(dropped, count):
        i = order[j]
        filled[i] += quantity[i] * (1.0 - survive)
        cash[i] += quantity[i] * per_unit
    return traded, last, before, level


@njit
def side_depth_usd(base, offset, relative, posted, grid, owners, rungs, side, log_mid, band):
    """Return the USD resting on a side within `band` (log distance) of the mid.

    relative [2, K] is exp(-offset * grid) per shape: the price of a rung is that of its owner's best times (bids) or over (asks) it.
    """
    total = 0.0
    edge = (log_mid - band) / grid if side == BID else (log_mid + band) / grid
    for s in range(owners):
        shape = 1 if s == owners - 1 else 0
        first = base[s]
        if first < edge if side == BID else first > edge:
            continue
        best = math.exp(first * grid)
        for k in range(rungs):
            if side == BID:
                if first - offset[shape, k] < edge:
                    break
                total += posted[s, k] * best * relative[shape, k]
            else:
                if first + offset[shape, k] > edge:
                    break
                total += posted[s, k] * best / relative[shape, k]
    return total


@njit
def sort_by_limit(count, limit, order, spare, side):
    """Order market orders from the most to the least restrictive limit; writes order[:count], uses spare; equal limits keep their place.

    Merge sort from runs of one: stable, so that the result depends on nothing but the orders.
    """
    sign = -1.0 if side == BID else 1.0
    for i in range(count):
        order[i] = i
    width = 1
    while width < count:
        left = 0
        while left < count:
            middle = min(left + width, count)
            right = min(left + 2 * width, count)
            i, j = left, middle
            for k in range(left, right):
                if i < middle and (j >= right or sign * limit[order[i]] <= sign * limit[order[j]]):
                    spare[k] = order[i]
                    i += 1
                else:
                    spare[k] = order[j]
                    j += 1
            left = right
        for k in range(count):
            order[k] = spare[k]
        width *= 2


@njit
def bounded_mid(bid, ask, grid, last_mid):
    """Return the log mid of the best levels; in a wide book the last price, kept `WIDE` inside the best quotes; beside an empty side bounded by the other.

    Where bid and ask are far apart the middle between them is nobody's price: venues then take the last trade between the best quotes, too.
    """
    if bid != NO_LEVEL and ask != NO_LEVEL:
        middle = 0.5 * (bid + ask) * grid
        free = max(0.5 * (ask - bid) * grid - WIDE, 0.0)
        return min(max(last_mid, middle - free), middle + free)
    if bid != NO_LEVEL:
        return max(last_mid, bid * grid)
    if ask != NO_LEVEL:
        return min(last_mid, ask * grid)
    return last_mid
