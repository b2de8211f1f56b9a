"""The table of topics: which adapter computes the examples of a venue and topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waxline.rulebook import (
    binance_collateral,
    binance_perps,
    bitmex,
    bybit,
    drift,
    dydx,
    haircuts,
    hyperliquid,
    maker,
    okx,
    pools,
)
from waxline.rulebook.inputs import Inputs

Adapter = Callable[[Inputs], dict[str, Any]]

PARTS = (binance_perps, binance_collateral, haircuts, bybit, okx, hyperliquid, dydx, drift, pools, maker, bitmex)
TOPICS: dict[tuple[str, str], Adapter] = {key: adapter for part in PARTS for key, adapter in part.TOPICS.items()}
