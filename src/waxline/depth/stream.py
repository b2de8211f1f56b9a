"""Rebuild a book from a raw depth stream: a snapshot, then changes by the venue's sequence rules, held against the stream's own book ticker.

Rules of Binance (USD-M and COIN-M futures: events carry `pu`; spot: they do not), from its "How to manage a local order book correctly":
changes older than the snapshot are dropped (futures u < lastUpdateId, spot u <= lastUpdateId); the first one kept must span the snapshot
(futures U <= lastUpdateId <= u, spot U <= lastUpdateId + 1 <= u); each further one must follow the one before (futures pu = u before, spot
U = u before + 1). After a gap nothing is known until the next snapshot.
Tardis' incremental_book_L2 has no numbers to check: rows with is_snapshot set start the book anew.
"""

from __future__ import annotations

import csv
import json
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from waxline.depth.book import LevelBook
from waxline.depth.reading import number_of
from waxline.depth.samples import ASK, BID, DepthError, Samples, empty_samples, standard_distances
from waxline.depth.snapshots import ASKS, BIDS, levels_in, parsed

SAMPLE_S = 1.0


class Change(NamedTuple):
    """Hold one event: seconds, first and last number, number before it (futures), whole book or changes, (side, price, quantity) rows."""

    t_s: float
    first: int
    last: int
    before: int | None
    whole: bool
    rows: list[tuple[int, float, float]]


class Trade(NamedTuple):
    """Hold one taker order: seconds, the side it took from (0 bids: a sale), its notional in USD."""

    t_s: float
    side: int
    usd: float


class Quote(NamedTuple):
    """Hold one entry of the book ticker: number, best bid, its quantity, best ask, its quantity."""

    number: int
    bid: float
    bid_quantity: float
    ask: float
    ask_quantity: float


@dataclass
class Stream:
    """Keep a raw depth stream as read and what its replay found; counts are numbers of events."""

    name: str
    changes: list[Change]
    quotes: list[Quote]
    trades: list[Trade]
    numbered: bool
    snapshots: int = 0
    applied: int = 0
    dropped: int = 0
    gaps: list[float] = field(default_factory=list)
    crossed: int = 0
    compared: int = 0
    price_differs: int = 0
    size_differs: int = 0
    known_s: float = 0.0
    samples: Samples = field(default_factory=lambda: empty_samples("raw stream"))

    @property
    def span_s(self) -> float:
        """Return the time the stream covers in seconds."""
        return self.changes[-1].t_s - self.changes[0].t_s if self.changes else 0.0


def replay(stream: Stream) -> Iterator[tuple[Change, LevelBook]]:
    """Yield every applied change with the book after it, by the sequence rules; counts gaps, dropped and applied events of `stream` anew.

    The snapshot itself is yielded too. Between a gap and the next snapshot nothing is yielded.
    """
    book, last, waiting = LevelBook(), -1, True
    stream.snapshots = stream.applied = stream.dropped = 0
    stream.gaps = []
    known = False
    for number, change in enumerate(stream.changes):
        if change.whole:
            if stream.numbered and known and change.last < last:
                continue
            for side in (BID, ASK):
                book.replace(side, ((price, quantity) for s, price, quantity in change.rows if s == side))
            stream.snapshots += 1
            last, waiting, known = change.last, True, True
            yield change, book
            # Changes that arrived before the snapshot may reach beyond it: they are taken from the buffer, as the rule says.
            for earlier in stream.changes[max(0, number - 1000) : number] if stream.numbered else ():
                if not earlier.whole and _follows(earlier, last, waiting):
                    last, waiting = earlier.last, False
                    stream.dropped -= 1
                    stream.applied += 1
                    _apply(book, earlier)
                    yield earlier, book
            continue
        if not known or (stream.numbered and _older(change, last, waiting)):
            stream.dropped += 1
            continue
        if stream.numbered and not _follows(change, last, waiting):
            stream.gaps.append(change.t_s)
            known = False
            continue
        last, waiting = change.last, False
        stream.applied += 1
        _apply(book, change)
        yield change, book


def _older(change: Change, last: int, waiting: bool) -> bool:
    return change.last < last if change.before is not None and waiting else change.last <= last


def _follows(change: Change, last: int, waiting: bool) -> bool:
    if change.before is not None:
        return change.before == last or (waiting and change.first <= last <= change.last)
    return change.first <= last + 1 <= change.last if waiting else change.first == last + 1


def _apply(book: LevelBook, change: Change) -> None:
    for side, price, quantity in change.rows:
        book.change(side, price, quantity)


def examine(stream: Stream, sample_s: float = SAMPLE_S) -> Stream:
    """Replay the stream, count crossed books and differences from its book ticker, and take a sample of depth every `sample_s` seconds."""
    quotes = sorted(stream.quotes)
    numbers = [quote.number for quote in quotes]
    distances = standard_distances()
    times, tables, halves, mids, reaches = [], [], [], [], []
    reach_usd = (math.nan, math.nan)
    floor, before = -1, math.nan
    next_s = -math.inf
    stream.crossed = stream.compared = stream.price_differs = stream.size_differs = 0
    stream.known_s = 0.0
    for change, book in replay(stream):
        best_bid, best_ask = book.best
        if change.whole:
            floor = change.last
            reach_usd = (book.prices[BID][0] if book.prices[BID] else math.nan, book.prices[ASK][-1] if book.prices[ASK] else math.nan)
        elif not math.isnan(before):
            stream.known_s += max(change.t_s - before, 0.0)
        before = change.t_s
        if not best_bid < best_ask:
            stream.crossed += 1
            continue
        place = bisect_right(numbers, change.last) - 1
        if place >= 0 and numbers[place] > floor:
            quote = quotes[place]
            stream.compared += 1
            stream.price_differs += (quote.bid, quote.ask) != (best_bid, best_ask)
            stream.size_differs += (quote.bid_quantity, quote.ask_quantity) != (book.quantity[BID][best_bid], book.quantity[ASK][best_ask])
        if change.t_s >= next_s:
            next_s = change.t_s + sample_s
            mid = 0.5 * (best_bid + best_ask)
            times.append(change.t_s)
            tables.append(book.depth(mid, distances))
            halves.append(0.5 * math.log(best_ask / best_bid))
            mids.append(mid)
            reaches.append((math.log(mid / reach_usd[0]), math.log(reach_usd[1] / mid)))
    if not tables:
        raise DepthError(f"{stream.name}: holds no book that follows from a snapshot: record the snapshot with the changes, and let them overlap")
    t_s = np.array(times)
    notes = [f"{stream.crossed} moments with a crossed book were left out"] if stream.crossed else []
    stream.samples = Samples(
        "raw stream", t_s - t_s[0], distances, np.array(tables), np.array(halves), np.array(mids), np.median(np.array(reaches), axis=0), notes
    )
    return stream


# Reading -------------------------------------------------------------------------------------------------------------------


def read_raw_stream(lines: list[str], name: str) -> Stream:
    """Return an examined stream from lines `local time in ns, JSON`: depth updates, book tickers, trades and at least one snapshot."""
    stream = Stream(name, [], [], [], numbered=True)
    fills: list[tuple[float, int, float]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        local, _, body = line.strip().partition(" ")
        if not local.isdigit():
            raise DepthError(f"{where}: must begin with the local time in nanoseconds, was {local[:30]!r}: mend or leave out that line")
        document = parsed(body, where)
        if not isinstance(document, dict):
            raise DepthError(f"{where}: must be a JSON object, was a {type(document).__name__}: mend or leave out that line")
        _take(stream, fills, document, int(local) / 1e9, where)
    if not any(change.whole for change in stream.changes):
        raise DepthError(f"{name}: must hold a snapshot (lastUpdateId, bids, asks), has none: record one after the stream is open")
    stream.trades = taker_orders(fills)
    _rebase(stream)
    return examine(stream)


def _take(stream: Stream, fills: list[tuple[float, int, float]], document: dict[str, Any], local_s: float, where: str) -> None:
    """Sort one message into the stream; messages of other kinds are left alone."""
    data = document.get("data", document)
    try:
        if "lastUpdateId" in data and "bids" in data:
            found = levels_in(data, where)
            assert found is not None
            rows = [(side, price, quantity) for side, levels in ((BID, found[1]), (ASK, found[2])) for price, quantity in levels]
            number = int(data["lastUpdateId"])
            stream.changes.append(Change(_seconds(data, local_s), number, number, None, True, rows))
        elif data.get("e") == "depthUpdate":
            rows = [
                (side, number_of(price, where, "price"), number_of(quantity, where, "quantity"))
                for side, key in ((BID, "b"), (ASK, "a"))
                for price, quantity in data[key]
            ]
            before = int(data["pu"]) if "pu" in data else None
            stream.changes.append(Change(_seconds(data, local_s), int(data["U"]), int(data["u"]), before, False, rows))
        elif data.get("e") in ("trade", "aggTrade"):
            side = BID if data["m"] else ASK
            price = number_of(data["p"], where, "price")
            if data.get("X", "MARKET") == "MARKET" and price > 0.0:
                fills.append((_seconds(data, local_s), side, price * number_of(data["q"], where, "quantity")))
        elif {"u", "b", "B", "a", "A"} <= set(data):
            stream.quotes.append(Quote(int(data["u"]), *(number_of(data[key], where, key) for key in ("b", "B", "a", "A"))))
    except (KeyError, TypeError, ValueError) as error:
        raise DepthError(f"{where}: the message lacks what its kind needs ({error}): {json.dumps(data)[:60]}: fetch the file again") from error


def _seconds(data: dict[str, Any], local_s: float) -> float:
    """Return the venue's own time of an event (transaction time, else event time), else the local time; seconds."""
    stamp = data.get("T", data.get("E"))
    return float(stamp) / 1000.0 if stamp is not None else local_s


def taker_orders(fills: list[tuple[float, int, float]]) -> list[Trade]:
    """Join fills (seconds, side taken from, USD) of one side at one instant into taker orders, in the order of time."""
    whole: dict[tuple[float, int], float] = {}
    for t_s, side, usd in fills:
        whole[t_s, side] = whole.get((t_s, side), 0.0) + usd
    return [Trade(t_s, side, usd) for (t_s, side), usd in sorted(whole.items())]


def _rebase(stream: Stream) -> None:
    """Count seconds from the first change on; a snapshot, which may carry another clock, takes the time of the change beside it."""
    times = [change.t_s for change in stream.changes if not change.whole] or [stream.changes[0].t_s]
    first = last = times[0]
    rebased = []
    for change in stream.changes:
        last = last if change.whole else change.t_s
        rebased.append(change._replace(t_s=last - first))
    stream.changes = rebased
    stream.trades = [trade._replace(t_s=trade.t_s - first) for trade in stream.trades]


def read_changes_csv(lines: list[str], name: str) -> Stream:
    """Return an examined stream from Tardis' incremental_book_L2: timestamp, local_timestamp (us), is_snapshot, side, price, amount (0 removes).

    Rows with one local_timestamp belong together; snapshot rows after others start the book anew.
    """
    rows = csv.reader(lines)
    header = [column.strip() for column in next(rows)]
    names = ("timestamp", "local_timestamp", "is_snapshot", "side", "price", "amount")
    missing = [column for column in names if column not in header]
    if missing:
        raise DepthError(f"{name}, line 1: must have the columns {', '.join(names)}, {missing[0]} is missing: take the file as published")
    place = {column: header.index(column) for column in names}
    stream = Stream(name, [], [], [], numbered=False)
    group: list[tuple[int, float, float]] = []
    current: tuple[str, bool] | None = None
    t_s = 0.0
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        where = f"{name}, line {number}"
        if len(row) < len(header):
            raise DepthError(f"{where}: must have {len(header)} fields, has {len(row)}: the file was cut; fetch it again")
        word = row[place["side"]].lower()
        if word not in BIDS | ASKS:
            raise DepthError(f"{where}: side must be bid or ask, was {word[:20]!r}: mend that line")
        whole = row[place["is_snapshot"]].strip().lower() in ("true", "1")
        # A snapshot comes in many rows whose local times may differ: it ends with the first row that is none.
        mark = ("snapshot", True) if whole else (row[place["local_timestamp"]], False)
        if mark != current and group:
            assert current is not None
            stream.changes.append(Change(t_s, 0, 0, None, current[1], group))
            group = []
        current = mark
        t_s = number_of(row[place["timestamp"]], where, "timestamp") / 1e6
        group.append((BID if word in BIDS else ASK, number_of(row[place["price"]], where, "price"), number_of(row[place["amount"]], where, "amount")))
    if group and current is not None:
        stream.changes.append(Change(t_s, 0, 0, None, current[1], group))
    if not any(change.whole for change in stream.changes):
        raise DepthError(f"{name}: must hold rows with is_snapshot set, has none: start the file at a day's first row")
    first = stream.changes[0].t_s
    stream.changes = [change._replace(t_s=change.t_s - first) for change in stream.changes]
    return examine(stream)
