"""Turn a figure into small, deterministic, self-contained SVG, with ticks and labels drawn at a third of the usual cost."""

from __future__ import annotations

import io
import re
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_PATH = re.compile(r'( d| transform| points)="([^"]*)"')
_ATTRIBUTE = re.compile(r'( (?:x|y|width|height|viewBox)=")(-?[\d. -]+)"')
_ID = re.compile(r' id="([^"]*)"')
_FAMILY = re.compile(r"font-family: [^;\"]*;? ?|(?<=px) '[^;\"]*(?=[;\"])")
_NO_TURN = re.compile(r' transform="rotate\(-?0 [^"]*\)"')


def _shorter(match: re.Match[str]) -> str:
    text = f"{float(match.group()):.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _path(match: re.Match[str]) -> str:
    """Shorten one path, transform or list of points to tenths of a point; straight lines become relative steps."""
    name, value = match.groups()
    if name != " d":
        return f'{name}="{_NUMBER.sub(_shorter, value)}"'
    if "C" in value or "Q" in value:
        packed = re.sub(r"\s*([MLCQz])\s*", r"\1", _NUMBER.sub(_shorter, value))
    else:
        packed = "".join(_steps(part) for part in value.split("M") if part.strip())
    return f'{name}="{packed.strip()}"'


def _steps(polyline: str) -> str:
    """Return the path "M x y l dx dy ..." of one polyline in tenths of a point; points that turn nothing are left out."""
    closed = "z" in polyline
    numbers = [round(10.0 * float(text)) for text in polyline.replace("z", " ").replace("L", " ").split()]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    kept = [points[0]]
    for point in points[1:]:
        if point == kept[-1]:
            continue
        if len(kept) > 1:
            (ax, ay), (bx, by) = kept[-2], kept[-1]
            straight = (ax == bx == point[0] and (by - ay) * (point[1] - by) > 0) or (
                ay == by == point[1] and (bx - ax) * (point[0] - bx) > 0
            )
            if straight:
                kept.pop()
        kept.append(point)
    parts = [f"M{kept[0][0] / 10:g} {kept[0][1] / 10:g}"]
    for (ax, ay), (bx, by) in pairwise(kept):
        if ay == by:
            parts.append(f"h{(bx - ax) / 10:g}")
        elif ax == bx:
            parts.append(f"v{(by - ay) / 10:g}")
        else:
            parts.append(f"l{(bx - ax) / 10:g} {(by - ay) / 10:g}")
    if len(parts) == 1:
        parts.append("h0")
    return "".join(parts).replace(" -", "-") + ("z" if closed else "")


def to_svg(figure: Figure, title: str) -> str:
    """Return `figure` as an SVG element for a page: no prolog, no addresses, no dates, short numbers, only ids that are used."""
    for axes in figure.axes:
        draw_scales(axes)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"<style type=\"text/css\">.*?</style>", "", text, flags=re.S)
    text = text.replace("xlink:href", "href")
    used = set(re.findall(r"#([\w-]+)", text))
    text = _ID.sub(lambda match: match.group() if match.group(1) in used else "", text)
    text = _PATH.sub(_path, text)
    text = _ATTRIBUTE.sub(lambda match: match.group(1) + _NUMBER.sub(_shorter, match.group(2)) + '"', text)
    text = _NO_TURN.sub("", _FAMILY.sub("", text))
    text = re.sub(r">\s+<", "><", text)
    text = re.sub(r"<defs\s*/>|<defs></defs>", "", text)
    width, height = (float(value) * 72.0 for value in figure.get_size_inches())
    body = text[text.index(">") + 1 :]
    alt = escape(title, quote=True)
    return f'<svg class="fig" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{alt}">{body}'.strip()


# Scales ------------------------------------------------------------------------------------------------------------------

TICK_PT, TICK_FONT_PT, LABEL_FONT_PT = 3.0, 8.0, 8.5
TICK_COLOUR, GRID_COLOUR = "#444444", "#e6e6e6"


def draw_scales(axes: Axes) -> None:
    """Draw ticks, tick labels, grid and axis labels of `axes` as few plain artists, and hide matplotlib's own.

    matplotlib keeps five objects per tick and measures every label several times: half the time of a report.
    """
    if not axes.axison or axes.get_label() == "<colorbar>":
        return
    for axis, horizontal in ((axes.xaxis, True), (axes.yaxis, False)):
        if axis.get_visible():
            _draw_scale(axes, axis, horizontal)
            axis.set_visible(False)


def _draw_scale(axes: Axes, axis: Any, horizontal: bool) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.transforms import offset_copy

    low, high = sorted(axis.get_view_interval())
    places = np.asarray(axis.get_majorticklocs(), dtype=np.float64)
    words = axis.get_major_formatter().format_ticks(places)
    room = 1e-6 * (high - low)
    shown = [(float(p), str(w)) for p, w in zip(places, words, strict=False) if low - room <= p <= high + room]
    right = not horizontal and axis.get_label_position() == "right"
    side, edge = (-1.0, 0.0) if not right else (1.0, 1.0)
    base = axes.get_xaxis_transform() if horizontal else axes.get_yaxis_transform()
    figure = axes.figure
    away = offset_copy(base, figure, **({"y": -TICK_PT - 2.5} if horizontal else {"x": side * (TICK_PT + 2.5)}), units="points")  # type: ignore[arg-type]
    at = [p for p, _ in shown]
    if axis.get_tick_params().get("gridOn") and at:
        lines = [[(p, 0.0), (p, 1.0)] if horizontal else [(0.0, p), (1.0, p)] for p in at]
        axes.add_artist(LineCollection(lines, colors=GRID_COLOUR, linewidths=0.5, transform=base, zorder=0.3))
    dash = 2 if not horizontal and not right else (1 if right else 3)
    ends = [edge] * len(at)
    if at:
        marks = {1: 1, 2: 0, 3: 3}[dash]  # tick marks to the right, to the left, downwards
        axes.plot(
            at if horizontal else ends,
            ends if horizontal else at,
            linestyle="none",
            marker=marks,
            markersize=TICK_PT,
            color="#666666",
            markeredgewidth=0.6,
            transform=base,
            clip_on=False,
            scalex=False,
            scaley=False,
            label="_scale",
        )
    for place, word in shown:
        if horizontal:
            axes.text(place, edge, word, transform=away, ha="center", va="top", fontsize=TICK_FONT_PT, color=TICK_COLOUR)
        else:
            axes.text(
                edge,
                place,
                word,
                transform=away,
                ha="left" if right else "right",
                va="center",
                fontsize=TICK_FONT_PT,
                color=TICK_COLOUR,
            )
    label = axis.get_label_text()
    if not label:
        return
    if horizontal:
        rows = max((word.count("\n") + 1 for _, word in shown), default=0)
        spot = offset_copy(base, figure, y=-TICK_PT - 5.0 - 1.25 * TICK_FONT_PT * rows, units="points")  # type: ignore[arg-type]
        axes.text((low + high) / 2.0, 0.0, label, transform=spot, ha="center", va="top", fontsize=LABEL_FONT_PT)
    else:
        wide = 0.56 * TICK_FONT_PT * max((len(word) for _, word in shown), default=0)
        spot = offset_copy(axes.transAxes, figure, x=side * (TICK_PT + 7.0 + wide), units="points")  # type: ignore[arg-type]
        axes.text(
            edge,
            0.5,
            label,
            transform=spot,
            ha="center",
            va="top" if right else "bottom",
            rotation=90.0,
            rotation_mode="anchor",
            fontsize=LABEL_FONT_PT,
        )
