"""Read percent-band files: cumulative depth within 1, 2, ... 5 % of the mid on each side, a group of rows per moment.

Form (Binance public data, `bookDepth`): `timestamp,percentage,depth,notional`; percentage below 0 bids, above 0 asks; depth in coins (COIN-M:
contracts), notional USD, both cumulative from the mid; times as text in UTC. Further columns are left alone.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from waxline.depth.reading import number_of
from waxline.depth.samples import ASK, BANDS, BID, DepthError, Samples

COLUMNS = ("timestamp", "percentage", "depth", "notional")
FROZEN_ROWS = 20


def read_bands(lines: list[str], name: str) -> Samples:
    """Return the samples of a percent-band file [T moments, 2, N bands]; raises DepthError.

    A moment is left out, and counted in the notes, when a band is missing, a side shrinks with distance, or the sides cross: the average
    price of the nearest bids not below that of the nearest asks. A side that repeats itself for many moments is noted as frozen.
    """
    rows = readable(csv.reader(lines), name)
    header = [column.strip() for column in next(rows)]
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise DepthError(f"{name}, line 1: must have the columns {', '.join(COLUMNS)}, {missing[0]} is missing: take the file as it was published")
    place = [header.index(column) for column in COLUMNS]
    moments: dict[float, dict[float, tuple[float, float]]] = {}
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        where = f"{name}, line {number}"
        if len(row) < len(header):
            raise DepthError(f"{where}: must have {len(header)} fields, has {len(row)}: the file was cut; fetch it again")
        t_s = moment_of(row[place[0]], where)
        percentage = number_of(row[place[1]], where, "percentage", least=-100.0)
        depth, notional = (number_of(row[place[n]], where, COLUMNS[n]) for n in (2, 3))
        if percentage == 0.0 or percentage <= -100.0:
            raise DepthError(f"{where}: percentage must lie in (-100, 0) for bids or above 0 for asks, was {percentage:g}: mend that line")
        moments.setdefault(t_s, {})[percentage] = (depth, notional)
    if not moments:
        raise DepthError(f"{name}: has a header and no rows: fetch the file again")
    bands = sorted({percentage for row in moments.values() for percentage in row})
    bids, asks = [p for p in reversed(bands) if p < 0.0], [p for p in bands if p > 0.0]
    if not bids or not asks:
        raise DepthError(f"{name}: must have bands on both sides, has {', '.join(f'{p:g}' for p in bands)}: take a file with bids and asks")
    return _samples(moments, bids, asks, name)


def readable(rows: Iterator[list[str]], name: str) -> Iterator[list[str]]:
    """Yield the rows of a CSV reader; raises DepthError where one cannot be read."""
    try:
        yield from rows
    except csv.Error as error:
        raise DepthError(f"{name}: cannot be read as CSV ({error}): fetch it again") from error


def moment_of(text: str, where: str) -> float:
    """Return seconds since 1970 (UTC) of `YYYY-MM-DD HH:MM:SS`, or of milliseconds; raises DepthError."""
    if text.strip().isdecimal() and len(text.strip()) <= 19:
        return int(text) / 1000.0
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise DepthError(f"{where}: timestamp must be a date and time such as 2025-10-10 20:49:30, was {text[:30]!r}: mend that line") from error


def _samples(moments: dict[float, dict[float, tuple[float, float]]], bids: list[float], asks: list[float], name: str) -> Samples:
    width = max(len(bids), len(asks))
    distance = np.full((2, width), np.nan)
    distance[BID, : len(bids)] = [-math.log1p(p / 100.0) for p in bids]
    distance[ASK, : len(asks)] = [math.log1p(p / 100.0) for p in asks]
    kept: list[float] = []
    tables: list[np.ndarray] = []
    middles: list[float] = []
    left_out = {"without all bands": 0, "with an empty side": 0, "shrinking with distance": 0, "crossed": 0}
    for t_s in sorted(moments):
        row = moments[t_s]
        if any(p not in row for p in (*bids, *asks)):
            left_out["without all bands"] += 1
            continue
        table = np.full((2, width), np.nan)
        table[BID, : len(bids)] = [row[p][1] for p in bids]
        table[ASK, : len(asks)] = [row[p][1] for p in asks]
        coins = np.full((2, width), np.nan)
        coins[BID, : len(bids)] = [row[p][0] for p in bids]
        coins[ASK, : len(asks)] = [row[p][0] for p in asks]
        if any(np.any(np.diff(side[np.isfinite(side)]) < 0.0) for side in (*table, *coins)):
            left_out["shrinking with distance"] += 1
            continue
        bid, ask = (float(table[s, 0] / coins[s, 0]) if coins[s, 0] > 0.0 else math.nan for s in (BID, ASK))
        if math.isnan(bid) or math.isnan(ask):
            left_out["with an empty side"] += 1
            continue
        in_coins = not math.isclose(bid, round(bid), rel_tol=1e-12) or bid != ask
        if in_coins and bid >= ask:
            left_out["crossed"] += 1
            continue
        kept.append(t_s)
        tables.append(table)
        middles.append(0.5 * (bid + ask) if in_coins else math.nan)
    if not kept:
        why = ", ".join(f"{count} {what}" for what, count in left_out.items() if count)
        raise DepthError(f"{name}: no moment can be used ({why}): take another day or another file")
    usd = np.array(tables)
    notes = [f"{count} of {len(moments)} moments left out: {what}" for what, count in left_out.items() if count]
    for side, word in ((BID, "bids"), (ASK, "asks")):
        longest = longest_repeat(usd[:, side, :])
        if longest >= FROZEN_ROWS:
            notes.append(f"{word} are the same in {longest} moments on end: that side was frozen there")
    since_s = np.array(kept) - kept[0]
    half = np.full(len(kept), np.nan)
    return Samples(BANDS, since_s, distance, usd, half, np.array(middles), np.full(2, np.inf), notes)


def longest_repeat(rows: np.ndarray) -> int:
    """Return the largest number of equal rows on end in [T, N]."""
    longest, here = min(len(rows), 1), 1
    for before, after in pairwise(rows):
        here = here + 1 if np.array_equal(before, after, equal_nan=True) else 1
        longest = max(longest, here)
    return longest
