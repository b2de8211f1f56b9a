"""Show the price accounting by cause, generations, what consumed the slack, and contagion from large accounts."""

from __future__ import annotations

import numpy as np
import polars as pl

from waxline.analysis.accounting import (
    PriceAccounting,
    accounting_to_low,
    cause_path,
    forced_rows,
    generation_histogram,
    generations_over_time,
)
from waxline.report.drawing import chart, legend_of, line, say_empty, shade_halts, stack, time_axis
from waxline.report.marks import BLACK, BLUE, CAUSE_GROUPS, CLASS_LABELS, DASHED, VERMILLION, Line
from waxline.report.numbers import bare_percent, digits, millions
from waxline.report.page import Details, Figure, Heading, Section, Table, Text, table_or_text
from waxline.report.svg import to_svg
from waxline.report.view import Float64, View
from waxline.results.schema import SHARE_COLUMNS, Cause


def causes(view: View) -> Section:
    """Return the section of price accounting and generations."""
    section = Section(
        "causes",
        "Price accounting by cause",
        "Every change of a mid is booked to what caused it. To the right: what pushed the price down between the news and "
        "the low of each market; "
        "to the left: what held it up. The parts add up to the fall (diamond).",
    )
    rows = accounting_rows(view)
    section.add(Heading("by-cause", "Parts of the fall by cause"))
    if rows:
        section.add(
            Figure(_parts_figure(rows), "Parts of the fall by cause, asset group and venue"),
            parts_table(rows),
            _single_causes(rows),
            Text("Parts are changes of the logarithm of the mid, scaled to the fall in per cent. Mean over the markets of a row by the pairs they stand for."),
            _every_market(view),
        )
    else:
        section.add(Text("No market has a mid before and after the news.", "empty"))
    example = example_market(view)
    section.add(Heading("by-cause-in-time", "By cause in time, for one market"))
    if example is None:
        section.add(Text("The run holds no market.", "empty"))
    else:
        section.add(
            Text(f"{view.names[example]}: what was booked to each cause since the news. The black line is the price.", "read"),
            Figure(_path_figure(view, example), f"Change of {view.names[example]} by cause in time"),
        )
    section.add(Heading("generations", "Generations"))
    if forced_rows(view.run).height:
        section.add(
            Text(
                "Generation 1 was triggered by the news itself; generation 3 by flows that were on average triggered by flows of generation 2.",
                "read",
            ),
            Figure(_generations_figure(view), "Forced volume by generation, and generation in time"),
            _consumed_table(view),
        )
    else:
        section.add(Text("Nobody was triggered after the news: there are no generations.", "empty"))
    return section


def group_shares(rows: pl.DataFrame) -> list[float] | None:
    """Return the shares of what consumed the slack by group of causes, weighted by amount; None without any share."""
    usd = rows["notional_usd"].fill_null(0.0).to_numpy()
    shares = rows.select(pl.col(SHARE_COLUMNS).fill_nan(0.0).fill_null(0.0)).to_numpy().astype(np.float64)
    by_cause = usd @ shares if rows.height else np.zeros(len(Cause))
    if not by_cause.sum() > 0.0:
        return None
    return [float(by_cause[[int(c) for c in group.causes]].sum() / by_cause.sum()) for group in CAUSE_GROUPS]


def accounting_rows(view: View) -> list[tuple[str, PriceAccounting]]:
    """Return (label, accounting to the low) for each size class on the main venue's perp and spot and the other venue's spot."""
    rows = []
    for size_class, label in CLASS_LABELS.items():
        for venue, kind in ((view.main_venue, "perp"), (view.main_venue, "spot"), (view.other_venue, "spot")):
            markets = view.of_class(size_class, venue, kind) if venue else []
            part = accounting_to_low(view.run, markets) if markets else None
            if part is not None and part.n_markets and part.total_dlog < 0.0:
                rows.append((f"{label}, {venue} {kind}", part))
    return rows


def in_percent(part: PriceAccounting) -> tuple[float, Float64, float]:
    """Return the fall as a fraction, its parts by cause (positive pushes down) and the unbooked rest; parts + rest = fall."""
    fall = 1.0 - float(np.exp(part.total_dlog))
    scale = fall / part.total_dlog if part.total_dlog != 0.0 else 0.0
    return fall, np.asarray(part.parts_dlog * scale, dtype=np.float64), part.residual_dlog * scale


def _parts_figure(rows: list[tuple[str, PriceAccounting]]) -> str:
    figure, (axes,) = chart(height=1.35 + 0.24 * len(rows), left=2.3, top=0.7)
    y = np.arange(len(rows))[::-1]
    down, up = np.zeros(len(rows)), np.zeros(len(rows))
    solved = [in_percent(part) for _, part in rows]
    for group in CAUSE_GROUPS:
        values = np.array([100.0 * parts[[int(c) for c in group.causes]].sum() for _, parts, _ in solved])
        if not np.any(np.abs(values) > 1e-9):
            continue
        left = np.where(values >= 0.0, down, up)
        axes.barh(
            y,
            values,
            0.72,
            left=left,
            color=group.fill.colour,
            hatch=group.fill.hatch or None,
            edgecolor="white",
            linewidth=0.0,
            label=group.label,
        )
        down += np.maximum(values, 0.0)
        up += np.minimum(values, 0.0)
    axes.plot([100.0 * fall for fall, _, _ in solved], y, "D", color=BLACK, markersize=4.5, linestyle="none", label="fall")
    axes.axvline(0.0, color="#666666", linewidth=0.7)
    axes.set_yticks(y, [label for label, _ in rows])
    axes.grid(False, axis="y")
    axes.set_xlabel("% of the price before the news; to the right: pushed down, to the left: held up")
    legend_of(figure, [axes], 5)
    return to_svg(figure, "Parts of the fall to the low by cause, per cent of the price before the news")


def parts_table(rows: list[tuple[str, PriceAccounting]]) -> Table:
    """Return the parts by group of causes of each row in per cent; what is not booked closes the sum."""
    body: list[tuple[str, ...]] = []
    for label, part in rows:
        fall, parts, rest = in_percent(part)
        shown = [float(parts[[int(c) for c in group.causes]].sum()) for group in CAUSE_GROUPS]
        body.append((label, str(part.n_markets), bare_percent(fall, 2), *(bare_percent(v, 2) for v in shown), bare_percent(rest, 2)))
    header = ("markets", "number", "fall of mid, %", *(group.label for group in CAUSE_GROUPS), "not booked")
    caption = "Parts of the fall of the mid from the news to the low, % of the price before. A row adds up to its fall."
    return Table(header, body, caption, small=True)


def _single_causes(rows: list[tuple[str, PriceAccounting]]) -> Details:
    """Return a row per cause and a column per row of the main table."""
    solved = [in_percent(part) for _, part in rows]
    body = [(cause.label, *(bare_percent(float(parts[int(cause)]), 2) for _, parts, _ in solved)) for cause in Cause]
    body.append(("not booked", *(bare_percent(rest, 2) for _, _, rest in solved)))
    body.append(("fall of mid", *(bare_percent(fall, 2) for fall, _, _ in solved)))
    return Details("Every single cause", Table(("cause, % of the price before", *(label for label, _ in rows)), body, small=True))


def _every_market(view: View) -> Details:
    rows = []
    for market in range(view.run.markets.height):
        part = accounting_to_low(view.run, [market])
        if part.n_markets:
            fall, parts, _ = in_percent(part)
            shown = (float(parts[[int(c) for c in group.causes]].sum()) for group in CAUSE_GROUPS)
            rows.append((view.names[market], bare_percent(fall), *(bare_percent(value) for value in shown), view.clock.at(part.to_s)))
    header = ("market", "fall of mid, %", *(f"{group.label}, %" for group in CAUSE_GROUPS), "low at")
    return Details("Parts of the fall of every market", Table(header, rows, words=(0, len(header) - 1), small=True))


def example_market(view: View) -> int | None:
    """Return the market shown in time: the main venue's perpetual (else spot) of the altcoin with the most liquidated there."""
    sums = view.counted.filter(pl.col("venue") == view.main_venue).group_by("asset").agg(pl.col("notional_usd").sum())
    ranked = sums.sort("notional_usd", "asset", descending=[True, False])["asset"].to_list()
    for asset in [a for a in ranked if a in view.alts] + view.alts + view.focus:
        for kind in ("perp", "spot"):
            market = view.market(view.main_venue, kind, asset)
            if market is not None:
                return market
    return 0 if view.names else None


def _path_figure(view: View, market: int) -> str:
    figure, (axes,) = chart(height=3.6, top=0.7)
    times, path = cause_path(view.run, [market])
    if times.size == 0:
        say_empty(axes, "the run ends before the news")
        return to_svg(figure, "No path")
    step = max(times.size // 220, 1)
    kept = np.arange(times.size)[::step]
    width = float(times[1] - times[0]) * step if times.size > 1 else 10.0
    parts = [(g.label, 100.0 * path[:, [int(c) for c in g.causes]].sum(axis=1)[kept], g.fill) for g in CAUSE_GROUPS]
    stack(axes, times[kept] - width, parts, width)
    line(axes, times, 100.0 * path.sum(axis=1), Line(BLACK, width=1.4), "change of log mid", 300)
    axes.axhline(0.0, color="#666666", linewidth=0.6)
    axes.set_ylabel("change of log mid since the news, %")
    shade_halts(axes, view, [str(view.run.markets["venue"][market])])
    time_axis(axes, view)
    legend_of(figure, [axes], 5)
    return to_svg(figure, f"Change of log mid of {view.names[market]} by cause in time, per cent")


def _generations_figure(view: View) -> str:
    figure, (left, right) = chart(1, 2, height=2.7, gap_x=0.75, top=0.35)
    bars = generation_histogram(view.run)
    generation = bars["generation"].to_numpy()
    left.bar(generation, 100.0 * bars["share"].to_numpy(), 0.8, color=VERMILLION)
    left.set_xticks(generation, [*map(str, generation[:-1]), f"{generation[-1]}+"])
    left.set_xlabel("generation")
    left.set_ylabel("share of forced volume, %")
    left.grid(False, axis="x")
    path = generations_over_time(view.run)
    times = path["t_s"].to_numpy().astype(np.float64) + 30.0
    line(right, times, path["mean_generation"].to_numpy(), Line(BLUE, width=1.4), "mean generation of what is forced (left scale)")
    right.set_ylabel("mean generation")
    time_axis(right, view)
    second = right.twinx()
    second.grid(False)
    line(
        second,
        times,
        100.0 * path["endogenous_share"].to_numpy(),
        Line(VERMILLION, DASHED, 1.2),
        "slack consumed by forced flows, % (right scale)",
    )
    second.set_ylim(0.0, 100.0)
    second.set_ylabel("consumed by forced flows, %")
    second.spines["right"].set_visible(True)
    handles = [axes.get_legend_handles_labels() for axes in (right, second)]
    right.legend(
        handles[0][0] + handles[1][0],
        handles[0][1] + handles[1][1],
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
        columnspacing=1.0,
        fontsize=7.5,
    )
    return to_svg(figure, "Forced volume by generation, and mean generation in time")


def _consumed_table(view: View) -> Table | Text:
    rows = []
    forced = forced_rows(view.run)
    for label, part in (
        ("perpetuals closed", forced.filter(pl.col("stage") != "collateral_sale")),
        ("collateral sold", forced.filter(pl.col("stage") == "collateral_sale")),
        ("all", forced),
    ):
        shares = group_shares(part)
        if shares is not None:
            usd = part["notional_usd"].to_numpy()
            mean = float((usd * part["generation"].to_numpy()).sum() / usd.sum()) if usd.sum() > 0.0 else float("nan")
            rows.append((label, millions(float(usd.sum())), digits(mean, 3), *(bare_percent(share, 0) for share in shares)))
    header = ("what was forced", "amount, M USD", "mean generation", *(f"{group.label}, %" for group in CAUSE_GROUPS))
    return table_or_text(
        Table(header, rows, "What consumed the slack of those who were liquidated: shares by cause, weighted by amount."),
        "No shares.",
    )
