"""Make a tiny run by hand, with piecewise constant prices, so that every quantity has an answer one can see."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.analysis.facts_file import Fact
from waxline.results.run_result import RunResult
from waxline.results.schema import ACCOUNTS, LIQUIDATIONS, N_CAUSES, SHARE_COLUMNS, VENUE_SERIES, empty_table, table

START_S, END_S = -60, 600
Path = dict[int, float]


def steps(path: Path | float, t_s: NDArray[Any]) -> NDArray[np.float64]:
    """Return the piecewise constant path {from time: value} at `t_s`; the first value holds before."""
    points = sorted(path.items()) if isinstance(path, dict) else [(0, path)]
    values = np.full(t_s.size, points[0][1], dtype=np.float64)
    for time, value in points[1:]:
        values[t_s >= time] = value
    return values


def tiny_run(
    prices: dict[str, Path | float],
    *,
    pairs: dict[str, float] | None = None,
    claims: dict[str, tuple[str, float]] | None = None,
    depth: dict[str, Path | float] | None = None,
    open_interest: dict[str, Path | float] | None = None,
    mark: dict[str, Path | float] | None = None,
    events: list[dict[str, Any]] | None = None,
    accounts: list[dict[str, Any]] | None = None,
    venues: dict[str, dict[str, Path | float]] | None = None,
    no_trade: tuple[str, ...] = (),
    end_s: int = END_S,
) -> RunResult:
    """Return a run from -60 s to `end_s` in which every price is {from time: value}; all else is empty unless given."""
    t_s = np.arange(START_S + 1, end_s + 1, dtype=np.int64)
    bin_t_s = t_s[9::10].copy()
    names = list(prices)
    path = np.stack([steps(prices[name], t_s) for name in names]).astype(np.float32)
    traded = np.where(np.isin(names, no_trade)[:, None], np.float32(np.nan), path)
    perp = np.array(["-perp-" in name for name in names])[:, None]
    marks = np.stack([steps((mark or {}).get(name, prices[name]), t_s) for name in names]).astype(np.float32)
    assets = sorted({name.split("-")[2] for name in names})
    first = {name.split("-")[2]: path[i, 0] for i, name in enumerate(names)}
    binned = {
        key: np.stack([steps((given or {}).get(name, fill), bin_t_s) for name in names]).astype(np.float32)
        for key, given, fill in (("depth", depth, 1e6), ("oi", open_interest, 0.0))
    }
    zeros = np.zeros((len(names), bin_t_s.size), dtype=np.float32)
    by_cause = np.zeros((len(names), bin_t_s.size, N_CAUSES), dtype=np.float32)
    return RunResult(
        manifest={
            "scenario": "tiny",
            "seed": 1,
            "overrides": [],
            "replay": "waxline run tiny --seed 1",
            "t0_utc": "2025-10-10T20:50:00Z",
        },
        markets=_markets(names, path[:, START_S * -1 - 2], pairs or {}, claims or {}),
        assets=assets,
        t_s=t_s,
        mid_usd=path,
        close_usd=path.copy(),
        low_usd=traded.copy(),
        high_usd=traded.copy(),
        mark_usd=np.where(perp, marks, np.float32(np.nan)),
        fair_usd=np.stack([np.full(t_s.size, first[asset], dtype=np.float32) for asset in assets]),
        bin_t_s=bin_t_s,
        bid_depth_usd=binned["depth"] * np.float32(0.5),
        ask_depth_usd=binned["depth"] * np.float32(0.5),
        spread_bps=zeros + np.float32(2.0),
        volume_usd=zeros + np.float32(1e5),
        open_interest=binned["oi"],
        empty_bid_s=zeros.copy(),
        buyer_cash_usd=zeros + np.float32(1e6),
        maker_quote_frac=zeros + np.float32(1.0),
        cause_dlog=by_cause,
        cause_sold_usd=by_cause.copy(),
        cause_bought_usd=by_cause.copy(),
        liquidations=_liquidations(names, events or []),
        named=empty_table("named"),
        accounts=_accounts(accounts or []),
        venues=_venues(venues or {}, bin_t_s),
        funds=empty_table("funds"),
        liquidation_map=empty_table("map"),
        slack=empty_table("slack"),
    )


def event(t_s: int, market: str, stage: str, usd: float, **more: Any) -> dict[str, Any]:
    """Return one liquidation row of `usd` at `t_s`; a long of a trader unless said otherwise."""
    return {"t_s": t_s, "market": market, "stage": stage, "notional_usd": usd, **more}


def fact(quantity: str, where: str = "all-all-all", **more: Any) -> Fact:
    """Return a fact about `where` ("venue-market-asset") with the window from 0 s to 600 s unless said otherwise."""
    venue, market, asset = where.split("-")
    given: dict[str, Any] = {"id": "x", "value": 0.0, "low": 0.0, "high": 1.0, "source": "by hand", **more}
    if "window_s" not in given and "at_s" not in given:
        given["window_s"] = (0, 600)
    return Fact(quantity=quantity, venue=venue, market=market, asset=asset, **given)


def _markets(names: list[str], reference: Any, pairs: dict[str, float], claims: dict[str, tuple[str, float]]) -> pl.DataFrame:
    parts = [name.split("-") for name in names]
    columns: dict[str, Any] = {
        "market_id": list(range(len(names))),
        "name": names,
        "venue": [part[0] for part in parts],
        "kind": [part[1] for part in parts],
        "asset": [part[2] for part in parts],
        "asset_kind": ["claim" if part[2] in claims else "coin" for part in parts],
        "size_class": ["mid"] * len(names),
        "pairs": [pairs.get(name, 1.0) for name in names],
        "reference_usd": np.asarray(reference, dtype=np.float64),
        "depth_usd": [5e5] * len(names),
        "open_interest_usd": [0.0] * len(names),
        "sister_id": [-1] * len(names),
        "redeems_asset": [claims.get(part[2], (None, 0.0))[0] for part in parts],
        "redeems_units": [claims[part[2]][1] if part[2] in claims else None for part in parts],
    }
    return table("markets", columns)


def _liquidations(names: list[str], events: list[dict[str, Any]]) -> pl.DataFrame:
    rows = []
    for number, given in enumerate(events):
        venue, _, asset = given["market"].split("-")
        row: dict[str, Any] = {
            "account": number,
            "account_kind": "trader",
            "account_name": None,
            "venue": venue,
            "market_id": names.index(given["market"]) if given["market"] in names else -1,
            "asset": asset,
            "side": -1,
            "quantity": 1.0,
            "price_usd": given["notional_usd"],
            "weight": 1.0,
            "equity_usd": None,
            "profit_frac": None,
            "limit_usd": None,
            "shortfall_usd": 0.0,
            "payer": None,
            "generation": 1.0,
            "counted": given["stage"] in ("close_in_book", "collateral_sale", "takeover", "deleveraging"),
            **dict.fromkeys(SHARE_COLUMNS, 0.0),
        }
        row.update({key: value for key, value in given.items() if key != "market"})
        rows.append(row)
    return table("liquidations", {column.name: [row[column.name] for row in rows] for column in LIQUIDATIONS}) if rows else empty_table("liquidations")


def _accounts(accounts: list[dict[str, Any]]) -> pl.DataFrame:
    if not accounts:
        return empty_table("accounts")
    blank: dict[str, Any] = {column.name: 0.0 for column in ACCOUNTS} | {
        "kind": "trader",
        "name": None,
        "venue": "binance",
        "weight": 1.0,
    }
    rows = [{**blank, "account": number, "first_trigger_t_s": None, "by_perp_frac": None, **given} for number, given in enumerate(accounts)]
    return table("accounts", {column.name: [row[column.name] for row in rows] for column in ACCOUNTS})


def _venues(venues: dict[str, dict[str, Path | float]], bin_t_s: NDArray[np.int64]) -> pl.DataFrame:
    parts = []
    for venue, given in venues.items():
        columns: dict[str, Any] = {column.name: np.zeros(bin_t_s.size) for column in VENUE_SERIES}
        columns.update({"t_s": bin_t_s, "venue": [venue] * bin_t_s.size})
        columns.update({"transfers_open": np.full(bin_t_s.size, True), "orders_slowed": np.full(bin_t_s.size, False)})
        columns.update({name: steps(path, bin_t_s) for name, path in given.items()})
        parts.append(table("venues", columns))
    return pl.concat(parts) if parts else empty_table("venues")
