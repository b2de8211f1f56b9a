"""Show buyers' cash in time, and the recovery."""

from __future__ import annotations

import numpy as np

from waxline.report.drawing import chart, legend_above, line, say_empty, time_axis
from waxline.report.marks import CLASS_LABELS, CLASS_LINES
from waxline.report.numbers import NONE, bare_percent, millions
from waxline.report.page import Figure, Section, Table, table_or_text
from waxline.report.svg import to_svg
from waxline.report.view import Float64, View, median_over

AFTER_MINUTES = (5, 10, 20, 40)
LEAST_FALL = 0.01  # of smaller falls a regained part says nothing


def buyers(view: View) -> Section:
    """Return the section of buyers and recovery (link 14)."""
    section = Section(
        "buyers",
        "Buyers' cash and recovery",
        "Value buyers act at a discount, with finite cash and a delay; when it is spent nobody holds the price. Recovery "
        "is the part of the fall that "
        "is regained: 0 % at the low, 100 % back at the price before the news.",
        links=(14,),
    )
    section.add(
        Figure(_figure(view), "Buyers' cash and recovery in time"),
        table_or_text(_cash_table(view), "No buyers' cash was recorded."),
        table_or_text(_recovery_table(view), "Nothing fell."),
    )
    return section


def _cash(view: View, markets: list[int]) -> Float64:
    return np.asarray(view.run.buyer_cash_usd[markets].sum(axis=0, dtype=np.float64), dtype=np.float64)


def recovered(view: View, market: int, t_s: float) -> float:
    """Return (price at t_s - low) / (reference - low) by last trades; NaN before the low or where nothing fell."""
    low, at = float(view.lows[0][market]), float(view.lows[1][market])
    fall = float(view.reference[market]) - low
    if not (np.isfinite(low) and fall > 0.0 and t_s >= at and t_s <= view.run.end_t_s):
        return float("nan")
    return (view.run.price_at(market, t_s) - low) / fall


def _figure(view: View) -> str:
    figure, (left, right) = chart(1, 2, height=3.0, gap_x=0.75, top=0.5)
    run = view.run
    for size_class, label in CLASS_LABELS.items():
        mark = CLASS_LINES[size_class]
        markets = view.of_class(size_class)
        if markets:
            cash = _cash(view, markets)
            first = cash[run.bin_at(-1.0)] if cash.size else 0.0
            if first > 0.0:
                line(left, run.bin_t_s, 100.0 * cash / first, mark, label, 220)
        here = view.of_class(size_class, view.main_venue)
        here = [m for m in here if np.isfinite(view.falls[m]) and view.falls[m] > LEAST_FALL]
        if here:
            path = np.stack([_regained(view, m) for m in here])
            line(right, run.bin_t_s, 100.0 * median_over(path), mark, label, 220)
    for axes, label in ((left, "buyers' cash left, % of before"), (right, f"regained of the fall, %, {view.main_venue}")):
        if axes.lines:
            axes.set_ylabel(label)
            time_axis(axes, view)
        else:
            say_empty(axes, "nothing to show")
    if left.lines:
        left.set_ylim(bottom=0.0)
        legend_above(left, 3)
    if right.lines:
        bottom, top = right.get_ylim()
        right.set_ylim(max(bottom, -5.0), min(top, 160.0))
        legend_above(right, 3)
    return to_svg(figure, "Cash of value buyers in time, and part of the fall that is regained")


def _regained(view: View, market: int) -> Float64:
    """Return the part of the fall regained at the end of each bin from the low on, NaN before, [B]."""
    rows = np.searchsorted(view.run.t_s, view.run.bin_t_s, side="right") - 1
    close = np.asarray(view.run.close_usd[market, rows], dtype=np.float64)
    low, at = float(view.lows[0][market]), float(view.lows[1][market])
    return np.where(view.run.bin_t_s >= at, (close - low) / (float(view.reference[market]) - low), np.nan)


def _cash_table(view: View) -> Table:
    rows = []
    for size_class, label in CLASS_LABELS.items():
        for venue in view.venues:
            markets = view.of_class(size_class, venue)
            cash = _cash(view, markets) if markets else np.zeros(0)
            if cash.size == 0 or not cash.any():
                continue
            before = float(cash[view.run.bin_at(-1.0)])
            after = np.where(view.run.bin_t_s > 0, cash, np.inf)
            least = int(np.argmin(after)) if np.isfinite(after).any() else 0
            rows.append(
                (
                    label,
                    venue,
                    millions(before),
                    millions(float(cash[least])),
                    bare_percent(float(cash[least]) / before if before > 0.0 else None),
                    view.clock.at(float(view.run.bin_t_s[least])),
                    millions(float(cash[-1])),
                )
            )
    header = ("size class", "venue", "cash before, M USD", "least, M USD", "least, % of before", "at", "at the end, M USD")
    return Table(header, rows, "Cash of value buyers.", words=(0, 1, 5))


def _recovery_table(view: View) -> Table:
    rows = []
    for size_class, label in CLASS_LABELS.items():
        for venue in view.venues:
            for kind in ("spot", "perp"):
                markets = [m for m in view.of_class(size_class, venue, kind) if np.isfinite(view.falls[m]) and view.falls[m] > LEAST_FALL]
                if not markets:
                    continue
                cells = []
                for minutes in AFTER_MINUTES:
                    values = [recovered(view, m, float(view.lows[1][m]) + 60.0 * minutes) for m in markets]
                    known = [v for v in values if np.isfinite(v)]
                    cells.append(bare_percent(float(np.median(known)), 0) if known else NONE)
                end = [recovered(view, m, float(view.run.end_t_s)) for m in markets]
                cells.append(bare_percent(float(np.median([v for v in end if np.isfinite(v)])), 0) if any(np.isfinite(v) for v in end) else NONE)
                rows.append((label, venue, kind, str(len(markets)), bare_percent(float(np.median(view.falls[markets]))), *cells))
    header = (
        "size class",
        "venue",
        "market",
        "markets",
        "fall, %",
        *(f"{m} min after the low, %" for m in AFTER_MINUTES),
        "at the end, %",
    )
    return Table(
        header,
        rows,
        "Part of the fall regained, median over the markets of a row that fell by more than 1 %, by last trades.",
        words=(0, 1, 2),
    )
