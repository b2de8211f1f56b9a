"""Turn a figure into small, deterministic, self-contained SVG."""

from __future__ import annotations

import io
import re
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from waxline.report.scales import draw_scales

if TYPE_CHECKING:
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
    packed = (
        re.sub(r"\s*([MLCQz])\s*", r"\1", _NUMBER.sub(_shorter, value))
        if "C" in value or "Q" in value
        else "".join(_steps(part) for part in value.split("M") if part.strip())
    )
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
            straight = (ax == bx == point[0] and (by - ay) * (point[1] - by) > 0) or (ay == by == point[1] and (bx - ax) * (point[0] - bx) > 0)
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
