"""Show the paths of prices per venue against fair value, and the lows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from waxline.report.drawing import chart, legend_above, line, shade_halts, time_axis
from waxline.report.marks import CLASS_LABELS, FAIR, venue_line
from waxline.report.numbers import bare_percent, digits, times
from waxline.report.page import Details, Figure, Heading, Section, Table, table_or_text
from waxline.report.panels import Panel, panels
from waxline.report.svg import to_svg
from waxline.report.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_PANELS = 60


def prices(view: View) -> Section:
    """Return the section of prices per venue."""
    section = Section(
        "prices",
        "Prices per venue",
        "Each line is the mid of one market: colour is the venue, solid is the perpetual, dashed is spot, black dots are "
        "fair value. Where lines "
        "of one coin part, the venues were cut off from each other; what lies below the dots is the cascade.",
    )
    for asset in view.focus:
        section.add(Figure(_focus_figure(view, asset), f"Prices of {asset} per venue"))
    alts = [a for a in view.alts if a not in view.focus][:MAX_PANELS]
    if alts:
        section.add(
            Heading("alts", "Altcoins, one panel each"),
            Figure(
                _alts_figure(view, alts),
                "Prices of altcoins per venue",
                f"Vertical: price in % of the price before the news, the same for all. Horizontal: {_span(view)}. "
                f"The number is the largest fall on {view.main_venue} in a trade.",
            ),
        )
    section.add(Heading("lows", "Lowest prices"), table_or_text(_by_class(view), "No trades were recorded."), _all_lows(view))
    return section


def _span(view: View) -> str:
    start, end = float(view.run.t_s[0]) - 1.0, float(view.run.t_s[-1])
    return f"{view.clock.at(start, False)} to {view.clock.at(end, False)} UTC, the tick is the news at {view.clock.at(0.0, False)}"


def draw_prices(axes: Axes, view: View, asset: str, venues: Sequence[str] | None = None, *, percent: bool, buckets: int = 380) -> None:
    """Draw every market of `asset` on `venues` and its fair value, in USD or in per cent of the price before the news."""
    run = view.run
    for market in run.select("all", "all", asset):
        _, venue, kind = view.names[market], str(run.markets["venue"][market]), str(run.markets["kind"][market])
        if kind == "pool" or (venues is not None and venue not in venues):
            continue
        values = 100.0 * view.relative(market) if percent else np.asarray(run.mid_usd[market], dtype=np.float64)
        line(axes, run.t_s, values, venue_line(venue, kind), f"{venue} {kind}", buckets)
    if asset in run.assets:
        fair = np.asarray(run.fair_usd[run.asset_index(asset)], dtype=np.float64)
        line(axes, run.t_s, 100.0 * fair / fair[run.row_at(-1.0)] if percent else fair, FAIR, "fair value", 200)


def _focus_figure(view: View, asset: str) -> str:
    figure, (axes,) = chart(height=3.3, right=0.7, top=0.45)
    draw_prices(axes, view, asset, percent=False)
    shade_halts(axes, view)
    time_axis(axes, view)
    axes.set_ylabel(f"mid, USD per {asset}")
    axes.set_title(asset)
    legend_above(axes, 8 if len(axes.lines) <= 7 else 4)
    markets = view.run.select("all", "all", asset)
    reference = float(np.median(view.reference[markets])) if markets else float("nan")
    if np.isfinite(reference) and reference > 0.0:
        right = axes.twinx()
        right.set_ylim(*(100.0 * (limit / reference - 1.0) for limit in axes.get_ylim()))
        right.grid(False)
        right.spines["right"].set_visible(True)
        right.set_ylabel("change since before the news, %")
    return to_svg(figure, f"Prices of {asset} on each venue and fair value, USD")


def _alts_figure(view: View, alts: Sequence[str]) -> str:
    found = []
    run = view.run
    low, high = _scale(view, alts)
    for asset in alts:
        series = []
        for market in run.select("all", "all", asset):
            venue, kind = str(run.markets["venue"][market]), str(run.markets["kind"][market])
            if venue in (view.main_venue, view.other_venue, "hyperliquid"):
                series.append((run.t_s, 100.0 * view.relative(market), venue_line(venue, kind, 0.8)))
        if asset in run.assets:
            fair = np.asarray(run.fair_usd[run.asset_index(asset)], dtype=np.float64)
            series.append((run.t_s, 100.0 * fair / fair[run.row_at(-1.0)], FAIR._replace(width=0.8)))
        falls = [view.falls[m] for m in run.select(view.main_venue, "all", asset) if np.isfinite(view.falls[m])]
        found.append(Panel(asset, f"−{100.0 * max(falls):.0f} %" if falls else "", series))
    drawn = [v for v in dict.fromkeys((view.main_venue, view.other_venue, "hyperliquid")) if v in view.venues]
    keys = [(f"{v} {k}", venue_line(v, k)) for v in drawn for k in ("perp", "spot") if run.select(v, k, "alts")]
    return panels(found, low, high, [*keys, ("fair value", FAIR)], "Prices of altcoins per venue in per cent of the price before the news")


def _scale(view: View, alts: Sequence[str]) -> tuple[float, float]:
    """Return the vertical scale of all panels in per cent of before: from 0, or from nearer by where no coin fell far."""
    falls = [view.falls[m] for asset in alts for m in view.run.select("all", "all", asset) if np.isfinite(view.falls[m])]
    for asset in set(alts) & set(view.run.assets):
        fair = np.asarray(view.run.fair_usd[view.run.asset_index(asset)], dtype=np.float64)
        falls.append(1.0 - float(fair.min() / fair[view.run.row_at(-1.0)]))
    known = [fall for fall in falls if np.isfinite(fall)]
    worst = max(known, default=1.0)
    low = 0.0 if worst > 0.5 else min(max(float(np.floor(10.0 - 12.0 * worst)) * 10.0, 0.0), 90.0)
    return low, 100.0 + 0.1 * (100.0 - low)


def _by_class(view: View) -> Table:
    rows = []
    for size_class, label in CLASS_LABELS.items():
        for venue in view.venues:
            for kind in ("spot", "perp"):
                markets = [m for m in view.of_class(size_class, venue, kind) if np.isfinite(view.falls[m])]
                if not markets:
                    continue
                alone = [view.alone(m) for m in markets]
                rows.append(
                    (
                        label,
                        venue,
                        kind,
                        str(len(markets)),
                        bare_percent(float(np.median(view.falls[markets]))),
                        bare_percent(float(np.max(view.falls[markets]))),
                        bare_percent(float(np.median(alone))),
                        times(view.amplification(markets)),
                        view.clock.at(float(np.median(view.lows[1][markets]))),
                    )
                )
    return Table(
        (
            "size class",
            "venue",
            "market",
            "markets",
            "fall, median %",
            "fall, largest %",
            "news alone, median %",
            "amplification",
            "time of low, median",
        ),
        rows,
        "Fall = 1 − lowest traded price ÷ price at t = −1 s. News alone = the same run with all feedback switched off.",
        words=(0, 1, 2, 8),
    )


def _all_lows(view: View) -> Details:
    rows = []
    for market in np.argsort(-np.nan_to_num(view.falls), kind="stable"):
        low, at = float(view.lows[0][market]), float(view.lows[1][market])
        rows.append(
            (
                view.names[market],
                digits(float(view.reference[market]), 5),
                digits(low, 4),
                bare_percent(float(view.falls[market])),
                bare_percent(view.alone(int(market))),
                view.clock.at(at),
                digits(at, 4),
            )
        )
    header = ("market", "before, USD", "lowest trade, USD", "fall, %", "news alone, %", "at", "seconds from the news")
    return Details("Lowest price of every market", Table(header, rows, words=(0, 5), small=True))
