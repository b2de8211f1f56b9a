"""Compiled loops beside the steps of the watch ladders: look at all accounts or some, build all chains by a counting sort, read the chains.

Names, records and chains as in `watch_kernels`.
"""

from __future__ import annotations

from waxline.accounts.margin_kernels import HAS, MUST_HAVE
from waxline.accounts.watch_kernels import (
    BLOCK,
    CLOCK,
    DONE,
    ENTRY,
    EVERY_STEP,
    FILLED,
    FREE,
    FREE_CHUNKS,
    HEAD,
    KEY,
    NEXT,
    PER_CHUNK,
    REMOVED,
    SOONEST,
    STATUS,
    bucket_of,
    is_at_line,
    look,
    look_at_block,
    shape_of,
    value_some,
)
from waxline.jit import lean


@lean
def look_at_all(prices, shapes, book, rules, now, chains, spare, counters, found):
    """Look at every account that is alive and set its levels, without registering them: `build` does."""
    counters[CLOCK] += 1
    for g in range(shapes.legs.size):
        wide = shapes.legs[g] + shapes.coins[g] + 1
        count = 0
        for a in range(shapes.account[g], shapes.account[g + 1]):
            if book.key[shapes.entry[g] + (a - shapes.account[g] + 1) * wide - 1] != REMOVED:
                spare.sorted[count] = a
                count += 1
            if count == BLOCK or a == shapes.account[g + 1] - 1:
                look_at_block(g, spare.sorted[:count], prices, False, shapes, book, rules, now, chains, spare, counters, found)
                count = 0


@lean
def ladder_of(e, shapes, book, rules):
    """Return the ladder of entry `e`: 2 price + (1 where a rise hurts)."""
    g = shape_of(e, shapes.entry)
    wide = shapes.legs[g] + shapes.coins[g] + 1
    a = (e - shapes.entry[g]) // wide
    j = e - shapes.entry[g] - a * wide
    x = book.number[shapes.number[g] + a * (wide + 1 + shapes.contracts[g] * shapes.coins[g]) + 1 + j]
    return 2 * rules.price[book.family[e]] + (x < 0.0)


@lean
def count_buckets(shapes, book, rules, chains):
    """Count the registered levels of each bucket into chains.bucket[:, :, SOONEST]; returns the chunks they need."""
    last = chains.bucket.shape[1] - 1
    chains.bucket[:] = 0
    for e in range(book.key.size):
        if book.key[e] > EVERY_STEP:
            ladder = ladder_of(e, shapes, book, rules)
            chains.bucket[ladder, bucket_of(ladder, book.key[e], chains), SOONEST] += 1
    chunks = 0
    for ladder in range(chains.top.size):
        for b in range(last + 1):
            chunks += (chains.bucket[ladder, b, SOONEST] + PER_CHUNK - 1) // PER_CHUNK
    return chunks


@lean
def build(shapes, book, rules, chains, counters):
    """Build all chains from the levels by a counting sort; `count_buckets` must have run and chains.chunk must be long enough."""
    last = chains.bucket.shape[1] - 1
    used = 0
    for ladder in range(chains.top.size):
        chains.top[ladder] = -1
        for b in range(last + 1):
            count = chains.bucket[ladder, b, SOONEST]
            chains.bucket[ladder, b, SOONEST] = 0
            chains.bucket[ladder, b, HEAD] = used if count > 0 else -1
            if count > 0:
                chains.top[ladder] = b
            # Neighbours, linked backwards: the head moves on to the next chunk when one is full.
            for n in range((count + PER_CHUNK - 1) // PER_CHUNK):
                chains.chunk[used, NEXT] = used - 1 if n > 0 else -1
                chains.chunk[used, FILLED] = 0
                used += 1
    for e in range(book.key.size):
        key = book.key[e]
        if key > EVERY_STEP:
            ladder = ladder_of(e, shapes, book, rules)
            b = bucket_of(ladder, key, chains)
            c = chains.bucket[ladder, b, HEAD]
            if chains.chunk[c, FILLED] == PER_CHUNK:
                c += 1
                chains.bucket[ladder, b, HEAD] = c
            n = chains.chunk[c, FILLED]
            chains.chunk[c, ENTRY + n] = e
            chains.chunk[c, KEY + n] = key
            chains.chunk[c, FILLED] = n + 1
            chains.bucket[ladder, b, SOONEST] = max(chains.bucket[ladder, b, SOONEST], key)
    for c in range(used, chains.chunk.shape[0]):
        chains.chunk[c, NEXT] = c + 1
    counters[FREE] = used
    counters[FREE_CHUNKS] = chains.chunk.shape[0] - used
    counters[STATUS] = DONE


@lean
def look_at_some(accounts, prices, shapes, book, rules, now, chains, spare, counters, found):
    """Look at `accounts` [N] (each once, alive or removed before) at `prices` and register their new levels."""
    counters[CLOCK] += 1
    for begin in range(0, accounts.size, spare.account.size):
        count = min(accounts.size - begin, spare.account.size)
        for i in range(count):
            spare.account[i] = accounts[begin + i]
        look(count, prices, True, shapes, book, rules, now, chains, spare, counters, found)


@lean
def within(ladder, key, book, chains, entries):
    """Write the entries of `ladder` whose level lies at `key` or sooner into `entries` [E] (some twice), return their number; changes nothing."""
    count = 0
    lowest = bucket_of(ladder, key, chains)
    for b in range(lowest, chains.top[ladder] + 1):
        c = chains.bucket[ladder, b, HEAD]
        while c >= 0:
            for n in range(chains.chunk[c, FILLED]):
                e = chains.chunk[c, ENTRY + n]
                if chains.chunk[c, KEY + n] >= key and book.key[e] == chains.chunk[c, KEY + n]:
                    if count < entries.size:
                        entries[count] = e
                    count += 1
            c = chains.chunk[c, NEXT]
    return count


@lean
def held_at_line(entries, moved, prices, shapes, book, rules, now, spare, counters):
    """Return the value at `prices` (USD) of `entries` [N], rising, of those whose account is at its line at prices `moved`; changes nothing."""
    counters[CLOCK] += 1
    total = 0.0
    begin = 0
    while begin < entries.size:
        g = shape_of(entries[begin], shapes.entry)
        wide = shapes.legs[g] + shapes.coins[g] + 1
        stride = wide + 1 + shapes.contracts[g] * shapes.coins[g]
        end = begin
        while end < entries.size and end < begin + BLOCK and entries[end] < shapes.entry[g + 1]:
            spare.account[end - begin] = shapes.account[g] + (entries[end] - shapes.entry[g]) // wide
            end += 1
        value_some(g, spare.account[: end - begin], moved, shapes, book, rules, now, spare, counters)
        for i in range(end - begin):
            if is_at_line(spare.worth[i, HAS], spare.worth[i, MUST_HAVE], rules.line, rules.loans, rules.equality):
                e = entries[begin + i]
                a = (e - shapes.entry[g]) // wide
                x = book.number[shapes.number[g] + a * stride + 1 + e - shapes.entry[g] - a * wide]
                total += abs(x) * prices[rules.price[book.family[e]]]
        begin = end
    return total
