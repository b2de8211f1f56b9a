"""Write the page of `waxline inspect`: the state before any shock, and a calm time against its inputs; from results and analysis only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.analysis.calm import Calm, groups_of
from waxline.limits import REPORT_BYTES
from waxline.report.axes import class_curves, log_axis, span_of
from waxline.report.drawing import chart, drawing, legend_of, say_empty
from waxline.report.inspection_calm import calm_sections, checks_section, group_label
from waxline.report.marks import BLUE, CLASS_LABELS, GREEN, GREY, INK, ORANGE, VERMILLION
from waxline.report.numbers import bare_percent, digits, millions
from waxline.report.page import Details, Figure, Heading, Section, Table, Text, table_or_text
from waxline.report.svg import to_svg
from waxline.results.opening import Opening
from waxline.results.run_result import RunResult

SUB = (
    "The state before any shock: books, impact and makers' balance sheets, and a calm time without news against the scenario's inputs. Simulated, not a record."
)
SHOWN_SALES = (0.05, 0.1, 0.5, 1.0, 2.0, 5.0)
SHOWN_BPS = (10.0, 50.0, 100.0, 500.0)
MOST_BARS = 16


def write_inspection(run: RunResult, opening: Opening, calm: Calm, path: Path) -> None:
    """Write the page to `path`; it appears under its name only when complete. Raises OSError where it cannot be written, LimitError beyond 3 MB."""
    from waxline.report.document import write_page

    text = render_inspection(run, opening, calm)
    REPORT_BYTES.check(len(text.encode()), str(path))
    write_page(text, path)


def render_inspection(run: RunResult, opening: Opening, calm: Calm) -> str:
    """Return the page as one HTML text without outside request; the same run gives the same text."""
    from waxline.report.closing import provenance
    from waxline.report.document import page
    from waxline.report.view import View

    with drawing():
        sections = [
            checks_section(run, opening, calm),
            depth_section(opening),
            spread_section(opening, calm),
            impact_section(opening, calm),
            makers_section(opening),
            *calm_sections(run, opening, calm),
        ]
    last = provenance(View(run))
    last.read = "The same program, scenario, seed and length of the calm time give the same numbers; the line under replay repeats it."
    sections.append(last)
    return page(run, sections, title=f"{run.manifest.get('scenario', 'run')} before any shock", sub=SUB)


# Books ---------------------------------------------------------------------------------------------------------------------


def of_kind(opening: Opening, kind: str) -> NDArray[np.int64]:
    """Return the rows of the markets of one kind."""
    return np.flatnonzero(np.array(opening.kind) == kind)


def depth_section(opening: Opening) -> Section:
    """Return the depth curves of the books as built."""
    section = Section(
        "depth-curves",
        "Depth curves",
        "Cumulative size against distance from the mid, one side, logarithmic on both axes: the steeper the line, the more of the depth lies far away. "
        "A thick line is the median market of a size class, a thin one a market; solid or dashed classes as in the legend. Sides differ hardly: bids are drawn.",
    )
    section.add(Figure(_depth_figure(opening), "Cumulative bids by distance, spot and perp", "USD per market; a market may stand for many pairs."))
    rows = []
    at = {bps: int(np.argmin(np.abs(opening.distance_bps - bps))) for bps in SHOWN_BPS}
    for m, name in enumerate(opening.names):
        bids = [millions(float(opening.depth_usd[m, 0, at[bps]])) for bps in SHOWN_BPS]
        asks = millions(float(opening.depth_usd[m, 1, at[100.0]]))
        rows.append((name, group_label(opening.size_class[m]), millions(float(opening.depth_input_usd[m])), *bids, asks))
    header = ("market", "size class", "input: one side within 1 %", *(f"bids within {bps:g} bps" for bps in SHOWN_BPS), "asks within 100 bps")
    section.add(Details(f"Depth of all {len(rows)} markets, M USD", Table(header, rows, words=(0, 1), small=True)))
    return section


def _depth_figure(opening: Opening) -> str:
    figure, axes_of = chart(1, 2, height=3.7, top=0.6, gap_x=0.75, left=0.75)
    bids = opening.depth_usd[:, 0]
    span = span_of(bids)
    for axes, kind in zip(axes_of, ("spot", "perp"), strict=True):
        axes.set_title(kind)
        rows = of_kind(opening, kind)
        if rows.size == 0 or span is None:
            say_empty(axes, f"no {kind} market has a book")
            continue
        log_axis(axes, "x", float(opening.distance_bps[0]), float(opening.distance_bps[-1]))
        log_axis(axes, "y", *span)
        class_curves(axes, opening.distance_bps, bids[rows], [opening.size_class[m] for m in rows])
        axes.axvline(100.0, color=INK, linewidth=0.6, linestyle=(0.0, (1.0, 2.0)))
        axes.text(100.0, 0.015, " 1 %", transform=axes.get_xaxis_transform(), fontsize=7.5, color="#666666")
        axes.set_xlabel("distance from mid, bps")
    axes_of[0].set_ylabel("bids within the distance, USD")
    legend_of(figure, axes_of, 6)
    return to_svg(figure, "Cumulative bids against distance from the mid by size class, spot and perp, logarithmic")


def spread_section(opening: Opening, calm: Calm) -> Section:
    """Return the spreads of the books as built and in the calm time against the inputs."""
    section = Section(
        "spreads",
        "Spreads",
        "Full spread of each book as built, against the scenario's input (twice the half spread). Quotes stand on price levels: where the level distance is "
        "wider than the half spread, the built spread is the wider one. In the calm time makers add to it what volatility and inventory ask for.",
    )
    section.add(
        Figure(_spread_figure(opening, calm), "Spreads by size class: input, as built, in the calm time", "Bar: the middle 80 % of markets in the calm time.")
    )
    rows = []
    for name, members in groups_of(opening).items():
        given, built = opening.spread_input_bps[members], opening.spread_bps[members]
        rows.append((group_label(name), str(members.size), *_three(given), *_three(built), digits(_middle(built / np.maximum(given, 1e-12)))))
    header = (
        "markets",
        "number",
        *(f"input, {w}" for w in ("least", "median", "most")),
        *(f"built, {w}" for w in ("least", "median", "most")),
        "built ÷ input, median",
    )
    section.add(table_or_text(Table(header, rows, "Full spread in bps."), "No market has a book."))
    return section


def _spread_figure(opening: Opening, calm: Calm) -> str:
    groups = {name: members for name, members in groups_of(opening).items() if name in CLASS_LABELS}
    figure, (axes,) = chart(height=0.95 + 0.3 * max(len(groups), 1), left=1.3, top=0.35)
    span = span_of(opening.spread_input_bps, opening.spread_bps, calm.spread_bps)
    if span is None:
        say_empty(axes, "no book has a spread")
        return to_svg(figure, "Spreads by size class")
    log_axis(axes, "x", *span)
    rows = [name for name in CLASS_LABELS if name in groups][::-1]
    for y, name in enumerate(rows):
        seen = calm.spread_bps[groups[name]]
        seen = seen[np.isfinite(seen)]
        if seen.size:
            low, middle, high = np.quantile(seen, (0.1, 0.5, 0.9))
            axes.plot(
                [low, high], [y, y], color=VERMILLION, linewidth=4.0, solid_capstyle="butt", alpha=0.45, label="calm time, 10 to 90 %" if y == 0 else None
            )
            axes.plot([middle], [y], "o", color=VERMILLION, markersize=6.0, label="calm time, median" if y == 0 else None)
        for values, marker, colour, label in ((opening.spread_bps, "s", BLUE, "as built, median"), (opening.spread_input_bps, "D", INK, "input, median")):
            axes.plot([_middle(values[groups[name]])], [y], marker, color=colour, markersize=5.0, linestyle="none", label=label if y == 0 else None)
    axes.set_yticks(range(len(rows)), [CLASS_LABELS[name] for name in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(False, axis="y")
    axes.set_xlabel("full spread, bps")
    legend_of(figure, [axes], 4)
    return to_svg(figure, "Full spread by size class: input, as built, and in the calm time, logarithmic")


def _three(values: NDArray[np.float64]) -> tuple[str, str, str]:
    good = values[np.isfinite(values)]
    return (digits(float(good.min())), digits(float(np.median(good))), digits(float(good.max()))) if good.size else ("–", "–", "–")


def _middle(values: NDArray[np.float64]) -> float:
    good = values[np.isfinite(values)]
    return float(np.median(good)) if good.size else float("nan")


# Impact --------------------------------------------------------------------------------------------------------------------


def impact_section(opening: Opening, calm: Calm) -> Section:
    """Return what one market sale does to each book as built, before anyone reacts."""
    section = Section(
        "impact-curves",
        "Impact of one sale",
        "One market sale into the book as built, walked by the clearing's own loop, before anyone refills or reacts. Left: how far below the best bid the "
        "last coin is sold. Right: what the whole sale costs, average price against mid. Sizes are multiples of the market's depth within 1 %. A slope above 1 "
        "is convex: twice the size moves the price more than twice as far.",
    )
    section.add(Figure(_impact_figure(opening), "Price move and cost against the size of one sale"))
    at = {size: int(np.argmin(np.abs(opening.sale_frac - size))) for size in SHOWN_SALES}
    rows = []
    for name, members in groups_of(opening).items():
        cells = [digits(_middle(opening.walked_bps[members][:, at[size]])) for size in SHOWN_SALES]
        costs = [digits(_middle(opening.cost_bps[members][:, at[size]])) for size in (0.1, 1.0)]
        rows.append((group_label(name), str(members.size), *cells, *costs, digits(calm.step_exponent.get(name), 3)))
    header = (
        "markets",
        "number",
        *(f"last price below best bid, bps: sale of {size:g} x depth" for size in SHOWN_SALES),
        *(f"cost, bps: sale of {size:g} x depth" for size in (0.1, 1.0)),
        "exponent within a step",
    )
    section.add(Table(header, rows, "Median over the markets of a row; exponent fitted to sales of 0.1 to 2 times the depth."))
    full = int(np.argmin(np.abs(opening.sale_frac - 1.0)))
    all_rows = [
        (
            name,
            digits(float(opening.depth_input_usd[m]) / 1e6),
            *(digits(float(opening.walked_bps[m, at[size]])) for size in SHOWN_SALES),
            digits(float(opening.cost_bps[m, full])),
            bare_percent(float(opening.filled_frac[m, -1])),
        )
        for m, name in enumerate(opening.names)
    ]
    all_header = ("market", "depth, M USD", *(f"{size:g} x" for size in SHOWN_SALES), "cost of 1 x", f"filled of {opening.sale_frac[-1]:g} x, %")
    section.add(Details(f"Impact of all {len(all_rows)} markets, bps", Table(all_header, all_rows, small=True)))
    return section


def _impact_figure(opening: Opening) -> str:
    figure, axes_of = chart(1, 2, height=3.5, top=0.4, gap_x=0.85, left=0.75)
    for axes, values, label in zip(
        axes_of, (opening.walked_bps, opening.cost_bps), ("last price below best bid, bps", "average price below mid, bps"), strict=True
    ):
        whole = np.where(np.nan_to_num(opening.filled_frac) > 0.999, values, np.nan)
        span = span_of(whole)
        if span is None:
            say_empty(axes, "no book takes a sale")
            continue
        log_axis(axes, "x", float(opening.sale_frac[0]), float(opening.sale_frac[-1]))
        log_axis(axes, "y", *span)
        class_curves(axes, opening.sale_frac, whole, opening.size_class)
        axes.set_xlabel("size of the sale ÷ depth within 1 %")
        axes.set_ylabel(label)
    legend_of(figure, axes_of, 6)
    return to_svg(figure, "Price move and cost of one market sale against its size, by size class, logarithmic")


# Makers --------------------------------------------------------------------------------------------------------------------


def makers_section(opening: Opening) -> Section:
    """Return the makers' balance sheets."""
    section = Section(
        "makers",
        "Makers' balance sheets",
        "What each maker has pledged, borrowed against it and lent out again, what it posts, and how far all coins could fall together before the venue takes the "
        "account (debts, cash and positions as they are now; nobody reacts). Accounts without debt and without positions cannot be liquidated.",
    )
    makers = opening.makers
    if not makers.height:
        section.add(Text("No maker is in this scenario.", "empty"))
        return section
    borrowing = makers.filter(pl.col("borrowed_usd") > 0.0).sort("borrowed_usd", "account", descending=[True, False])
    if borrowing.height:
        section.add(Figure(_makers_figure(borrowing.head(MOST_BARS)), "Balance sheets of the accounts that borrow, and their distance to liquidation"))
        section.add(Table(MAKER_HEADER, [*_maker_rows(borrowing), _maker_sum("all that borrow", borrowing)], "Accounts that borrow, M USD.", words=(0, 1)))
    else:
        section.add(Text("No maker borrows against pledged coins here.", "empty"))
    others = makers.filter(~(pl.col("borrowed_usd") > 0.0)).sort("quote_usd", "account", descending=[True, False])
    if others.height:
        rows = [*_maker_rows(others), _maker_sum("all without a loan", others)]
        section.add(Details(f"Accounts of makers without a loan: {others.height}", Table(MAKER_HEADER, rows, "M USD.", words=(0, 1))))
    section.add(Heading("quotes", "Who quotes"), _quotes_table(makers))
    return section


MONEY = ("pledged_usd", "coins_usd", "counted_usd", "borrowed_usd", "lent_usd", "debt_usd", "cash_usd", "equity_usd", "maintenance_usd")
MAKER_HEADER = (
    *("account", "venue", "pledged coins, full value", "all coins, full value", "coins after haircut", "borrowed", "lent away", "debt on the account"),
    *("cash", "equity", "requirement", "fall of all coins to liquidation, %", "posted within 1 %, both sides", "books"),
)


def _maker_rows(makers: pl.DataFrame) -> list[tuple[str, ...]]:
    return [
        (
            *(row[name] for name in ("account", "venue")),
            *(millions(row[name]) for name in MONEY),
            bare_percent(row["distance_frac"]),
            millions(row["quote_usd"]),
            str(row["books"]),
        )
        for row in makers.iter_rows(named=True)
    ]


def _maker_sum(name: str, makers: pl.DataFrame) -> tuple[str, ...]:
    sums = (millions(float(makers[column].sum())) for column in MONEY)
    return (name, "", *sums, "", millions(float(makers["quote_usd"].sum())), str(int(makers["books"].sum())))


def _quotes_table(makers: pl.DataFrame) -> Table:
    whole = float(makers["quote_usd"].sum())
    rows = []
    groups = [(str(owner[0]), group) for owner, group in makers.group_by("owner", maintain_order=True)]
    for owner, group in sorted(groups, key=lambda item: (-float(item[1]["quote_usd"].sum()), item[0])):
        posted = float(group["quote_usd"].sum())
        distance = group["distance_frac"].drop_nans().drop_nulls()
        nearest = bare_percent(float(np.min(distance.to_numpy()))) if distance.len() else "–"
        rows.append((owner, millions(posted), bare_percent(posted / whole if whole else float("nan")), millions(float(group["equity_usd"].sum())), nearest))
    shares = [float(group["quote_usd"].sum()) / whole for _, group in groups] if whole else []
    effective = 1.0 / sum(share * share for share in shares) if shares else float("nan")
    caption = f"Makers over all venues; their concentration equals that of {digits(effective, 2)} makers of equal size (1 ÷ sum of squared shares)."
    return Table(("maker", "posted within 1 %, M USD", "part of all makers, %", "equity, M USD", "nearest liquidation, fall of all coins, %"), rows, caption)


def _makers_figure(makers: pl.DataFrame) -> str:
    rows = list(makers.iter_rows(named=True))[::-1]
    figure, (left, right) = chart(1, 2, height=1.15 + 0.62 * len(rows), left=1.55, top=0.5, gap_x=0.35)
    y = np.arange(len(rows), dtype=np.float64)
    bars = (
        ("pledged coins, full value", "pledged_usd", GREY, ""),
        ("borrowed", "borrowed_usd", ORANGE, "////"),
        ("lent away", "lent_usd", VERMILLION, "\\\\\\\\"),
        ("equity", "equity_usd", BLUE, ""),
        ("requirement", "maintenance_usd", INK, ""),
    )
    for n, (label, name, colour, hatch) in enumerate(bars):
        values = np.array([row[name] for row in rows]) / 1e6
        left.barh(y + 0.32 - 0.16 * n, values, 0.15, color=colour, hatch=hatch or None, edgecolor="white", linewidth=0.0, label=label)
    left.set_yticks(y, [str(row["account"]) for row in rows])
    left.grid(False, axis="y")
    left.set_xlabel("M USD")
    distance = np.array([100.0 * row["distance_frac"] for row in rows])
    right.barh(y, np.nan_to_num(distance), 0.5, color=GREEN, edgecolor="white", linewidth=0.0)
    for place, value in zip(y, distance, strict=True):
        right.text(
            float(np.nan_to_num(value)),
            float(place),
            f" {digits(float(value))} %" if np.isfinite(value) else " not by falling coins",
            va="center",
            fontsize=7.5,
        )
    right.set_yticks(y, [""] * len(rows))
    right.set_xlim(0.0, 115.0)
    right.set_xlabel("fall of all coins to liquidation, %")
    right.grid(False, axis="y")
    legend_of(figure, [left], 5)
    return to_svg(figure, "Pledged coins, loans, lent cash, equity and requirement of makers' accounts, and the fall of all coins to their liquidation")
