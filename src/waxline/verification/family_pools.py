"""Checks of pools: constant product and stable swap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from waxline.market import pools
from waxline.verification.court import Check, Computed


def constant_product(inputs: Mapping[str, Any]) -> Computed:
    """Trade with a constant-product pool with and without its fee."""
    out = [pools.product_out(inputs["A"], inputs["B"], inputs["a"], fee) for fee in inputs["g"]]
    return Computed({"out": out, "price_after_nofee": pools.product_price(inputs["A"] + inputs["a"], inputs["B"] - out[0])})


def stable_swap(inputs: Mapping[str, Any]) -> Computed:
    """Compute the invariant of stable-swap pools and what a trade gets after the fee."""
    figures: dict[str, list[float]] = {"D": [], "out_after_fee": []}
    for pool in inputs["pools"]:
        balances = np.array(pool["balances"], dtype=np.float64)
        figures["D"].append(pools.stable_invariant(balances, pool["A"]))
        figures["out_after_fee"].append(pools.stable_out(pool["i"], pool["j"], pool["dx"], balances, pool["A"], pool["fee"]))
    return Computed(figures)


CHECKS: dict[str, Check] = {"IM-10-cpmm": constant_product, "POOL-stable-swap": stable_swap}
