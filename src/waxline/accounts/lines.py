"""How far accounts with many assets are from their line, whichever figure their venue watches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.rules_collateral import level, loan_to_value
from waxline.accounts.tables import Portfolios

Floats = NDArray[np.float64]
EQUITY_TO_MAINTENANCE, ASSETS_TO_DEBTS, DEBT_TO_COLLATERAL = range(3)


def debts_of(portfolios: Portfolios) -> Floats:
    """Return what accounts owe [P] in USD: counted collateral less equity; for accounts without perps only."""
    return np.maximum(portfolios.collateral_usd - portfolios.equity, 0.0)


def slack_of(portfolios: Portfolios) -> Floats:
    """Return the distance to the line [P] in USD, negative beyond it.

    equity - line maintenance, assets - line debts, or line collateral - debts, as the account's measure says.
    """
    slack = portfolios.equity - portfolios.line * portfolios.maintenance
    other = portfolios.measure != EQUITY_TO_MAINTENANCE
    if other.any():
        debts = debts_of(portfolios)
        levels = portfolios.measure == ASSETS_TO_DEBTS
        slack[other] = np.where(levels, portfolios.collateral_usd - portfolios.line * debts, portfolios.line * portfolios.collateral_usd - debts)[other]
    return slack


def called_of(portfolios: Portfolios) -> NDArray[np.bool_]:
    """Tell which accounts [P] have reached the level of their margin call."""
    called = portfolios.equity <= portfolios.call * portfolios.maintenance
    other = portfolios.measure != EQUITY_TO_MAINTENANCE
    if other.any():
        debts = debts_of(portfolios)
        levels = portfolios.measure == ASSETS_TO_DEBTS
        called[other] = np.where(levels, portfolios.collateral_usd <= portfolios.call * debts, debts >= portfolios.call * portfolios.collateral_usd)[other]
    return np.asarray(called & owes(portfolios), dtype=np.bool_)


def owes(portfolios: Portfolios) -> NDArray[np.bool_]:
    """Tell which accounts [P] owe or must keep anything: others are never liquidated."""
    return np.asarray((portfolios.maintenance > 0.0) | ((portfolios.measure != EQUITY_TO_MAINTENANCE) & (debts_of(portfolios) > 0.0)), dtype=np.bool_)


def measure_of(portfolios: Portfolios, p: int) -> float:
    """Return the figure that the venue of account `p` watches."""
    if portfolios.measure[p] == EQUITY_TO_MAINTENANCE:
        return float(level(float(portfolios.equity[p]), float(portfolios.maintenance[p])))
    debt = max(float(portfolios.collateral_usd[p] - portfolios.equity[p]), 0.0)
    if portfolios.measure[p] == ASSETS_TO_DEBTS:
        return float(level(float(portfolios.collateral_usd[p]), debt))
    return float(loan_to_value(debt, float(portfolios.collateral_usd[p])))


def requirement_of(portfolios: Portfolios) -> Floats:
    """Return the requirement [P] in USD at which equity is at the line: equity less slack."""
    return portfolios.equity - slack_of(portfolios)
