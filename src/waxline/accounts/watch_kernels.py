"""Compiled loops of the watch ladders: collect the accounts whose level was crossed, value them, split their slack again, register the levels.

An entry is one amount of an account whose price can hurt it; its level is the price at which the account deserves a look. Levels are kept as keys: the bits
of the level as a 32-bit float (rounded towards the present price) where a fall hurts, `KEYS` minus these bits where a rise does, so that larger always
means sooner. The top bits of a key are its bucket; a ladder (one per price and side) is a row of buckets, each a chain of chunks of seven
(entry, key). What a chain says counts only while the entry still has that key: nothing is ever removed, only not believed.

Plain twins: the full sweep and the ladders without buckets in `tests/plain_watch.py`.
"""

from __future__ import annotations

import numpy as np

from waxline.accounts.margin_kernels import BACKS, GIVES, HAS, MUST_HAVE, NEEDS, OWED, add_coins, add_legs
from waxline.jit import inlined, lean

KEYS = 0x7F800000
REMOVED, ALIVE, EVERY_STEP = range(3)
"""Keys that are no levels. An account is alive if the key of its last entry (cash) is not REMOVED; EVERY_STEP there: looked at in every step."""

PER_CHUNK = 7
NEXT, FILLED, ENTRY, KEY = 0, 1, 2, 2 + PER_CHUNK
"""Columns of a chunk of 16 words: the next one of its chain, how many are filled, their entries, their keys."""

HEAD, SOONEST = range(2)
"""Columns of a bucket: first chunk or -1, largest key in it."""

BLOCK = 512
RISE = 0.5
"""A rising price is never waited for beyond 1 + RISE times where it stands: up to there the steepest slope of a short position is known."""

ROUNDING = 2e-14
"""Part of all an account holds and owes by which its slack is taken smaller, so that rounding is never late."""

DONE, FULL = range(2)
"""How a step ended: all registered; the chains have no room and must be built anew from the levels (nothing is lost)."""

CLOCK, FREE, FREE_CHUNKS, LOOKS, FOUND, STATUS = range(6)
"""Places of `counters`: calls so far, first free chunk, number of free chunks, accounts looked at, accounts found at their line, status."""


@inlined
def nearest_key(price, rises):
    """Return the largest key a level at or beyond `price` can have: the bits of the price, rounded towards sooner."""
    short = np.float32(price)
    bits = np.int64(short.view(np.int32))
    if rises:
        return KEYS - (bits - 1 if np.float64(short) > price else bits)
    return bits + 1 if np.float64(short) < price else bits


@lean
def price_family(f, prices, rules, now):
    """Price the pieces of family `f` once per call, as `margin_book.priced` does; writes rows of now.table [K, 4], now.per_contract and now.up_to [K]."""
    at = rules.price[f]
    price = prices[at] if at >= 0 else 1.0
    for k in range(rules.first[f], rules.first[f + 1]):
        coins = rules.in_coins[k]
        now.table[k, GIVES] = rules.gives[k] * price
        now.table[k, OWED] = rules.owed[k] * price
        constant = rules.always[k] * (price if coins else 1.0)
        now.table[k, BACKS] = constant if rules.of_asset[k] else 0.0
        now.table[k, NEEDS] = 0.0 if rules.of_asset[k] else constant
        now.per_contract[k] = 1.0 / (prices[rules.paid_by[k]] if rules.paid_by[k] >= 0 else np.inf)
        now.up_to[k] = rules.up_to[k] / (1.0 if coins else price)


@inlined
def piece_of(f, amount, prices, rules, now, clock):
    """Return the piece of family `f` that holds `amount`, pricing the family if nobody has since `clock`."""
    if now.priced_at[f] != clock:
        price_family(f, prices, rules, now)
        now.priced_at[f] = clock
    k = rules.first[f]
    while amount > now.up_to[k]:
        k += 1
    return k


@inlined
def shape_of(place, bounds):
    """Return the shape whose accounts (or entries) begin last at or before `place`; bounds [G + 1]."""
    g = 0
    while place >= bounds[g + 1]:
        g += 1
    return g


@lean
def value_some(g, chosen, prices, shapes, book, rules, now, spare, counters):
    """Value accounts `chosen` [N <= BLOCK] of shape `g`; writes spare.worth [N, 2] in USD, equal to the full sweep to the bit.

    A record is cost (USD), L amounts of positions, C of coins, cash, and C of contracts where the shape has any.
    """
    legs, coins, has = shapes.legs[g], shapes.coins[g], shapes.contracts[g]
    wide = legs + coins + 1
    stride = wide + 1 + has * coins
    n = chosen.size
    # Copied first and worked on after: reads far apart wait for each other less.
    for i in range(n):
        at = shapes.number[g] + (chosen[i] - shapes.account[g]) * stride
        spare.cost[i] = book.number[at]
        spare.cash[i] = book.number[at + wide]
        for j in range(legs):
            spare.leg[i * legs + j] = book.number[at + 1 + j]
        for j in range(coins):
            spare.coins[i * coins + j] = book.number[at + 1 + legs + j]
        for j in range(has * coins):
            spare.contracts[i * coins + j] = book.number[at + 1 + wide + j]
    for i in range(n):
        at = shapes.entry[g] + (chosen[i] - shapes.account[g]) * wide
        for j in range(legs):
            spare.leg_piece[i * legs + j] = book.family[at + j]
        for j in range(coins):
            spare.coins_piece[i * coins + j] = book.family[at + legs + j]
    clock = counters[CLOCK]
    for i in range(n * legs):
        spare.leg_piece[i] = piece_of(spare.leg_piece[i], spare.leg[i], prices, rules, now, clock)
    for i in range(n * coins):
        f = spare.coins_piece[i]
        k = piece_of(f, -np.inf, prices, rules, now, clock)
        amount = spare.coins[i]
        if has:
            amount -= spare.contracts[i] * now.per_contract[k]
        spare.coins_piece[i] = piece_of(f, amount, prices, rules, now, clock)
    settle = piece_of(rules.settles_in, -np.inf, prices, rules, now, clock)
    # The two parts of `value_accounts`, in its order.
    leg, leg_piece = spare.leg[: n * legs].reshape((n, legs)), spare.leg_piece[: n * legs].reshape((n, legs))
    held, paid = spare.coins[: n * coins].reshape((n, coins)), spare.contracts[: n * coins * has].reshape((n, coins * has))
    coins_piece, price = spare.coins_piece[: n * coins].reshape((n, coins)), prices[rules.price[rules.settles_in]]
    settled = spare.settled[:n]
    rows = now.table.reshape(now.table.size)
    add_legs(leg, leg_piece, spare.cash[:n], spare.cost[:n], rows, now.per_contract, price, settled)
    add_coins(settled, held, paid, coins_piece, rows, now.per_contract, settle, now.up_to[settle:], price, spare.worth[:n])


@inlined
def is_at_line(backing, owed, line, loans, equality):
    """Tell whether an account is at or past its line, as `margin_book` compares; one without requirement and loss never is."""
    slack = line * backing - owed if loans else backing - line * owed
    return slack < 0.0 or (equality and slack == 0.0 and (owed > 0.0 or backing < 0.0))


@lean
def split(slack, entry, number, wide, legs, prices, book, rules, now, spare, counters):
    """Split `slack` (USD) of one account over its entries; writes their keys in book.key[entry : entry + wide].

    Entry j may move by sigma_j d against the account, d = slack / sum of loss_j sigma_j; loss_j (USD) is what it would lose if the price fell to zero or
    doubled, at the steepest slope on the way. A position that cannot use its part (a fall ends at zero, a rise is waited for up to RISE) hands the rest on.
    Never late: until a level is crossed every entry has cost at most its part, and the parts sum to the slack.
    """
    clock = counters[CLOCK]
    gross = abs(book.number[number])
    for j in range(wide):
        x = book.number[number + 1 + j]
        f = book.family[entry + j]
        at = rules.price[f]
        spare.sigma[j] = 0.0
        spare.part[j] = -1.0
        book.key[entry + j] = REMOVED
        if at < 0 or x == 0.0:
            gross += abs(x)
            continue
        value = abs(x) * prices[at]
        gross += value
        if j == wide - 1:
            slope = rules.steepest_cash
        elif x > 0.0:
            slope = rules.fall[f]
        else:
            slope = rules.rise[piece_of(f, (1.0 + RISE) * x, prices, rules, now, clock)]
        if slope > 0.0 and rules.sigma[at] > 0.0:
            spare.sigma[j] = rules.sigma[at]
            spare.loss[j] = value * slope
            gross += value * slope
    left = slack - ROUNDING * (1.0 + 0.125 * wide) * gross
    part = 0.0
    again = True
    while again:
        total = 0.0
        for j in range(wide):
            if spare.part[j] < 0.0:
                total += spare.loss[j] * spare.sigma[j] if spare.sigma[j] > 0.0 else 0.0
        again = False
        part = max(left, 0.0) / total if total > 0.0 else 0.0
        for j in range(wide):
            if spare.part[j] < 0.0 and spare.sigma[j] > 0.0:
                most = 1.0 if book.number[number + 1 + j] > 0.0 else RISE
                if spare.sigma[j] * part >= most:
                    spare.part[j] = most
                    left -= most * spare.loss[j]
                    again = True
    for j in range(wide):
        if spare.sigma[j] > 0.0:
            price = prices[rules.price[book.family[entry + j]]]
            rises = book.number[number + 1 + j] < 0.0
            move = spare.part[j] if spare.part[j] > 0.0 else spare.sigma[j] * part
            if rises:
                book.key[entry + j] = nearest_key(price * (1.0 + move), True)
            elif move < 1.0:
                book.key[entry + j] = max(nearest_key(price * (1.0 - move), False), EVERY_STEP + 1)
    if book.key[entry + wide - 1] == REMOVED:
        book.key[entry + wide - 1] = ALIVE


@inlined
def bucket_of(ladder, key, chains):
    """Return the bucket of a key in `ladder`; keys beyond the ends share the last bucket there."""
    return min(max((key >> chains.shift) - chains.base[ladder], 0), chains.bucket.shape[1] - 1)


@inlined
def put(ladder, entry, key, chains, counters):
    """Register (entry, key) in `ladder`; there must be a free chunk."""
    b = bucket_of(ladder, key, chains)
    c = chains.bucket[ladder, b, HEAD]
    if c < 0 or chains.chunk[c, FILLED] == PER_CHUNK:
        new = counters[FREE]
        counters[FREE] = chains.chunk[new, NEXT]
        counters[FREE_CHUNKS] -= 1
        chains.chunk[new, NEXT] = c
        chains.chunk[new, FILLED] = 0
        chains.bucket[ladder, b, HEAD] = new
        if c < 0:
            chains.bucket[ladder, b, SOONEST] = 0
        c = new
    n = chains.chunk[c, FILLED]
    chains.chunk[c, ENTRY + n] = entry
    chains.chunk[c, KEY + n] = key
    chains.chunk[c, FILLED] = n + 1
    if key > chains.bucket[ladder, b, SOONEST]:
        chains.bucket[ladder, b, SOONEST] = key
    if b > chains.top[ladder]:
        chains.top[ladder] = b


@lean
def look(count, prices, register, shapes, book, rules, now, chains, spare, counters, found):
    """Value the `count` accounts in spare.account, split those above their line again and register them if asked; the others are removed.

    Appends the accounts at their line to `found` from counters[FOUND] on, in no promised order.
    """
    groups = shapes.legs.size
    for g in range(groups + 1):
        spare.start[g] = 0
    for i in range(count):
        spare.start[shape_of(spare.account[i], shapes.account) + 1] += 1
    for g in range(groups):
        spare.start[g + 1] += spare.start[g]
        spare.next[g] = spare.start[g]
    for i in range(count):
        g = shape_of(spare.account[i], shapes.account)
        spare.sorted[spare.next[g]] = spare.account[i]
        spare.next[g] += 1
    for g in range(groups):
        for begin in range(spare.start[g], spare.start[g + 1], BLOCK):
            look_at_block(
                g, spare.sorted[begin : min(begin + BLOCK, spare.start[g + 1])], prices, register, shapes, book, rules, now, chains, spare, counters, found
            )


@lean
def look_at_block(g, chosen, prices, register, shapes, book, rules, now, chains, spare, counters, found):
    """Do the work of `look` for accounts `chosen` [N <= BLOCK] of one shape."""
    value_some(g, chosen, prices, shapes, book, rules, now, spare, counters)
    counters[LOOKS] += chosen.size
    legs = shapes.legs[g]
    wide = legs + shapes.coins[g] + 1
    stride = wide + 1 + shapes.contracts[g] * shapes.coins[g]
    fresh = 0
    for i in range(chosen.size):
        a = chosen[i] - shapes.account[g]
        entry = shapes.entry[g] + a * wide
        number = shapes.number[g] + a * stride
        backing, owed = spare.worth[i, HAS], spare.worth[i, MUST_HAVE]
        if is_at_line(backing, owed, rules.line, rules.loans, rules.equality):
            for j in range(wide):
                book.key[entry + j] = REMOVED
            found[counters[FOUND]] = chosen[i]
            counters[FOUND] += 1
            continue
        if book.key[entry + wide - 1] == EVERY_STEP:
            continue
        slack = rules.line * backing - owed if rules.loans else backing - rules.line * owed
        split(slack, entry, number, wide, legs, prices, book, rules, now, spare, counters)
        for j in range(wide):
            if book.key[entry + j] > EVERY_STEP:
                spare.fresh_entry[fresh] = entry + j
                spare.fresh_ladder[fresh] = 2 * rules.price[book.family[entry + j]] + (book.number[number + 1 + j] < 0.0)
                fresh += 1
    if not register or counters[STATUS] == FULL:
        return
    if counters[FREE_CHUNKS] <= fresh + 1:
        counters[STATUS] = FULL
        return
    # Heads and chunks are fetched before they are written to, so that the reads do not wait for each other.
    for i in range(fresh):
        b = bucket_of(spare.fresh_ladder[i], book.key[spare.fresh_entry[i]], chains)
        spare.fetched[i] = chains.bucket[spare.fresh_ladder[i], b, HEAD]
    for i in range(fresh):
        spare.fetched[i] = chains.chunk[max(spare.fetched[i], 0), FILLED]
    for i in range(fresh):
        put(spare.fresh_ladder[i], spare.fresh_entry[i], book.key[spare.fresh_entry[i]], chains, counters)


@lean
def believe(count, prices, shapes, book, rules, now, chains, spare, counters, found):
    """Look at the accounts of the first `count` crossed entries, each once; an entry whose key has changed since says nothing."""
    still = 0
    for i in range(count):
        spare.crossed[still] = spare.crossed[i]
        spare.crossed_key[still] = spare.crossed_key[i]
        still += book.key[spare.crossed[i]] == spare.crossed_key[i]
    accounts = 0
    for i in range(still):
        e = spare.crossed[i]
        if book.key[e] != spare.crossed_key[i]:
            continue
        g = shape_of(e, shapes.entry)
        wide = shapes.legs[g] + shapes.coins[g] + 1
        a = (e - shapes.entry[g]) // wide
        begin = shapes.entry[g] + a * wide
        for j in range(wide - 1):
            book.key[begin + j] = REMOVED
        book.key[begin + wide - 1] = ALIVE
        spare.account[accounts] = shapes.account[g] + a
        accounts += 1
    look(accounts, prices, True, shapes, book, rules, now, chains, spare, counters, found)


@lean
def step(prices, shapes, book, rules, now, chains, spare, counters, found):
    """Bring the ladders to `prices` [P] (USD): look at every account of which a level was reached, and at those looked at in every step."""
    counters[CLOCK] += 1
    crossed = 0
    for ladder in range(chains.top.size):
        rises = ladder % 2 == 1
        key = nearest_key(prices[ladder // 2], rises)
        lowest = bucket_of(ladder, key, chains)
        b = chains.top[ladder]
        if b < lowest:
            continue
        # Entries that go back lie at or below `lowest`.
        chains.top[ladder] = lowest
        while b >= lowest:
            c = chains.bucket[ladder, b, HEAD]
            if c >= 0 and chains.bucket[ladder, b, SOONEST] >= key:
                chains.bucket[ladder, b, HEAD] = -1
                while c >= 0:
                    if crossed + PER_CHUNK > spare.crossed.size:
                        believe(crossed, prices, shapes, book, rules, now, chains, spare, counters, found)
                        crossed = 0
                    for n in range(chains.chunk[c, FILLED]):
                        if chains.chunk[c, KEY + n] >= key:
                            spare.crossed[crossed] = chains.chunk[c, ENTRY + n]
                            spare.crossed_key[crossed] = chains.chunk[c, KEY + n]
                            crossed += 1
                        elif counters[STATUS] != FULL:
                            if counters[FREE_CHUNKS] < 2:
                                counters[STATUS] = FULL
                            else:
                                put(ladder, chains.chunk[c, ENTRY + n], chains.chunk[c, KEY + n], chains, counters)
                    after = chains.chunk[c, NEXT]
                    chains.chunk[c, NEXT] = counters[FREE]
                    counters[FREE] = c
                    counters[FREE_CHUNKS] += 1
                    c = after
            b -= 1
    believe(crossed, prices, shapes, book, rules, now, chains, spare, counters, found)
    for begin in range(0, book.every_step.size, spare.account.size):
        count = 0
        for i in range(begin, min(begin + spare.account.size, book.every_step.size)):
            a = book.every_step[i]
            g = shape_of(a, shapes.account)
            wide = shapes.legs[g] + shapes.coins[g] + 1
            if book.key[shapes.entry[g] + (a - shapes.account[g] + 1) * wide - 1] == EVERY_STEP:
                spare.account[count] = a
                count += 1
        look(count, prices, True, shapes, book, rules, now, chains, spare, counters, found)


@lean
def steps(begin, path, found_step, looks, shapes, book, rules, now, chains, spare, counters, found):
    """Step along path [T, P] from row `begin` until it ends or the chains are full; writes found_step [N], looks [T]; returns the rows done."""
    t = begin
    while t < path.shape[0] and counters[STATUS] == DONE:
        before, looked = counters[FOUND], counters[LOOKS]
        step(path[t], shapes, book, rules, now, chains, spare, counters, found)
        for i in range(before, counters[FOUND]):
            found_step[i] = t
        looks[t] = counters[LOOKS] - looked
        t += 1
    return t
