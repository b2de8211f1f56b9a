"""Show the state before the shock: balance sheets of makers, slack, top-ups, and the liquidation map."""

from __future__ import annotations

import numpy as np
import polars as pl

from waxline.report.drawing import chart, legend_above, legend_of, say_empty, stack
from waxline.report.marks import BLUE, GREEN, GREY, INK, ORANGE, VERMILLION, Fill
from waxline.report.numbers import bare_percent, count, digits, millions, percent
from waxline.report.page import Block, Details, Figure, Heading, Section, Table, Text, table_or_text
from waxline.report.svg import to_svg
from waxline.report.view import Float64, View

MAX_BARS = 14
LAST_LEVEL = 400
LEVELS = (0.05, 0.10, 0.20, 0.30)
KIND_FILLS = {"maker": Fill(BLUE), "whale": Fill(ORANGE, "////"), "other accounts": Fill(GREY)}


def before(view: View) -> Section:
    """Return the section of the state before the shock (links 2, 3, 10, 17)."""
    section = Section(
        "before",
        "Before the shock",
        "Everything here is known before the news. Makers look neutral in contracts, yet their balance sheet is long the "
        "coins they pledged; "
        "whales live just above their line by small top-ups; and the liquidation map shows how much is closed if prices "
        "reach a level.",
    )
    makers = opening(view, "maker")
    section.add(Heading("balance-sheets", "Makers' balance sheets", (2,)))
    if makers.height:
        section.add(
            Text("Pledged coins count at their haircut value (a coin at 50 % counts half); the debt is what was borrowed against them to quote with."),
            *_balance_tables(makers),
            Heading("delta", "Makers' delta by leg and in total", (3,)),
            Text(
                "Delta: USD gained when every coin rises by 100 %. Bars: coins owned less owed, and perpetual positions. "
                "Diamond: their sum. A row is an owner, "
                "over all its accounts.",
                "read",
            ),
            Figure(_delta_figure(makers), "Delta of makers by leg and in total"),
        )
    else:
        section.add(Text("No maker in this run pledges coins.", "empty"), Heading("delta", "Makers' delta by leg and in total", (3,)))
        section.add(Text("Without makers' accounts there are no legs to add.", "empty"))
    section.add(Heading("slack-before", "Distribution of slack, and top-ups of whales", (10,)))
    if view.run.slack.height:
        section.add(
            Text(
                "Slack is (equity − requirement) ÷ gross exposure: the uniform fall that an account survives, roughly. "
                "Top-ups are the margin added in the 24 hours before, per hour.",
                "read",
            ),
            Figure(_slack_figure(view), "Distribution of slack, and top-ups per hour of whales"),
            _slack_table(view),
        )
    else:
        section.add(Text("No portfolio accounts in this run.", "empty"))
    section.add(Heading("liquidation-map", "Liquidation map", (17,)))
    if view.run.liquidation_map.height:
        section.add(
            Text(
                "Bars: notional that is closed when the price reaches the level, per 1 % of price. Dashed: the lowest trade of this run.",
                "read",
            ),
            Figure(_map_figure(view), "Liquidation map before the shock"),
            _map_table(view),
        )
    else:
        section.add(Text("No perpetual positions were registered.", "empty"))
    return section


def opening(view: View, kind: str) -> pl.DataFrame:
    """Return the rows of named accounts of `kind` just before the news (else the first ones), largest debt first."""
    named = view.run.named.filter(pl.col("kind") == kind)
    if not named.height:
        return named
    early = named.filter(pl.col("t_s") <= -1)
    moment = early["t_s"].max() if early.height else named["t_s"].min()
    size = [pl.col(name).fill_null(0.0) for name in ("debt_usd", "collateral_usd")]
    return named.filter(pl.col("t_s") == moment).sort(*size, "name", descending=[True, True, False])


BALANCE_HEADER = (
    *("account", "owner", "venue", "pledged, at haircut value", "debt", "equity", "requirement"),
    *("delta of coins", "delta of perps", "total delta"),
)
MONEY = ("collateral_usd", "debt_usd", "equity_usd", "maintenance_usd", "spot_delta_usd", "perp_delta_usd")


def _balance_tables(makers: pl.DataFrame) -> tuple[Block, ...]:
    """Return a table of the accounts that borrow, with the sum over all makers, and the others folded away."""
    borrowing = makers.filter(pl.col("debt_usd").fill_null(0.0) > 0.0)
    others = makers.filter(~(pl.col("debt_usd").fill_null(0.0) > 0.0))
    rows = [*_balance_rows(borrowing), _sum_row("all that borrow", borrowing), _sum_row("all makers", makers)]
    main = Table(BALANCE_HEADER, rows, "Accounts that borrow, just before the news, M USD.", words=(0, 1, 2))
    if not others.height:
        return (main,)
    return main, Details(f"Accounts of makers without debt: {others.height}", Table(BALANCE_HEADER, _balance_rows(others), words=(0, 1, 2)))


def _balance_rows(makers: pl.DataFrame) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for row in makers.iter_rows(named=True):
        total = (row["spot_delta_usd"] or 0.0) + (row["perp_delta_usd"] or 0.0)
        rows.append((row["name"], row["owner"], row["venue"], *(millions(row[c]) for c in MONEY), millions(total)))
    return rows


def _sum_row(name: str, makers: pl.DataFrame) -> tuple[str, ...]:
    sums = [float(makers[c].fill_null(0.0).sum()) for c in MONEY]
    return (name, "", "", *(millions(s) for s in sums), millions(sums[4] + sums[5]))


def _delta_figure(makers: pl.DataFrame) -> str:
    legs = makers.group_by("owner", maintain_order=True).agg(pl.col("spot_delta_usd").fill_null(0.0).sum(), pl.col("perp_delta_usd").fill_null(0.0).sum())
    rows = list(legs.head(MAX_BARS).iter_rows())[::-1]
    figure, (axes,) = chart(height=0.95 + 0.3 * len(rows), left=1.9, top=0.3)
    y = np.arange(len(rows))
    coins, perps = np.array([row[1] for row in rows]) / 1e6, np.array([row[2] for row in rows]) / 1e6
    axes.barh(y + 0.2, coins, 0.36, color=ORANGE, hatch="////", edgecolor="white", linewidth=0.0, label="coins owned less owed")
    axes.barh(y - 0.2, perps, 0.36, color=VERMILLION, label="perpetual positions")
    axes.plot(coins + perps, y, "D", color=INK, markersize=4.5, label="total delta", linestyle="none")
    axes.axvline(0.0, color="#666666", linewidth=0.7)
    axes.set_yticks(y, [str(row[0]) for row in rows])
    axes.grid(False, axis="y")
    axes.set_xlabel("M USD at index prices, long positive")
    legend_above(axes, 3)
    return to_svg(figure, "Delta of makers by leg and in total, over all venues")


def _slack_figure(view: View) -> str:
    figure, (left, right) = chart(1, 2, height=3.3, gap_x=2.0)
    slack = view.run.slack
    values = np.clip(np.nan_to_num(slack["slack_frac"].to_numpy().astype(np.float64)), 0.0, 0.5) * 100.0
    kinds = slack["kind"].to_list()
    edges = np.arange(0.0, 51.0, 1.0)
    groups = {name: np.array([(k if k in ("maker", "whale") else "other accounts") == name for k in kinds], dtype=bool) for name in KIND_FILLS}
    base = np.zeros(edges.size - 1)
    for name, member in groups.items():
        if not member.any():
            continue
        number, _ = np.histogram(values[member], edges)
        fill = KIND_FILLS[name]
        left.stairs(
            base + number,
            edges,
            baseline=base,
            fill=True,
            facecolor=fill.colour,
            edgecolor="white",
            hatch=fill.hatch or None,
            linewidth=0.0,
            label=name,
        )
        base += number
    left.set_xlabel("slack, % of gross exposure (last bar: 50 % and more)")
    left.set_ylabel("accounts per 1 % of slack")
    left.set_xlim(0.0, 50.0)
    left.legend(loc="upper right")
    whales = slack.filter(pl.col("kind") == "whale").sort("topups_24h_usd", "name", descending=[True, False]).head(MAX_BARS)
    if whales.height == 0:
        say_empty(right, "no whales in this run")
        return to_svg(figure, "Distribution of slack before the shock")
    rows = list(whales.iter_rows(named=True))[::-1]
    y = np.arange(len(rows))
    hourly = np.array([row["topups_24h_usd"] or 0.0 for row in rows]) / 24.0 / 1e3
    right.barh(y, hourly, 0.65, color=ORANGE, hatch="////", edgecolor="white", linewidth=0.0)
    for place, value, row in zip(y, hourly, rows, strict=True):
        right.text(value, float(place), f" slack {percent(row['slack_frac'])}", va="center", fontsize=7.5)
    right.set_yticks(y, [str(row["name"])[:28] for row in rows])
    right.set_xlim(0.0, max(float(hourly.max()), 1e-9) * 1.3)
    right.set_xlabel("top-ups in the 24 h before, thousand USD per hour")
    right.grid(False, axis="y")
    return to_svg(figure, "Distribution of slack before the shock, and top-ups per hour of whales")


def _slack_table(view: View) -> Table:
    rows = []
    for (kind,), group in sorted(view.run.slack.group_by("kind")):
        slack = group["slack_frac"].drop_nulls().to_numpy()
        if slack.size == 0:
            continue
        low, middle, high = np.quantile(slack, (0.1, 0.5, 0.9))
        tops = float(group["topups_24h_usd"].fill_null(0.0).sum())
        rows.append(
            (
                str(kind),
                count(group.height),
                millions(float(group["equity_usd"].fill_null(0.0).sum())),
                bare_percent(float(slack.min())),
                bare_percent(float(low)),
                bare_percent(float(middle)),
                bare_percent(float(high)),
                digits(tops / 24.0 / 1e6),
            )
        )
    header = (
        "accounts",
        "number",
        "equity, M USD",
        "least slack, %",
        "10 % have less than, %",
        "median slack, %",
        "90 % have less than, %",
    )
    return Table((*header, "top-ups per hour, M USD"), rows, "Portfolio accounts before the news.")


def _map_groups(view: View) -> list[tuple[str, list[int]]]:
    groups = [(asset, view.run.select("all", "perp", asset)) for asset in view.focus]
    groups.append(("other coins", [m for m in view.run.select("all", "perp", "alts") if view.run.markets["asset"][m] not in view.focus]))
    return [(name, markets) for name, markets in groups if markets]


def _map_of(view: View, markets: list[int]) -> tuple[Float64, Float64, Float64]:
    """Return lower ends of price levels in % of before (0, 1, 2, ...), and USD of longs and shorts registered in each."""
    rows = view.run.liquidation_map.filter(pl.col("market_id").is_in(markets))
    place = np.clip(np.round(100.0 * rows["price_frac"].to_numpy()).astype(np.int64), 0, LAST_LEVEL - 1)
    longs, shorts = (
        np.asarray(np.bincount(place, weights=rows[name].fill_null(0.0).to_numpy(), minlength=LAST_LEVEL), dtype=np.float64)
        for name in ("long_usd", "short_usd")
    )
    return np.arange(float(LAST_LEVEL)), longs, shorts


def _map_figure(view: View) -> str:
    groups = _map_groups(view)
    figure, axes_of = chart(1, max(len(groups), 1), height=2.9, gap_x=0.5, left=0.7, top=0.55)
    for axes, (name, markets) in zip(axes_of, groups, strict=False):
        level, longs, shorts = _map_of(view, markets)
        axes.set_title(name)
        axes.set_xlabel("price, % of before")
        if not (longs.any() or shorts.any()):
            say_empty(axes, "nothing registered")
            continue
        stack(axes, level, [("longs closed", longs / 1e6, Fill(VERMILLION))], 1.0)
        stack(axes, level, [("shorts closed", shorts / 1e6, Fill(BLUE, "////"))], 1.0)
        low = float(np.nanmedian(view.falls[markets])) if np.isfinite(view.falls[markets]).any() else float("nan")
        if np.isfinite(low):
            axes.axvline(100.0 * (1.0 - low), color=GREEN, linestyle=(0.0, (4.0, 2.0)), linewidth=1.2, label="lowest trade (median market)")
        axes.set_xlim(min(60.0, 100.0 * (1.0 - low) - 5.0) if np.isfinite(low) else 60.0, 130.0)
    if groups:
        axes_of[0].set_ylabel("M USD per 1 % of price")
        legend_of(figure, axes_of, 3)
    return to_svg(figure, "Liquidation map before the shock, notional registered per 1 % of price")


def _map_table(view: View) -> Table | Text:
    rows = []
    bins = view.run.bins_in(float(view.run.t_s[0]) - 1.0, -1.0)
    for name, markets in _map_groups(view):
        level, longs, shorts = _map_of(view, markets)
        if not (longs.any() or shorts.any()):
            continue
        within = [float(longs[(level < 99.5) & (level > 99.5 - 100.0 * x)].sum()) for x in LEVELS]
        depth = np.asarray(view.run.bid_depth_usd[markets, bins], dtype=np.float64)
        calm = float(depth.mean(axis=1).sum()) if depth.size else float("nan")
        interest = float(view.run.markets["open_interest_usd"].to_numpy()[markets].sum())
        rows.append(
            (
                name,
                millions(interest),
                *(millions(w) for w in within),
                millions(calm),
                digits(within[1] / calm, 2) if calm > 0.0 else "",
            )
        )
    header = ("perpetuals on", "open interest", *(f"longs within {100 * x:.0f} % below" for x in LEVELS), "calm bids within 1 %")
    return table_or_text(
        Table(
            (*header, "registered within 10 % ÷ calm bids"),
            rows,
            "M USD, all venues. The last column is a first measure of fragility: how many times the "
            "bids near the price the first 10 % of fall would have to be absorbed.",
        ),
        "No longs were registered.",
    )
