"""Read full snapshots of a book: JSON with bids and asks, Hyperliquid's l2Book lines, Tardis' top levels, or single levels as a table."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from waxline.depth.reading import number_of
from waxline.depth.samples import ASK, BID, STANDARD_BPS, DepthError, Samples, cumulative, standard_distances

Levels = list[tuple[float, float]]
BIDS = {"bid", "bids", "b", "buy"}
ASKS = {"ask", "asks", "a", "sell"}
TOP = re.compile(r"(asks|bids)\[(\d+)\]\.(price|amount)")


def samples_of(moments: list[tuple[float, Levels, Levels]], kind: str, name: str, notes: list[str] | None = None) -> Samples:
    """Return samples of whole books (seconds, bids, asks as price and quantity); raises DepthError where a side is empty or they cross."""
    distances = standard_distances()
    usd = np.empty((len(moments), 2, len(STANDARD_BPS)))
    half, mids = np.empty(len(moments)), np.empty(len(moments))
    reach = np.empty((len(moments), 2))
    for n, (_, bids, asks) in enumerate(moments):
        if not bids or not asks:
            raise DepthError(f"{name}, snapshot {n + 1}: must have bids and asks, has {len(bids)} and {len(asks)} levels: take a whole book")
        best_bid, best_ask = max(bids)[0], min(asks)[0]
        if best_bid >= best_ask:
            raise DepthError(f"{name}, snapshot {n + 1}: the best bid must be below the best ask, was {best_bid:g} against {best_ask:g}: leave it out")
        mids[n] = 0.5 * (best_bid + best_ask)
        half[n] = 0.5 * np.log(best_ask / best_bid)
        for side, levels in ((BID, bids), (ASK, asks)):
            prices, quantities = np.array(levels).T
            usd[n, side] = cumulative(prices, quantities, float(mids[n]), distances[side], side)
            far = float(prices.min()) if side == BID else float(prices.max())
            reach[n, side] = abs(np.log(far / mids[n]))
    t_s = np.array([moment[0] for moment in moments]) - moments[0][0]
    return Samples(kind, t_s, distances, usd, half, mids, np.median(reach, axis=0), list(notes or []))


def read_levels(lines: list[str], name: str) -> Samples:
    """Return the one sample of a table of levels: columns side (bid or ask), price (USD), quantity, amount or size (coins); raises DepthError."""
    rows = csv.reader(lines)
    header = [column.strip().lower() for column in next(rows)]
    size = next((column for column in ("quantity", "amount", "size") if column in header), None)
    if size is None:
        raise DepthError(f"{name}, line 1: must have the columns side, price and quantity, has {', '.join(header)}: add the quantity in coins")
    place = [header.index(column) for column in ("side", "price", size)]
    sides: tuple[Levels, Levels] = ([], [])
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        where = f"{name}, line {number}"
        if len(row) < len(header):
            raise DepthError(f"{where}: must have {len(header)} fields, has {len(row)}: complete that line")
        word = row[place[0]].strip().lower()
        if word not in BIDS | ASKS:
            raise DepthError(f"{where}: side must be bid or ask, was {word[:20]!r}: mend that line")
        sides[BID if word in BIDS else ASK].append(_level(row[place[1]], row[place[2]], where))
    return samples_of([(0.0, *sides)], "table of levels", name)


def read_top_levels(lines: list[str], name: str) -> Samples:
    """Return samples of Tardis `book_snapshot_5` and `_25` files: asks[i].price, asks[i].amount, bids[i]...; times in microseconds."""
    rows = csv.reader(lines)
    header = [column.strip() for column in next(rows)]
    places: dict[tuple[str, str], list[int]] = {(s, f): [] for s in ("asks", "bids") for f in ("price", "amount")}
    for n, column in enumerate(header):
        match = TOP.fullmatch(column)
        if match:
            places[match[1], match[3]].append(n)
    if "timestamp" not in header or any(not found for found in places.values()):
        raise DepthError(f"{name}, line 1: must have timestamp and the columns asks[0].price, asks[0].amount, bids[0].price, ...: take the file as published")
    moments: list[tuple[float, Levels, Levels]] = []
    at = header.index("timestamp")
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        where = f"{name}, line {number}"
        if len(row) < len(header):
            raise DepthError(f"{where}: must have {len(header)} fields, has {len(row)}: the file was cut; fetch it again")
        sides = []
        for side in ("bids", "asks"):
            pairs = zip(places[side, "price"], places[side, "amount"], strict=False)
            sides.append([_level(row[p], row[q], where) for p, q in pairs if row[p] and row[q]])
        moments.append((number_of(row[at], where, "timestamp") / 1e6, sides[0], sides[1]))
    if not moments:
        raise DepthError(f"{name}: has a header and no rows: fetch the file again")
    return samples_of(moments, "snapshots of the top levels", name)


def read_json(lines: list[str], name: str) -> Samples:
    """Return samples of JSON snapshots: one document, or one per line: {bids, asks} as pairs, or Hyperliquid's levels of px and sz."""
    moments = []
    for where, document in _documents(lines, name):
        found = levels_in(document, where)
        if found is not None:
            moments.append(found)
    if not moments:
        raise DepthError(f"{name}: holds no book: it must have bids and asks as pairs of price and quantity, or levels with px and sz")
    return samples_of(moments, "snapshots", name)


def _documents(lines: list[str], name: str) -> Iterator[tuple[str, Any]]:
    try:
        whole = json.loads("".join(lines))
    except RecursionError as error:
        raise DepthError(f"{name}: is nested too deeply for a book: take a file of snapshots") from error
    except ValueError:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{name}, line {number}", parsed(line, f"{name}, line {number}")
        return
    for place, document in enumerate(whole if isinstance(whole, list) else [whole], 1):
        yield f"{name}, snapshot {place}", document


def parsed(text: str, where: str) -> Any:
    """Return the JSON value of a text; raises DepthError naming the place."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DepthError(f"{where}: must be JSON, stops at character {error.pos + 1} ({error.msg}): the file was cut or mixed; fetch it again") from error
    except (ValueError, RecursionError) as error:
        raise DepthError(f"{where}: must be JSON of a book, was {text.strip()[:30]!r}...: mend or leave out that line") from error


def levels_in(document: Any, where: str) -> tuple[float, Levels, Levels] | None:
    """Return (seconds, bids, asks) of one snapshot in any of the known JSON forms, None where the document is no book; raises DepthError."""
    while isinstance(document, dict) and not ({"bids", "asks"} <= set(document) or "levels" in document):
        inner = document.get("data", document.get("raw"))
        if not isinstance(inner, dict):
            return None
        document = inner
    if not isinstance(document, dict):
        return None
    stamp = next((document[key] for key in ("T", "E", "time") if isinstance(document.get(key), int | float)), 0)
    sides = (document["bids"], document["asks"]) if "bids" in document else document["levels"]
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        raise DepthError(f"{where}: must have two sides, bids and asks: take a whole book")
    out = []
    for side in sides:
        if not isinstance(side, list):
            raise DepthError(f"{where}: bids and asks must be lists of price and quantity: take a whole book")
        pairs = [(row.get("px"), row.get("sz")) if isinstance(row, dict) else tuple(row[:2]) if isinstance(row, list) else () for row in side]
        if any(len(pair) != 2 for pair in pairs):
            raise DepthError(f"{where}: a level must be price and quantity, such as [100.5, 2]: mend or leave out that book")
        out.append([_level(price, quantity, where) for price, quantity in pairs])
    return float(stamp) / 1000.0, out[0], out[1]


def _level(price: object, quantity: object, where: str) -> tuple[float, float]:
    value = number_of(price, where, "price")
    if value <= 0.0:
        raise DepthError(f"{where}: price must be positive, was {value:g}: mend that line")
    return value, number_of(quantity, where, "quantity")
