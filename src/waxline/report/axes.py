"""Draw markets as points against their inputs, and curves on logarithmic axes whose ticks are written as plain words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from waxline.report.marks import CLASS_LABELS, CLASS_LINES, GREY, PALE
from waxline.report.numbers import digits, usd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = {"btc_eth": "o", "major": "s", "mid": "^", "small": "v", "tiny": "D", "claim": "P"}


def plain(value: float) -> str:
    """Write a tick: 0.01, 1, 100, 10 k, 1 M."""
    return usd(value, 1).removesuffix(" USD") if value >= 1000.0 else digits(value, 1)


def log_axis(axes: Axes, which: str, low: float, high: float, write: Callable[[float], str] = plain) -> None:
    """Make one axis logarithmic from `low` to `high` (positive), a tick per decade, or 1, 2 and 5 where there are fewer than three decades."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1.0, 2.0, 5.0) if math.log10(high / low) < 2.2 else (1.0,)
    every = 2 if last - first > 9 else 1
    ticks = [m * 10.0**e for e in range(first, last + 1, every) for m in steps]
    ticks = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    if which == "x":
        axes.set_xscale("log")
        axes.set_xlim(low, high)
    else:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
    axis: Any = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([write(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())


def span_of(*values: NDArray[Any], room: float = 1.4) -> tuple[float, float] | None:
    """Return the range of all finite positive values with some room on both sides; None where there are none."""
    every = np.concatenate([np.asarray(v, dtype=np.float64).ravel() for v in values])
    every = every[np.isfinite(every) & (every > 0.0)]
    return (float(every.min()) / room, float(every.max()) * room) if every.size else None


def against_input(axes: Axes, given: NDArray[Any], measured: NDArray[Any], classes: Sequence[str], factor: float = 2.0) -> bool:
    """Draw a point per market, measured over given, with the line of equality and the band of a factor; False where nothing can be drawn."""
    span = span_of(given, measured)
    if span is None or not (np.isfinite(given) & np.isfinite(measured) & (given > 0.0) & (measured > 0.0)).any():
        return False
    log_axis(axes, "x", *span)
    log_axis(axes, "y", *span)
    ends = np.array(span)
    axes.fill_between(ends, ends / factor, ends * factor, color="#f0f0f0", linewidth=0.0, zorder=0.1, label=f"within a factor {factor:g}")
    axes.plot(ends, ends, color=GREY, linewidth=0.8, zorder=0.2)
    for name, label in CLASS_LABELS.items():
        mine = np.array([c == name for c in classes], dtype=bool) & (np.asarray(given) > 0.0) & (np.asarray(measured) > 0.0)
        if mine.any():
            axes.plot(given[mine], measured[mine], MARKERS[name], color=CLASS_LINES[name].colour, markersize=3.6, markeredgewidth=0.0, label=label, alpha=0.85)
    return True


def class_curves(axes: Axes, x: NDArray[Any], curves: NDArray[Any], classes: Sequence[str], label: bool = True, faint: bool = True) -> None:
    """Draw the median over the markets [M, N] of each class as a line of its own colour and dash, every market as a faint line below.

    A median stands only where every market of the class has a number; what is not positive has no place on a logarithmic axis.
    """
    for name, text in CLASS_LABELS.items():
        mine = np.array([c == name for c in classes], dtype=bool)
        if not mine.any():
            continue
        rows = np.asarray(curves, dtype=np.float64)[mine]
        if faint:
            for row in rows[:40]:
                axes.plot(x, np.where(row > 0.0, row, np.nan), color=PALE, linewidth=0.35, zorder=0.4)
        middle = np.median(rows, axis=0)
        middle[~(middle > 0.0)] = np.nan
        mark = CLASS_LINES[name]
        axes.plot(x, middle, color=mark.colour, linestyle=mark.dash, linewidth=1.6, label=text if label else None)
