"""Draw many small pictures in one set of axes: a panel per coin, all with the same scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.report.drawing import decimate
from waxline.report.marks import INK, Line
from waxline.report.svg import to_svg

BUCKETS = 60
COLUMNS = 6
PANEL_W, PANEL_H = 1.0, 1.0
GAP_X, GAP_Y = 0.14, 0.42


class Panel(NamedTuple):
    """Hold one small picture: title, a number to print in its corner, and series (x, y, line)."""

    title: str
    number: str
    series: list[tuple[NDArray[Any], NDArray[Any], Line]]


def panels(found: Sequence[Panel], low: float, high: float, keys: Sequence[tuple[str, Line]], title: str) -> str:
    """Return SVG with a panel each, vertical scale `low` to `high` for all, and the `keys` explained once above."""
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = min(COLUMNS, max(len(found), 1))
    rows = -(-len(found) // columns)
    width, row_height = 10.0, 1.12
    height = 0.45 + rows * row_height
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0.045, 0.0, 0.95, (height - 0.35) / height))
    axes.set_axis_off()
    axes.set_xlim(0.0, COLUMNS * (PANEL_W + GAP_X) - GAP_X)
    axes.set_ylim(-rows * (PANEL_H + GAP_Y) + GAP_Y - 0.1, GAP_Y)
    start = min((float(s[0][0]) for p in found for s in p.series if len(s[0])), default=0.0)
    end = max((float(s[0][-1]) for p in found for s in p.series if len(s[0])), default=1.0)
    frame: list[NDArray[np.float64]] = []
    faint: list[NDArray[np.float64]] = []
    lines: dict[Line, list[NDArray[np.float64]]] = {}
    for number, panel in enumerate(found):
        x0, y0 = (number % columns) * (PANEL_W + GAP_X), -(number // columns) * (PANEL_H + GAP_Y) - PANEL_H
        frame.append(np.array([[x0, y0 + PANEL_H], [x0, y0], [x0 + PANEL_W, y0]]))
        news = x0 + PANEL_W * (0.0 - start) / max(end - start, 1.0)
        frame.append(np.array([[news, y0], [news, y0 - 0.04]]))
        for level in (low, 0.5 * (low + 100.0), 100.0):
            rung = y0 + PANEL_H * (level - low) / (high - low)
            if level > low:
                faint.append(np.array([[x0, rung], [x0 + PANEL_W, rung]]))
            if number % columns == 0:
                axes.text(x0 - 0.02, rung, f"{level:.0f} %", ha="right", va="center", fontsize=6.5, color="#666666")
        axes.text(x0, y0 + PANEL_H + 0.05, panel.title, fontsize=8.0, fontweight="bold", va="bottom", ha="left")
        axes.text(x0 + PANEL_W, y0 + PANEL_H + 0.05, panel.number, fontsize=7.5, va="bottom", ha="right", color=INK)
        for x, y, mark in panel.series:
            few_x, few_y = decimate(x, y, BUCKETS)
            seen = np.isfinite(few_y)
            if seen.any():
                placed = np.clip((few_y[seen] - low) / (high - low), 0.0, 1.12)
                across = x0 + PANEL_W * (few_x[seen] - start) / max(end - start, 1.0)
                lines.setdefault(mark, []).append(np.column_stack([across, y0 + PANEL_H * placed]))
    axes.add_collection(LineCollection(faint, colors="#e6e6e6", linewidths=0.5, zorder=0))
    axes.add_collection(LineCollection(frame, colors="#888888", linewidths=0.5, zorder=1))
    for mark, segments in lines.items():
        for segment in segments:
            axes.plot(segment[:, 0], segment[:, 1], color=mark.colour, linestyle=mark.dash, linewidth=mark.width)
    handles = [Line2D([], [], color=mark.colour, linestyle=mark.dash, linewidth=1.2, label=label) for label, mark in keys]
    figure.legend(handles=handles, loc="upper right", ncols=len(handles) or 1, fontsize=8.0, frameon=False, borderaxespad=0.1)
    return to_svg(figure, title)
