"""Compiled loops of one ladder book: posting, best quotes, crossing quotes, walking, depth.

A market is cleared in this order: quotes that cross are matched; opposing market orders are netted at the mid; what is left walks the
ladder, and at each level the owners are filled pro rata, and so are the orders whose worst price allows that level. So neither the
order of accounts nor that of orders matters. Twins in plain Python: `waxline.reference` and tests/dense_book.py.

A ladder stands on its owner's best level: rung k lies offset[m, shape, k] levels from it and shows scale * usd[m, shape, k] coins. Only what
orders ate differs from that: the rungs before `eaten` have coins of their own, left[m, s, side, k]. Posting moves `scale` and refills those
rungs, depth is a difference of cumulative sums plus those rungs; no other rung is touched. The last owner is the crowd, shape 1.

Kernels that run per market get arrays and the number of the market: passing groups of arrays or cutting them costs more than the work.
"""

from __future__ import annotations

import math

from waxline.jit import inlined
from waxline.market.tables import ASK, BID, E_CASH, E_FILLED, E_LIMIT, E_QUANTITY

NO_LEVEL = -(2**60)
EMPTY = 2**60
"""Key of an owner that shows nothing more on a side."""
CROSS_ROUNDS = 4000
DUST = 1e-300
WIDE = 0.005
"""Half spread (log) up to which the price of a book is its mid."""
NOTHING_LEFT = 1e-14
"""Part of what active orders asked below which a walk ends."""
REFILLED = 1e-13
"""Difference, relative, below which a rung shows the same as if it had never been eaten."""


@inlined
def next_rung(m, s, side, shape, k, usd, scale, eaten, left):
    """Return the first rung from `k` on where owner s shows coins (K: none)."""
    touched = eaten[m, s, side]
    while k < touched and left[m, s, side, k] <= DUST:
        k += 1
    if k >= touched:
        coins, rungs = scale[m, s, side], usd.shape[2]
        if coins == 0.0:
            k = rungs
        while k < rungs and coins * usd[m, shape, k] <= DUST:
            k += 1
    return k


@inlined
def post_side(m, s, side, shape, usd, scale, eaten, left, first, target, refill, cut, end_rung):
    """Move what owner s shows toward `target` coins per USD of its shape, and toward nothing from `end_rung` on, by parts `refill` and `cut`.

    Writes `scale`, `eaten`, `left` and first[m, s, side], the first rung with coins (K: none). Rungs that differ from the shape by less than
    rounding join it again. A ladder that ends early has coins of its own on every rung.
    """
    coins, touched, rungs = scale[m, s, side], eaten[m, s, side], usd.shape[2]
    if end_rung < rungs:
        for k in range(touched, rungs):
            left[m, s, side, k] = coins * usd[m, shape, k]
        touched = rungs
    gap = target - coins
    coins += (refill if gap > 0.0 else cut) * gap
    if coins <= DUST:
        coins = 0.0
    for k in range(min(touched, end_rung)):
        gap = target * usd[m, shape, k] - left[m, s, side, k]
        left[m, s, side, k] += (refill if gap > 0.0 else cut) * gap
    for k in range(end_rung, touched):
        left[m, s, side, k] -= cut * left[m, s, side, k]
    while touched > 0:
        full = coins * usd[m, shape, touched - 1]
        if abs(left[m, s, side, touched - 1] - full) > REFILLED * full + DUST:
            break
        touched -= 1
    scale[m, s, side] = coins
    eaten[m, s, side] = touched
    first[m, s, side] = next_rung(m, s, side, shape, 0, usd, scale, eaten, left)


@inlined
def withdraw_side(m, s, side, usd, scale, eaten, first):
    """Take all quotes of owner s off a side."""
    scale[m, s, side] = 0.0
    eaten[m, s, side] = 0
    first[m, s, side] = usd.shape[2]


@inlined
def open_side(m, side, base, offset, usd, scale, eaten, left, place, key):
    """Move each owner's place[side] to its first rung with coins and write how near it stands, key[side]: EMPTY where none is left.

    A key is the level of an ask and minus the level of a bid: the best quote of a side has the least key.
    """
    owners, rungs = base.shape[1], usd.shape[2]
    flip = -1 if side == BID else 1
    for s in range(owners):
        shape = 1 if s == owners - 1 else 0
        k = next_rung(m, s, side, shape, place[side, s], usd, scale, eaten, left)
        place[side, s] = k
        key[side, s] = flip * base[m, s, side] + offset[m, shape, k] if k < rungs else EMPTY


@inlined
def touch(m, side, usd, scale, eaten, left, place, key, at):
    """Return (least key of a side, number of owners who stand there, coins they show); lists the owners in at[side]."""
    owners = key.shape[1]
    best = EMPTY
    for s in range(owners):
        best = min(best, key[side, s])
    n, shown = 0, 0.0
    if best != EMPTY:
        for s in range(owners):
            if key[side, s] == best:
                at[side, n] = s
                n += 1
                k = place[side, s]
                shown += left[m, s, side, k] if k < eaten[m, s, side] else scale[m, s, side] * usd[m, 1 if s == owners - 1 else 0, k]
    return best, n, shown


@inlined
def eat(part, price, m, side, base, offset, usd, scale, eaten, left, place, key, at, n, owner):
    """Fill `part` of the rungs where the owners at[side, :n] stand, who move on to their next ones when nothing is left.

    Writes `eaten`, `left`, `place`, `key` and adds to owner [4, S].
    """
    owners, rungs = base.shape[1], usd.shape[2]
    flip = -1 if side == BID else 1
    for j in range(n):
        s = at[side, j]
        k = place[side, s]
        shape = 1 if s == owners - 1 else 0
        for i in range(eaten[m, s, side], k + 1):
            left[m, s, side, i] = scale[m, s, side] * usd[m, shape, i]
        eaten[m, s, side] = max(eaten[m, s, side], k + 1)
        shown = left[m, s, side, k]
        quantity = shown * part if part < 1.0 else shown
        left[m, s, side, k] = shown - quantity
        if shown - quantity <= DUST:
            k = next_rung(m, s, side, shape, k + 1, usd, scale, eaten, left)
            place[side, s] = k
            key[side, s] = flip * base[m, s, side] + offset[m, shape, k] if k < rungs else EMPTY
        owner[2 * side, s] += quantity
        owner[2 * side + 1, s] += quantity * price


@inlined
def best_levels(key):
    """Return the best bid and the best ask of keys [2, S] as levels, NO_LEVEL where a side is empty."""
    bid, ask = EMPTY, EMPTY
    for s in range(key.shape[1]):
        bid = min(bid, key[BID, s])
        ask = min(ask, key[ASK, s])
    return -bid if bid != EMPTY else NO_LEVEL, ask if ask != EMPTY else NO_LEVEL


@inlined
def cross_quotes(m, base, offset, usd, scale, eaten, left, grid, place, key, at, owner):
    """Match quotes of market `m` that cross, best against best, at the geometric mid of the two levels, owners pro rata.

    base, scale, eaten [M, S, 2], offset, usd [M, 2, K], left [M, S, 2, K]; place [2, S]: first rungs to look at; key, at [2, S]: working arrays.
    Writes `eaten`, `left`, `place`, `key` and adds to owner [4, S]: coins bought, USD paid, coins sold, USD received.
    Returns (coins traded, lowest and highest log price).
    """
    for side in range(2):
        open_side(m, side, base, offset, usd, scale, eaten, left, place, key)
    traded, lowest, highest = 0.0, math.inf, -math.inf
    for _ in range(CROSS_ROUNDS):
        bid, ask = best_levels(key)
        if bid == NO_LEVEL or ask == NO_LEVEL or bid < ask:
            break
        bidding, asking, shown_bid, shown_ask = 0, 0, 0.0, 0.0
        for side in range(2):
            _, standing, shown = touch(m, side, usd, scale, eaten, left, place, key, at)
            if side == BID:
                bidding, shown_bid = standing, shown
            else:
                asking, shown_ask = standing, shown
        quantity = min(shown_bid, shown_ask)
        log_price = 0.5 * (bid + ask) * grid
        price = math.exp(log_price)
        for side in range(2):
            standing, shown = (bidding, shown_bid) if side == BID else (asking, shown_ask)
            eat(quantity / shown, price, m, side, base, offset, usd, scale, eaten, left, place, key, at, standing, owner)
        traded += quantity
        lowest = min(lowest, log_price)
        highest = max(highest, log_price)
    return traded, lowest, highest


@inlined
def charge_causes(moved, by_cause, charge):
    """Add a walked log distance to `charge` [C], shared as the coins of `by_cause` [C]."""
    total = 0.0
    for c in range(by_cause.size):
        total += max(by_cause[c], 0.0)
    per_coin = moved / total if total > 0.0 else 0.0
    for c in range(by_cause.size):
        charge[c] += per_coin * max(by_cause[c], 0.0)


@inlined
def sum_orders(row, first, count, order, entries, cause, by_cause):
    """Return the coins of the orders order[first:count] of a row; writes them by cause [C]."""
    for c in range(by_cause.size):
        by_cause[c] = 0.0
    total = 0.0
    for j in range(first, count):
        quantity = entries[row, E_QUANTITY, order[j]]
        total += quantity
        by_cause[cause[row, order[j]]] += quantity
    return total


@inlined
def walk_side(m, side, count, order, entries, cause, charge, base, offset, usd, scale, eaten, left, grid, place, key, at, owner, by_cause):
    """Walk one side of the book of market `m` with `count` market orders: sells (row 0 of entries [2, 5, N]) walk the bids, buys (1) the asks.

    order[:count] lists them from the most to the least restrictive limit (log price). At each level the orders that its price satisfies are
    filled pro rata, and so are the owners who rest there. So all orders still active have got the same part of what they asked, `gone`, and
    each is settled when it drops out. `gone` adds up what owners gave over what was asked: nothing is lost however large an order is.
    `open_side` has been called. Writes coins and USD filled per order (adds), `eaten`, `left`, `place`, `key` [2, S], owner [4, S] as `cross_quotes`
    does; `charge` [C] gets the walked log distance by cause; at [2, S], by_cause [C]: working arrays.
    Returns (coins traded, last log price or NaN, best level before, best level after).
    """
    flip = -1 if side == BID else 1
    row = side
    wanted = sum_orders(row, 0, count, order, entries, cause, by_cause)
    summed = wanted
    active, gone, per_unit, traded, moved, last = wanted, 0.0, 0.0, 0.0, 0.0, math.nan
    dropped = 0
    best, standing, shown = touch(m, side, usd, scale, eaten, left, place, key, at)
    before = flip * best if best != EMPTY else NO_LEVEL
    while best != EMPTY and dropped < count:
        log_price = flip * best * grid
        first = dropped
        while dropped < count and flip * entries[row, E_LIMIT, order[dropped]] < flip * log_price - 1e-12:
            i = order[dropped]
            entries[row, E_FILLED, i] += entries[row, E_QUANTITY, i] * gone
            entries[row, E_CASH, i] += entries[row, E_QUANTITY, i] * per_unit
            if moved != 0.0:
                charge_causes(moved, by_cause, charge)
                moved = 0.0
            by_cause[cause[row, i]] -= entries[row, E_QUANTITY, i]
            dropped += 1
        if dropped > first:
            survive = active / wanted if wanted > 0.0 else 0.0
            for j in range(first, dropped):
                wanted -= entries[row, E_QUANTITY, order[j]]
            if wanted < 0.5 * summed:  # sum anew what remains before the difference loses digits
                wanted = sum_orders(row, dropped, count, order, entries, cause, by_cause)
                summed = wanted
            active = wanted * survive
        if dropped == count or active <= NOTHING_LEFT * wanted:
            break
        price = math.exp(log_price)
        last = log_price
        taken = min(active, shown)
        eat(taken / shown, price, m, side, base, offset, usd, scale, eaten, left, place, key, at, standing, owner)
        per_unit += taken / wanted * price
        traded += taken
        gone = gone + taken / wanted if taken < active else 1.0
        active -= taken
        level = best
        best, standing, shown = touch(m, side, usd, scale, eaten, left, place, key, at)
        if best != EMPTY:
            moved += flip * (best - level) * grid
    if moved != 0.0:
        charge_causes(moved, by_cause, charge)
    for j in range(dropped, count):
        i = order[j]
        entries[row, E_FILLED, i] += entries[row, E_QUANTITY, i] * gone
        entries[row, E_CASH, i] += entries[row, E_QUANTITY, i] * per_unit
    return traded, last, before, flip * best if best != EMPTY else NO_LEVEL


@inlined
def rungs_within(m, shape, offset, farthest, guess):
    """Return how many of the ascending offsets offset[m, shape] are at most `farthest`, looked for from `guess` (0..K) on."""
    count = guess
    while count < offset.shape[2] and offset[m, shape, count] <= farthest:
        count += 1
    while count > 0 and offset[m, shape, count - 1] > farthest:
        count -= 1
    return count


@inlined
def depth_usd(m, base, offset, relative, cumulative, scale, eaten, left, inside, grid, log_mid, band):
    """Return the USD resting on the bids and on the asks of market `m` within `band` (log distance) of the mid.

    relative [M, 2, 2, K] is the price of a rung over that of its owner's best, per side and shape; cumulative [M, 2, 2, K + 1] sums usd times it.
    inside [M, 2]: rungs of each shape within the band when last looked, where the search starts; writes it.
    """
    owners = base.shape[1]
    bids, asks = 0.0, 0.0
    level, price = 0, 1.0
    for side in range(2):
        flip = -1 if side == BID else 1
        # A rung at distance d from its owner's best b is inside where flip * b + d <= edge, in whole levels.
        edge = int(math.floor((flip * log_mid + band) / grid))
        total = 0.0
        for s in range(owners):
            reach = edge - flip * base[m, s, side]
            touched = eaten[m, s, side]
            if reach < 0 or (touched == 0 and scale[m, s, side] == 0.0):
                continue
            if base[m, s, side] != level:
                level = base[m, s, side]
                price = math.exp(level * grid)
            shape = 1 if s == owners - 1 else 0
            count = rungs_within(m, shape, offset, reach, inside[m, shape])
            inside[m, shape] = count
            coins = 0.0
            touched = min(touched, count)
            for k in range(touched):
                coins += left[m, s, side, k] * relative[m, side, shape, k]
            total += price * (coins + scale[m, s, side] * (cumulative[m, side, shape, count] - cumulative[m, side, shape, touched]))
        if side == BID:
            bids = total
        else:
            asks = total
    return bids, asks


@inlined
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
