"""Checks of insurance funds: the size that is enough at a confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from waxline.liquidation import rules_funds
from waxline.verification.court import Check, Computed


def exceedances(inputs: Mapping[str, Any]) -> list[Any]:
    """Return the three exceedance probabilities: exponential, Pareto, lognormal."""
    mean, (least, exponent), (middle, width) = inputs["exponential_mean"], inputs["pareto"], inputs["lognormal"]
    return [
        lambda loss: math.exp(-loss / mean),
        lambda loss: (least / loss) ** exponent if loss > least else 1.0,
        lambda loss: 0.5 * math.erfc((math.log(loss) - middle) / (width * math.sqrt(2.0))) if loss > 0.0 else 1.0,
    ]


def best_funds(inputs: Mapping[str, Any]) -> Computed:
    """Find the fund that is worth holding against each distribution of losses."""
    tail = rules_funds.tail_worth_leaving(inputs["return_forgone"], inputs["cost_of_shortfall"])
    return Computed({"IF": [rules_funds.fund_enough(exceedance, tail) for exceedance in exceedances(inputs)]})


CHECKS: dict[str, Check] = {"IF-01-newsvendor": best_funds}
