"""Write the summary of a run as plain text tables, for a terminal of 110 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from waxline.units import clock_utc, format_duration, format_frac, format_price_usd, format_usd

SHOWN_MARKETS = 40


def summary_text(summary: dict[str, Any], every_market: bool = False) -> str:
    """Return the summary as text: what was run, falls, forced volume, depth, who paid, accounts, ledger.

    With `every_market` the table of markets is not shortened.
    """
    parts = [
        _head(summary["run"]),
        _falls(summary["groups"]),
        _markets(summary, every_market),
        _liquidated(summary["liquidated"], summary["run"]),
        _depth(summary["depth"]),
        _venues(summary["venues"]),
        _accounts(summary),
        _ledger(summary["ledger"]),
    ]
    return "\n\n".join(part for part in parts if part)


def text_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text: the first column to the left, the others to the right."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(cells, widths, strict=True)))

    ruler = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([title, line(head).rstrip(), ruler, *(line(row).rstrip() for row in rows)])


def _head(run: dict[str, Any]) -> str:
    overrides = "".join(f" --set {text}" for text in run["overrides"] or [])
    hours = format_duration((run["end_t_s"] or 0) - (run["start_t_s"] or 0))
    return (
        f"{run['scenario']}{overrides}, seed {run['seed']}: {run['n_accounts']:,} accounts, {run['n_assets']} assets, "
        f"{run['n_markets']} markets, {hours} in {run['n_steps']:,} steps; t = 0 is {run['t0_utc']}"
    )


def _falls(groups: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{group['venue']} {group['kind']} {group['class']}",
            _number(group["n_pairs"]),
            format_frac(group["fall"]),
            format_frac(group["news_alone"]),
            _times(group["amplification"]),
            format_frac(group["worst_fall"]),
            _seconds(group["median_low_t_s"]),
            format_frac(group["recovered_10min"], 0),
            format_frac(group["recovered_end"], 0),
        ]
        for group in groups
    ]
    head = ["falls (mean over pairs)", "pairs", "fall", "news alone", "amplified", "worst", "low at", "back +10 min", "back at end"]
    note = next((group["reason"] for group in groups if "reason" in group), "")
    table = text_table("Fall = 1 - lowest trade / price a second before the news; back = part of the fall regained.", head, rows)
    return table + (f"\n{note}" if note else "")


def _markets(summary: dict[str, Any], every: bool) -> str:
    markets = sorted(summary["markets"], key=lambda market: (-(market["fall"] or 0.0), market["name"]))
    shown = markets if every else markets[:SHOWN_MARKETS]
    t0 = summary["run"]["t0_utc"]
    rows = [
        [
            market["name"],
            format_price_usd(market["reference_usd"]),
            format_price_usd(market["low_usd"]),
            "n/a" if market["low_t_s"] is None else clock_utc(market["low_t_s"], t0),
            format_frac(market["fall"]),
            format_frac(market["news_alone"]),
            _times(market["amplification"]),
            format_frac(market["recovered_end"], 0),
        ]
        for market in shown
    ]
    head = ["market", "before, USD", "low, USD", "at (UTC)", "fall", "news alone", "amplified", "back at end"]
    title = "Lows by market" if len(shown) == len(markets) else f"Lows: the {len(shown)} largest falls of {len(markets)} markets"
    return text_table(title, head, rows)


def _liquidated(liquidated: dict[str, Any], run: dict[str, Any]) -> str:
    total = liquidated["total_usd"]
    if not total:
        return "Nothing was liquidated."
    kinds = [[name.replace("_", " "), format_usd(value), format_frac(value / total)] for name, value in liquidated["by_kind_usd"].items()]
    kinds.append(["total", format_usd(total), "100 %"])
    venues = [[name, format_usd(value), format_frac(value / total)] for name, value in liquidated["by_venue_usd"].items()]
    assets = [[name, format_usd(value), format_frac(value / total)] for name, value in liquidated["by_asset_usd"].items()]
    assets.append(["others", format_usd(liquidated["other_assets_usd"]), format_frac(liquidated["other_assets_usd"] / total)])
    lines = [
        f"Longs and collateral {format_usd(liquidated['longs_usd'])} USD ({format_frac(liquidated['long_share'])}), "
        f"shorts {format_usd(liquidated['shorts_usd'])} USD.",
        f"Liquidated: {liquidated['people']:,.0f} people in {liquidated['n_accounts']:,} accounts.",
        _peak(liquidated, run),
    ]
    tables = [
        text_table("Forced closes and sales", ["kind", "USD", "share"], kinds),
        text_table("By venue", ["venue", "USD", "share"], venues),
        text_table("By asset", ["asset", "USD", "share"], assets),
    ]
    return beside(tables) + "\n" + "\n".join(lines)


def _peak(liquidated: dict[str, Any], run: dict[str, Any]) -> str:
    """Return the line about the largest minute; a run may be shorter than one, or close all in a minute it does not hold whole."""
    if liquidated["peak_minute_t_s"] is None:
        return "Largest minute: none, nothing was liquidated in a minute that the run holds whole."
    at = clock_utc(liquidated["peak_minute_t_s"], run["t0_utc"])[:5]
    return f"Largest minute {at} UTC: {format_usd(liquidated['peak_minute_usd'])} USD ({format_frac(liquidated['peak_minute_share'])} of all)."


def beside(tables: Sequence[str], gap: int = 4) -> str:
    """Return text blocks side by side."""
    blocks = [table.split("\n") for table in tables]
    widths = [max(len(line) for line in block) for block in blocks]
    height = max(len(block) for block in blocks)
    lines = []
    for i in range(height):
        cells = [(block[i] if i < len(block) else "").ljust(width) for block, width in zip(blocks, widths, strict=True)]
        lines.append((" " * gap).join(cells).rstrip())
    return "\n".join(lines)


def _depth(depth: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{row['venue']} {row['kind']} {row['class']}",
            format_frac(row["least_ratio"]),
            format_frac(row["median_ratio"], 0),
            format_frac(row["end_ratio"], 0),
            f"{row['empty_bid_s']:,.0f}",
        ]
        for row in depth
    ]
    head = ["depth left", "least", "median", "at end", "s without bids"]
    return text_table("Depth within 1 % of mid over its level before, median over markets", head, rows) if rows else ""


def _venues(venues: list[dict[str, Any]]) -> str:
    columns = {
        "fund before": "fund_before_usd",
        "fund used": "fund_used_usd",
        "vault P&L": "vault_pnl_usd",
        "deleveraged": "adl_usd",
        "socialised": "socialised_usd",
        "bad debt": "bad_debt_usd",
        "pool seized": "pool_liquidated_usd",
        "pool debt": "pool_bad_debt_usd",
        "topped up": "topups_usd",
        "arbitraged": "arbitrage_usd",
    }
    rows = [[venue["venue"], *(format_usd(venue[key]) for key in columns.values())] for venue in venues]
    return text_table("Who paid, USD", ["venue", *columns], rows)


def _accounts(summary: dict[str, Any]) -> str:
    taken = {row["kind"]: row for row in summary["accounts"]["taken_by"]}
    rows = []
    for row in summary["accounts"]["by_kind"]:
        how = taken.get(row["kind"], {})
        rows.append(
            [
                row["kind"],
                f"{row['n']:,}",
                f"{row['triggered']:,}",
                _number(row["people_triggered"]),
                format_frac(how.get("by_perp_frac"), 0),
                format_usd(row["negative_equity_usd"]),
            ]
        )
    cascade = summary["cascade"]
    head = ["accounts", "number", "triggered", "people", "by perp losses", "negative equity, USD"]
    generations = cascade["generation_shares"]
    third = sum(share for generation, share in generations.items() if int(generation) >= 3)
    line = (
        f"Forced flows consumed {format_frac(cascade['endogenous_share'], 0)} of the slack of those liquidated; "
        f"{format_frac(third, 0)} of the volume is of third or later generation."
    )
    return text_table("Accounts; the rest of their slack was lost on collateral", head, rows) + "\n" + line


def _ledger(ledger: dict[str, Any]) -> str:
    if not ledger:
        return ""
    error, checks = ledger.get("max_relative_error"), ledger.get("checks")
    return f"Ledger: largest relative error {error:.2g} in {checks:,} checks." if error is not None and checks else "Ledger: not checked."


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,.0f}"


def _times(value: float | None) -> str:
    return "n/a" if value is None else f"x{value:.1f}"


def _seconds(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,.0f} s"
