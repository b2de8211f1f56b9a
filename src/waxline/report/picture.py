"""Draw the one picture of a run: prices per venue on the left, the liquidation waterfall on the right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from waxline.analysis.selection import largest_minute_usd
from waxline.report.drawing import drawing, mark_peak, shade_halts, stack, time_axis
from waxline.report.marks import FAIR, STAGE_FILLS, STAGE_LABELS, venue_line
from waxline.report.numbers import percent, usd
from waxline.report.prices import draw_prices
from waxline.report.scales import draw_scales
from waxline.report.view import View
from waxline.results.run_result import RunResult
from waxline.results.schema import COUNTED_STAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN, HEIGHT_IN, DPI = 11.0, 6.2, 100
FROM_S, TO_S = -300.0, 5700.0
BAR_S = 30
PREFERRED = ("BTC", "SOL", "DOGE", "ATOM")


def write_picture(run: RunResult, path: Path) -> None:
    """Write a PNG of 1100 x 620 pixels: coins per venue around the crash, and forced volume in time by kind.

    The file appears under its name only when it is complete. Raises OSError when it cannot be written.
    """
    from matplotlib.figure import Figure

    path = Path(path)
    view = View(run)
    unfinished = path.with_name(f"{path.name}.partial-{os.getpid()}")
    with drawing():
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI)
        _draw_left(figure, view)
        _draw_right(figure, view)
        for axes in figure.axes:
            draw_scales(axes)
        try:
            figure.savefig(unfinished, format="png", dpi=DPI, metadata={"Software": None})
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)


def _window(view: View) -> tuple[float, float]:
    return max(FROM_S, float(view.run.t_s[0]) - 1.0), min(TO_S, float(view.run.t_s[-1]))


def _coins(view: View) -> list[str]:
    """Return up to three coins: BTC, a major or mid coin, and a small one that fell like the median of its class."""
    preferred = [asset for asset in PREFERRED if view.run.select(view.main_venue, "all", asset)]
    chosen = preferred[:2]
    others = [a for a in [*preferred[2:], *view.alts, *view.focus] if a not in chosen]
    small = [a for a in others if view.class_of.get(a) in ("mid", "small")]
    for asset in [*small, *others]:
        if len(chosen) == 3:
            break
        if asset not in chosen:
            chosen.append(asset)
    return chosen


def _draw_left(figure: Figure, view: View) -> None:
    coins = _coins(view)
    start, end = _window(view)
    venues = [v for v in (view.main_venue, view.other_venue) if v]
    count = max(len(coins), 1)
    bottom, top, gap = 0.105, 0.855, 0.05
    height = (top - bottom - gap * (count - 1)) / count
    figure.text(0.012, 0.955, "Prices per venue, % of before the news", fontsize=12.0, fontweight="bold", va="center")
    for number, asset in enumerate(coins):
        axes = figure.add_axes((0.058, top - height - number * (height + gap), 0.415, height))
        axes.set_title("", y=1.0)
        draw_prices(axes, view, asset, venues, percent=True, buckets=500)
        shade_halts(axes, view, [view.main_venue], label=number == 0)
        time_axis(axes, view, start, end, label=False)
        if number < count - 1:
            axes.xaxis.get_major_formatter().seq = [""] * 99  # type: ignore[attr-defined]
        axes.text(0.012, 0.08, _label(view, asset), transform=axes.transAxes, fontsize=9.5, fontweight="bold")
        _open_top(axes)
    _key(figure, view, venues)


def _label(view: View, asset: str) -> str:
    falls = [view.falls[m] for m in view.run.select(view.main_venue, "all", asset) if np.isfinite(view.falls[m])]
    return f"{asset}, {percent(-max(falls), 0)} on {view.main_venue}" if falls else asset


def _open_top(axes: Axes) -> None:
    """Leave room below for the name of the coin and above for the shade's label."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    low, high = axes.get_ylim()
    places = MaxNLocator(4).tick_values(low, high)
    axes.yaxis.set_major_locator(FixedLocator([float(place) for place in places if 0.0 <= place <= 105.0]))
    axes.set_ylim(low - 0.22 * (high - low), high + 0.1 * (high - low))


def _key(figure: Figure, view: View, venues: list[str]) -> None:
    from matplotlib.lines import Line2D

    marks = [(f"{venue} {kind}", venue_line(venue, kind)) for venue in venues for kind in ("perp", "spot") if view.run.select(venue, kind)]
    handles = [Line2D([], [], color=mark.colour, linestyle=mark.dash, linewidth=1.5, label=label) for label, mark in [*marks, ("fair value", FAIR)]]
    figure.legend(handles=handles, loc="center left", bbox_to_anchor=(0.008, 0.902), ncols=len(handles), columnspacing=1.0, fontsize=8.5)


def _draw_right(figure: Figure, view: View) -> None:
    from matplotlib.patches import Patch

    start, end = _window(view)
    axes = figure.add_axes((0.56, 0.105, 0.425, 0.75))
    axes.set_title("", y=1.0)
    total = float(view.counted["notional_usd"].sum())
    figure.text(0.515, 0.955, f"Liquidated: {usd(total)}, by kind", fontsize=12.0, fontweight="bold", va="center")
    parts = []
    edges = np.array([start])
    for stage in COUNTED_STAGES:
        rows = view.counted.filter(pl.col("stage") == stage)
        for sign in (-1, 1):
            edges, amount = view.per_bin(rows.filter(pl.col("side") == sign), BAR_S)
            parts.append((stage, -sign * amount / 1e6, STAGE_FILLS[stage]))
    stack(axes, edges, parts, BAR_S)
    axes.axhline(0.0, color="#666666", linewidth=0.6)
    peak, minute = largest_minute_usd(view.counted, float(view.run.t_s[0]) - 1.0, float(view.run.end_t_s))
    if peak > 0.0:
        height = float(np.sum([np.maximum(values, 0.0) for _, values, _ in parts], axis=0).max())
        mark_peak(axes, minute + 30.0, height, f"largest minute {view.clock.at(minute, False)} UTC: {usd(peak)}")
        axes.set_ylim(top=height * 1.2)
    time_axis(axes, view, start, end, label=False)
    axes.set_ylabel(f"M USD per {BAR_S} s, shorts downwards")
    handles = [
        Patch(
            facecolor=STAGE_FILLS[s].colour,
            hatch=STAGE_FILLS[s].hatch or None,
            edgecolor="white",
            linewidth=0.0,
            label=STAGE_LABELS[s],
        )
        for s in COUNTED_STAGES
        if any(stage == s and values.any() for stage, values, _ in parts)
    ]
    if handles:
        axes.legend(handles=handles, loc="upper right", bbox_to_anchor=(1.0, 0.82), fontsize=8.5)
    else:
        axes.text(0.5, 0.5, "nobody was liquidated", transform=axes.transAxes, ha="center", color="#666666")
