"""Summarise a run in one dictionary: falls against news alone, amplification, forced volume, depth lost, who paid, recovery.

Every number is JSON; what has no value is None, and the field `reason` (or `<field>_reason`) beside it says why.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from waxline.analysis.accounting import by_what_taken, contagion, endogenous_share, generation_histogram
from waxline.analysis.facts_depth import depth_ratios
from waxline.analysis.selection import counted, exact_sums, largest_minute_usd, people, usd
from waxline.results.files import plain
from waxline.results.run_result import RunResult
from waxline.results.schema import COUNTED_STAGES

RECOVERY_S = 600
TOP_ASSETS = 10
KIND_OF_STAGE = dict(zip(COUNTED_STAGES, ("perps_closed_in_book", "collateral_sold", "perps_taken_over", "perps_deleveraged"), strict=True))
NO_BASELINE = "the run has no twin with feedback off: run without --no-baseline"


def summarise(run: RunResult) -> dict[str, Any]:
    """Return the summary of `run`: run, groups, liquidated, depth, venues, accounts, cascade, markets, ledger, baseline."""
    falls = [_market(run, row) for row in range(run.markets.height)]
    summary = {
        "run": _run(run),
        "groups": _groups(run, falls),
        "liquidated": _liquidated(run),
        "depth": _depth(run),
        "venues": _venues(run),
        "accounts": _accounts(run),
        "cascade": _cascade(run),
        "markets": falls,
        "ledger": run.ledger,
        "baseline": run.baseline,
    }
    result: dict[str, Any] = plain(summary)
    return result


def _run(run: RunResult) -> dict[str, Any]:
    """Return what was run: the same for every repetition of it, so no clock and no machine."""
    kept = ("scenario", "seed", "overrides", "scenario_hash", "t0_utc", "start_t_s", "end_t_s", "step_s", "replay", "version")
    return {
        **{key: run.manifest.get(key) for key in kept},
        "n_markets": run.markets.height,
        "n_assets": len(run.assets),
        "n_accounts": run.accounts.height,
        "n_steps": int(run.t_s.size),
        "n_liquidation_rows": run.liquidations.height,
    }


def _market(run: RunResult, market: int) -> dict[str, Any]:
    """Return fall, low and recovery of one market, against what news alone would have done."""
    info = run.markets.row(market, named=True)
    result: dict[str, Any] = {key: info[key] for key in ("name", "venue", "kind", "asset", "asset_kind", "size_class", "pairs", "reference_usd")}
    keys = ("low_usd", "low_t_s", "fall", "news_alone", "amplification", "recovered_10min", "recovered_end", "fall_end")
    result.update(dict.fromkeys(keys))
    low = run.low(market)
    if low is None:
        return {**result, "reason": "no trade after t = 0"}
    reference = run.reference_usd(market)
    result.update({"low_usd": low[0], "low_t_s": low[1], "fall": 1.0 - low[0] / reference})
    result["fall_end"] = 1.0 - run.price_at(market, run.end_t_s) / reference
    if low[0] < reference:
        result["recovered_10min"] = (run.price_at(market, low[1] + RECOVERY_S) - low[0]) / (reference - low[0])
        result["recovered_end"] = (run.price_at(market, run.end_t_s) - low[0]) / (reference - low[0])
    if run.baseline is None or info["name"] not in run.baseline:
        return {**result, "reason": NO_BASELINE}
    result["news_alone"] = run.baseline[info["name"]]
    result["amplification"] = _ratio(result["fall"], result["news_alone"])
    return result if result["amplification"] is not None else {**result, "reason": "news alone does not lower this price"}


def _groups(run: RunResult, falls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return means by real pairs over venue, kind and class (BTC, ETH, alts, claims), then over all coins of all venues."""
    groups = []
    for venue in run.markets["venue"].unique(maintain_order=True).to_list():
        for kind in ("spot", "perp"):
            for name in ("BTC", "ETH", "alts", "claims"):
                members = [fall for fall in falls if fall["venue"] == venue and fall["kind"] == kind and _class(fall) == name]
                if members:
                    groups.append(_group({"venue": venue, "kind": kind, "class": name}, members))
    coins = [fall for fall in falls if fall["asset_kind"] == "coin"]
    if coins:
        groups.append(_group({"venue": "all", "kind": "all", "class": "coins"}, coins))
    return groups


def _group(head: dict[str, Any], members: list[dict[str, Any]]) -> dict[str, Any]:
    fall, news = _mean(members, "fall"), _mean(members, "news_alone")
    low = min((m for m in members if m["fall"] is not None), key=lambda m: -m["fall"], default=None)
    return {
        **head,
        "n_markets": len(members),
        "n_pairs": sum(member["pairs"] for member in members),
        "fall": fall,
        "news_alone": news,
        "amplification": _ratio(fall, news),
        "worst_fall": None if low is None else low["fall"],
        "worst_market": None if low is None else low["name"],
        "median_low_t_s": _median([member["low_t_s"] for member in members]),
        "recovered_10min": _mean(members, "recovered_10min"),
        "recovered_end": _mean(members, "recovered_end"),
        **({"reason": NO_BASELINE} if news is None else {}),
    }


def _class(fall: dict[str, Any]) -> str:
    if fall["asset_kind"] == "claim":
        return "claims"
    return str(fall["asset"]) if fall["asset"] in ("BTC", "ETH") else "alts"


def _liquidated(run: RunResult) -> dict[str, Any]:
    """Return forced volume by kind, side, venue and asset, and the largest minute."""
    rows = counted(run.liquidations)
    total = usd(rows)
    peak_usd, peak_s = largest_minute_usd(rows, float(run.t_s[0]), float(run.end_t_s))
    by_asset = _sums(rows, "asset")
    top = dict(sorted(by_asset.items(), key=lambda item: (-item[1], item[0]))[:TOP_ASSETS])
    longs = usd(rows.filter(pl.col("side") < 0))
    losers = rows.filter(pl.col("stage") != "deleveraging")
    return {
        "total_usd": total,
        "by_kind_usd": {KIND_OF_STAGE[stage]: usd(rows.filter(pl.col("stage") == stage)) for stage in COUNTED_STAGES},
        "longs_usd": longs,
        "shorts_usd": total - longs,
        "long_share": _ratio(longs, total),
        "by_venue_usd": _sums(rows, "venue"),
        "by_asset_usd": top,
        "other_assets_usd": total - sum(top.values()),
        "before_news_usd": usd(rows.filter(pl.col("t_s") < 0)),
        "peak_minute_t_s": peak_s if peak_usd > 0.0 else None,
        "peak_minute_usd": peak_usd,
        "peak_minute_share": _ratio(peak_usd, total),
        "people": people(losers),
        "n_accounts": losers["account"].n_unique(),
        **({} if total > 0.0 else {"reason": "nothing was liquidated"}),
    }


def _depth(run: RunResult) -> list[dict[str, Any]]:
    """Return, per venue, kind and class, the median over markets of the least and the median depth over depth before."""
    rows = []
    for venue in run.markets["venue"].unique(maintain_order=True).to_list():
        for kind in ("spot", "perp"):
            for name in ("BTC", "ETH", "alts"):
                ratios = [depth_ratios(run, [m], 0.0, float(run.end_t_s)) for m in run.select(venue, kind, name)]
                ratios = [ratio for ratio in ratios if ratio.size]
                if not ratios:
                    continue
                bins = run.bins_in(0.0, float(run.end_t_s))
                empty = run.empty_bid_s[run.select(venue, kind, name), bins].sum(dtype=np.float64)
                rows.append(
                    {
                        "venue": venue,
                        "kind": kind,
                        "class": name,
                        "least_ratio": _median([float(ratio.min()) for ratio in ratios]),
                        "median_ratio": _median([float(np.median(ratio)) for ratio in ratios]),
                        "end_ratio": _median([float(ratio[-1]) for ratio in ratios]),
                        "empty_bid_s": float(empty),
                        "n_markets": len(ratios),
                    }
                )
    return rows


def _venues(run: RunResult) -> list[dict[str, Any]]:
    """Return who paid on each venue: fund, vault, deleveraging, socialised loss, bad debt, pool."""
    result = []
    for venue in run.venues["venue"].unique(maintain_order=True).to_list():
        rows = run.venue_series(venue)
        last = rows.row(-1, named=True)
        before = rows.filter(pl.col("t_s") < 0)
        start = before.row(-1, named=True) if before.height else rows.row(0, named=True)
        fund_before, fund_min = start["fund_usd"], rows["fund_usd"].fill_nan(None).min()
        result.append(
            {
                "venue": venue,
                "fund_before_usd": fund_before,
                "fund_used_usd": None if fund_before is None or fund_min is None else max(fund_before - float(str(fund_min)), 0.0),
                "fund_end_usd": last["fund_usd"],
                "vault_before_usd": start["vault_usd"],
                "vault_pnl_usd": last["vault_pnl_usd"],
                **{key: last[key] for key in ("adl_usd", "socialised_usd", "bad_debt_usd", "arbitrage_usd", "topups_usd", "margin_calls")},
                **{key: last[key] for key in ("pool_liquidated_usd", "pool_bonus_usd", "pool_bad_debt_usd")},
            }
        )
    return result


def _accounts(run: RunResult) -> dict[str, Any]:
    """Return how many accounts of each kind were triggered, what took them, and what became of named ones."""
    triggered = pl.col("first_trigger_t_s").fill_nan(None).is_not_null()
    rows = run.accounts.with_columns(
        pl.lit(1.0).alias("one"),
        triggered.cast(pl.Float64).alias("hit"),
        pl.when(triggered).then(pl.col("weight")).otherwise(0.0).alias("people_hit"),
        pl.col("negative_equity_usd").fill_nan(0.0).fill_null(0.0),
    )
    kinds = [
        {
            "kind": kind,
            "n": int(n),
            "people": number,
            "triggered": int(hit),
            "people_triggered": people_hit,
            "negative_equity_usd": negative,
        }
        for kind, (n, number, hit, people_hit, negative) in exact_sums(rows, "kind", "one", "weight", "hit", "people_hit", "negative_equity_usd").items()
    ]
    ends = run.named.group_by("account", maintain_order=True).last()
    status = ends.group_by("kind", "status").len().sort("kind", "status")
    by_kind: dict[str, dict[str, int]] = {}
    for kind, state, number in status.iter_rows():
        by_kind.setdefault(kind, {})[state] = number
    return {"by_kind": kinds, "taken_by": by_what_taken(run).to_dicts(), "named_at_end": by_kind}


def _cascade(run: RunResult) -> dict[str, Any]:
    """Return generations, the endogenous share and the contagion between kinds of forced volume."""
    share = endogenous_share(run)
    return {
        "endogenous_share": share,
        "generation_shares": dict(generation_histogram(run).select(pl.col("generation").cast(pl.String), "share").iter_rows()),
        "contagion": contagion(run).to_dict(),
        **({"reason": "nothing was liquidated"} if share is None else {}),
    }


def _sums(rows: pl.DataFrame, key: str) -> dict[str, float]:
    sums = exact_sums(rows, key, "notional_usd")
    return {str(name): sums[name][0] for name in sorted(sums, key=lambda name: (-sums[name][0], name))}


def _mean(members: list[dict[str, Any]], key: str) -> float | None:
    """Return the mean by real pairs of what has a value."""
    known = [(member[key], member["pairs"]) for member in members if member[key] is not None and np.isfinite(member[key])]
    weight = sum(pairs for _, pairs in known)
    return sum(value * pairs for value, pairs in known) / weight if weight > 0.0 else None


def _median(values: list[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole is not None and whole > 0.0 else None
