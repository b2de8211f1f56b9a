"""Show who was taken by which loss, how large accounts spread it, and how strongly two markets feed each other."""

from __future__ import annotations

import numpy as np
import polars as pl

from waxline.analysis.accounting import Contagion, by_what_taken, contagion, contagion_from_named, forced_rows
from waxline.report.drawing import chart, legend_above, shade_halts, stack, time_axis
from waxline.report.marks import BLUE, ORANGE, SKY, VERMILLION, Fill
from waxline.report.numbers import bare_percent, count, digits, millions
from waxline.report.page import Block, Figure, Heading, Section, Table, Text, table_or_text
from waxline.report.svg import to_svg
from waxline.report.view import Float64, View
from waxline.report.waterfall import bar_width
from waxline.results.schema import Cause

WINDOW_S = 60
MOST_NAMED = 12
KIND_WORDS = {
    "trader": "leveraged traders",
    "tranche": "leveraged traders (groups)",
    "whale": "whales",
    "maker": "makers",
    "holder": "holders with loans",
    "borrower": "borrowers of lending pools",
    "vault": "vault",
    "fund": "fund",
}


def spread(view: View) -> Section:
    """Return the section of two losses, contagion and resonance (links 11, 12, 13)."""
    section = Section(
        "contagion",
        "How it spreads: two losses, large accounts, two markets",
        "An account with contracts and pledged coins is hit twice; either loss alone may be survivable. A large account "
        "that goes sells in two "
        "markets at once, and arbitrage carries its sales on to the next.",
    )
    section.add(Heading("two-losses", "Accounts by what consumed their slack", (11,)))
    taken = by_what_taken(view.run)
    if taken.height:
        section.add(
            Text(
                "Unified accounts only: others have no pledged coins. Left: all slack went to pledged coins. Right: all of it to "
                "losses in contracts. Between: both were needed.",
                "read",
            ),
            *_taken_figure(view),
            _taken_table(taken),
        )
    else:
        section.add(Text("No account was triggered.", "empty"))
    section.add(Heading("large-accounts", "Contagion from large accounts: engine and arbitrage sales side by side", (12,)))
    section.add(
        Text(
            "Upwards: what the engine sells (perpetuals closed, collateral sold). Downwards: what arbitrage sells, carrying it to the next market.",
            "read",
        ),
        Figure(_sales_figure(view), "Engine sales and arbitrage sales in time"),
        table_or_text(_named_table(view), "No named account was forced."),
    )
    section.add(Heading("resonance", "Two markets resonate", (13,)))
    if forced_rows(view.run).height:
        section.add(
            Text(
                "How much forced volume one unit of forced volume made, in this run. Above 1 the cascade feeds itself. "
                "This is what was realised, by shares "
                "of slack; the solver that answers it before anything happens is not part of this version.",
                "read",
            ),
            *_resonance(contagion(view.run)),
        )
    else:
        section.add(Text("Nobody was triggered: nothing to couple.", "empty"))
    return section


def _taken_figure(view: View) -> tuple[Block, ...]:
    figure, (axes,) = chart(height=2.6, top=0.35)
    rows = view.run.accounts.filter(pl.col("by_perp_frac").fill_nan(None).is_not_null())
    edges = np.linspace(0.0, 1.0, 21)
    parts = []
    for label, kinds, fill in (
        ("makers", ("maker",), Fill(BLUE)),
        ("whales", ("whale",), Fill(ORANGE, "////")),
        ("other holders and borrowers", ("holder", "borrower"), Fill(SKY, "xxxx")),
    ):
        part = rows.filter(pl.col("kind").is_in(kinds))
        total, _ = np.histogram(part["by_perp_frac"].to_numpy(), edges, weights=part["liquidated_usd"].fill_null(0.0).to_numpy())
        parts.append((label, total / 1e6, fill))
    stack(axes, 100.0 * edges[:-1], parts, 5.0)
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("part of the slack consumed by losses in contracts, % (the rest by pledged coins)")
    axes.set_ylabel("liquidated, M USD per 5 %")
    if not axes.patches:
        return (Text("No unified account was taken.", "empty"),)
    legend_above(axes, 4)
    svg = to_svg(figure, "Liquidated amount by part of the slack that losses in contracts consumed")
    return (Figure(svg, "Liquidated amount of unified accounts by what consumed the slack"),)


def _taken_table(taken: pl.DataFrame) -> Table:
    rows = []
    for row in taken.iter_rows(named=True):
        rows.append(
            (
                KIND_WORDS.get(row["kind"], row["kind"]),
                count(row["people"]),
                millions(row["usd"]),
                count(row["by_collateral"]),
                count(row["by_both"]),
                count(row["by_perp"]),
                bare_percent(row["by_perp_frac"], 0),
            )
        )
    header = (
        "accounts",
        "people",
        "liquidated, M USD",
        "by collateral alone",
        "by both",
        "by contracts alone",
        "mean part of contracts, %",
    )
    return Table(header, rows, "People triggered, by what consumed their slack: one of the two by more than 90 %, or both.")


def _sales_figure(view: View) -> str:
    figure, (axes,) = chart(height=3.2, top=0.5)
    width = bar_width(view)
    per = max(width // 10, 1)

    def summed(values: Float64) -> Float64:
        padded = np.concatenate([values, np.zeros(-values.size % per)])
        return np.asarray(padded.reshape(-1, per).sum(axis=1) / 1e6, dtype=np.float64)

    markets = view.run.select(view.main_venue)
    perps, spots = view.run.select(view.main_venue, "perp"), view.run.select(view.main_venue, "spot")
    parts = [
        (
            "engine: perpetuals closed",
            summed(view.sold(Cause.PERP_LIQUIDATION, perps) + view.sold(Cause.FUND_WORKOFF, markets)),
            Fill(VERMILLION),
        ),
        ("engine: collateral sold", summed(view.sold(Cause.COLLATERAL_LIQUIDATION, markets)), Fill(ORANGE, "////")),
        ("arbitrage sales in perpetuals", -summed(view.sold(Cause.ARBITRAGE, perps)), Fill(BLUE)),
        ("arbitrage sales in spot", -summed(view.sold(Cause.ARBITRAGE, spots)), Fill(SKY, "||||")),
    ]
    starts = float(view.run.t_s[0]) - 1.0 + width * np.arange(parts[0][1].size)
    stack(axes, starts, parts, width)
    axes.axhline(0.0, color="#666666", linewidth=0.6)
    bottom, top = axes.get_ylim()
    named = contagion_from_named(view.run, 6).sort("first_t_s", "account_name")
    for number, row in enumerate(named.iter_rows(named=True)):
        height = max(top, 1e-9) * (1.08 + 0.11 * (named.height - number))
        axes.plot([row["first_t_s"]] * 2, [0.0, height], color="#777777", linewidth=0.5)
        axes.text(row["first_t_s"], height, f" {row['account_name']}", fontsize=7.5, va="center")
    axes.set_ylim(bottom, max(top, 1e-9) * (1.25 + 0.11 * named.height))
    axes.set_ylabel(f"{view.main_venue}, M USD per {width} s")
    shade_halts(axes, view, [view.main_venue])
    time_axis(axes, view)
    legend_above(axes, 4)
    return to_svg(
        figure,
        f"Engine sales and arbitrage sales on {view.main_venue} in time; thin lines: named accounts are forced for the first time",
    )


def _named_table(view: View) -> Table:
    rows = []
    forced = forced_rows(view.run)
    firsts = forced.group_by("account").agg(pl.col("t_s").min().alias("first"), pl.col("weight").max(), pl.col("notional_usd").sum().alias("usd"))
    for row in contagion_from_named(view.run, MOST_NAMED).iter_rows(named=True):
        name, first = str(row["account_name"]), float(row["first_t_s"])
        own = forced.filter(pl.col("account_name") == name)
        perps = float(own.filter(pl.col("stage") != "collateral_sale")["notional_usd"].sum())
        coins = own.filter(pl.col("stage") == "collateral_sale")
        next_ones = firsts.filter((pl.col("first") > first) & (pl.col("first") <= first + WINDOW_S))
        markets = [m for asset in sorted(set(own["asset"].to_list())) for m in view.run.select(view.main_venue, "all", asset)]
        arbitrage = view.sold(Cause.ARBITRAGE, markets) if markets else np.zeros(view.run.bin_t_s.size)
        after, prior = view.run.bins_in(first, first + WINDOW_S), view.run.bins_in(first - WINDOW_S, first)
        rows.append(
            (
                name,
                str(row["kind"]),
                view.clock.at(first),
                millions(perps),
                millions(float(coins["notional_usd"].sum())),
                millions(float(arbitrage[prior].sum())),
                millions(float(arbitrage[after].sum())),
                count(float(next_ones["weight"].sum())),
                millions(float(next_ones["usd"].sum())),
            )
        )
    header = (
        "account",
        "kind",
        "first forced at",
        "perps closed, M USD",
        "coins sold, M USD",
        f"arbitrage sales in its coins, {WINDOW_S} s before, M USD",
        f"{WINDOW_S} s after, M USD",
        f"people first forced within {WINDOW_S} s",
        "forced of those in all, M USD",
    )
    return Table(
        header,
        rows,
        "The largest named accounts that were forced, and what followed. Following is not proof of cause; a run without the account is.",
        words=(0, 1, 2),
    )


def _resonance(found: Contagion) -> list[Table]:
    rows = []
    for i, kind in enumerate(found.from_kinds[: len(found.volume_usd)]):
        if found.volume_usd[i] > 0.0:
            rows.append(
                (
                    kind,
                    millions(float(found.volume_usd[i])),
                    *(millions(float(found.caused_usd[i, j])) for j in range(len(found.to_kinds))),
                )
            )
    rows.append(
        (
            "outside: news, re-quoting, other flows",
            "",
            *(millions(float(found.caused_usd[-1, j])) for j in range(len(found.to_kinds))),
        )
    )
    blocks = []
    for i, kind in enumerate(found.to_kinds):
        blocks.append((f"{kind} alone", digits(float(found.branching[i, i]), 3)))
    blocks.append(("both, coupled (spectral radius)", digits(found.branching_ratio, 3)))
    return [
        Table(
            ("forced flow", "its volume, M USD", *(f"made {kind}, M USD" for kind in found.to_kinds)),
            rows,
            "Contagion between kinds: amounts liquidated whose slack the flow of the row consumed.",
        ),
        Table(("block", "forced volume made by one unit"), blocks, "Each market alone, and both coupled."),
    ]
