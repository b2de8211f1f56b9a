"""Small depth files made by formula: percent bands, snapshots, and raw streams with known gaps, crossings, tickers and refill."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

MID = 100.0
TICK = 0.01


def bands(moments: int = 40, depth_usd: float = 1e6, exponent: float = 0.7, extra: str = "") -> list[str]:
    """Return the lines of a percent-band file whose depth within p % of the mid is depth_usd p^exponent, the same at every moment."""
    lines = ["timestamp,percentage,depth,notional" + (",weighted_avg_price" if extra else "")]
    for n in range(moments):
        for p in (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5):
            # Level by level: the average price of a side lies below (above) the mid.
            usd = depth_usd * abs(p) ** exponent * (1.0 + 0.001 * (n % 7))
            coins = usd / (MID * (1.0 + 0.003 * p))
            lines.append(f"2025-10-10 {n // 120:02d}:{n // 2 % 60:02d}:{30 * (n % 2):02d},{p},{coins:.6f},{usd:.4f}{extra}")
    return [line + "\n" for line in lines]


def levels(exponent: float = 1.0, depth_usd: float = 1e6, count: int = 400) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return bids and asks (price, quantity) whose cumulative USD within whole bps d is depth_usd (d / ln 1.01)^exponent; a level half way between."""
    sides: list[list[tuple[float, float]]] = [[], []]
    for side, sign in ((0, -1.0), (1, 1.0)):
        before = 0.0
        for k in range(1, count + 1):
            d = k * 1e-4
            usd = depth_usd * (d / math.log(1.01)) ** exponent
            price = MID * math.exp(sign * (d - 0.5e-4))
            sides[side].append((price, (usd - before) / price))
            before = usd
    return sides[0], sides[1]


class Recorder:
    """Write a raw stream of one symbol as Binance sends it; `futures` decides which sequence rules its numbers follow."""

    def __init__(self, futures: bool = True) -> None:
        self.futures = futures
        self.number = 1000
        self.lines: list[str] = []
        self.book: tuple[dict[float, float], dict[float, float]] = ({}, {})
        for k in range(1, 101):
            self.book[0][round(MID - k * TICK, 2)] = 10.0
            self.book[1][round(MID + k * TICK, 2)] = 10.0

    def write(self, t_s: float, data: dict[str, Any], stream: str | None) -> None:
        body = data if stream is None else {"stream": f"x@{stream}", "data": data}
        self.lines.append(f"{1_700_000_000_000_000_000 + round(t_s * 1e9)} {json.dumps(body)}\n")

    def snapshot(self, t_s: float) -> None:
        rows = [sorted(([f"{p:.2f}", f"{q:.3f}"] for p, q in side.items()), reverse=n == 0) for n, side in enumerate(self.book)]
        data: dict[str, Any] = {"lastUpdateId": self.number, "bids": rows[0], "asks": rows[1]}
        if self.futures:
            data |= {"E": 1_700_000_000_000 + round(t_s * 1e3), "T": 1_700_000_000_000 + round(t_s * 1e3)}
        self.write(t_s, data, None)

    def change(self, t_s: float, rows: Iterable[tuple[int, float, float]], *, lost: bool = False, ticker: bool = True, wide: int = 3) -> None:
        """Change levels (side, price, quantity; 0 removes) and send the change, unless it is `lost`; then the book ticker after it."""
        before, self.number = self.number, self.number + wide
        sides: tuple[list[list[str]], list[list[str]]] = ([], [])
        for side, price, quantity in rows:
            if quantity > 0.0:
                self.book[side][round(price, 2)] = quantity
            else:
                self.book[side].pop(round(price, 2), None)
            sides[side].append([f"{price:.2f}", f"{quantity:.3f}"])
        data: dict[str, Any] = {"e": "depthUpdate", "E": 1_700_000_000_000 + round(t_s * 1e3), "U": before + 1, "u": self.number, "b": sides[0], "a": sides[1]}
        if self.futures:
            data |= {"pu": before, "T": data["E"]}
        if not lost:
            self.write(t_s, data, "depth")
        if ticker:
            self.ticker(t_s)

    def ticker(self, t_s: float, shift: float = 0.0) -> None:
        bid, ask = max(self.book[0]), min(self.book[1])
        data = {"u": self.number, "s": "X", "b": f"{bid + shift:.2f}", "B": f"{self.book[0][bid]:.3f}", "a": f"{ask:.2f}", "A": f"{self.book[1][ask]:.3f}"}
        self.write(t_s, data, "bookTicker")

    def trade(self, t_s: float, price: float, quantity: float, sale: bool) -> None:
        stamp = 1_700_000_000_000 + round(t_s * 1e3)
        self.write(t_s, {"e": "trade", "E": stamp, "T": stamp, "p": f"{price:.2f}", "q": f"{quantity:.3f}", "m": sale, "X": "MARKET"}, "trade")


def quiet(futures: bool = True, changes: int = 50, lost: Iterable[int] = (), again: int | None = None) -> Recorder:
    """Return a stream of small changes 0.1 s apart behind a snapshot; those numbered in `lost` never arrive; a second snapshot before `again`."""
    out = Recorder(futures)
    out.change(0.0, [(0, 99.5, 11.0)])
    out.snapshot(0.05)
    for n in range(changes):
        if n == again:
            out.snapshot(0.1 * n + 0.1)
        out.change(0.1 * n + 0.1, [(n % 2, 99.9 if n % 2 == 0 else 100.1, 10.0 + n)], lost=n in set(lost))
    return out


def refilling(half_life_s: float, events: int = 12, gap_s: float = 30.0) -> Recorder:
    """Return a stream in which every `gap_s` a sale takes 9.9 of the 10 coins at the best bid, which come back exponentially, then wholly."""
    out = Recorder()
    out.change(0.0, [(0, 99.5, 11.0)])
    out.snapshot(0.05)
    for event in range(events):
        start = 1.0 + event * gap_s
        out.trade(start, 99.99, 9.9, sale=True)
        for k in range(int(gap_s / 0.05) - 20):
            t = 0.05 * k
            out.change(start + t, [(0, 99.99, 10.0 - 9.9 * 0.5 ** (t / half_life_s))], ticker=False)
        out.change(start + gap_s - 0.5, [(0, 99.99, 10.0)], ticker=False)
    return out
