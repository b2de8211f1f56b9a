"""Checks of the book: a published walk, and the bids of ATOM/USDT that one sale swept on 10 October 2025."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waxline.market import published_ladder
from waxline.market.tables import ASK, BID
from waxline.verification.court import Check, Computed


def walk_of_asks(inputs: Mapping[str, Any]) -> Computed:
    """Buy through published asks."""
    prices, coins = zip(*inputs["asks"], strict=True)
    swept = published_ladder.sweep(published_ladder.ladder_of(prices, coins, ASK), inputs["buy"])
    return Computed({"vwap": swept.average_usd, "cost": swept.usd})


def swept_bids(inputs: Mapping[str, Any]) -> Computed:
    """Sell through the published bids."""
    prices, coins = zip(*inputs["bids"], strict=True)
    swept = published_ladder.sweep(published_ladder.ladder_of(prices, coins, BID), inputs["sell"])
    return Computed({"levels": swept.rungs, "prices": swept.prices, "filled": swept.coins, "average": round(swept.average_usd, 6), "last": swept.last_usd})


CHECKS: dict[str, Check] = {"atom-sweep": swept_bids, "IM-11-book-vwap": walk_of_asks}
