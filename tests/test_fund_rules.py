"""How large a fund must be, and how deleveraging is judged afterwards."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rule_tables import check_table
from waxline.liquidation import rules_funds, rules_regret


def test_a_fund_is_enough_when_losses_exceed_it_no_more_often_than_the_tail() -> None:
    assert rules_funds.fund_enough(lambda loss: 0.04, 0.05) == 0.0, "no fund is needed where losses are rare enough"
    assert rules_funds.fund_enough(lambda loss: 0.5 if loss < 7.0 else 0.01, 0.05) == pytest.approx(7.0, rel=1e-15)
    assert math.isinf(rules_funds.fund_enough(lambda loss: 0.5, 0.05)), "no fund is enough for losses without end"
    check_table("return_forgone cost_of_shortfall | tail\n0.05 1 | 0.05\n2 1 | 1\n0.1 4 | 0.025", rules_funds.tail_worth_leaving)


@given(st.lists(st.floats(-1e9, 1e9), max_size=30), st.floats(0.0, 1.0))
def test_the_fund_of_a_sample_pays_at_least_the_asked_part_of_its_losses_and_no_smaller_one_does(losses: list[float], confidence: float) -> None:
    fund = rules_funds.fund_enough_of(losses, confidence)
    paid = sum(loss <= fund for loss in losses)
    assert fund >= 0.0 and paid >= confidence * len(losses) - 1e-9
    smaller = sum(loss < fund for loss in losses)
    assert fund == 0.0 or smaller < confidence * len(losses)


def test_regret_counts_too_much_and_too_little_alike() -> None:
    assert rules_regret.needed_haircut([-2.0, 3.0], [10.0, 1.0]) == 23.0
    assert rules_regret.tracking_regret([5.0, 1.0], [3.0, 4.0]) == 5.0
    assert rules_regret.fairness_regret([0.5, 0.1], [0.2, 0.2], [10.0, 100.0]) == pytest.approx(13.0)
    check_table("needed deficit | part\n5 10 | 0.5\n20 10 | 1\n-1 10 | 0\n5 0 | 0", rules_regret.severity)
    assert rules_regret.path_length([0.0, 1.0, 0.25]) == 1.75 and rules_regret.path_length([]) == 0.0
    assert rules_regret.regret_bound(0.0, [3.0, 4.0]) == 5.0 and rules_regret.regret_bound(4.0, [3.0, 4.0]) == 15.0
