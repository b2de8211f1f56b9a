"""Show who paid: lending pool, insurance funds, vault, deleveraging and what its victims did next, bad debt."""

from __future__ import annotations

import numpy as np
import polars as pl

from waxline.analysis.selection import largest_minute_usd
from waxline.report.contagion import KIND_WORDS
from waxline.report.drawing import chart, legend_above, legend_of, line, say_empty, stack, time_axis
from waxline.report.marks import BLUE, DASHED, GREEN, SKY, VERMILLION, Fill, Line, venue_line
from waxline.report.numbers import bare_percent, count, digits, millions
from waxline.report.page import Details, Figure, Heading, Section, Table, Text, table_or_text
from waxline.report.svg import to_svg
from waxline.report.view import Float64, View
from waxline.report.waterfall import bar_width
from waxline.results.schema import Cause

TOP_COINS = 15


def losses(view: View) -> Section:
    """Return the section of lending, fund, vault, deleveraging and bad debt (link 16)."""
    section = Section(
        "losses",
        "Lending pool, fund, vault, deleveraging, bad debt",
        "What the books could not absorb is paid by somebody: the insurance fund, the vault, winners who are deleveraged, "
        "everybody (socialised), or "
        "nobody (bad debt). Amounts per venue from the start of the run.",
    )
    section.add(
        Heading("funds", "Insurance funds and backstop vault"),
        Figure(_funds_figure(view), "Insurance funds and vault in time"),
        table_or_text(_venue_table(view), "No venue keeps accounts of losses."),
        Heading("deleveraging", "Deleveraged legs, and what their owners did next", (16,)),
    )
    rows = view.run.liquidations.filter(pl.col("stage") == "deleveraging")
    if rows.height:
        section.add(
            Text(
                "Upwards: positions of winners closed by the venue. Downwards: what their owners then sold because the "
                "other leg was left naked; the "
                "line is what they bought to hedge again.",
                "read",
            ),
            Figure(_deleveraging_figure(view, rows), "Deleveraging and what owners did next, in time"),
            _whom_table(view, rows),
            _coin_table(rows),
            table_or_text(_next_table(view), "Their owners did nothing afterwards: every closed leg stood alone, or the switch is off."),
        )
    else:
        section.add(Text("Nobody was deleveraged in this run.", "empty"))
    section.add(Heading("lending", "Lending pools"))
    pools = [v for v in _series_venues(view) if _last(view, v, "pool_liquidated_usd") > 0.0 or v in _pool_venues(view)]
    if pools:
        section.add(Figure(_pool_figure(view, pools), "Lending pools in time"), _pool_table(view, pools))
    else:
        section.add(Text("No lending pool in this run, or none of its loans was liquidated.", "empty"))
    section.add(_negative_details(view))
    return section


def _series_venues(view: View) -> list[str]:
    return sorted({str(v) for v in view.run.venues["venue"].to_list()})


def _pool_venues(view: View) -> set[str]:
    rows = view.run.liquidations.filter(pl.col("stage") == "pool_liquidation")
    return {str(v) for v in rows["venue"].to_list()}


def _column(view: View, venue: str, column: str) -> tuple[Float64, Float64]:
    rows = view.run.venue_series(venue)
    values = rows[column].cast(pl.Float64).fill_null(0.0).to_numpy()
    return rows["t_s"].to_numpy().astype(np.float64), np.asarray(np.nan_to_num(values), dtype=np.float64)


def _last(view: View, venue: str, column: str) -> float:
    values = _column(view, venue, column)[1]
    return float(values[-1]) if values.size else 0.0


def _start(view: View, venue: str, column: str) -> float:
    times, values = _column(view, venue, column)
    return float(values[max(int(np.searchsorted(times, -1, side="right")) - 1, 0)]) if values.size else 0.0


def _funds_figure(view: View) -> str:
    figure, (left, middle, right) = chart(1, 3, height=2.7, gap_x=0.75, top=0.65)
    for venue in _series_venues(view):
        for axes, column, title, change in (
            (left, "fund_usd", "Fund, change since before", True),
            (middle, "fund_inventory_usd", "Positions held by the fund", False),
            (right, "vault_pnl_usd", "Profit and loss of the vault", False),
        ):
            times, values = _column(view, venue, column)
            shown = values - _start(view, venue, column) if change else values
            axes.set_title(title)
            if shown.any():
                line(axes, times, shown / 1e6, venue_line(venue, width=1.4), venue, 200)
    for axes in (left, middle, right):
        if axes.lines:
            axes.axhline(0.0, color="#666666", linewidth=0.6)
            time_axis(axes, view, label=False)
        else:
            say_empty(axes, "nothing")
    left.set_ylabel("M USD")
    legend_of(figure, (left, middle, right))
    return to_svg(figure, "Insurance funds, their positions and the vault in time, million USD")


def _venue_table(view: View) -> Table:
    rows = []
    for venue in _series_venues(view):
        fund = _column(view, venue, "fund_usd")[1]
        before = _start(view, venue, "fund_usd")
        used = before - float(fund.min()) if fund.size else 0.0
        last = (_last(view, venue, c) for c in ("vault_pnl_usd", "adl_usd", "socialised_usd", "bad_debt_usd"))
        rows.append(
            (
                venue,
                millions(before),
                millions(max(used, 0.0)),
                millions(_last(view, venue, "fund_usd")),
                millions(_start(view, venue, "vault_usd")),
                *(millions(value) for value in last),
            )
        )
    header = (
        "venue",
        "fund before",
        "most used of the fund",
        "fund at the end",
        "vault before",
        "vault profit",
        "deleveraged",
        "socialised",
        "bad debt",
    )
    return Table(header, rows, "M USD.")


def _deleveraging_figure(view: View, rows: pl.DataFrame) -> str:
    figure, (axes,) = chart(height=3.0, top=0.5)
    width = bar_width(view)
    edges, closed = view.per_bin(rows, width)
    per = max(width // 10, 1)
    every = list(range(view.run.markets.height))

    def summed(values: Float64) -> Float64:
        padded = np.concatenate([values, np.zeros(-values.size % per)])
        return np.asarray(padded.reshape(-1, per).sum(axis=1), dtype=np.float64)

    perps, spots = view.run.select("all", "perp"), view.run.select("all", "spot")
    sold = {"spot": summed(view.sold(Cause.DELEVERAGING, spots)), "perp": summed(view.sold(Cause.DELEVERAGING, perps))}
    size = min(edges.size, sold["spot"].size)
    parts = [
        ("closed by deleveraging", closed[:size] / 1e6, Fill(SKY, "xxxx")),
        ("then sold by owners in spot", -sold["spot"][:size] / 1e6, Fill(VERMILLION)),
        ("then sold by owners in perpetuals", -sold["perp"][:size] / 1e6, Fill(BLUE, "////")),
    ]
    stack(axes, edges[:size], parts, width)
    bought = summed(view.bought(Cause.DELEVERAGING, every))[:size] / 1e6
    if bought.any():
        line(axes, edges[:size] + width / 2, -bought, Line(GREEN, DASHED, 1.2), "bought by owners (drawn downwards)")
    axes.axhline(0.0, color="#666666", linewidth=0.6)
    axes.set_ylabel(f"M USD per {width} s")
    time_axis(axes, view)
    legend_above(axes, 4)
    return to_svg(figure, "Positions closed by deleveraging, and what their owners did next, in time")


def _whom_table(view: View, rows: pl.DataFrame) -> Table:
    body = []
    whole = float(rows["notional_usd"].sum())
    for (venue, kind), part in sorted(rows.group_by("venue", "account_kind"), key=lambda item: (str(item[0][0]), str(item[0][1]))):
        usd = float(part["notional_usd"].sum())
        profit = part["profit_frac"].fill_nan(None).drop_nulls().to_numpy()
        peak, minute = largest_minute_usd(part, float(view.run.t_s[0]) - 1.0, float(view.run.end_t_s))
        people = float(part.group_by("account").agg(pl.col("weight").max())["weight"].sum())
        body.append(
            (
                str(venue),
                KIND_WORDS.get(str(kind), str(kind)),
                count(people),
                count(part.height),
                millions(usd),
                bare_percent(usd / whole if whole > 0.0 else None),
                bare_percent(float((profit > 0.0).mean()) if profit.size else None),
                bare_percent(float(np.median(profit)) if profit.size else None),
                view.clock.at(minute, False),
                millions(peak),
            )
        )
    header = (
        "venue",
        "whose positions",
        "people",
        "events",
        "closed, M USD",
        "share, %",
        "in profit, % of events",
        "median profit, % of entry",
        "largest minute",
        "in it, M USD",
    )
    return Table(header, body, "By whom.", words=(0, 1, 8))


def _coin_table(rows: pl.DataFrame) -> Table:
    whole = float(rows["notional_usd"].sum())
    sums = rows.group_by("venue", "asset").agg(
        pl.col("notional_usd").filter(pl.col("side") > 0).sum().alias("shorts"),
        pl.col("notional_usd").filter(pl.col("side") < 0).sum().alias("longs"),
        pl.col("notional_usd").sum().alias("usd"),
        pl.len().alias("events"),
    )
    body = [
        (
            row["asset"],
            row["venue"],
            millions(row["shorts"]),
            millions(row["longs"]),
            millions(row["usd"]),
            bare_percent(row["usd"] / whole if whole > 0 else None),
            count(row["events"]),
        )
        for row in sums.sort("usd", "asset", "venue", descending=[True, False, False]).head(TOP_COINS).iter_rows(named=True)
    ]
    header = ("coin", "venue", "shorts closed, M USD", "longs closed, M USD", "closed, M USD", "share, %", "events")
    return Table(header, body, f"By coin, the {len(body)} largest.", words=(0, 1))


def _next_table(view: View) -> Table:
    rows = []
    after = view.run.bins_in(0.0, float(view.run.end_t_s))
    for venue in view.venues:
        for kind in ("spot", "perp"):
            markets = view.run.select(venue, kind)
            if not markets:
                continue
            sold, bought = (float(flow(Cause.DELEVERAGING, markets)[after].sum()) for flow in (view.sold, view.bought))
            if sold + bought > 0.0:
                rows.append((venue, kind, millions(sold), millions(bought), digits((sold - bought) / 1e6)))
    return Table(
        ("venue", "market", "sold, M USD", "bought, M USD", "net sold, M USD"),
        rows,
        "What owners of deleveraged positions did next.",
        words=(0, 1),
    )


def _pool_figure(view: View, pools: list[str]) -> str:
    figure, axes_of = chart(1, 3, height=2.4, gap_x=0.75, top=0.35)
    for axes, column, title in zip(
        axes_of,
        ("pool_liquidated_usd", "pool_bonus_usd", "pool_bad_debt_usd"),
        ("Collateral seized", "Bonus paid to keepers", "Debt left uncovered"),
        strict=True,
    ):
        for venue in pools:
            times, values = _column(view, venue, column)
            line(axes, times, values / 1e6, venue_line(venue, width=1.4), venue, 200)
        axes.set_title(f"{title}, so far")
        axes.set_ylim(bottom=0.0)
        time_axis(axes, view, label=False)
    axes_of[0].set_ylabel("M USD")
    return to_svg(figure, "Lending pools: collateral seized, bonus and uncovered debt so far, million USD")


def _pool_table(view: View, pools: list[str]) -> Table:
    body = []
    for venue in pools:
        rows = view.run.liquidations.filter((pl.col("stage") == "pool_liquidation") & (pl.col("venue") == venue))
        last = [_last(view, venue, c) for c in ("pool_liquidated_usd", "pool_bonus_usd", "pool_bad_debt_usd")]
        assets = rows.group_by("asset").agg(pl.col("notional_usd").sum()).sort("notional_usd", "asset", descending=[True, False])["asset"].to_list()
        body.append((venue, count(rows["account"].n_unique()), *(millions(value) for value in last), ", ".join(assets[:6]) or "none"))
    header = ("pool", "loans liquidated", "seized, M USD", "bonus, M USD", "uncovered, M USD", "collateral, largest first")
    return Table(header, body, words=(0, 5))


def _negative_details(view: View) -> Details:
    rows = view.run.accounts.filter(pl.col("negative_equity_usd").fill_nan(0.0).fill_null(0.0) > 0.0).sort(
        "negative_equity_usd", "account", descending=[True, False]
    )
    body = [
        (
            row["name"] or f"account {row['account']}",
            KIND_WORDS.get(row["kind"], row["kind"]),
            row["venue"],
            millions(row["negative_equity_usd"]),
            millions(row["liquidated_usd"]),
            view.clock.at(row["first_trigger_t_s"]),
        )
        for row in rows.head(20).iter_rows(named=True)
    ]
    header = ("account", "kind", "venue", "negative equity, M USD", "forced, M USD", "first triggered at")
    return Details(
        f"Accounts with negative equity: {rows.height}, the largest {len(body)}",
        Table(header, body, words=(0, 1, 2, 5), small=True),
    )
