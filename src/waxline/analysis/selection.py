"""Find what a fact is about in a run: its markets, its window, its liquidation rows; or say why it cannot be measured."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.analysis.facts_file import Fact
from waxline.results.run_result import RunResult

STABLE = ("USD", "USDT", "USDC", "FDUSD", "DAI")
MINUTE_S = 60


class NotMeasured(Exception):
    """Say why a quantity has no value in this run."""


def window(run: RunResult, fact: Fact) -> tuple[float, float]:
    """Return [from, to] of the fact in s, cut at the run's end."""
    if fact.window_s is None:
        raise NotMeasured("window_s is not given")
    start, end = fact.window_s
    if start > run.end_t_s:
        raise NotMeasured(f"the window starts at {start:g} s, after the run's end at {run.end_t_s} s")
    return start, min(end, float(run.end_t_s))


def is_cut(run: RunResult, fact: Fact) -> bool:
    """Tell whether the fact's window ends after the run does."""
    return fact.window_s is not None and fact.window_s[1] > run.end_t_s


def instant(run: RunResult, fact: Fact) -> float:
    """Return the fact's instant in s."""
    if fact.at_s is None:
        raise NotMeasured("at_s is not given")
    if not run.t_s[0] <= fact.at_s <= run.end_t_s:
        raise NotMeasured(f"at_s = {fact.at_s:g} s lies outside the run, {int(run.t_s[0])} to {run.end_t_s} s")
    return fact.at_s


def markets(run: RunResult, venue: str, market: str, asset: str) -> list[int]:
    """Return the rows of the markets selected; raises NotMeasured naming what is not in the run."""
    check_present(run, venue, asset)
    found = run.select(venue, market, asset)
    if found:
        return found
    raise NotMeasured(f"market {venue}-{market}-{asset} is not in the run")


def check_present(run: RunResult, venue: str, asset: str) -> None:
    """Raise NotMeasured when the venue or an asset is nowhere in the run."""
    if venue != "all" and venue not in set(run.markets["venue"]) | set(run.venues["venue"]):
        raise NotMeasured(f"venue {venue} is not in the run")
    if asset not in ("all", "alts"):
        known = set(run.assets) | set(run.markets["asset"])
        missing = [symbol for symbol in asset.split("+") if symbol not in known]
        if missing:
            missing = sorted(set(missing) - set(run.liquidations["asset"].unique()), key=missing.index)
        if missing:
            raise NotMeasured(f"asset {', '.join(missing)} is not in the run")


def fact_markets(run: RunResult, fact: Fact) -> list[int]:
    """Return the rows of the markets of a fact about several."""
    return markets(run, fact.venue, fact.market, fact.asset)


def one_market(run: RunResult, fact: Fact) -> int:
    """Return the row of the market of a fact about one."""
    found = fact_markets(run, fact)
    if len(found) > 1:
        raise NotMeasured(f"{fact.quantity} is about one market, {fact.venue}-{fact.market}-{fact.asset} selects {len(found)}")
    return found[0]


def against_market(run: RunResult, fact: Fact) -> int:
    """Return the row of the market of the same asset at the fact's `against` ("venue-market")."""
    venue, _, kind = (fact.against or "").partition("-")
    if not kind:
        raise NotMeasured(f"against must be venue-market, was {fact.against!r}")
    found = markets(run, venue, kind, fact.asset)
    if len(found) > 1:
        raise NotMeasured(f"{fact.against} selects {len(found)} markets of {fact.asset}")
    return found[0]


def redemption_usd(run: RunResult, market_id: int) -> NDArray[np.float64]:
    """Return the redemption value of a claim at every row, [T]: units x spot mid of the redeemed asset on the same venue.

    Where that market has no mid the fair value is used; a claim on dollars redeems for its units.
    """
    row = run.markets.row(market_id, named=True)
    asset, units = row["redeems_asset"], row["redeems_units"]
    if asset is None or units is None:
        raise NotMeasured(f"{row['asset']} has no redemption value")
    price = np.full(run.t_s.size, np.nan)
    for spot in run.select(row["venue"], "spot", asset):
        price = np.asarray(run.mid_usd[spot], dtype=np.float64)
    if asset in run.assets:
        price = np.where(np.isfinite(price), price, run.fair_usd[run.asset_index(asset)])
    elif asset in STABLE:
        price = np.ones(run.t_s.size)
    if not np.isfinite(price).any():
        raise NotMeasured(f"the redeemed asset {asset} has no price in the run")
    return np.asarray(units * price, dtype=np.float64)


def minute_closes(run: RunResult, market_id: int, from_s: float, to_s: float, before: bool = False) -> NDArray[np.float64]:
    """Return the last traded price at the end (second 59) of every whole minute in the window.

    Minutes are those of the clock, m*60..m*60+59; with `before`, the close of the minute before the first comes first.
    """
    first, last = int(np.ceil(from_s / MINUTE_S)), int(np.floor((to_s - MINUTE_S + 1) / MINUTE_S))
    ends = (np.arange(first - int(before), last + 1) + 1) * MINUTE_S - 1
    ends = ends[ends >= run.t_s[0]]
    rows = np.searchsorted(run.t_s, ends, side="right") - 1
    return np.asarray(run.close_usd[market_id, rows], dtype=np.float64)


def events(run: RunResult, venue: str, market: str, asset: str) -> pl.DataFrame:
    """Return the liquidation rows of the selection, every stage; raises NotMeasured when venue or asset is not in the run."""
    check_present(run, venue, asset)
    rows = run.liquidations
    if venue != "all":
        rows = rows.filter(pl.col("venue") == venue)
    if market != "all":
        kinds = run.markets.select("market_id", pl.col("kind").alias("market_kind"))
        by_stage = pl.when(pl.col("stage") == "collateral_sale").then(pl.lit("spot")).otherwise(pl.lit("perp"))
        pool = pl.when(pl.col("stage") == "pool_liquidation").then(pl.lit("pool"))
        rows = rows.join(kinds, on="market_id", how="left", maintain_order="left")
        rows = rows.filter(pl.coalesce(pool, "market_kind", by_stage) == market).drop("market_kind")
    if asset == "alts":
        rows = rows.filter(pl.col("asset").is_in(sorted({run.markets["asset"][i] for i in run.select(asset="alts")})))
    elif asset != "all":
        rows = rows.filter(pl.col("asset").is_in(asset.split("+")))
    return rows


def counted(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that enter the liquidated amount."""
    return rows.filter(pl.col("counted"))


def between(rows: pl.DataFrame, from_s: float, to_s: float) -> pl.DataFrame:
    """Return the rows with from_s <= t_s <= to_s."""
    return rows.filter((pl.col("t_s") >= from_s) & (pl.col("t_s") <= to_s))


def usd(rows: pl.DataFrame) -> float:
    """Return the sum of the notional of the rows."""
    return exact_sum(rows["notional_usd"])


def exact_sum(values: pl.Series) -> float:
    """Return the exactly rounded sum of a column without nulls: the same for every order of rows and number of threads."""
    return math.fsum(values.to_list())


def exact_sums(rows: pl.DataFrame, key: str, *values: str) -> dict[Any, tuple[float, ...]]:
    """Return key -> exactly rounded sums of the columns `values`, keys in ascending order."""
    ordered = rows.select(key, *values).sort(key, maintain_order=True)
    keys = ordered[key].to_list()
    if not keys:
        return {}
    columns = [ordered[value].to_list() for value in values]
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    ends = [*starts[1:], len(keys)]
    return {keys[a]: tuple(math.fsum(column[a:b]) for column in columns) for a, b in zip(starts, ends, strict=True)}


def people(rows: pl.DataFrame) -> float:
    """Return the people behind the accounts of the rows, each account once."""
    return exact_sum(rows.group_by("account").agg(pl.col("weight").max())["weight"])


def share(part: float, whole: float, what: str) -> float:
    """Return part / whole; raises NotMeasured when there was none of `what`."""
    if not whole > 0.0:
        raise NotMeasured(f"there was no {what}")
    return part / whole


def largest_minute_usd(rows: pl.DataFrame, from_s: float, to_s: float) -> tuple[float, int]:
    """Return the largest amount in a whole clock minute of the window and the minute's start in s; (0, from_s) without rows."""
    minute = rows.with_columns(pl.col("t_s").cast(pl.Int64).floordiv(MINUTE_S).alias("minute"))
    whole = minute.filter((pl.col("minute") * MINUTE_S >= from_s) & (pl.col("minute") * MINUTE_S + MINUTE_S - 1 <= to_s))
    if whole.height == 0:
        return 0.0, int(from_s)
    sums = exact_sums(whole, "minute", "notional_usd")
    first = max(sums, key=lambda number: (sums[number][0], -number))
    return sums[first][0], int(first) * MINUTE_S
