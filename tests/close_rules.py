"""Rules of one venue for tests: everything at once and not beyond the bankruptcy price, unless a test says otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from waxline.liquidation.tables import CloseRules

USUAL = {"at_equality": 1, "bounded": 1, "tiers_down": 1, "fraction": 1.0, "most_usd": 1e12, "stop_at": 1.0, "spread": 1.5, "adjustment": 1.0, "people": 1.0}
INTEGERS = ("first", "on_entry", "at_equality", "bounded", "tiers_down", "whole_up_to")
ONE_TIER = (np.full((1, 1), np.inf), np.full((1, 1), 0.05), np.zeros((1, 1)))
"""Caps, rates and deductions of one market with a single tier."""


def close_rules(**changed: float) -> CloseRules:
    """Return the usual rules with some of them changed; one venue."""
    values: dict[str, Any] = {name: 0 for name in CloseRules._fields} | USUAL | changed
    return CloseRules(**{name: np.full(1, value, dtype=np.int64 if name in INTEGERS else np.float64) for name, value in values.items()})
