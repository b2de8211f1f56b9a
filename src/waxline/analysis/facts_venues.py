"""Measure facts about deleveraging, insurance funds, backstop vaults and lending pools."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from waxline.analysis.facts_file import Fact
from waxline.analysis.selection import (
    NotMeasured,
    between,
    check_present,
    events,
    exact_sum,
    largest_minute_usd,
    share,
    usd,
    window,
)
from waxline.results.run_result import REFERENCE_T_S, RunResult

ADL = "deleveraging in the selection"
BEFORE_S = 60
AGGREGATED_S = 10
LIQUIDATION_STAGES = ("close_in_book", "collateral_sale", "takeover")


def adl_usd(run: RunResult, fact: Fact) -> float:
    """Measure the notional closed by deleveraging, counted once (the winners' side)."""
    return usd(_adl(run, fact))


def adl_asset_share(run: RunResult, fact: Fact) -> float:
    """Measure the part of deleveraging, on that venue and market, that is in the asset or assets."""
    return share(usd(_adl(run, fact)), usd(_adl(run, fact.model_copy(update={"asset": "all"}))), ADL)


def adl_peak_minute_share(run: RunResult, fact: Fact) -> float:
    """Measure the part of deleveraging that falls in the largest whole minute."""
    rows = _adl(run, fact)
    return share(largest_minute_usd(rows, *window(run, fact))[0], usd(rows), ADL)


def adl_profitable_share(run: RunResult, fact: Fact) -> float:
    """Measure the part of deleveraged positions, by number, that were in profit when closed."""
    profits = _adl(run, fact)["profit_frac"].fill_nan(None).drop_nulls()
    return share(float((profits > 0.0).sum()), float(profits.len()), ADL)


def adl_cross_asset_events(run: RunResult, fact: Fact) -> float:
    """Count deleveraging events in an asset without a liquidation in it, on the venue, in the same step or the minute before.

    Rows of closes in the book stand for up to 10 s, so they are looked for up to 10 s later too.
    """
    adl = _adl(run, fact)
    causes = events(run, fact.venue, "all", "all").filter(pl.col("stage").is_in(LIQUIDATION_STAGES))
    alone = 0
    for (venue, asset), group in adl.group_by(["venue", "asset"], maintain_order=True):
        same = causes.filter((pl.col("venue") == venue) & (pl.col("asset") == asset))
        last = same["t_s"].to_numpy().astype(np.int64)
        first = last - AGGREGATED_S * (same["stage"] == "close_in_book").to_numpy()
        at = group["t_s"].to_numpy().astype(np.int64)
        # A row covers first..last. Those that started by the event less those that ended over a minute before it are its parents.
        started = np.searchsorted(np.sort(first), at, side="right")
        ended = np.searchsorted(np.sort(last), at - BEFORE_S, side="left")
        alone += int(np.sum(started == ended))
    return float(alone)


def negative_equity_usd(run: RunResult, fact: Fact) -> float:
    """Measure the sum of negative equities, positive, of accounts when they are taken over or cause deleveraging.

    An account's moment is its first takeover, else its first trigger; only a selection by venue is possible.
    """
    check_present(run, fact.venue, fact.asset)
    if fact.asset != "all" or fact.market not in ("all", "perp"):
        raise NotMeasured("equity belongs to an account, not to a market: select by venue only")
    accounts = run.accounts.filter(pl.col("negative_equity_usd") > 0.0)
    if fact.venue != "all":
        accounts = accounts.filter(pl.col("venue") == fact.venue)
    takeovers = run.liquidations.filter(pl.col("stage") == "takeover")
    moments = takeovers.group_by("account").agg(pl.col("t_s").min().cast(pl.Float64).alias("takeover_t_s"))
    timed = accounts.join(moments, on="account", how="left").with_columns(pl.coalesce("takeover_t_s", "first_trigger_t_s").fill_null(0.0).alias("t_s"))
    return exact_sum(between(timed, *window(run, fact))["negative_equity_usd"])


def insurance_used_usd(run: RunResult, fact: Fact) -> float:
    """Measure the largest fall of the fund below its level at t = -1 s within the window, summed over venues selected."""
    return _over_venues(run, fact, _fund_used, "insurance fund")


def backstop_pnl_usd(run: RunResult, fact: Fact) -> float:
    """Measure profit and loss of the backstop vault over the window."""

    def pnl(rows: pl.DataFrame, start: float, end: float) -> float | None:
        vault = rows["vault_usd"].fill_nan(None).drop_nulls()
        has_vault = vault.len() > 0 and bool((vault != 0.0).any())
        return _change(rows, "vault_pnl_usd", start, end) if has_vault else None

    return _over_venues(run, fact, pnl, "backstop vault")


def pool_liquidated_usd(run: RunResult, fact: Fact) -> float:
    """Measure the collateral seized by the lending pool in the window."""
    return _pool(run, fact, "pool_liquidated_usd")


def pool_bonus_usd(run: RunResult, fact: Fact) -> float:
    """Measure the bonus paid to keepers in the window."""
    return _pool(run, fact, "pool_bonus_usd")


def pool_bad_debt_usd(run: RunResult, fact: Fact) -> float:
    """Measure the debt of the lending pool left uncovered in the window."""
    return _pool(run, fact, "pool_bad_debt_usd")


def _adl(run: RunResult, fact: Fact) -> pl.DataFrame:
    rows = events(run, fact.venue, fact.market, fact.asset).filter(pl.col("stage") == "deleveraging")
    return between(rows, *window(run, fact))


def _pool(run: RunResult, fact: Fact, column: str) -> float:
    if fact.asset != "all" or fact.market not in ("all", "pool"):
        raise NotMeasured("the pool's totals are recorded over all its assets: select by venue, market pool, asset all")

    def change(rows: pl.DataFrame, start: float, end: float) -> float | None:
        return _change(rows, column, start, end)

    return _over_venues(run, fact, change, "lending pool")


def _over_venues(run: RunResult, fact: Fact, measure: Callable[[pl.DataFrame, float, float], float | None], what: str) -> float:
    """Return the sum of `measure` over the venues selected that have one."""
    check_present(run, fact.venue, "all")
    start, end = window(run, fact)
    venues = run.venues["venue"].unique(maintain_order=True).to_list() if fact.venue == "all" else [fact.venue]
    values = [measure(run.venue_series(venue), start, end) for venue in venues]
    present = [value for value in values if value is not None]
    if not present:
        raise NotMeasured(f"{fact.venue} has no {what} in the run")
    return float(sum(present))


def _fund_used(rows: pl.DataFrame, start: float, end: float) -> float | None:
    before = _at(rows, "fund_usd", REFERENCE_T_S)
    inside = between(rows, start, end)["fund_usd"].fill_nan(None).drop_nulls()
    if before is None or inside.len() == 0 or (before == 0.0 and not bool((inside != 0.0).any())):
        return None
    return max(before - float(inside.to_numpy().min()), 0.0)


def _change(rows: pl.DataFrame, column: str, start: float, end: float) -> float | None:
    """Return the growth of a cumulative column over [start, end]; None where it is not recorded."""
    before, after = _at(rows, column, start), _at(rows, column, end)
    return None if before is None or after is None else after - before


def _at(rows: pl.DataFrame, column: str, t_s: float) -> float | None:
    """Return the value of `column` at or just before `t_s`; the first one for earlier times; None without any."""
    known = rows.select("t_s", pl.col(column).fill_nan(None)).drop_nulls()
    if known.height == 0:
        return None
    row = int(np.searchsorted(known["t_s"].to_numpy(), t_s, side="right")) - 1
    return float(known[column][max(row, 0)])
