"""Rules of index, mark, funding, oracle and collateral price, in tables."""

from __future__ import annotations

import math

from rule_tables import check_table
from waxline.market import rules_price
from waxline.market.prices import median_of_three


def test_one_outlier_loses_its_weight_and_with_two_the_median_of_all_is_the_index() -> None:
    def index(a: float, b: float, c: float, d: float) -> float:
        return rules_price.index_of_sources([a, b, c, d], [1.0, 1.0, 1.0, 1.0], 0.05)

    check_table(
        """
        a    b    c    d    |  index
        100  101  102  103  |  101.5
        100  101  102  200  |  101
        100  101  150  200  |  125.5
        100  100  100  105  |  101.25
        100  100  100  106  |  100
        """,
        lambda **row: {"index": index(**row)},
    )


def test_a_source_without_update_for_ten_seconds_has_no_weight() -> None:
    check_table("weight age_s stale_s | weight_now\n2 9.9 10 | 2\n2 10 10 | 0", rules_price.fresh_weight)
    assert rules_price.index_of_sources([100.0, 90.0], [1.0, 0.0], 0.05) == 100.0
    assert math.isnan(rules_price.index_of_sources([100.0], [0.0], 0.05))


def test_the_oracle_is_the_weighted_median_of_venues() -> None:
    assert rules_price.weighted_median([100.0, 90.0, 101.0, 102.0], [3.0, 2.0, 2.0, 1.0]) == 100.0
    assert rules_price.weighted_median([65.0, 100.0, 101.0], [3.0, 2.0, 2.0]) == 100.0
    assert math.isnan(rules_price.weighted_median([100.0], [0.0]))


def test_the_mark_is_the_middle_of_three_prices() -> None:
    check_table(
        """
        funding_price  averaged_price  contract  |  mark
        10001.5        10010           10005     |  10005
        10001.5        10010           9000      |  10001.5
        10001.5        10010           11000     |  10010
        """,
        rules_price.mark_median,
    )
    assert median_of_three(10001.5, 10010.0, 9000.0) == rules_price.mark_median(10001.5, 10010.0, 9000.0)
    check_table("index last_funding hours_to_funding interval_h | mark\n10,000 0.03% 4 8 | 10,001.5", rules_price.mark_from_funding)


def test_funding_stays_at_the_interest_rate_within_the_clamp() -> None:
    check_table(
        """
        average_premium  interest  clamp  |  funding
        -0.05%           0.01%     0.05%  |  0
        -0.04%           0.01%     0.05%  |  0.01%
        0                0.01%     0.05%  |  0.01%
        0.06%            0.01%     0.05%  |  0.01%
        0.07%            0.01%     0.05%  |  0.02%
        """,
        rules_price.funding_rate,
    )
    check_table("clamp initial maintenance | cap\n6 0.15 0.12 | 0.18\n6 0.45 0.45 | 0", rules_price.funding_cap)


def test_the_premium_is_zero_while_the_index_lies_between_the_impact_prices() -> None:
    check_table("impact_bid impact_ask index | premium\n99 101 100 | 0\n101 102 100 | 0.01\n97 98 100 | -0.02", rules_price.premium)


def test_an_oracle_answers_after_a_move_or_after_its_heartbeat() -> None:
    check_table(
        """
        oracle  outside  age_s  deviation  heartbeat_s  |  answers
        100     100.4    60     0.5%       3600         |  no
        100     99.5     60     0.5%       3600         |  yes
        100     100      3600   0.5%       3600         |  yes
        0       100      0      0.5%       3600         |  yes
        """,
        rules_price.oracle_updates,
    )


def test_a_claim_is_valued_at_the_own_book_alone_or_also_at_redemption_and_never_below_its_floor() -> None:
    check_table(
        """
        index  own_book  redemption  own_weight  redemption_weight  floor  |  collateral
        1      0.65      1           1           0                  0      |  0.65
        1      0.65      1           0.5         0.5                0      |  0.825
        1      0.65      1           1           0                  0.98   |  0.98
        4000   430       4331        0           1                  0      |  4331
        """,
        rules_price.collateral_price,
    )


def test_the_price_of_a_band_overreacts_threefold_to_its_oracle() -> None:
    top, bottom = rules_price.band_top(3000.0, 100.0, 0.0), rules_price.band_top(3000.0, 100.0, 1.0)
    assert (top, bottom) == (3000.0, 2970.0)
    for oracle in (2970.0, 2985.0, 3000.0):
        moved = rules_price.amm_price_at(oracle * 1.001, bottom) / rules_price.amm_price_at(oracle, bottom)
        assert math.isclose(moved, 1.001**3)


def test_an_average_forgets_with_its_time_constant() -> None:
    check_table("before seen elapsed_s memory_s | now\n0 1 0 150 | 0\n0 1 150 150 | 0.6321205588\n5 5 10 150 | 5", rules_price.averaged)
