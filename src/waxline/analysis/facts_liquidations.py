"""Measure facts about forced closes and sales: amounts, shares, peaks, accounts."""

from __future__ import annotations

import polars as pl

from waxline.analysis.facts_file import Fact
from waxline.analysis.selection import between, counted, events, instant, largest_minute_usd, people, share, usd, window
from waxline.results.run_result import RunResult

LIQUIDATION = "liquidation in the selection"


def liquidated_usd(run: RunResult, fact: Fact) -> float:
    """Measure forced closes of perps (book, takeover, deleveraging counted once) plus forced sales of collateral, USD."""
    return usd(_rows(run, fact))


def liquidated_long_share(run: RunResult, fact: Fact) -> float:
    """Measure the part of the amount that closed longs or sold collateral."""
    rows = _rows(run, fact)
    return share(usd(rows.filter(pl.col("side") < 0)), usd(rows), LIQUIDATION)


def liquidated_asset_share(run: RunResult, fact: Fact) -> float:
    """Measure the part of the amount, on that venue and market, that is in the asset."""
    whole = between(counted(events(run, fact.venue, fact.market, "all")), *window(run, fact))
    return share(usd(_rows(run, fact)), usd(whole), LIQUIDATION)


def liquidated_venue_share(run: RunResult, fact: Fact) -> float:
    """Measure the part of the amount of all venues, in that market and asset, that is on the venue."""
    whole = between(counted(events(run, "all", fact.market, fact.asset)), *window(run, fact))
    return share(usd(_rows(run, fact)), usd(whole), LIQUIDATION)


def liquidated_share_in_window(run: RunResult, fact: Fact) -> float:
    """Measure the part of the whole run's amount, of the same selection, that lies inside the window."""
    return share(usd(_rows(run, fact)), usd(_whole_run(run, fact)), LIQUIDATION)


def liquidated_share_before(run: RunResult, fact: Fact) -> float:
    """Measure the part of the whole run's amount, of the same selection, that lies before the instant."""
    rows = _whole_run(run, fact)
    return share(usd(rows.filter(pl.col("t_s") < instant(run, fact))), usd(rows), LIQUIDATION)


def liquidated_peak_minute_share(run: RunResult, fact: Fact) -> float:
    """Measure the largest whole minute over the window's amount."""
    rows = _rows(run, fact)
    return share(largest_minute_usd(rows, *window(run, fact))[0], usd(rows), LIQUIDATION)


def accounts_liquidated(run: RunResult, fact: Fact) -> float:
    """Measure the people whose account had a forced close or sale; a deleveraged winner is not one of them."""
    return people(_rows(run, fact).filter(pl.col("stage") != "deleveraging"))


def _rows(run: RunResult, fact: Fact) -> pl.DataFrame:
    return between(_whole_run(run, fact), *window(run, fact))


def _whole_run(run: RunResult, fact: Fact) -> pl.DataFrame:
    return counted(events(run, fact.venue, fact.market, fact.asset))
