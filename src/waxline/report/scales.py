"""Draw ticks, tick labels, grid and labels of axes as few plain artists.

matplotlib keeps five objects per tick and measures every label several times: that is half the time of a report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICK_PT, TICK_FONT_PT, LABEL_FONT_PT = 3.0, 8.0, 8.5
TICK_COLOUR, MARK_COLOUR, GRID_COLOUR = "#444444", "#666666", "#e6e6e6"
MARK_LEFT, MARK_RIGHT, MARK_DOWN = 0, 1, 3


def draw_scales(axes: Axes) -> None:
    """Draw the scales of `axes` and hide matplotlib's own; the bar of colours keeps its own."""
    if not axes.axison or axes.get_label() == "<colorbar>":
        return
    for axis, draw in ((axes.xaxis, _draw_across), (axes.yaxis, _draw_up)):
        if axis.get_visible():
            draw(axes, _ticks(axis))
            axis.set_visible(False)


def _ticks(axis: Any) -> list[tuple[float, str]]:
    """Return the places and words of the ticks in view."""
    low, high = sorted(axis.get_view_interval())
    places = np.asarray(axis.get_majorticklocs(), dtype=np.float64)
    words = axis.get_major_formatter().format_ticks(places)
    room = 1e-6 * (high - low)
    return [(float(p), str(w)) for p, w in zip(places, words, strict=False) if low - room <= p <= high + room]


def _draw_across(axes: Axes, ticks: list[tuple[float, str]]) -> None:
    from matplotlib.transforms import offset_copy

    figure: Any = axes.figure
    base = axes.get_xaxis_transform()
    at = [place for place, _ in ticks]
    _draw_marks(axes, axes.xaxis, at, [0.0] * len(at), [[(p, 0.0), (p, 1.0)] for p in at], MARK_DOWN, base)
    away = offset_copy(base, figure, y=-TICK_PT - 2.5, units="points")
    for place, word in ticks:
        axes.text(place, 0.0, word, transform=away, ha="center", va="top", fontsize=TICK_FONT_PT, color=TICK_COLOUR)
    rows = max((word.count("\n") + 1 for _, word in ticks), default=0)
    below = offset_copy(axes.transAxes, figure, y=-TICK_PT - 5.0 - 1.25 * TICK_FONT_PT * rows, units="points")
    if axes.get_xlabel():
        axes.text(0.5, 0.0, axes.get_xlabel(), transform=below, ha="center", va="top", fontsize=LABEL_FONT_PT)


def _draw_up(axes: Axes, ticks: list[tuple[float, str]]) -> None:
    from matplotlib.transforms import offset_copy

    figure: Any = axes.figure
    right = str(axes.yaxis.get_label_position()) == "right"
    edge, side = (1.0, 1.0) if right else (0.0, -1.0)
    base = axes.get_yaxis_transform()
    at = [place for place, _ in ticks]
    grid = [[(0.0, p), (1.0, p)] for p in at]
    _draw_marks(axes, axes.yaxis, [edge] * len(at), at, grid, MARK_RIGHT if right else MARK_LEFT, base)
    away = offset_copy(base, figure, x=side * (TICK_PT + 2.5), units="points")
    align = "left" if right else "right"
    for place, word in ticks:
        axes.text(edge, place, word, transform=away, ha=align, va="center", fontsize=TICK_FONT_PT, color=TICK_COLOUR)
    wide = 0.56 * TICK_FONT_PT * max((len(word) for _, word in ticks), default=0)
    beside = offset_copy(axes.transAxes, figure, x=side * (TICK_PT + 7.0 + wide), units="points")
    turned: dict[str, Any] = {"rotation": 90.0, "rotation_mode": "anchor", "va": "top" if right else "bottom"}
    if axes.get_ylabel():
        axes.text(edge, 0.5, axes.get_ylabel(), transform=beside, ha="center", fontsize=LABEL_FONT_PT, **turned)


def _draw_marks(axes: Axes, axis: Any, x: list[float], y: list[float], grid: list[Any], marker: Any, base: Any) -> None:
    """Draw the grid as one collection and the tick marks as one line of markers."""
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    if not x:
        return
    if axis.get_tick_params().get("gridOn"):
        axes.add_artist(LineCollection(grid, colors=GRID_COLOUR, linewidths=0.5, transform=base, zorder=0.3))
    marks = Line2D(x, y, linestyle="none", marker=marker, markersize=TICK_PT, color=MARK_COLOUR, markeredgewidth=0.6)
    marks.set_transform(base)
    marks.set_clip_on(False)
    axes.add_artist(marks).set_clip_on(False)
