"""Numbers by which kernels know the words of the venues' rule files."""

from __future__ import annotations

from waxline.accounts.lines import ASSETS_TO_DEBTS, DEBT_TO_COLLATERAL, EQUITY_TO_MAINTENANCE
from waxline.liquidation.kernels import BANKRUPTCY, FILLABLE, UNBOUNDED
from waxline.liquidation.tables import First
from waxline.scenario.venue_rules import FirstStep, Measure

FIRST = {
    FirstStep.WHOLE: First.WHOLE,
    FirstStep.TO_COMPLIANCE: First.TO_COMPLIANCE,
    FirstStep.TIERS_DOWN: First.TIERS_DOWN,
    FirstStep.FRACTION_ABOVE: First.FRACTION_ABOVE,
    FirstStep.PORTION: First.PORTION,
    FirstStep.TO_LEVEL: First.TO_LEVEL,
}
"""First amounts of a position; rules that sell collateral have none and mean the whole position."""

BOUND = {"none": UNBOUNDED, "bankruptcy": BANKRUPTCY, "fillable": FILLABLE}
MEASURES = {
    Measure.EQUITY_TO_MAINTENANCE: EQUITY_TO_MAINTENANCE,
    Measure.ASSETS_TO_DEBTS: ASSETS_TO_DEBTS,
    Measure.DEBT_TO_COLLATERAL: DEBT_TO_COLLATERAL,
}
"""Figures a venue watches; the health factor belongs to pools, which have a waterfall of their own."""
