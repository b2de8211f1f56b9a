"""Make a run result by hand: plausible, small, quick, without a simulation; the report and the analysis are tried on it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.results.run_result import RunResult
from waxline.results.schema import (
    ACCOUNTS,
    BIN_FIELDS,
    COUNTED_STAGES,
    FORMAT,
    PRICE_FIELDS,
    SHARE_COLUMNS,
    VENUES,
    Cause,
    empty_table,
    table,
)

N_CAUSES = len(Cause)
ACCOUNT_COLUMNS = tuple(column.name for column in ACCOUNTS)
START_S, END_S = -600, 6600


class Row(NamedTuple):
    """Describe one made-up market; `fall` is the fraction lost at `low_at_s`, depth is one side."""

    name: str
    price_usd: float
    redeems: str | None
    units: float
    pairs: int
    size: str
    fall: float
    low_at_s: int
    depth_usd: float
    open_interest_usd: float


MARKETS = (
    Row("binance-spot-BTC", 117_000.0, None, 0.0, 1, "btc_eth", 0.12, 1830, 20e6, 0.0),
    Row("binance-perp-BTC", 117_000.0, None, 0.0, 1, "btc_eth", 0.13, 1830, 60e6, 12e9),
    Row("binance-spot-ETH", 4_100.0, None, 0.0, 1, "btc_eth", 0.14, 1840, 15e6, 0.0),
    Row("binance-perp-ETH", 4_100.0, None, 0.0, 1, "btc_eth", 0.15, 1840, 40e6, 8e9),
    Row("binance-spot-DOGE", 0.245, None, 0.0, 4, "major", 0.59, 1860, 1.5e6, 0.0),
    Row("binance-perp-DOGE", 0.245, None, 0.0, 5, "major", 0.64, 1860, 4e6, 1.2e9),
    Row("binance-spot-ATOM", 4.05, None, 0.0, 40, "mid", 0.99, 1920, 0.3e6, 0.0),
    Row("binance-perp-ATOM", 4.05, None, 0.0, 60, "mid", 0.73, 1900, 0.7e6, 9e7),
    Row("binance-spot-USDe", 1.0, "USD", 1.0, 1, "claim", 0.34, 3100, 5e6, 0.0),
    Row("binance-spot-wBETH", 4_430.0, "ETH", 1.08, 1, "claim", 0.88, 3200, 1e6, 0.0),
    Row("bybit-perp-BTC", 117_010.0, None, 0.0, 1, "btc_eth", 0.135, 1832, 40e6, 7e9),
    Row("coinbase-spot-BTC", 117_020.0, None, 0.0, 1, "btc_eth", 0.08, 1835, 25e6, 0.0),
    Row("coinbase-spot-DOGE", 0.245, None, 0.0, 1, "major", 0.36, 1870, 1.2e6, 0.0),
    Row("hyperliquid-perp-BTC", 117_000.0, None, 0.0, 1, "btc_eth", 0.13, 1830, 15e6, 3e9),
    Row("hyperliquid-perp-DOGE", 0.245, None, 0.0, 1, "major", 0.62, 1860, 1e6, 2e8),
    Row("rest-perp-BTC", 117_000.0, None, 0.0, 1, "btc_eth", 0.13, 1831, 50e6, 15e9),
)
ACCOUNT_NAMES = ("maker A", "maker B", "maker A hedge", "whale wBETH", "whale DOGE", "backstop vault", "binance fund")


def synthetic_run(seed: int = 1) -> RunResult:
    """Return a run of 16 markets on all venues over 7,200 s with every table filled; not a simulation, only its shape."""
    draw = np.random.default_rng(seed)
    markets = _markets()
    t_s = np.arange(START_S + 1, END_S + 1, dtype=np.int64)
    bin_t_s = t_s[9::10].copy()
    prices: dict[str, Any] = _prices(draw, t_s)
    bins: dict[str, Any] = _bins(draw, bin_t_s)
    dlog, sold, bought = _causes(draw, prices["mid_usd"], bin_t_s, bins["volume_usd"])
    assets = sorted({row.name.split("-")[2] for row in MARKETS})
    price_of = {row.name.split("-")[2]: row.price_usd for row in MARKETS}
    fair = np.stack([price_of[asset] * (1.0 - 0.03 * _rise(t_s)) for asset in assets]).astype(np.float32)
    liquidations = _liquidations(draw, prices["close_usd"])
    return RunResult(
        manifest=_manifest(seed),
        markets=markets,
        assets=assets,
        t_s=t_s,
        fair_usd=fair,
        bin_t_s=bin_t_s,
        cause_dlog=dlog,
        cause_sold_usd=sold,
        cause_bought_usd=bought,
        liquidations=liquidations,
        named=_named(draw, bin_t_s),
        accounts=_accounts(liquidations),
        venues=_venues(bin_t_s),
        funds=empty_table("funds"),
        liquidation_map=_map(),
        slack=_slack(draw),
        baseline={row.name: round(0.025 + 0.02 * row.fall, 4) for row in MARKETS},
        ledger={"max_relative_error": 3.1e-13, "checks": 7200, "worst_t_s": 1832, "worst_asset": "USDT", "long_short_max": 1.4e-12},
        scenario_yaml="name: synthetic\n",
        **prices,
        **bins,
    )


def _rise(t_s: NDArray[Any]) -> NDArray[np.float64]:
    """Return the path of the news: 0 before, 1 after ten minutes."""
    return np.asarray(np.clip(t_s / 600.0, 0.0, 1.0), dtype=np.float64)


def _manifest(seed: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": "0.1.0",
        "status": "complete",
        "scenario": "synthetic",
        "seed": seed,
        "overrides": [],
        "scenario_hash": "0" * 16,
        "t0_utc": "2025-10-10T20:50:00Z",
        "start_t_s": START_S,
        "end_t_s": END_S,
        "step_s": 1.0,
        "machine": {"system": "Linux", "cpu_count": 2, "python": "3.12"},
        "versions": {"numpy": np.__version__, "polars": pl.__version__},
        "wall_s": 31.4,
        "replay": f"waxline run synthetic --seed {seed}",
    }


def _markets() -> pl.DataFrame:
    names = [row.name for row in MARKETS]
    parts = [name.split("-") for name in names]
    sister = []
    for venue, kind, asset in parts:
        other = f"{venue}-{'perp' if kind == 'spot' else 'spot'}-{asset}"
        sister.append(names.index(other) if other in names else -1)
    return table(
        "markets",
        {
            "market_id": list(range(len(names))),
            "name": names,
            "venue": [part[0] for part in parts],
            "kind": [part[1] for part in parts],
            "asset": [part[2] for part in parts],
            "asset_kind": ["claim" if row.redeems else "coin" for row in MARKETS],
            "size_class": [row.size for row in MARKETS],
            "pairs": [float(row.pairs) for row in MARKETS],
            "reference_usd": [row.price_usd for row in MARKETS],
            "depth_usd": [row.depth_usd for row in MARKETS],
            "open_interest_usd": [row.open_interest_usd for row in MARKETS],
            "sister_id": sister,
            "redeems_asset": [row.redeems for row in MARKETS],
            "redeems_units": [row.units if row.redeems else None for row in MARKETS],
        },
    )


def _shape(row: Row, t_s: NDArray[Any]) -> NDArray[np.float64]:
    """Return the fall of the market over time: news, then a sharp low, then recovery of most of it."""
    news = 0.35 * row.fall * np.clip(t_s / 1500.0, 0.0, 1.0) if row.fall < 0.2 else 0.05 * np.clip(t_s / 1500.0, 0.0, 1.0)
    width = np.where(t_s < row.low_at_s, 70.0, 700.0)
    spike = np.exp(-np.abs(t_s - row.low_at_s) / width)
    left = np.where(t_s > row.low_at_s, 0.35, 0.0) * row.fall * (1.0 - spike)
    return np.asarray(np.minimum(news * (1.0 - spike) * (t_s < row.low_at_s) + row.fall * spike + left, 0.9999), dtype=np.float64)


def _prices(draw: np.random.Generator, t_s: NDArray[np.int64]) -> dict[str, Any]:
    out = {name: np.full((len(MARKETS), t_s.size), np.nan, dtype=np.float32) for name in PRICE_FIELDS}
    for number, row in enumerate(MARKETS):
        walk = np.cumsum(draw.normal(0.0, 5e-5, t_s.size))
        walk -= walk[-1 - END_S]
        mid = row.price_usd * (1.0 - _shape(row, t_s)) * np.exp(walk)
        traded = draw.random(t_s.size) < 0.9
        traded[0] = True
        trade = mid * np.exp(draw.normal(0.0, 1e-4, t_s.size))
        last = np.maximum.accumulate(np.where(traded, np.arange(t_s.size), 0))
        out["mid_usd"][number] = mid
        out["close_usd"][number] = trade[last]
        out["low_usd"][number] = np.where(traded, trade * (1.0 - 2e-4), np.nan)
        out["high_usd"][number] = np.where(traded, trade * (1.0 + 2e-4), np.nan)
        if "-perp-" in row.name:
            lag = np.convolve(mid, np.full(5, 0.2))[: t_s.size]
            lag[:5] = mid[:5]
            out["mark_usd"][number] = lag
    return out


def _bins(draw: np.random.Generator, bin_t_s: NDArray[np.int64]) -> dict[str, Any]:
    shape = (len(MARKETS), bin_t_s.size)
    out = {name: np.zeros(shape, dtype=np.float32) for name in BIN_FIELDS}
    for number, row in enumerate(MARKETS):
        stress = _shape(row, bin_t_s) / row.fall
        quote = np.clip(1.0 - 0.97 * stress, 0.01, 1.0) * draw.uniform(0.9, 1.1, bin_t_s.size)
        empty = (row.fall > 0.9) & (stress > 0.97)
        out["bid_depth_usd"][number] = np.where(empty, 0.0, row.depth_usd * quote * draw.uniform(0.8, 1.0, bin_t_s.size))
        out["ask_depth_usd"][number] = row.depth_usd * quote
        out["spread_bps"][number] = np.where(empty, np.nan, 1.0 + 60.0 * stress)
        out["volume_usd"][number] = row.depth_usd * (0.2 + 8.0 * stress) * draw.uniform(0.5, 1.5, bin_t_s.size)
        closed = 0.45 * np.clip((bin_t_s - 1500.0) / 900.0, 0.0, 1.0)
        out["open_interest"][number] = row.open_interest_usd / row.price_usd * (1.0 - closed)
        out["empty_bid_s"][number] = np.where(empty, 6.0, 0.0)
        out["buyer_cash_usd"][number] = 3.0 * row.depth_usd * (1.0 - 0.9 * stress)
        out["maker_quote_frac"][number] = quote
    return out


def _causes(
    draw: np.random.Generator, mid: NDArray[np.float32], bin_t_s: NDArray[np.int64], volume: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    log_mid = np.log(mid.astype(np.float64))
    ends = log_mid[:, 9::10]
    change = np.diff(ends, axis=1, prepend=log_mid[:, :1])
    weights = np.full((len(MARKETS), bin_t_s.size, N_CAUSES), 0.01)
    weights[:, :, Cause.NEWS] += np.where((bin_t_s > 0) & (bin_t_s < 1500), 1.0, 0.05)
    forced = (bin_t_s >= 1500) & (bin_t_s < 2400)
    weights[:, :, Cause.REQUOTING] += 0.4
    weights[:, :, Cause.ARBITRAGE] += 0.2
    weights[:, :, Cause.PERP_LIQUIDATION] += np.where(forced, 0.9, 0.0)
    weights[:, :, Cause.COLLATERAL_LIQUIDATION] += np.where(forced, 0.6, 0.0)
    weights[:, :, Cause.TREND_SELLING] += np.where(forced, 0.2, 0.0)
    weights[:, :, Cause.VALUE_BUYING] += np.where(bin_t_s > 2000, 0.8, 0.05)
    weights *= draw.uniform(0.5, 1.5, weights.shape)
    weights /= weights.sum(axis=2, keepdims=True)
    dlog = (weights * change[:, :, None]).astype(np.float32)
    dlog[:, :, Cause.NOISE] += (change - dlog.sum(axis=2, dtype=np.float64)).astype(np.float32)
    share_sold = 0.5 + 0.3 * np.clip(-change * 50.0, -1.0, 1.0)
    sold = (weights * (volume * share_sold)[:, :, None]).astype(np.float32)
    bought = (weights * (volume * (1.0 - share_sold))[:, :, None]).astype(np.float32)
    return dlog, sold, bought


def _event(draw: np.random.Generator, number: int, close: NDArray[np.float32]) -> dict[str, Any]:
    """Return one liquidation row; `number` picks market and stage in turn."""
    market = number % len(MARKETS)
    row = MARKETS[market]
    venue, kind, asset = row.name.split("-")
    t_s = int(np.clip(draw.normal(row.low_at_s, 200.0), 30, END_S - 10))
    stage = "collateral_sale" if kind == "spot" else draw.choice(["close_in_book", "takeover", "deleveraging"], p=[0.8, 0.1, 0.1])
    if venue == "coinbase":
        stage = "margin_call"
    side = 1 if stage == "deleveraging" or (kind == "perp" and draw.random() < 0.12) else -1
    notional = float(draw.pareto(1.3) * 2e5 + 1e3)
    price = float(close[market, t_s - START_S - 1])
    shares = draw.dirichlet([2.0, 3.0, 2.0, 0.1, 0.1, 1.0, 0.5, 0.5, 0.2, 0.1, 0.1, 0.1, 0.2, 0.1, 0.2, 0.1])
    named = ACCOUNT_NAMES[number % 5] if number % 37 == 0 else None
    return {
        "t_s": t_s,
        "account": number % 5 if named else 10 + number // 2,
        "account_kind": "trader" if named is None else ("maker" if "maker" in named else "whale"),
        "account_name": named,
        "venue": venue,
        "stage": str(stage),
        "market_id": market,
        "asset": asset,
        "side": side,
        "quantity": notional / price,
        "price_usd": price,
        "notional_usd": notional,
        "weight": 12.0 if named is None else 1.0,
        "equity_usd": float(draw.normal(0.01, 0.02)) * notional if stage in ("takeover", "deleveraging") else None,
        "profit_frac": float(draw.normal(0.1, 0.04)) if stage == "deleveraging" else None,
        "limit_usd": 0.9 * price if stage == "close_in_book" else None,
        "shortfall_usd": 0.01 * notional if stage == "takeover" else 0.0,
        "payer": "fund" if stage == "takeover" else None,
        "generation": 1.0 + 4.0 * float(np.clip((t_s - 1500) / 900.0, 0.0, 1.0)) * float(draw.random()),
        "counted": bool(stage in COUNTED_STAGES),
        **dict(zip(SHARE_COLUMNS, shares.tolist(), strict=True)),
    }


def _liquidations(draw: np.random.Generator, close: NDArray[np.float32]) -> pl.DataFrame:
    rows = [_event(draw, number, close) for number in range(4000)]
    for number in range(60):
        rows.append({**_event(draw, 2, close), "venue": "aave", "stage": "pool_liquidation", "market_id": -1, "asset": "ETH"})
        rows[-1].update({"counted": False, "account": 9000 + number, "account_kind": "borrower", "side": -1})
    rows.sort(key=lambda row: (row["t_s"], row["account"]))
    return table("liquidations", {name: [row[name] for row in rows] for name in rows[0]})


def _named(draw: np.random.Generator, bin_t_s: NDArray[np.int64]) -> pl.DataFrame:
    kinds = ["maker", "maker", "maker", "whale", "whale", "vault", "fund"]
    homes = ["binance", "binance", "hyperliquid", "binance", "binance", "hyperliquid", "binance"]
    owners = ["A", "B", "A", "wBETH holder", "DOGE holder", "hyperliquid", "binance"]
    stress = np.clip((bin_t_s - 1300.0) / 600.0, 0.0, 1.0)
    parts = []
    for number, name in enumerate(ACCOUNT_NAMES):
        size = 1e8 * (1.0 + number)
        dies = name in ("maker B", "whale wBETH")
        equity = size * (1.0 - stress * (1.1 if dies else 0.5)) * draw.uniform(0.99, 1.01, bin_t_s.size)
        status = np.where(dies & (stress > 0.9), "taken_over", np.where(stress > 0.5, "called", "healthy"))
        columns: dict[str, Any] = {
            "t_s": bin_t_s,
            "account": np.full(bin_t_s.size, number),
            "name": [name] * bin_t_s.size,
            "owner": [owners[number]] * bin_t_s.size,
            "venue": [homes[number]] * bin_t_s.size,
            "kind": [kinds[number]] * bin_t_s.size,
            "equity_usd": equity,
            "maintenance_usd": np.full(bin_t_s.size, 0.3 * size),
            "collateral_usd": 2.0 * size * (1.0 - 0.6 * stress),
            "debt_usd": size * np.where(status == "taken_over", 0.2, 1.0),
            "perp_pnl_usd": -0.3 * size * stress,
            "spot_delta_usd": 2.0 * size * (1.0 - 0.5 * stress),
            "perp_delta_usd": -0.5 * size * (1.0 - 0.5 * stress),
            "quote_frac": np.clip(1.0 - stress, 0.02, 1.0) if kinds[number] == "maker" else np.full(bin_t_s.size, np.nan),
            "topups_usd": 0.05 * size * stress,
            "reserve_usd": 0.05 * size * (1.0 - stress),
            "status": status.tolist(),
        }
        parts.append(table("named", columns))
    return pl.concat(parts).sort("t_s", "account")


def _accounts(liquidations: pl.DataFrame) -> pl.DataFrame:
    grouped = liquidations.group_by("account", maintain_order=True).agg(
        pl.col("account_kind").first().alias("kind"),
        pl.col("account_name").first().alias("name"),
        pl.col("venue").first(),
        pl.col("weight").first(),
        pl.col("notional_usd").filter(pl.col("counted")).sum().alias("liquidated_usd"),
        (-pl.col("equity_usd").fill_null(0.0).clip(upper_bound=0.0)).max().alias("negative_equity_usd"),
        pl.col("t_s").min().cast(pl.Float64).alias("first_trigger_t_s"),
        (pl.col("share_perp_liquidation") / (pl.col("share_perp_liquidation") + pl.col("share_collateral_liquidation"))).first().alias("by_perp_frac"),
    )
    rows = grouped.with_columns((pl.col("liquidated_usd") * 0.1).alias("equity_before_usd"), (pl.col("liquidated_usd") * 0.01).alias("equity_end_usd")).sort(
        "account"
    )
    return table("accounts", {name: rows[name] for name in ACCOUNT_COLUMNS})


def _venues(bin_t_s: NDArray[np.int64]) -> pl.DataFrame:
    stress = np.clip((bin_t_s - 1500.0) / 900.0, 0.0, 1.0)
    flat = np.zeros(bin_t_s.size)
    parts = []
    for venue in VENUES:
        pool, vault, book = venue == "aave", venue == "hyperliquid", venue not in ("aave", "coinbase")
        fund = 1e9 - 2e8 * stress if venue == "binance" else (3e8 - 1e7 * stress if book else flat)
        parts.append(
            table(
                "venues",
                {
                    "t_s": bin_t_s,
                    "venue": [venue] * bin_t_s.size,
                    "fund_usd": fund,
                    "fund_inventory_usd": 1e8 * stress * (1.0 - stress) if book else flat,
                    "vault_usd": 4e8 + 5e7 * stress if vault else flat,
                    "vault_pnl_usd": 5e7 * stress if vault else flat,
                    "adl_usd": 2e9 * stress if vault else flat,
                    "bad_debt_usd": 1e6 * stress if venue == "binance" else flat,
                    "socialised_usd": flat,
                    "transfers_open": ~((bin_t_s > 1320) & (bin_t_s < 5340)) if venue == "binance" else flat == 0.0,
                    "orders_slowed": (bin_t_s > 1600) & (bin_t_s < 2000) if venue == "binance" else flat > 0.0,
                    "pool_liquidated_usd": 1.8e8 * stress if pool else flat,
                    "pool_bonus_usd": 9e6 * stress if pool else flat,
                    "pool_bad_debt_usd": 2e5 * stress if pool else flat,
                    "pool_utilisation": 0.8 - 0.05 * stress if pool else flat,
                    "pool_rate": 0.05 - 0.003 * stress if pool else flat,
                    "arbitrage_usd": 3e8 * stress if not pool else flat,
                    "topups_usd": 2e8 * stress if book else flat,
                    "margin_calls": np.round(400 * stress) if book else flat,
                },
            )
        )
    return pl.concat(parts).sort("t_s", "venue")


def _map() -> pl.DataFrame:
    parts = []
    level = np.round(np.arange(0.30, 1.701, 0.01), 2)
    for number, row in enumerate(MARKETS):
        if row.open_interest_usd == 0.0:
            continue
        below = np.where(level < 1.0, np.exp(-(((level - 0.88) / 0.08) ** 2)), 0.0)
        above = np.where(level > 1.0, np.exp(-(((level - 1.12) / 0.08) ** 2)), 0.0)
        parts.append(
            table(
                "map",
                {
                    "market_id": np.full(level.size, number),
                    "price_frac": level,
                    "long_usd": 0.5 * row.open_interest_usd * below / below.sum(),
                    "short_usd": 0.4 * row.open_interest_usd * above / above.sum(),
                },
            )
        )
    return pl.concat(parts)


def _slack(draw: np.random.Generator) -> pl.DataFrame:
    n = 200
    equity = draw.lognormal(16.0, 1.2, n)
    slack = draw.gamma(2.0, 0.06, n)
    return table(
        "slack",
        {
            "account": np.arange(n),
            "name": [ACCOUNT_NAMES[i] if i < len(ACCOUNT_NAMES) else f"borrower {i}" for i in range(n)],
            "kind": ["maker" if i < 3 else "whale" if i < 5 else "tranche" for i in range(n)],
            "venue": ["binance" if i % 3 else "bybit" for i in range(n)],
            "equity_usd": equity,
            "maintenance_usd": equity * (1.0 - np.minimum(slack, 0.9)),
            "slack_frac": slack,
            "topups_24h_usd": equity * draw.uniform(0.0, 0.03, n),
        },
    )
