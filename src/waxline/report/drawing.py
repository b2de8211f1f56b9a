"""Draw with matplotlib's objects and turn a figure into small, deterministic, self-contained SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from waxline.report.marks import GREY, INK, Fill, Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from waxline.report.view import View

WIDTH_IN = 10.0
FONT_PT = 8.5
STYLE: dict[str, Any] = {
    "svg.hashsalt": "waxline",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": FONT_PT,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 5.0,
    "axes.titley": 1.0,
    "axes.labelsize": FONT_PT,
    "axes.edgecolor": "#666666",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-12, 12),
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "legend.borderaxespad": 0.2,
    "legend.labelspacing": 0.35,
    "lines.linewidth": 1.1,
    "hatch.linewidth": 0.4,
    "path.simplify": True,
    "path.simplify_threshold": 0.2,
    "figure.facecolor": "white",
    "figure.dpi": 72.0,
    "savefig.dpi": 144.0,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Set the style of all figures drawn inside, whatever a user's matplotlibrc says, and restore it afterwards."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for key, value in STYLE.items():
            matplotlib.rcParams[key] = value  # type: ignore[index]
        yield


def chart(
    rows: int = 1,
    columns: int = 1,
    *,
    width: float = WIDTH_IN,
    height: float = 3.1,
    left: float = 0.72,
    right: float = 0.32,
    top: float = 0.3,
    bottom: float = 0.55,
    gap_x: float = 0.8,
    gap_y: float = 0.7,
    share_x: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes row by row; sizes and margins in inches."""
    from matplotlib.figure import Figure as MatplotlibFigure

    figure = MatplotlibFigure(figsize=(width, height))
    cell_w = (width - left - right - gap_x * (columns - 1)) / columns
    cell_h = (height - top - bottom - gap_y * (rows - 1)) / rows
    axes: list[Axes] = []
    for row in range(rows):
        for column in range(columns):
            x0 = left + column * (cell_w + gap_x)
            y0 = height - top - cell_h - row * (cell_h + gap_y)
            shared = axes[0] if share_x and axes else None
            added = figure.add_axes((x0 / width, y0 / height, cell_w / width, cell_h / height), sharex=shared)
            added.set_title("", y=1.0)  # a fixed height: otherwise every drawing measures all tick labels once more
            axes.append(added)
    return figure, axes


# Series ------------------------------------------------------------------------------------------------------------------


def decimate(x: NDArray[Any], y: NDArray[Any], buckets: int = 400) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return at most 2 x `buckets` points that keep the lowest and the highest of each bucket, in their order; NaN stays a gap."""
    x64, y64 = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if y64.size <= 2 * buckets:
        return x64, y64
    width = -(-y64.size // buckets)
    padding = width * (-(-y64.size // width)) - y64.size
    values = np.concatenate([y64, np.full(padding, np.nan)]).reshape(-1, width)
    base = np.arange(values.shape[0]) * width
    low = base + np.argmin(np.where(np.isnan(values), np.inf, values), axis=1)
    high = base + np.argmax(np.where(np.isnan(values), -np.inf, values), axis=1)
    index = np.minimum(np.column_stack([np.minimum(low, high), np.maximum(low, high)]).ravel(), y64.size - 1)
    return x64[index], y64[index]


def line(axes: Axes, x: NDArray[Any], y: NDArray[Any], mark: Line, label: str = "", buckets: int = 400, **more: Any) -> None:
    """Draw a decimated line; an all-NaN series draws nothing and takes no place in the legend."""
    x_few, y_few = decimate(x, y, buckets)
    if y_few.size == 0 or not np.isfinite(y_few).any():
        return
    axes.plot(x_few, y_few, color=mark.colour, linestyle=mark.dash, linewidth=mark.width, label=label or None, **more)


def stack(axes: Axes, x: NDArray[Any], parts: Sequence[tuple[str, NDArray[Any], Fill]], width: float) -> None:
    """Draw stacked bars; positive parts grow upwards, negative ones downwards, each as one outline (small in the file)."""
    from matplotlib.patches import StepPatch

    for sign in (1.0, -1.0):
        base = np.zeros(len(x))
        for label, values, fill in parts:
            amount = np.maximum(sign * np.nan_to_num(np.asarray(values, dtype=np.float64)), 0.0)
            if not amount.any():
                continue
            edges = np.concatenate([np.asarray(x, dtype=np.float64), [float(x[-1]) + width]])
            known = [patch.get_label() for patch in axes.patches]
            steps = StepPatch(
                sign * (base + amount),
                edges,
                baseline=sign * base,  # type: ignore[arg-type]
                fill=True,
                facecolor=fill.colour,
                edgecolor="white" if fill.hatch else fill.colour,
                hatch=fill.hatch or None,
                linewidth=0.0,
                label=None if label in known else label,
            )
            axes.add_artist(steps)  # add_patch would walk every step in Python to find its limits
            axes.update_datalim([(edges[0], sign * float((base + amount).max())), (edges[-1], sign * float(base.min()))])
            base += amount
    axes.autoscale_view()


# Axes --------------------------------------------------------------------------------------------------------------------


def time_axis(axes: Axes, view: View, from_s: float | None = None, to_s: float | None = None, label: bool = True) -> None:
    """Set a time axis: UTC clock, and below it the seconds from the news; the news itself is a thin line."""
    from matplotlib.ticker import FixedFormatter, FixedLocator

    start = float(view.run.t_s[0]) - 1.0 if from_s is None else from_s
    end = float(view.run.t_s[-1]) if to_s is None else to_s
    if end <= start:
        end = start + 1.0
    inches = axes.get_position().width * axes.figure.get_figwidth()  # type: ignore[union-attr]
    most = max(int(inches / 0.62), 2)
    steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
    step = next((s for s in steps if (end - start) / s <= most), 86400 * max(int((end - start) / 86400 / most), 1))
    offset = view.clock.second_of_day() % step
    first = np.ceil((start + offset) / step) * step - offset
    ticks = np.arange(first, end + 0.5, step)
    axes.set_xlim(start, end)
    axes.xaxis.set_major_locator(FixedLocator(ticks.tolist()))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{view.clock.at(t, seconds=step < 60)}\n{t:+.0f} s".replace("-", "−").replace("+0 ", "0 ") for t in ticks]))
    if start < 0.0 < end:
        axes.axvline(0.0, color=INK, linewidth=0.6, linestyle=(0.0, (1.0, 2.0)))
    if label:
        axes.set_xlabel("time of day, UTC, and seconds from the news", labelpad=1.0)


def shade_halts(axes: Axes, view: View, venues: Sequence[str] | None = None, label: bool = True) -> None:
    """Shade the times when a venue's transfers were halted, with the venue's name at the top of its shade."""
    row = 0
    for number, (venue, spans) in enumerate(view.halts.items()):
        if venues is not None and venue not in venues:
            continue
        for from_s, to_s in spans:
            hatch = ("///", "\\\\\\", "...", "+++")[number % 4]
            axes.axvspan(from_s, to_s, facecolor="#f2f2f2", edgecolor="#dcdcdc", hatch=hatch, linewidth=0.0, zorder=0.1)
            if not label:
                continue
            axes.text(
                from_s,
                0.985 - 0.085 * row,
                f" {venue}: transfers halted",
                transform=axes.get_xaxis_transform(),
                va="top",
                ha="left",
                fontsize=7.0,
                color="#666666",
                zorder=0.2,
                clip_on=True,
            )
        row += 1


def legend_above(axes: Axes, columns: int = 6, **more: Any) -> None:
    """Put the legend in one or two rows above the axes, to the right of the title."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=columns, columnspacing=1.2, **more)


def legend_of(figure: Figure, axes_of: Sequence[Axes], columns: int = 6) -> None:
    """Put one legend for several axes at the top right of the figure; what is drawn in two of them is named once."""
    known = {label: handle for axes in axes_of for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if known:
        figure.legend(list(known.values()), list(known), loc="upper right", ncols=columns, borderaxespad=0.1, columnspacing=1.2)


def say_empty(axes: Axes, sentence: str) -> None:
    """Write one sentence where there is nothing to draw."""
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", va="center", color="#666666")
    axes.set_xticks([])
    axes.set_yticks([])


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], x: float, room: float) -> None:
    """Write labels (y, text, colour) at `x`, at least `room` apart in y, so that none covers another."""
    placed: list[float] = []
    for y, text, colour in sorted(ends, key=lambda end: end[0]):
        if not np.isfinite(y):
            continue
        spot = y if not placed else max(y, placed[-1] + room)
        placed.append(spot)
        axes.text(x, spot, f" {text}", color=colour, fontsize=7.5, va="center", ha="left", clip_on=False)


def mark_peak(axes: Axes, x: float, y: float, text: str, up: bool = True) -> None:
    """Point at one value with a short text."""
    axes.annotate(
        text,
        (x, y),
        xytext=(8, 4 if up else -12),
        textcoords="offset points",
        fontsize=7.5,
        color=INK,
        arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5},
    )
