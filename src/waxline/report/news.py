"""Show what hit from outside: the fair value of each asset."""

from __future__ import annotations

import numpy as np

from waxline.report.drawing import chart, label_ends, line, say_empty, time_axis
from waxline.report.marks import CLASS_LABELS, CLASS_LINES, PALE, Line
from waxline.report.numbers import bare_percent, digits
from waxline.report.page import Details, Figure, Section, Table, Text
from waxline.report.svg import to_svg
from waxline.report.view import View


def news(view: View) -> Section:
    """Return the section of the outside news (link 1)."""
    section = Section(
        "news",
        "News: fair value per asset",
        "Fair value is what informed traders believe. It is driven by the outside news only and never by the cascade: "
        "whatever prices did "
        "beyond these lines, the market did to itself.",
        links=(1,),
    )
    worst = _worst(view)
    section.add(Figure(_figure(view), "Fair value of each asset over time", "Grey: every coin. Coloured: the coins that are named."))
    if not worst:
        section.add(Text("The run holds no fair value.", "empty"))
        return section
    by_class: dict[str, list[float]] = {}
    for asset, fall, _, _ in worst:
        by_class.setdefault(view.class_of.get(asset, ""), []).append(fall)
    section.add(
        Table(
            ("size class", "assets", "smallest fall, %", "median fall, %", "largest fall, %"),
            [
                (label, str(len(by_class[key])), *(bare_percent(f(by_class[key])) for f in (np.min, np.median, np.max)))
                for key, label in CLASS_LABELS.items()
                if key in by_class
            ],
            "Largest fall of fair value below its level at t = −1 s, by size class.",
        ),
        Details(
            "Fair value of every asset",
            Table(
                ("asset", "class", "before, USD", "largest fall, %", "at", "fall at the end, %"),
                [
                    (
                        asset,
                        CLASS_LABELS.get(view.class_of.get(asset, ""), NO_CLASS),
                        digits(_before(view, asset), 5),
                        bare_percent(fall),
                        view.clock.at(at),
                        bare_percent(end),
                    )
                    for asset, fall, at, end in worst
                ],
                words=(0, 1, 4),
                small=True,
            ),
        ),
    )
    return section


NO_CLASS = "not traded"


def _before(view: View, asset: str) -> float:
    return float(view.run.fair_usd[view.run.asset_index(asset), view.run.row_at(-1.0)])


def _worst(view: View) -> list[tuple[str, float, float, float]]:
    """Return (asset, largest fall, when, fall at the end) for each asset, the market table's order."""
    out = []
    for asset in dict.fromkeys(view.run.markets["asset"].to_list()):
        if asset not in view.run.assets:
            continue
        path = np.asarray(view.run.fair_usd[view.run.asset_index(asset), view.after], dtype=np.float64)
        if path.size and np.isfinite(path).any():
            ratio = path / _before(view, asset)
            low = int(np.nanargmin(ratio))
            out.append((asset, 1.0 - ratio[low], float(view.run.t_s[view.after][low]), 1.0 - ratio[-1]))
    return out


def _figure(view: View) -> str:
    figure, (axes,) = chart(height=3.2, right=0.75)
    run = view.run
    if run.fair_usd.size == 0:
        say_empty(axes, "no fair value in this run")
        return to_svg(figure, "No fair value")
    chosen = [a for a in dict.fromkeys([*view.focus, *_typical(view)]) if a in run.assets]
    ends: list[tuple[float, str, str]] = []
    lowest = 0.0
    for number, asset in enumerate(run.assets):
        path = np.asarray(run.fair_usd[number], dtype=np.float64) / _before(view, asset)
        change = 100.0 * (path - 1.0)
        if asset in view.class_of and np.isfinite(change).any():
            lowest = min(lowest, float(np.nanmin(change)))
            line(axes, run.t_s, change, Line(PALE, width=0.5), buckets=120, zorder=1)
    for asset in chosen:
        path = np.asarray(run.fair_usd[run.asset_index(asset)], dtype=np.float64) / _before(view, asset)
        mark = CLASS_LINES.get(view.class_of.get(asset, ""), CLASS_LINES["mid"])
        line(axes, run.t_s, 100.0 * (path - 1.0), mark, buckets=300)
        ends.append((100.0 * (float(path[-1]) - 1.0), asset, mark.colour))
    low, high = axes.get_ylim()
    label_ends(axes, ends, float(run.t_s[-1]), 0.055 * (high - low))
    axes.set_ylabel("change of fair value, %")
    time_axis(axes, view)
    return to_svg(figure, "Fair value of each asset, change in per cent since before the news")


def _typical(view: View) -> list[str]:
    """Return for each size class the asset whose largest fall of fair value is the median one."""
    falls = {asset: fall for asset, fall, _, _ in _worst(view)}
    chosen = []
    for size_class in CLASS_LABELS:
        members = sorted((falls[a], a) for a in falls if view.class_of.get(a) == size_class)
        if members:
            chosen.append(members[len(members) // 2][1])
    return chosen
