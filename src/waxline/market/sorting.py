"""Order market orders by their limit prices: merging for a few, digit by digit for many. Twin: `waxline.reference.by_limit`."""

from __future__ import annotations

from waxline.jit import inlined
from waxline.market.tables import E_LIMIT

MANY = 64
"""From so many orders on digits are sorted; below that merging is quicker."""
DIGITS = 256
"""Values of a digit: eight bits. Working arrays are at least as wide."""
DIGIT_BITS, PASSES = 8, 6
FARTHEST = 1000.0
"""Largest log price that still tells orders apart."""
PER_UNIT = 2.0**37
"""Key steps per unit of log price: 2 * FARTHEST of them fill six digits; what lies closer is put right at the end."""
SPARE, KEY, SPARE_KEY, COUNT = range(4)
"""Rows of the working array."""


@inlined
def merge_runs(row, count, entries, order, work):
    """Sort order[:count] by merging runs of one, two, four, ...; see `sort_by_limit`."""
    sign = -1.0 if row == 0 else 1.0
    width = 1
    while width < count:
        left = 0
        while left < count:
            middle = min(left + width, count)
            right = min(left + 2 * width, count)
            i, j = left, middle
            for k in range(left, right):
                if i < middle and (j >= right or sign * entries[row, E_LIMIT, order[i]] <= sign * entries[row, E_LIMIT, order[j]]):
                    work[SPARE, k] = order[i]
                    i += 1
                else:
                    work[SPARE, k] = order[j]
                    j += 1
            left = right
        for k in range(count):
            order[k] = work[SPARE, k]
        width *= 2


@inlined
def sort_digits(row, count, entries, order, work):
    """Sort order[:count] digit by digit of a whole number that rises with the limit, the last digit first; see `sort_by_limit`."""
    sign = -1.0 if row == 0 else 1.0
    for i in range(count):
        work[KEY, i] = int((min(max(sign * entries[row, E_LIMIT, i], -FARTHEST), FARTHEST) + FARTHEST) * PER_UNIT)
    shift = 0
    for _ in range(PASSES):
        for d in range(DIGITS):
            work[COUNT, d] = 0
        for i in range(count):
            work[COUNT, (work[KEY, i] >> shift) & (DIGITS - 1)] += 1
        if work[COUNT, (work[KEY, 0] >> shift) & (DIGITS - 1)] < count:
            place = 0
            for d in range(DIGITS):
                here = work[COUNT, d]
                work[COUNT, d] = place
                place += here
            for i in range(count):
                d = (work[KEY, i] >> shift) & (DIGITS - 1)
                k = work[COUNT, d]
                work[COUNT, d] = k + 1
                work[SPARE, k] = order[i]
                work[SPARE_KEY, k] = work[KEY, i]
            for i in range(count):
                order[i] = work[SPARE, i]
                work[KEY, i] = work[SPARE_KEY, i]
        shift += DIGIT_BITS


@inlined
def sort_by_limit(row, count, entries, order, work):
    """Order the market orders of a row (0 sells, 1 buys) of entries [2, 5, N] from the most to the least restrictive limit; writes order[:count].

    Equal limits keep their place, so that the result depends on nothing but the orders. Uses work [4, max(N, DIGITS)].
    """
    for i in range(count):
        order[i] = i
    if count < MANY:
        merge_runs(row, count, entries, order, work)
        return
    sort_digits(row, count, entries, order, work)
    sign = -1.0 if row == 0 else 1.0
    for i in range(1, count):  # limits that share all digits, and those beyond the farthest
        n = order[i]
        limit = sign * entries[row, E_LIMIT, n]
        k = i
        while k > 0 and sign * entries[row, E_LIMIT, order[k - 1]] > limit:
            order[k] = order[k - 1]
            k -= 1
        order[k] = n
