"""Show the liquidation waterfall in time by kind, and the collateral that was sold by coin and second."""

from __future__ import annotations

import numpy as np
import polars as pl

from waxline.analysis.selection import largest_minute_usd
from waxline.report.drawing import chart, legend_above, line, mark_peak, shade_halts, stack, time_axis
from waxline.report.marks import STAGE_FILLS, STAGE_LABELS, venue_line
from waxline.report.numbers import bare_percent, count, digits, millions, percent, usd
from waxline.report.page import Details, Figure, Heading, Section, Table, Text
from waxline.report.svg import to_svg
from waxline.report.view import View
from waxline.results.schema import COUNTED_STAGES

MAX_ASSETS = 24
LARGEST_SECONDS = 12


def waterfall(view: View) -> Section:
    """Return the section of the waterfall (links 6 and 7)."""
    section = Section(
        "waterfall",
        "The liquidation waterfall",
        "Upwards: longs closed and collateral sold; downwards: shorts closed. Kinds are told apart by hatch: first the "
        "book is used, then the fund "
        "or vault takes over, then winners are deleveraged. Every amount is one-sided notional at execution, counted once.",
    )
    section.add(Heading("kinds", "Forced closes and sales in time, by kind", (7,)))
    counted = view.counted
    if counted.height == 0:
        section.add(
            Text("Nobody was liquidated in this run.", "empty"),
            Heading("collateral-sales", "Collateral sales by coin and second", (6,)),
        )
        section.add(Text("No collateral was sold.", "empty"))
        return section
    section.add(Figure(_figure(view), "Liquidation waterfall in time by kind"), _stage_table(view), _venue_table(view), _asset_details(view))
    section.add(Heading("collateral-sales", "Collateral sales by coin and second", (6,)))
    sales = counted.filter(pl.col("stage") == "collateral_sale")
    if sales.height == 0:
        section.add(Text("No collateral was sold.", "empty"))
        return section
    section.add(
        Text(
            "The engine sells pledged coins in the spot book at any price until the debt is repaid. Darker is less, lighter is more.",
            "read",
        ),
        Figure(_collateral_figure(view, sales), "Collateral sold by coin and time"),
        _seconds_table(view, sales),
    )
    return section


def bar_width(view: View) -> int:
    """Return the width of time bars in s: about 240 of them over the run, never finer than 10 s."""
    span = float(view.run.t_s[-1] - view.run.t_s[0] + 1)
    return next((w for w in (10, 30, 60, 300, 600, 3600) if span / w <= 245), 7200)


def _figure(view: View) -> str:
    figure, (top, below) = chart(2, 1, height=5.2, gap_y=0.75, top=0.5)
    width = bar_width(view)
    parts = []
    for stage in COUNTED_STAGES:
        rows = view.counted.filter(pl.col("stage") == stage)
        for sign in (-1, 1):
            edges, total = view.per_bin(rows.filter(pl.col("side") == sign), width)
            parts.append((STAGE_LABELS[stage], -sign * total / 1e6, STAGE_FILLS[stage]))
    stack(top, edges, parts, width)
    amount, start = largest_minute_usd(view.counted, float(view.run.t_s[0]) - 1.0, float(view.run.end_t_s))
    if amount > 0.0:
        height = float(np.sum([np.maximum(values, 0.0) for _, values, _ in parts], axis=0).max())
        mark_peak(top, start + 30.0, height, f"largest minute: {view.clock.at(start, False)}, {usd(amount)}")
        top.set_ylim(top=height * 1.5)
    top.axhline(0.0, color="#666666", linewidth=0.6)
    top.set_ylabel(f"M USD per {width} s\n(shorts downwards)")
    shade_halts(top, view)
    time_axis(top, view, label=False)
    top.set_title("By kind")
    legend_above(top, 4)
    for venue in view.venues:
        rows = view.counted.filter(pl.col("venue") == venue)
        if rows.height:
            times = rows["t_s"].to_numpy().astype(np.float64)
            grid = np.arange(float(view.run.t_s[0]) - 1.0, float(view.run.t_s[-1]) + 1.0, 10.0)
            order = np.argsort(times, kind="stable")
            total = np.concatenate([[0.0], np.cumsum(rows["notional_usd"].to_numpy()[order])])
            line(below, grid, total[np.searchsorted(times[order], grid, side="right")] / 1e9, venue_line(venue, width=1.4), venue)
    below.set_ylabel("liquidated so far, B USD")
    below.set_title("By venue")
    time_axis(below, view)
    legend_above(below, 6)
    return to_svg(figure, "Forced closes and collateral sales in time, by kind and by venue")


def _long(rows: pl.DataFrame) -> float:
    return float(rows.filter(pl.col("side") < 0)["notional_usd"].sum())


def _amounts(view: View, rows: pl.DataFrame, whole: float) -> tuple[str, ...]:
    total = float(rows["notional_usd"].sum())
    peak, minute = largest_minute_usd(rows, float(view.run.t_s[0]) - 1.0, float(view.run.end_t_s))
    people = float(rows.group_by("account").agg(pl.col("weight").max())["weight"].sum())
    return (
        millions(_long(rows)),
        millions(total - _long(rows)),
        millions(total),
        bare_percent(total / whole if whole > 0 else None),
        count(people),
        view.clock.at(float(rows["t_s"].to_numpy().min())),
        view.clock.at(minute, False),
        millions(peak),
    )


AMOUNTS = (
    "longs closed or coins sold, M USD",
    "shorts closed, M USD",
    "total, M USD",
    "share, %",
    "people",
    "first at",
    "largest minute",
    "in it, M USD",
)


def _stage_table(view: View) -> Table:
    whole = float(view.counted["notional_usd"].sum())
    rows = []
    for stage in COUNTED_STAGES:
        part = view.counted.filter(pl.col("stage") == stage)
        if part.height:
            rows.append((STAGE_LABELS[stage], *_amounts(view, part, whole)))
    rows.append(("all", *_amounts(view, view.counted, whole)))
    return Table(("kind", *AMOUNTS), rows, "By kind. People: accounts by the number of people each stands for.", words=(0, 6, 7))


def _venue_table(view: View) -> Table:
    whole = float(view.counted["notional_usd"].sum())
    rows = []
    for venue in view.venues:
        part = view.counted.filter(pl.col("venue") == venue)
        if part.height:
            rows.append((venue, *_amounts(view, part, whole)))
    return Table(("venue", *AMOUNTS), rows, "By venue.", words=(0, 6, 7))


def _asset_details(view: View) -> Details:
    table = (
        view.counted.with_columns((pl.col("stage") == "collateral_sale").alias("sale"))
        .group_by("asset")
        .agg(
            pl.col("notional_usd").filter(~pl.col("sale") & (pl.col("side") < 0)).sum().alias("longs"),
            pl.col("notional_usd").filter(~pl.col("sale") & (pl.col("side") > 0)).sum().alias("shorts"),
            pl.col("notional_usd").filter(pl.col("sale")).sum().alias("sales"),
            pl.col("notional_usd").sum().alias("total"),
        )
        .sort("total", "asset", descending=[True, False])
    )
    whole = float(table["total"].sum())
    rows = [
        (
            row["asset"],
            millions(row["longs"]),
            millions(row["shorts"]),
            millions(row["sales"]),
            millions(row["total"]),
            bare_percent(row["total"] / whole),
        )
        for row in table.iter_rows(named=True)
    ]
    header = (
        "asset",
        "perp longs closed, M USD",
        "perp shorts closed, M USD",
        "collateral sold, M USD",
        "total, M USD",
        "share, %",
    )
    return Details("Perpetual liquidations and collateral sales by asset", Table(header, rows, small=True))


def _collateral_figure(view: View, sales: pl.DataFrame) -> str:
    from matplotlib.colors import LogNorm

    totals = sales.group_by("asset").agg(pl.col("notional_usd").sum()).sort("notional_usd", "asset", descending=[True, False])
    assets = totals["asset"].to_list()[:MAX_ASSETS]
    width = 60
    grid = np.zeros((len(assets), 0))
    edges = np.zeros(0)
    for number, asset in enumerate(assets):
        edges, total = view.per_bin(sales.filter(pl.col("asset") == asset), width)
        if number == 0:
            grid = np.zeros((len(assets), total.size))
        grid[number] = total
    figure, (axes,) = chart(height=0.95 + 0.17 * len(assets), left=0.72, right=1.15, top=0.3)
    shown = np.where(grid > 0.0, grid, np.nan) / 1e6
    top = max(float(np.nanmax(shown)), 1e-5)
    norm = LogNorm(max(top / 1e4, float(np.nanmin(shown))), top)
    extent = (float(edges[0]), float(edges[0]) + width * grid.shape[1], len(assets) - 0.5, -0.5)
    image = axes.imshow(shown, aspect="auto", extent=extent, cmap="cividis", norm=norm, interpolation="none")
    axes.set_yticks(np.arange(len(assets)), assets)
    axes.tick_params(axis="y", labelsize=7.0)
    axes.grid(False)
    time_axis(axes, view)
    box = axes.get_position()
    bar = figure.colorbar(image, cax=figure.add_axes((box.x1 + 0.012, box.y0, 0.012, box.height)))
    powers = np.arange(np.floor(np.log10(norm.vmin or 1.0)), np.ceil(np.log10(top)) + 1.0)
    bar.set_ticks(
        [p for p in (10.0**powers) if (norm.vmin or 0.0) <= p <= top],
        labels=[digits(p, 1) for p in (10.0**powers) if (norm.vmin or 0.0) <= p <= top],
    )
    bar.minorticks_off()
    bar.set_label("M USD per minute")
    bar.solids.set_rasterized(True)  # type: ignore[union-attr]
    axes.set_title("Pledged coins sold in spot")
    return to_svg(figure, "Collateral sold by coin and minute, million USD")


def _seconds_table(view: View, sales: pl.DataFrame) -> Table:
    table = (
        sales.group_by("t_s", "asset", "venue", "market_id")
        .agg(pl.col("notional_usd").sum(), pl.col("quantity").sum(), pl.col("account").n_unique().alias("accounts"))
        .sort("notional_usd", "t_s", "asset", descending=[True, False, False])
        .head(LARGEST_SECONDS)
    )
    rows = []
    for row in table.iter_rows(named=True):
        price = row["notional_usd"] / row["quantity"] if row["quantity"] > 0.0 else float("nan")
        before = float(view.reference[row["market_id"]]) if row["market_id"] >= 0 else float("nan")
        rows.append(
            (
                view.clock.at(row["t_s"]),
                row["asset"],
                row["venue"],
                millions(row["notional_usd"]),
                digits(row["quantity"], 4),
                digits(price, 4),
                percent(price / before - 1.0),
                count(row["accounts"]),
            )
        )
    header = ("second, UTC", "coin", "venue", "sold, M USD", "quantity, coins", "average price, USD", "against before", "accounts")
    return Table(header, rows, f"The {len(rows)} largest single seconds of collateral sales.", words=(0, 1, 2))
