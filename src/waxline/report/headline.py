"""Show the run in ten numbers, and the news alone beside the news with feedback."""

from __future__ import annotations

from typing import Any

import numpy as np

from waxline.analysis.summary import summarise
from waxline.report.drawing import chart, legend_above, say_empty
from waxline.report.marks import BLUE, CLASS_LABELS, GREY, VERMILLION
from waxline.report.numbers import NONE, count, percent, times, usd, version_of
from waxline.report.page import Figure, Heading, Section, Table, Text, Tile, Tiles
from waxline.report.svg import to_svg
from waxline.report.view import View


def headline(view: View) -> Section:
    """Return the first section: ten numbers, news alone against feedback, and what was run."""
    section = Section(
        "headline",
        "The run in ten numbers",
        "Each number is one outcome of one simulated run, not a record of what happened. News alone is the same run, same "
        "seed, with all feedback "
        "switched off: nobody is liquidated and nobody reacts to falling prices.",
    )
    summary = view.run.summary if "groups" in view.run.summary else summarise(view.run)
    section.add(Tiles(tuple(_tiles(view, summary))), Heading("news-alone", "News alone, and with feedback"))
    if view.run.baseline:
        section.add(
            Figure(
                _figure(view),
                "Fall by the news alone and with feedback",
                "Lowest trade after the news, median over the markets of a row.",
            )
        )
    else:
        section.add(Text("This run has no twin with feedback switched off, so it cannot say what the news alone would have done.", "empty"))
    section.add(Heading("what-was-run", "What was run"), _run_table(view))
    return section


def _group(summary: dict[str, Any], view: View, name: str) -> dict[str, Any]:
    """Return the group `name` on the main venue, perpetuals first; {} where there is none."""
    for kind in ("perp", "spot"):
        for group in summary.get("groups", []):
            if (group["venue"], group["kind"], group["class"]) == (view.main_venue, kind, name):
                return dict(group)
    return {}


def _fall_tile(group: dict[str, Any], who: str) -> Tile:
    fall = group.get("fall")
    if fall is None:
        return Tile(NONE, f"{who}: not in this run")
    where = f"{group['venue']} {group['kind']}"
    alone, ratio = group.get("news_alone"), group.get("amplification")
    note = f"{percent(-alone)} by the news alone: {times(ratio)} amplified" if alone is not None else "no run with feedback off to compare with"
    return Tile(percent(-fall), f"{who}, {where}: lowest trade against before", note)


def _tiles(view: View, summary: dict[str, Any]) -> list[Tile]:
    forced, venues = summary["liquidated"], summary["venues"]
    btc, alts = _group(summary, view, "BTC"), _group(summary, view, "alts")
    depth: dict[str, Any] = next(
        (d for d in summary["depth"] if (d["venue"], d["kind"], d["class"]) == (view.main_venue, alts.get("kind", "perp"), "alts")),
        {},
    )

    def over_venues(key: str) -> float:
        return float(sum(venue[key] or 0.0 for venue in venues))

    by_kind = forced["by_kind_usd"]
    lost = over_venues("bad_debt_usd") + over_venues("pool_bad_debt_usd")
    funds: dict[str, Any] = max(venues, key=lambda v: v["fund_used_usd"] or 0.0, default={})
    peak = forced["peak_minute_t_s"]
    regained = alts.get("recovered_end")
    return [
        Tile(
            usd(forced["total_usd"]),
            "liquidated: positions closed by force and pledged coins sold",
            f"{percent(forced['long_share'], 0)} longs; {count(forced['people'])} people",
        ),
        _fall_tile(btc, "BTC"),
        _fall_tile(alts, f"altcoins, mean over {count(alts.get('n_pairs'))} pairs" if alts else "altcoins"),
        Tile(
            usd(forced["peak_minute_usd"]) if peak is not None else NONE,
            f"in the largest minute, {view.clock.at(peak, False)} UTC",
            f"{percent(forced['peak_minute_share'], 0)} of all",
        ),
        Tile(usd(by_kind.get("collateral_sold")), "of pledged coins sold into spot books", "at any price, to repay loans"),
        Tile(
            percent(depth.get("least_ratio")),
            "of altcoins' depth left at the worst, median",
            f"{percent(depth.get('median_ratio'), 0)} over the time after the news",
        ),
        Tile(
            usd(over_venues("adl_usd")),
            "closed by deleveraging winners",
            f"{usd(by_kind.get('perps_taken_over'))} taken over by funds and vault",
        ),
        Tile(
            usd(over_venues("fund_used_usd")),
            "of insurance funds used",
            f"most on {funds['venue']}" if (funds.get("fund_used_usd") or 0.0) > 0.0 else "",
        ),
        Tile(usd(lost), "bad debt that nobody covered", f"{usd(over_venues('socialised_usd'))} socialised"),
        Tile(
            percent(regained, 0),
            "of the altcoins' fall regained at the end",
            f"{percent(btc.get('recovered_10min'), 0)} of BTC's 10 minutes after its low",
        ),
    ]


def _figure(view: View) -> str:
    rows: list[tuple[str, float, float]] = []
    for size_class, label in CLASS_LABELS.items():
        for venue, kind in ((view.main_venue, "perp"), (view.main_venue, "spot"), (view.other_venue, "spot")):
            markets = [m for m in (view.of_class(size_class, venue, kind) if venue else []) if np.isfinite(view.falls[m]) and np.isfinite(view.alone(m))]
            if markets:
                alone = float(np.median([view.alone(m) for m in markets]))
                rows.append((f"{label}, {venue} {kind}", 100.0 * alone, 100.0 * float(np.median(view.falls[markets]))))
    figure, (axes,) = chart(height=0.95 + 0.22 * len(rows), left=2.3, top=0.35)
    if not rows:
        say_empty(axes, "no market traded in both runs")
        return to_svg(figure, "Nothing to compare")
    y = np.arange(len(rows))[::-1]
    axes.hlines(y, [row[1] for row in rows], [row[2] for row in rows], color=GREY, linewidth=1.2, zorder=1)
    axes.plot([row[1] for row in rows], y, "o", color=BLUE, markersize=5.0, label="news alone")
    axes.plot([row[2] for row in rows], y, "D", color=VERMILLION, markersize=5.0, label="with feedback")
    for place, (_, alone, fall) in zip(y, rows, strict=True):
        if alone > 0.1:
            axes.text(max(fall, alone) + 1.0, place, f"{times(fall / alone)}", va="center", fontsize=7.5)
    axes.set_yticks(y, [row[0] for row in rows])
    axes.set_xlim(0.0, min(max(max(row[1], row[2]) for row in rows) * 1.12 + 4.0, 110.0))
    axes.set_xlabel("fall from the price before the news to the lowest trade, %")
    axes.grid(False, axis="y")
    legend_above(axes, 2)
    return to_svg(figure, "Fall by the news alone and with feedback, per cent")


def _run_table(view: View) -> Table:
    manifest, run = view.run.manifest, view.run
    start, end = float(run.t_s[0]) - 1.0, float(run.t_s[-1])
    rows = [
        ("scenario", str(manifest.get("scenario", NONE))),
        ("seed", str(manifest.get("seed", NONE))),
        ("changed by", ", ".join(f"--set {o}" for o in manifest.get("overrides") or []) or "nothing"),
        ("program", f"waxline {version_of(manifest)}"),
        ("simulated", f"{view.clock.date()}, {view.clock.at(start)} to {view.clock.at(end)} UTC, news at {view.clock.at(0.0)}"),
        ("steps", f"{run.t_s.size} of {manifest.get('step_s', 1)} s"),
        (
            "world",
            f"{run.markets.height} markets, {len(run.assets)} assets, {len(view.venues)} venues with books, {_accounts(view)} accounts",
        ),
        ("ledger", _ledger(view)),
    ]
    return Table(("what", "value"), rows, words=(0, 1))


def _accounts(view: View) -> str:
    declared = view.run.manifest.get("n_accounts")
    return str(declared) if declared is not None else str(view.run.accounts.height)


def _ledger(view: View) -> str:
    ledger = view.run.ledger
    if not ledger or "max_relative_error" not in ledger:
        return "not checked"
    return f"checked {ledger.get('checks', NONE)} times, largest relative error {float(ledger['max_relative_error']):.1e}"
