"""The liquidation map: what lies how near to its line, by price and side, read from the watch ladders."""

from __future__ import annotations

import numpy as np

from waxline.accounts import watch_arming, watch_kernels
from waxline.accounts.tables import Floats, Ints
from waxline.accounts.watch_ladders import Watch


def liquidation_map(watch: Watch, distances: Floats) -> Floats:
    """Return what lies within `distances` [D] (fractions, 0 to 0.5, rising) of each price [P, 2, D] in USD: longs below (0) and shorts above (1).

    Entry [p, side, d]: value at today's prices of the positions (or coins) in p, of accounts at their line when p alone falls (side 0) or rises (side 1) by d.
    Read from the ladders: only levels within d are looked at. Raises ValueError for distances out of range.
    """
    if not bool(((distances >= 0.0) & (distances <= 0.5)).all()):
        raise ValueError("distances must lie in [0, 0.5]: fractions of the price")
    usd = np.zeros((watch.prices.size, 2, distances.size))
    entries = np.zeros(watch.book.key.size + 1, dtype=np.int64)
    always = _entries_of(watch, watch.book.every_step)
    for ladder in range(usd.shape[0] * 2):
        p, side = ladder // 2, ladder % 2
        mine = always[[watch_arming.ladder_of(e, watch.shapes, watch.book, watch.rules) == ladder for e in always.tolist()]] if always.size else always
        for d, distance in enumerate(distances.tolist()):
            moved = watch.prices.copy()
            moved[p] *= 1.0 + distance if side else 1.0 - distance
            key = watch_kernels.nearest_key(moved[p], side == 1)
            count = watch_arming.within(ladder, key, watch.book, watch.chains, entries)
            if count > entries.size:
                entries = np.zeros(count, dtype=np.int64)
                watch_arming.within(ladder, key, watch.book, watch.chains, entries)
            near = np.unique(np.concatenate([entries[:count], mine]))
            if near.size:
                usd[p, side, d] = watch_arming.held_at_line(
                    near, moved, watch.prices, watch.shapes, watch.book, watch.rules, watch.now, watch.spare, watch.counters
                )
    return usd


def _entries_of(watch: Watch, accounts: Ints) -> Ints:
    """Return the legs and coins of those of `accounts` that are alive."""
    found = []
    for account in accounts.tolist():
        g = int(np.searchsorted(watch.shapes.account, account, side="right")) - 1
        wide = int(watch.shapes.legs[g] + watch.shapes.coins[g] + 1)
        begin = int(watch.shapes.entry[g]) + (account - int(watch.shapes.account[g])) * wide
        if watch.book.key[begin + wide - 1] != watch_kernels.REMOVED:
            found.append(np.arange(begin, begin + wide))
    return np.concatenate(found).astype(np.int64) if found else np.zeros(0, dtype=np.int64)
