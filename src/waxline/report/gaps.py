"""Show gaps: spot against perpetual, venue against venue, claims against what they redeem for."""

from __future__ import annotations

import numpy as np

from waxline.analysis.selection import NotMeasured, redemption_usd
from waxline.report.drawing import chart, legend_above, line, say_empty, shade_halts, time_axis
from waxline.report.marks import BLACK, BLUE, DASH_DOT, DASHED, GREEN, VERMILLION, Line, spare_lines, venue_line
from waxline.report.numbers import bare_percent, digits
from waxline.report.page import Figure, Heading, Section, Table, Text, table_or_text
from waxline.report.svg import to_svg
from waxline.report.view import Float64, View, median_over

FOCUS_LINES = (Line(BLUE, width=1.3), Line(GREEN, DASHED, 1.2), Line(BLACK, DASH_DOT, 1.1))
ALTS_LINE = Line(VERMILLION, width=1.5)
MAX_CLAIMS = 6
MOST = 100.0  # per cent: a near-zero print makes the ratio of two prices so large that nothing else could be seen


def gaps(view: View) -> Section:
    """Return the section of basis, venue gaps and claims (links 7 and 15)."""
    section = Section(
        "gaps",
        "Gaps: spot and perpetual, venues, claims",
        "Zero means both prices agree. Arbitrage and transfers keep gaps small; while transfers are halted (shaded) "
        "nothing can be carried over, and "
        "a price can break on one venue only.",
    )
    section.add(
        Heading("basis", "Basis: perpetual against spot on the same venue", (7,)),
        Figure(_basis_figure(view), "Basis in time", "Above zero the perpetual is dearer than spot. Band: 10 % to 90 % of altcoins."),
        Heading("venue-gaps", "Venue gaps", (15,)),
    )
    if view.other_venue:
        section.add(Figure(_venue_figure(view), "Venue gaps in time"))
    else:
        section.add(Text("The run holds one venue only: there is nothing to compare with.", "empty"))
    section.add(
        table_or_text(_table(view), "No pair of prices to compare."),
        Heading("claims", "Claims and what they redeem for, per venue", (15,)),
    )
    if view.claims:
        section.add(
            Text(
                "Price over redemption value. Where a venue takes its own book as the collateral price, a claim breaks there and nowhere else.",
                "read",
            ),
            Figure(_claims_figure(view), "Claims against their redemption value per venue"),
            _claims_table(view),
        )
    else:
        section.add(Text("The run holds no claims.", "empty"))
    return section


def _mid(view: View, market: int) -> Float64:
    return np.asarray(view.run.mid_usd[market], dtype=np.float64)


def _basis(view: View, venue: str, asset: str) -> Float64 | None:
    """Return perpetual mid over spot mid - 1 in per cent, [T]; None where one of them is missing."""
    perp, spot = view.market(venue, "perp", asset), view.market(venue, "spot", asset)
    return None if perp is None or spot is None else 100.0 * (_mid(view, perp) / _mid(view, spot) - 1.0)


def _gap(view: View, kind: str, asset: str) -> Float64 | None:
    """Return the main venue's mid over the other venue's spot mid - 1 in per cent, [T]; None where one is missing."""
    here, there = view.market(view.main_venue, kind, asset), view.market(view.other_venue, "spot", asset)
    return None if here is None or there is None else 100.0 * (_mid(view, here) / _mid(view, there) - 1.0)


def _draw_gaps(view: View, found: dict[str, Float64 | None], sentence: str, label: str, title: str, venues: list[str]) -> str:
    """Draw the focus assets and the median and band of the altcoins of `found` (asset -> per cent)."""
    figure, (axes,) = chart(height=2.9, top=0.35)
    seconds = view.run.t_s
    alts = [found[a] for a in view.alts if found.get(a) is not None]
    if not any(values is not None for values in found.values()):
        say_empty(axes, sentence)
        return to_svg(figure, sentence)
    axes.axhline(0.0, color="#666666", linewidth=0.6)
    if len(alts) > 4:
        every = np.stack([values[9::10] for values in alts if values is not None])
        band = np.full((2, every.shape[1]), np.nan)
        some = np.isfinite(every).sum(axis=0) > 4
        band[:, some] = np.nanquantile(every[:, some], (0.1, 0.9), axis=0)
        axes.fill_between(seconds[9::10][::2], band[0][::2], band[1][::2], color="#f7dccb", linewidth=0.0, zorder=0.5)
    for asset, mark in zip(view.focus, FOCUS_LINES, strict=False):
        values = found.get(asset)
        if values is not None:
            line(axes, seconds, values, mark, asset, 350)
    if alts:
        line(
            axes,
            seconds,
            median_over(np.stack([v for v in alts if v is not None])),
            ALTS_LINE,
            f"altcoins, median of {len(alts)}",
            350,
        )
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, -MOST), min(top, MOST))
    axes.set_ylabel(label)
    shade_halts(axes, view, venues)
    time_axis(axes, view)
    legend_above(axes, 5)
    return to_svg(figure, title)


def _basis_figure(view: View) -> str:
    found = {asset: _basis(view, view.main_venue, asset) for asset in dict.fromkeys([*view.focus, *view.alts])}
    return _draw_gaps(
        view,
        found,
        "no asset has both a spot and a perpetual market here",
        f"{view.main_venue} perp ÷ spot − 1, %",
        "Basis of perpetuals against spot in time, per cent",
        [view.main_venue],
    )


def _venue_figure(view: View) -> str:
    found = {asset: _gap(view, "perp", asset) for asset in dict.fromkeys([*view.focus, *view.alts])}
    if not any(values is not None for values in found.values()):
        found = {asset: _gap(view, "spot", asset) for asset in found}
    label = f"{view.main_venue} perp ÷ {view.other_venue} spot − 1, %"
    return _draw_gaps(
        view,
        found,
        "no asset trades on both venues",
        label,
        "Gap between venues in time, per cent",
        [view.main_venue, view.other_venue],
    )


def _row(view: View, name: str, sets: list[Float64], what: str) -> tuple[str, ...] | None:
    """Return (what, name, number, least, when, most, when, at the end) of the median over `sets`, in per cent."""
    if not sets:
        return None
    middle = median_over(np.stack(sets))[view.after]
    if not np.isfinite(middle).any():
        return None
    seconds = view.run.t_s[view.after]
    low, high = int(np.nanargmin(middle)), int(np.nanargmax(middle))
    return (
        what,
        name,
        str(len(sets)),
        bare_percent(middle[low] / 100.0),
        view.clock.at(float(seconds[low])),
        bare_percent(middle[high] / 100.0),
        view.clock.at(float(seconds[high])),
        bare_percent(middle[-1] / 100.0, 2),
    )


def _table(view: View) -> Table:
    rows = []
    groups = [*[(asset, [asset]) for asset in view.focus], ("altcoins, median", [a for a in view.alts])]
    for name, assets in groups:
        sets = [values for asset in assets if (values := _basis(view, view.main_venue, asset)) is not None]
        rows.append(_row(view, name, sets, f"{view.main_venue} perp against its spot"))
    for kind in ("perp", "spot") if view.other_venue else ():
        for name, assets in groups:
            sets = [values for asset in assets if (values := _gap(view, kind, asset)) is not None]
            rows.append(_row(view, name, sets, f"{view.main_venue} {kind} against {view.other_venue} spot"))
    header = ("gap", "asset", "markets", "least, %", "at", "most, %", "at", "at the end, %")
    return Table(header, [row for row in rows if row is not None], words=(0, 1, 4, 6))


def _claim_ratio(view: View, market: int) -> Float64 | None:
    """Return the price of a claim over its redemption value, [T]; None where that is not known."""
    try:
        return _mid(view, market) / redemption_usd(view.run, market)
    except NotMeasured:
        return None


def _claims_figure(view: View) -> str:
    claims = view.claims[:MAX_CLAIMS]
    columns = min(len(claims), 3)
    rows = -(-len(claims) // columns)
    figure, axes_of = chart(rows, columns, height=0.35 + 2.4 * rows, top=0.45, gap_x=0.6, gap_y=0.75)
    low, high = 100.0, 100.0
    for axes, asset in zip(axes_of, claims, strict=False):
        markets = view.run.select("all", "all", asset)
        spare = spare_lines(len(markets))
        for number, market in enumerate(markets):
            ratio = _claim_ratio(view, market)
            if ratio is None:
                continue
            venue, kind = str(view.run.markets["venue"][market]), str(view.run.markets["kind"][market])
            mark = venue_line(venue, kind, 1.3)._replace(dash=spare[number].dash)
            line(axes, view.run.t_s, 100.0 * ratio, mark, f"{venue} {kind}", 250)
            low = min(low, 100.0 * float(np.nanmin(ratio)) if np.isfinite(ratio).any() else 100.0)
            high = max(high, 100.0 * float(np.nanmax(ratio)) if np.isfinite(ratio).any() else 100.0)
        axes.set_title(asset)
        shade_halts(axes, view, [str(view.run.markets["venue"][m]) for m in markets])
        time_axis(axes, view, label=False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right")
    for axes in axes_of:
        axes.set_ylim(max(low - 6.0, 0.0), min(high, 125.0) + 8.0)
    axes_of[0].set_ylabel("price, % of redemption value")
    for axes in axes_of[len(claims) :]:
        axes.set_axis_off()
    return to_svg(figure, "Price of claims over redemption value per venue, per cent")


def _claims_table(view: View) -> Table | Text:
    rows = []
    for asset in view.claims:
        for market in view.run.select("all", "all", asset):
            ratio = _claim_ratio(view, market)
            info = view.run.markets.row(market, named=True)
            redeems = f"{digits(info['redeems_units'])} {info['redeems_asset']}" if info["redeems_asset"] else ""
            if ratio is None or not np.isfinite(ratio[view.after]).any():
                continue
            after = ratio[view.after]
            low = int(np.nanargmin(after))
            rows.append(
                (
                    asset,
                    info["venue"],
                    redeems,
                    digits(float(view.reference[market]), 4),
                    digits(float(view.lows[0][market]), 4),
                    bare_percent(float(1.0 - after[low])),
                    view.clock.at(float(view.run.t_s[view.after][low])),
                    bare_percent(float(1.0 - after[-1])),
                )
            )
    header = (
        "claim",
        "venue",
        "redeems for",
        "before, USD",
        "lowest trade, USD",
        "largest discount of mid, %",
        "at",
        "discount at the end, %",
    )
    return table_or_text(Table(header, rows, words=(0, 1, 2, 6)), "No claim has a market with a known redemption value.")
