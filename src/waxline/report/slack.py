"""Show the slack of makers and whales in time and by cause, margin calls, top-ups and exhausted reserves."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.report.causes import group_shares
from waxline.report.drawing import chart, legend_above, legend_of, line, say_empty, stack, time_axis
from waxline.report.marks import (
    BLACK,
    CAUSE_GROUPS,
    DASHED,
    INK,
    ORANGE,
    PALE,
    SOLID,
    VERMILLION,
    Fill,
    Line,
    spare_lines,
    venue_line,
)
from waxline.report.named import named_series
from waxline.report.numbers import NONE, bare_percent, millions
from waxline.report.page import Block, Details, Figure, Heading, Section, Table, Text, table_or_text
from waxline.report.svg import to_svg
from waxline.report.view import Float64, View

MOST_LINES = 8
GONE = ("liquidating", "taken_over", "closed")


def slack(view: View) -> Section:
    """Return the section of slack, calls and reserves (links 4 and 5)."""
    section = Section(
        "slack",
        "Slack of makers and whales in time",
        "Slack is equity above the requirement; at zero the account is taken. Two things eat it at once: positions in "
        "contracts lose, and the "
        "pledged coins are worth less. Top-ups restore it only while the reserve lasts.",
    )
    kinds = [(kind, title) for kind, title in (("maker", "Makers"), ("whale", "Whales")) if named_series(view, kind, "equity_usd")]
    section.add(Heading("slack-in-time", "Slack in time, and what consumed it", (4,)))
    if not kinds:
        section.add(Text("No named account in this run.", "empty"), Heading("calls", "Margin calls, top-ups, exhausted reserves", (5,)))
        section.add(Text("No reserves were declared.", "empty"))
        return section
    section.add(
        Figure(
            _slack_figure(view, kinds),
            "Slack of makers and whales in time",
            "100 % is the slack just before the news. A cross marks where the account was taken.",
        ),
        Figure(
            _loss_figure(view, kinds),
            "What consumed the slack in time",
            "Change of the sum over the accounts since just before the news.",
        ),
        table_or_text(_cause_table(view), "None of the named accounts was triggered."),
        Heading("calls", "Margin calls, top-ups, exhausted reserves", (5,)),
        Figure(_calls_figure(view), "Margin calls, top-ups and reserves in time"),
        *_accounts_tables(view),
    )
    return section


def _taken_at(times: NDArray[Any], status: list[str]) -> float:
    """Return when the account was first being liquidated or gone; NaN if never."""
    gone = [float(t) for t, s in zip(times, status, strict=True) if s in GONE]
    return gone[0] if gone else float("nan")


def _statuses(view: View, name: str) -> list[str]:
    for kind in ("maker", "whale"):
        if name in view.named_tables(kind):
            return [str(s) for s in view.named_tables(kind)[name]["status"].to_list()]
    return []


def _at_start(times: NDArray[Any], values: Float64) -> float:
    """Return the value just before the news."""
    return float(values[max(int(np.searchsorted(times, -1, side="right")) - 1, 0)]) if values.size else float("nan")


def _slack_figure(view: View, kinds: list[tuple[str, str]]) -> str:
    figure, axes_of = chart(1, len(kinds), height=3.4, gap_x=0.75, top=0.85)
    for axes, (kind, title) in zip(axes_of, kinds, strict=True):
        equity, need = named_series(view, kind, "equity_usd"), named_series(view, kind, "maintenance_usd")
        marks = spare_lines(MOST_LINES)
        for number, name in enumerate(equity):
            times, values = equity[name]
            left = values - need[name][1]
            first = _at_start(times, left)
            if not first > 0.0:
                continue
            share = np.clip(100.0 * left / first, -120.0, 400.0)
            if number >= MOST_LINES:
                line(axes, times, share, Line(PALE, SOLID, 0.7), "further ones" if number == MOST_LINES else "", 80, zorder=1)
                continue
            line(axes, times, share, marks[number], name, 200)
            taken = _taken_at(times, _statuses(view, name))
            if np.isfinite(taken):
                axes.plot(
                    [taken],
                    [share[int(np.searchsorted(times, taken))]],
                    "X",
                    color=marks[number].colour,
                    markersize=6.0,
                    markeredgecolor=INK,
                    markeredgewidth=0.5,
                )
        axes.axhline(0.0, color=INK, linewidth=0.9)
        axes.set_title(title, pad=34.0)
        axes.set_ylabel("slack, % of before")
        time_axis(axes, view)
        legend_above(axes, 3 if len(kinds) > 1 else 6)
    return to_svg(figure, "Slack of makers and whales in time, per cent of slack before the news")


def _loss_figure(view: View, kinds: list[tuple[str, str]]) -> str:
    figure, axes_of = chart(1, len(kinds), height=2.7, gap_x=0.75, top=0.5)
    for axes, (kind, title) in zip(axes_of, kinds, strict=True):
        parts = []
        times: NDArray[Any] = np.zeros(0)
        for column, label, fill in (
            ("perp_pnl_usd", "contract legs", Fill(VERMILLION)),
            ("collateral_usd", "pledged coins at haircut value", Fill(ORANGE, "////")),
        ):
            sets = named_series(view, kind, column)
            times = next(iter(sets.values()))[0]
            change = sum((np.nan_to_num(v - _at_start(t, v)) for t, v in sets.values() if t.size == times.size), np.zeros(times.size))
            parts.append((label, np.asarray(change) / 1e6, fill))
        step = max(times.size // 240, 1)
        width = float(times[1] - times[0]) * step if times.size > 1 else 1.0
        stack(axes, times[::step] - width, [(label, values[::step], fill) for label, values, fill in parts], width)
        axes.axhline(0.0, color="#666666", linewidth=0.6)
        axes.set_title(title)
        axes.set_ylabel("change of slack, M USD")
        time_axis(axes, view)
        legend_above(axes, 2)
    return to_svg(figure, "Change of slack of makers and whales by contract legs and by pledged coins, million USD")


def _cause_table(view: View) -> Table:
    """Return what consumed the slack of each named account that was triggered, by group of causes."""
    rows = []
    forced = view.run.liquidations.filter(
        pl.col("account_name").is_not_null()
        & pl.col("account_kind").is_in(["maker", "whale"])
        & pl.col("stage").is_in(["close_in_book", "collateral_sale", "takeover"])
    )
    for (name,), group in forced.group_by("account_name", maintain_order=True):
        shares = group_shares(group)
        if shares is not None:
            rows.append((str(name), millions(float(group["notional_usd"].sum())), *(bare_percent(share, 0) for share in shares)))
    header = ("account", "forced, M USD", *(f"{group.label}, %" for group in CAUSE_GROUPS))
    return Table(header, rows, "What consumed the slack of named accounts by the time they were forced: shares by cause, weighted by amount.")


def _calls_figure(view: View) -> str:
    figure, (left, middle, right) = chart(1, 3, height=2.7, gap_x=0.7, top=0.65)
    for axes, column, scale in ((left, "margin_calls", 1.0), (middle, "topups_usd", 1e6)):
        for venue in sorted({str(v) for v in view.run.venues["venue"].to_list()}):
            rows = view.run.venue_series(venue)
            values = rows[column].cast(pl.Float64).fill_null(0.0).to_numpy()
            if values.size and values.max() > 0.0:
                line(axes, rows["t_s"].to_numpy(), values / scale, venue_line(venue, width=1.3), venue, 200)
    for kind, mark in (("maker", Line(BLACK, SOLID, 1.4)), ("whale", Line(ORANGE, DASHED, 1.4))):
        sets = list(named_series(view, kind, "reserve_usd").values())
        if any(np.nan_to_num(v).any() for _, v in sets):
            total = sum((np.nan_to_num(v) for t, v in sets if t.size == sets[0][0].size), np.zeros(sets[0][0].size))
            line(right, sets[0][0], np.asarray(total) / 1e6, mark, f"reserves of {kind}s", 200)
    for axes, title in ((left, "Margin calls so far"), (middle, "Margin added so far, M USD"), (right, "Reserves left, M USD")):
        axes.set_title(title)
        if axes.lines:
            axes.set_ylim(bottom=0.0)
            time_axis(axes, view, label=False)
        else:
            say_empty(axes, "none")
    legend_of(figure, (left, middle, right))
    return to_svg(figure, "Margin calls, margin added and reserves left in time")


def _accounts_tables(view: View) -> tuple[Block, ...]:
    """Return a row per named account that borrows, was called or taken; the others folded away."""
    shown: list[tuple[str, ...]] = []
    folded: list[tuple[str, ...]] = []
    for kind in ("maker", "whale"):
        series = {name: named_series(view, kind, f"{name}_usd") for name in ("equity", "maintenance", "reserve", "topups", "debt")}
        for name, (times, values) in series["equity"].items():
            left = values - series["maintenance"][name][1]
            reserve, topped = series["reserve"][name][1], series["topups"][name][1]
            status = _statuses(view, name)
            called = [float(t) for t, s in zip(times, status, strict=True) if s == "called"]
            taken = _taken_at(times, status)
            row = (
                name,
                kind,
                millions(_at_start(times, left)),
                millions(float(np.nanmin(left)) if np.isfinite(left).any() else None),
                view.clock.at(called[0]) if called else NONE,
                millions(float(np.nan_to_num(topped).max())),
                millions(_at_start(times, reserve)),
                _used_up(view, times, reserve),
                view.clock.at(taken),
                status[-1].replace("_", " ") if status else NONE,
            )
            borrows = _at_start(times, series["debt"][name][1]) > 0.0
            (shown if borrows or called or np.isfinite(taken) else folded).append(row)
    main = Table(ACCOUNTS_HEADER, shown, "Named accounts. Reserve used up: less than 1 % of it left.", words=(0, 1, 4, 7, 8, 9))
    words = "Named accounts that neither borrow nor were called or taken"
    others = Details(f"{words}: {len(folded)}", Table(ACCOUNTS_HEADER, folded, words=(0, 1, 4, 7, 8, 9)))
    return (table_or_text(main, "No named account borrows."), *((others,) if folded else ()))


ACCOUNTS_HEADER = (
    *("account", "kind", "slack before, M USD", "least slack, M USD", "first called", "topped up, M USD", "reserve before, M USD"),
    *("reserve used up at", "taken at", "status at the end"),
)


def _used_up(view: View, times: NDArray[Any], reserve: Float64) -> str:
    """Say when less than 1 % of the reserve was left."""
    start = _at_start(times, reserve)
    if not start > 0.0:
        return "none"
    empty = np.flatnonzero((np.nan_to_num(reserve) <= 0.01 * start) & (times > 0))
    return view.clock.at(float(times[empty[0]])) if empty.size else "never"
