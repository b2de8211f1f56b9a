"""Show depth against time, the lowest prints, books without bids, and makers' capital and quoting."""

from __future__ import annotations

import numpy as np
import polars as pl

from waxline.analysis.facts_depth import depth_ratios
from waxline.report.drawing import chart, legend_above, legend_of, line, shade_halts, time_axis
from waxline.report.marks import BLACK, BLUE, CLASS_LABELS, DASHED, GREEN, ORANGE, PALE, VERMILLION, Line, spare_lines, venue_line
from waxline.report.named import named_series
from waxline.report.numbers import bare_percent, count, digits
from waxline.report.page import Block, Figure, Heading, Section, Table, Text, table_or_text
from waxline.report.svg import to_svg
from waxline.report.view import Float64, View, median_over

FLOOR = 1e-3
TABLE_ROWS = 15


def depth(view: View) -> Section:
    """Return the section of depth, lowest prints and makers (link 9)."""
    section = Section(
        "depth",
        "Depth, lowest prints, makers",
        "Depth is what rests within 1 % of the mid on both sides, against its level just before the news. Where it goes, "
        "the same sale moves the "
        "price further; where the bids end, a coin prints near zero.",
    )
    section.add(
        Heading("depth-in-time", "Depth in time", (9,)),
        Figure(
            _depth_figure(view),
            "Depth against time",
            "Logarithmic; an empty book is drawn at 0.1 %. Shaded band: 10 % to 90 % of altcoins' perpetuals.",
        ),
        table_or_text(_depth_table(view), "No depth was recorded."),
        Heading("lowest-prints", "Lowest prints", (9,)),
        table_or_text(_prints_table(view), "No market fell."),
        Text(_near_zero(view)),
        Heading("empty-books", "Seconds without bids", (9,)),
        *_empty_books(view),
        Heading("makers", "Makers' capital and quoting", (9,)),
    )
    if view.run.named.filter(pl.col("kind") == "maker").height:
        section.add(
            Text(
                "Left: size the makers post, against their calm target. Right: their equity against just before the news; it may fall below zero.",
                "read",
            ),
            Figure(_makers_figure(view), "Makers' quoting and capital in time"),
        )
    else:
        section.add(Text("No maker in this run has a balance sheet of its own.", "empty"))
    return section


def _ratio(view: View, markets: list[int]) -> Float64:
    """Return two-sided depth over its level just before the news, [len(markets), B]; NaN where there was none before."""
    out = np.full((len(markets), view.run.bin_t_s.size), np.nan)
    for row, market in enumerate(markets):
        found = depth_ratios(view.run, [market], -np.inf, np.inf)
        if found.size:
            out[row] = found
    return out


def _depth_figure(view: View) -> str:
    figure, (axes,) = chart(height=3.6, top=0.5, left=1.3)
    run, main = view.run, view.main_venue
    for asset, mark in zip(view.focus, (Line(BLUE, width=1.4), Line(GREEN, DASHED, 1.2), Line(BLACK, (0.0, (6.0, 1.5, 1.2, 1.5)))), strict=False):
        market = view.market(main, "perp", asset)
        if market is not None:
            line(axes, run.bin_t_s, 100.0 * np.maximum(_ratio(view, [market])[0], FLOOR), mark, f"{asset} {main} perp")
    for kind, mark in (("perp", Line(VERMILLION, width=1.6)), ("spot", Line(ORANGE, DASHED, 1.4))):
        markets = run.select(main, kind, "alts")
        if markets:
            ratio = np.maximum(_ratio(view, markets), FLOOR)
            line(axes, run.bin_t_s, 100.0 * median_over(ratio), mark, f"altcoins {main} {kind}, median")
            if kind == "perp" and len(markets) > 4:
                band = np.nanquantile(ratio[np.isfinite(ratio).all(axis=1)], (0.1, 0.9), axis=0) * 100.0
                axes.fill_between(run.bin_t_s[::3], band[0][::3], band[1][::3], color="#f7dccb", linewidth=0.0, zorder=0.5)
    other = run.select(view.other_venue, "spot", "alts") if view.other_venue else []
    if other:
        line(
            axes,
            run.bin_t_s,
            100.0 * median_over(np.maximum(_ratio(view, other), FLOOR)),
            venue_line(view.other_venue, "spot"),
            f"altcoins {view.other_venue} spot, median",
        )
    axes.set_yscale("log")
    axes.set_ylim(100.0 * FLOOR * 0.8, 400.0)
    axes.set_yticks([0.1, 1.0, 10.0, 100.0], ["0.1 % or empty", "1 %", "10 %", "100 %"])
    axes.minorticks_off()
    axes.set_ylabel("depth, % of calm")
    shade_halts(axes, view, [main])
    time_axis(axes, view)
    legend_above(axes, 3)
    return to_svg(figure, "Two-sided depth within 1 per cent of mid against its calm level, logarithmic")


def _depth_table(view: View) -> Table:
    rows = []
    end = float(view.run.end_t_s)
    for size_class, label in CLASS_LABELS.items():
        for venue in view.venues:
            for kind in ("spot", "perp"):
                markets = view.of_class(size_class, venue, kind)
                if not markets:
                    continue
                ratios = _ratio(view, markets)[:, view.run.bins_in(0.0, end)]
                ratios = ratios[np.isfinite(ratios).all(axis=1)]
                if ratios.size == 0:
                    continue
                before = view.run.depth_usd(markets)[:, view.run.bin_at(-1.0)]
                least = ratios.min(axis=1)
                rows.append(
                    (
                        label,
                        venue,
                        kind,
                        str(len(markets)),
                        digits(float(np.median(before)) / 1e6),
                        bare_percent(float(np.median(least)), 2),
                        bare_percent(float(np.median(ratios))),
                        bare_percent(float(np.median(ratios[:, -1]))),
                    )
                )
    header = ("size class", "venue", "market", "markets", "before, M USD", "least, %", "median after the news, %", "at the end, %")
    return Table(
        header,
        rows,
        "Two-sided depth within 1 % of mid, 10 s averages, against just before the news; median over the markets of a row.",
        words=(0, 1, 2),
    )


def _prints_table(view: View) -> Table:
    order = [int(m) for m in np.argsort(-np.nan_to_num(view.falls, nan=-1.0), kind="stable") if np.isfinite(view.falls[m])][:TABLE_ROWS]
    rows = []
    for market in order:
        low, at = float(view.lows[0][market]), float(view.lows[1][market])
        seconds = view.run.t_s[view.after]
        path = np.asarray(view.run.low_usd[market, view.after], dtype=np.float64)
        below = int(np.count_nonzero(path < 0.1 * view.reference[market])) if seconds.size else 0
        rows.append(
            (
                view.names[market],
                count(float(view.pairs[market])),
                digits(float(view.reference[market]), 4),
                digits(low),
                bare_percent(float(view.falls[market]), 2),
                view.clock.at(at),
                str(below),
            )
        )
    header = ("market", "stands for pairs", "before, USD", "lowest trade, USD", "fall, %", "at", "seconds with trades 90 % below")
    return Table(header, rows, "The deepest prints.", words=(0, 5))


def _near_zero(view: View) -> str:
    seen = np.isfinite(view.falls)
    parts = []
    for threshold in (0.5, 0.9, 0.99):
        fallen = seen & (view.falls > threshold)
        parts.append(f"{count(float(view.pairs[fallen].sum()))} pairs by more than {100 * threshold:.0f} % ({int(fallen.sum())} markets of the model)")
    return f"Of {count(float(view.pairs[seen].sum()))} pairs that the markets stand for, fell: " + "; ".join(parts) + "."


def _empty_books(view: View) -> tuple[Block, ...]:
    if not (np.nan_to_num(view.run.empty_bid_s) > 0.0).any():
        return (Text("No book was without bids for a second.", "empty"),)
    return Figure(_empty_figure(view), "Markets without bids in time"), _empty_table(view)


def _empty_figure(view: View) -> str:
    figure, (axes,) = chart(height=2.2, top=0.35)
    empty = view.run.empty_bid_s
    for venue in view.venues:
        for kind in ("spot", "perp"):
            markets = view.run.select(venue, kind)
            if markets and (np.nan_to_num(empty[markets]) > 0.0).any():
                line(
                    axes,
                    view.run.bin_t_s,
                    (np.nan_to_num(empty[markets]) > 0.0).sum(axis=0),
                    venue_line(venue, kind, 1.2),
                    f"{venue} {kind}",
                )
    axes.set_ylabel("markets without bids\nin some second of 10 s")
    time_axis(axes, view)
    legend_above(axes, 6)
    return to_svg(figure, "Number of markets without bids in time")


def _empty_table(view: View) -> Table:
    total = np.nan_to_num(np.asarray(view.run.empty_bid_s, dtype=np.float64)).sum(axis=1)
    order = [int(m) for m in np.argsort(-total, kind="stable") if total[m] > 0.0][:TABLE_ROWS]
    rows = []
    for market in order:
        where = np.flatnonzero(np.nan_to_num(view.run.empty_bid_s[market]) > 0.0)
        rows.append(
            (
                view.names[market],
                digits(float(total[market])),
                view.clock.at(float(view.run.bin_t_s[where[0]]) - 10.0),
                view.clock.at(float(view.run.bin_t_s[where[-1]])),
            )
        )
    return Table(("market", "seconds without bids", "from", "to"), rows, "Longest without bids.", words=(0, 2, 3))


def _makers_figure(view: View) -> str:
    figure, (left, right) = chart(1, 2, height=3.1, gap_x=0.75, right=0.2, top=0.75)
    quotes, equity = named_series(view, "maker", "quote_frac"), named_series(view, "maker", "equity_usd")
    marks = spare_lines(8)
    for number, name in enumerate(list(equity)[:8]):
        times, values = quotes[name]
        line(left, times, 100.0 * values, marks[number], name, 200)
        times, values = equity[name]
        first = values[max(int(np.searchsorted(times, -1, side="right")) - 1, 0)] if values.size else np.nan
        if first > 0.0:
            line(right, times, 100.0 * values / first, marks[number], name, 200)
    alts = view.run.select(view.main_venue, "all", "alts")
    if alts:
        posted = np.asarray(view.run.maker_quote_frac[alts], dtype=np.float64)
        line(left, view.run.bin_t_s, 100.0 * median_over(posted), Line(PALE, width=3.0), "median altcoin book", 200, zorder=0.5)
    left.set_ylabel("posted size, % of calm target")
    left.set_ylim(bottom=0.0)
    right.set_ylabel("equity, % of before")
    right.axhline(0.0, color="#666666", linewidth=0.6)
    for axes in (left, right):
        time_axis(axes, view)
    legend_of(figure, [left, right], 5)
    return to_svg(figure, "Size posted by makers and their equity in time")
