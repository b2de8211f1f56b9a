"""Tell what happened to one account, from the run folder alone: events in time order, who stood on the other side, what it cost, and why.

Rows of one stage in one market that follow each other within a minute are one event. Costs are measured against the mid just before the first
event that forced the account.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from waxline.errors import ResultsError
from waxline.results.run_result import RunResult
from waxline.results.schema import SHARE_COLUMNS, Cause

JOINED_S = 60
FORCED = ("close_in_book", "collateral_sale", "takeover", "pool_liquidation", "deleveraging")
RESTING = "resting quotes"
LISTED_PARTS = 3


@dataclass(frozen=True)
class Event:
    """Hold one event of an account: when, what, where, how much at which average price and limit, who paid a shortfall, who took the other side.

    before_usd: mid of the market just before the account was first forced; cost_usd: what the event cost against it (negative: it gained);
    others: part of the other side by kind, the largest first; slack_usd: equity less requirement around then, where it was recorded.
    """

    from_s: int
    to_s: int
    stage: str
    market: str | None
    side: int
    quantity: float
    price_usd: float | None
    limit_usd: float | None
    notional_usd: float
    equity_usd: float | None
    slack_usd: float | None
    shortfall_usd: float
    payer: str | None
    before_usd: float | None
    cost_usd: float | None
    others: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """Hold an account's story: who it is, what it had, its events, what took its slack and what somebody outside would have seen."""

    account: int
    name: str | None
    kind: str
    venue: str
    people: float
    equity_before_usd: float | None
    slack_before_usd: float | None
    slack_before_frac: float | None
    equity_end_usd: float | None
    liquidated_usd: float
    negative_usd: float
    first_trigger_t_s: float | None
    events: list[Event]
    cost_usd: float
    causes: dict[str, float]
    generation: float | None
    observed: str

    def as_dict(self) -> dict[str, Any]:
        """Return the story as plain data for JSON."""
        return asdict(self)


def find_account(run: RunResult, asked: str) -> dict[str, Any]:
    """Return the row of an account by number or name; raises ResultsError with the nearest names, or with the numbers of a name held twice."""
    accounts = run.accounts
    mine = accounts.filter(pl.col("account") == int(asked)) if asked.isdigit() else accounts.filter(pl.col("name") == asked)
    if mine.height == 1:
        return mine.row(0, named=True)
    if mine.height > 1:
        numbers = ", ".join(f"{row['account']} ({row['venue']})" for row in mine.iter_rows(named=True))
        raise ResultsError(f"account {asked!r} stands for several accounts: choose one of {numbers}")
    names: list[str] = accounts["name"].drop_nulls().unique().sort().to_list()
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.3)
    busy = run.liquidations.filter(pl.col("counted"))["account"].unique().sort().to_list()[:3]
    advice = f"did you mean {', '.join(near)}?" if near else f"liquidated ones are for example {', '.join(map(str, busy))}" if busy else "nobody was liquidated"
    last = max(accounts["account"].to_list(), default=0)
    raise ResultsError(f"account {asked!r} is not in this run (numbers go to {last}): {advice}")


def story_of(run: RunResult, asked: str) -> Story:
    """Return the story of the account numbered or named `asked`; raises ResultsError where there is none."""
    row = find_account(run, asked)
    number = int(row["account"])
    rows = run.liquidations.filter(pl.col("account") == number).sort("t_s", maintain_order=True)
    forced = rows.filter(pl.col("stage").is_in(FORCED))
    start_s = None if forced.height == 0 else int(forced["t_s"][0])
    if row["first_trigger_t_s"] is not None:
        start_s = int(row["first_trigger_t_s"])
    events = [_event(run, number, group, start_s) for group in _groups(rows)]
    slack = run.slack.filter(pl.col("account") == number)
    held = slack.row(0, named=True) if slack.height else None
    shares = {cause.label: _weighted(forced, column) for cause, column in zip(Cause, SHARE_COLUMNS, strict=True)}
    whole = sum(shares.values())
    causes = {label: part / whole for label, part in sorted(shares.items(), key=lambda item: -item[1]) if whole > 0.0 and part > 0.0}
    own = forced.filter(pl.col("stage") != "deleveraging")
    return Story(
        account=number,
        name=row["name"],
        kind=row["kind"],
        venue=row["venue"],
        people=float(row["weight"]),
        equity_before_usd=row["equity_before_usd"],
        slack_before_usd=None if held is None else held["equity_usd"] - held["maintenance_usd"],
        slack_before_frac=None if held is None else held["slack_frac"],
        equity_end_usd=row["equity_end_usd"],
        liquidated_usd=float(row["liquidated_usd"]),
        negative_usd=float(row["negative_equity_usd"]),
        first_trigger_t_s=row["first_trigger_t_s"],
        events=events,
        cost_usd=math.fsum(event.cost_usd for event in events if event.cost_usd is not None),
        causes=causes,
        generation=_weighted(own, "generation") / float(own["notional_usd"].sum()) if own.height and own["notional_usd"].sum() > 0.0 else None,
        observed=_observed(run, events, start_s),
    )


def _weighted(rows: pl.DataFrame, column: str) -> float:
    return float((rows[column].cast(pl.Float64) * rows["notional_usd"]).sum()) if rows.height else 0.0


def _groups(rows: pl.DataFrame) -> list[list[dict[str, Any]]]:
    """Return rows joined into events: same stage, market, side and payer, no more than a minute after the last of them."""
    groups: list[list[dict[str, Any]]] = []
    last: dict[tuple[Any, ...], int] = {}
    for row in rows.iter_rows(named=True):
        kind = (row["stage"], row["market_id"], row["side"], row["payer"])
        place = last.get(kind)
        if place is not None and row["t_s"] - groups[place][-1]["t_s"] <= JOINED_S:
            groups[place].append(row)
        else:
            last[kind] = len(groups)
            groups.append([row])
    return groups


def _event(run: RunResult, number: int, group: list[dict[str, Any]], start_s: int | None) -> Event:
    first, last = group[0], group[-1]
    quantity, notional = (math.fsum(row[name] for row in group) for name in ("quantity", "notional_usd"))
    market = int(first["market_id"])
    price = notional / quantity if quantity > 0.0 else None
    before = cost = None
    if market >= 0 and price is not None and start_s is not None:
        before = run.price_at(market, start_s - 1, "mid")
        before = before if math.isfinite(before) else None
        cost = None if before is None else float(first["side"]) * quantity * (price - before)
    limits = [row["limit_usd"] for row in group if row["limit_usd"] is not None]
    worst = (min if first["side"] < 0 else max)(limits) if limits else None
    return Event(
        from_s=int(first["t_s"]),
        to_s=int(last["t_s"]),
        stage=str(first["stage"]),
        market=run.market_name(market) if market >= 0 else None,
        side=int(first["side"]),
        quantity=quantity,
        price_usd=price,
        limit_usd=worst,
        notional_usd=notional,
        equity_usd=first["equity_usd"] if first["stage"] != "deleveraging" else None,
        slack_usd=_slack_at(run, number, int(first["t_s"])),
        shortfall_usd=math.fsum(row["shortfall_usd"] for row in group),
        payer=first["payer"],
        before_usd=before,
        cost_usd=cost,
        others=_other_side(run, market, int(first["side"]), int(first["t_s"]), int(last["t_s"])) if first["stage"] in FORCED[:2] else {},
    )


def _slack_at(run: RunResult, number: int, t_s: int) -> float | None:
    """Return equity less requirement of a named account at the last record up to `t_s`."""
    rows = run.named.filter((pl.col("account") == number) & (pl.col("t_s") <= t_s))
    if rows.height == 0:
        return None
    row = rows.sort("t_s").row(-1, named=True)
    return float(row["equity_usd"] - row["maintenance_usd"])


def _other_side(run: RunResult, market: int, side: int, from_s: int, to_s: int) -> dict[str, float]:
    """Return who took the other side of takers in a market from the bin of `from_s` to that of `to_s`: takers by cause, the rest resting quotes."""
    bins = slice(run.bin_at(from_s), min(run.bin_at(to_s) + 2, run.bin_t_s.size))
    sold = np.asarray(run.cause_sold_usd[market, bins], dtype=np.float64).sum(axis=0)
    bought = np.asarray(run.cause_bought_usd[market, bins], dtype=np.float64).sum(axis=0)
    pushed, against = (sold, bought) if side < 0 else (bought, sold)
    if pushed.sum() <= 0.0:
        return {}
    against = against * min(1.0, float(pushed.sum() / against.sum())) if against.sum() > 0.0 else against
    parts = {cause.label: float(against[cause] / pushed.sum()) for cause in Cause if against[cause] > 0.0}
    parts[RESTING] = max(1.0 - sum(parts.values()), 0.0)
    return dict(sorted(parts.items(), key=lambda item: (-item[1], item[0])))


def _observed(run: RunResult, events: list[Event], start_s: int | None) -> str:
    """Return what somebody who sees prices and liquidation messages only would call the cause."""
    forced = [event for event in events if event.stage in FORCED and event.market is not None]
    if not forced or start_s is None:
        return "nothing: no order of this account was forced in a market"
    largest = max(forced, key=lambda event: (event.notional_usd, -event.from_s))
    assert largest.market is not None
    market = run.market_id(largest.market)
    moved = run.price_at(market, start_s, "mid") / run.reference_usd(market, "mid") - 1.0
    asset = largest.market.split("-")[2]
    word = "fell" if moved < 0.0 else "rose"
    what = {
        "close_in_book": "a long was liquidated" if largest.side < 0 else "a short was liquidated",
        "takeover": "the venue took a position over",
        "collateral_sale": f"somebody sold {asset} in spot",
        "pool_liquidation": "a loan was liquidated on chain",
        "deleveraging": "a winning position was closed by the venue",
    }[largest.stage]
    return f"{what} after {asset} {word} {abs(moved):.1%} on {largest.market.split('-')[0]}"
