"""Draw the loop with volumes on its arrows: perpetuals pull spot, spot is collateral, collateral sales pull spot again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from waxline.analysis.accounting import PriceAccounting, accounting_to_low
from waxline.report.causes import in_percent
from waxline.report.marks import BLACK, BLUE, CLASS_LABELS, ORANGE, VERMILLION
from waxline.report.named import named_series
from waxline.report.numbers import NONE, bare_percent, percent, times, usd
from waxline.report.page import Figure, Section, Table, Text, table_or_text
from waxline.report.svg import to_svg
from waxline.report.view import View
from waxline.results.schema import Cause

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Box(NamedTuple):
    """Place one box of the drawing: centre, size, colour of its edge, and its lines of text (the first is bold)."""

    x: float
    y: float
    colour: str
    lines: tuple[str, ...]


BOX_W, LINE_H = 2.3, 0.19


def loop(view: View) -> Section:
    """Return the section of the loop (link 8)."""
    section = Section(
        "loop",
        "The loop, with volumes on its arrows",
        "Follow the arrows: closed positions push perpetuals, arbitrage and quotes carry that to spot, spot is what "
        "accounts pledged, and pledged coins "
        f"are sold into spot again. Amounts are taker sales from the news to the end on {view.main_venue}; price parts are "
        "medians over altcoins to their lows.",
        links=(8,),
    )
    if not view.main_venue:
        section.add(Text("The run holds no market.", "empty"))
        return section
    section.add(
        Figure(_figure(view), "The loop with volumes on its arrows"),
        table_or_text(_table(view), "Nothing to compare with: the run has no twin with feedback off."),
    )
    return section


def _part(part: PriceAccounting | None, *causes: Cause) -> str:
    if part is None or not part.n_markets:
        return NONE
    _, parts, _ = in_percent(part)
    return percent(-float(parts[[int(c) for c in causes]].sum()))


def _texts(view: View) -> dict[str, tuple[str, ...]]:
    """Return the lines of text for boxes and arrows."""
    run, main = view.run, view.main_venue
    perps, spots = run.select(main, "perp"), run.select(main, "spot")
    alt_perps, alt_spots = run.select(main, "perp", "alts"), run.select(main, "spot", "alts")
    after = run.bins_in(0.0, float(run.end_t_s))

    def sold(cause: Cause, markets: list[int]) -> str:
        return usd(float(view.sold(cause, markets)[after].sum())) if markets else NONE

    perp_part = accounting_to_low(run, alt_perps or perps) if perps else None
    spot_part = accounting_to_low(run, alt_spots or spots) if spots else None
    median = {kind: _median_fall(view, alts or every) for kind, alts, every in (("perp", alt_perps, perps), ("spot", alt_spots, spots))}
    here = view.counted.filter(pl.col("venue") == main)
    beyond = {stage: usd(float(here.filter(pl.col("stage") == stage)["notional_usd"].sum())) for stage in ("takeover", "deleveraging")}
    lost = _collateral_lost(view)
    quote = np.asarray(run.maker_quote_frac[alt_perps or perps], dtype=np.float64)
    least = (
        float(np.nanmedian(np.nanmin(quote[np.isfinite(quote).all(axis=1)], axis=1))) if quote.size and np.isfinite(quote).all(axis=1).any() else float("nan")
    )
    news = _part(perp_part, Cause.NEWS)
    return {
        "news": ("Outside news", f"booked to it: {news} of perps"),
        "perps": ("Perpetual prices fall", f"altcoins, median low {median['perp']}"),
        "closed": (
            "Positions are closed",
            f"in the book {sold(Cause.PERP_LIQUIDATION, perps)}",
            f"taken over {beyond['takeover']}",
            f"deleveraged {beyond['deleveraging']}",
        ),
        "spots": ("Spot prices fall", f"altcoins, median low {median['spot']}"),
        "pledge": ("Pledged coins are worth less", f"makers and whales: {lost}"),
        "sales": ("Collateral is sold in spot", f"{sold(Cause.COLLATERAL_LIQUIDATION, spots)}"),
        "depth": ("Makers quote less", f"altcoins: least {percent(least)} of calm size", "so every sale moves prices further"),
        "closed>perps": (f"{_part(perp_part, Cause.PERP_LIQUIDATION)} of price",),
        "sales>spots": (f"{_part(spot_part, Cause.COLLATERAL_LIQUIDATION)} of price",),
        "perps>spots": (f"arbitrage {sold(Cause.ARBITRAGE, spots)}", f"re-quoting {_part(spot_part, Cause.REQUOTING)}"),
        "spots>perps": (f"arbitrage {sold(Cause.ARBITRAGE, perps)}", f"re-quoting {_part(perp_part, Cause.REQUOTING)}"),
        "split": _split(view),
    }


def _median_fall(view: View, markets: list[int]) -> str:
    falls = [view.falls[m] for m in markets if np.isfinite(view.falls[m])]
    return percent(-float(np.median(falls))) if falls else NONE


def _collateral_lost(view: View) -> str:
    before, least = 0.0, 0.0
    for kind in ("maker", "whale"):
        for t_s, values in named_series(view, kind, "collateral_usd").values():
            after = values[t_s > 0]
            if values.size and np.isfinite(values[0]) and np.isfinite(after).any():
                before += float(values[max(int(np.searchsorted(t_s, -1, side="right")) - 1, 0)])
                least += float(np.nanmin(after))
    return f"{percent(least / before - 1.0, 0)} of {usd(before)}" if before > 0.0 else "none are named"


def _split(view: View) -> tuple[str, ...]:
    unified = pl.col("kind").is_in(["maker", "whale", "holder"])
    rows = view.run.accounts.filter(unified & pl.col("by_perp_frac").fill_nan(None).is_not_null() & (pl.col("liquidated_usd") > 0.0))
    whole = float(rows["liquidated_usd"].sum())
    if not whole > 0.0:
        return ("no unified account", "is taken")
    by_perp = float((rows["liquidated_usd"] * rows["by_perp_frac"]).sum()) / whole
    return ("slack of unified accounts:", f"{percent(by_perp, 0)} contracts, {percent(1.0 - by_perp, 0)} coins")


def _figure(view: View) -> str:
    from matplotlib.figure import Figure as MatplotlibFigure

    words = _texts(view)
    figure = MatplotlibFigure(figsize=(10.0, 4.75))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0.0, 10.0)
    axes.set_ylim(0.0, 4.75)
    boxes = {
        "news": Box(1.3, 4.15, BLACK, words["news"]),
        "perps": Box(1.3, 2.75, VERMILLION, words["perps"]),
        "closed": Box(1.3, 0.72, VERMILLION, words["closed"]),
        "depth": Box(5.2, 4.15, BLACK, words["depth"]),
        "spots": Box(5.2, 2.75, BLUE, words["spots"]),
        "pledge": Box(8.7, 2.75, ORANGE, words["pledge"]),
        "sales": Box(6.9, 0.72, ORANGE, words["sales"]),
    }
    for box in boxes.values():
        _draw_box(axes, box)
    half = BOX_W / 2
    foot, head = (
        {name: box.y - height(box) / 2 for name, box in boxes.items()},
        {name: box.y + height(box) / 2 for name, box in boxes.items()},
    )
    _arrow(axes, (1.3, foot["news"]), (1.3, head["perps"]), BLACK)
    _arrow(axes, (0.75, foot["perps"]), (0.75, head["closed"]), VERMILLION, ("accounts", "reach", "their line"), (0.83, 1.86), "left")
    _arrow(axes, (1.85, head["closed"]), (1.85, foot["perps"]), VERMILLION, words["closed>perps"], (1.93, 1.86), "left")
    _arrow(axes, (1.3 + half, 2.88), (5.2 - half, 2.88), BLUE, words["perps>spots"], (3.25, 3.17))
    _arrow(axes, (5.2 - half, 2.6), (1.3 + half, 2.6), VERMILLION, words["spots>perps"], (3.25, 2.31))
    _arrow(axes, (5.2 + half, 2.75), (8.7 - half, 2.75), ORANGE, ("collateral price",), (6.95, 2.88))
    _arrow(axes, (8.7, foot["pledge"]), (7.4, head["sales"]), ORANGE, words["split"], (8.2, 1.62), "left")
    _arrow(axes, (6.4, head["sales"]), (5.5, foot["spots"]), ORANGE, words["sales>spots"], (6.08, 1.86), "left")
    _arrow(axes, (8.7, head["pledge"]), (5.2 + half, 4.15), BLACK, ("less margin to quote with",), (7.75, 3.85), "left")
    _arrow(axes, (5.2, foot["depth"]), (5.2, head["spots"]), BLACK)
    _arrow(axes, (5.2 - half, 4.05), (1.3 + 0.8 * half, head["perps"]), BLACK)
    _arrow(axes, (6.9 - half, 0.72), (1.3 + half, 0.72), ORANGE, ("the same accounts hold contracts",), (4.1, 0.85))
    return to_svg(figure, "The loop between perpetual prices, liquidations, spot prices, pledged coins and collateral sales, with amounts")


def height(box: Box) -> float:
    """Return the height of a box in inches, by its lines."""
    return 0.24 + LINE_H * len(box.lines)


def _draw_box(axes: Axes, box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    tall = height(box)
    axes.add_patch(
        FancyBboxPatch(
            (box.x - BOX_W / 2, box.y - tall / 2),
            BOX_W,
            tall,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor="white",
            edgecolor=box.colour,
            linewidth=1.6,
            zorder=3,
        )
    )
    top = box.y + 0.5 * LINE_H * (len(box.lines) - 1)
    for number, text in enumerate(box.lines):
        axes.text(
            box.x,
            top - LINE_H * number,
            text,
            ha="center",
            va="center",
            fontsize=9.0 if number == 0 else 8.0,
            fontweight="bold" if number == 0 else "normal",
            zorder=4,
        )


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    words: tuple[str, ...] = (),
    at: tuple[float, float] = (0.0, 0.0),
    side: str = "center",
) -> None:
    axes.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.0, "shrinkA": 0.0, "shrinkB": 0.0},
        zorder=2,
    )
    for number, text in enumerate(words):
        spot = at[1] - LINE_H * (number - 0.5 * (len(words) - 1))
        axes.text(at[0], spot, text, ha=side, va="center", fontsize=8.0, color=BLACK, zorder=5)


def _table(view: View) -> Table:
    rows = []
    for size_class, label in CLASS_LABELS.items():
        for venue, kind in ((view.main_venue, "perp"), (view.main_venue, "spot"), (view.other_venue, "spot")):
            markets = [m for m in (view.of_class(size_class, venue, kind) if venue else []) if np.isfinite(view.falls[m]) and np.isfinite(view.alone(m))]
            if markets:
                rows.append(
                    (
                        f"{label}, {venue} {kind}",
                        str(len(markets)),
                        bare_percent(float(np.median([view.alone(m) for m in markets]))),
                        bare_percent(float(np.median(view.falls[markets]))),
                        times(view.amplification(markets)),
                    )
                )
    header = ("markets", "number", "fall by the news alone, median %", "fall with feedback, median %", "amplification, median")
    return Table(header, rows, "Amplification: fall with feedback ÷ fall of the same run, same seed, with all feedback switched off.")
