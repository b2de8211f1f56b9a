"""Makers' formulas, those who trade against them, concentration, sharing: laws, limits, and twins that solve instead of quoting a formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from waxline.agents import rules_concentration, rules_execution, rules_quoting
from waxline.liquidation.rules_sharing import capped_parts
from waxline.streams import Purpose, key, uniform
from waxline.verification import quoting_game

few = settings(max_examples=40)
positive = st.floats(0.05, 5.0)
shares = st.lists(st.floats(0.01, 10.0), min_size=1, max_size=6)


@given(st.floats(-50.0, 50.0), positive, positive, positive)
def test_the_reservation_price_is_where_a_maker_with_constant_risk_aversion_is_indifferent(q: float, gamma: float, sigma: float, left: float) -> None:
    price = rules_quoting.reservation_price(100.0, q, gamma, sigma, left)

    # Expected utility -exp(-gamma (x + q s)) of a normal price: certain value x + q s - gamma q^2 sigma^2 left / 2; ask and bid for one lot.
    def certain(lots: float) -> float:
        return lots * 100.0 - 0.5 * gamma * lots**2 * sigma**2 * left

    ask, bid = certain(q) - certain(q - 1.0), certain(q + 1.0) - certain(q)
    assert price == pytest.approx(0.5 * (ask + bid), rel=1e-12, abs=1e-9)


@given(positive, positive)
def test_the_distance_for_fills_is_the_best_reply_to_arrivals_that_thin_out(gamma: float, k: float) -> None:
    best = rules_quoting.fill_distance(gamma, k)

    def utility(distance: float) -> float:
        return rules_quoting.arrival_rate(distance, 1.0, k) * (1.0 - math.exp(-gamma * distance))

    assert utility(best) >= max(utility(best * 0.99), utility(best * 1.01))
    assert rules_quoting.fill_distance(0.0, k) == pytest.approx(rules_quoting.fill_distance(1e-9, k), rel=1e-6)


@given(positive, positive, positive, positive)
def test_quotes_stand_around_the_reservation_price_with_the_optimal_spread(gamma: float, sigma: float, left: float, k: float) -> None:
    spread = rules_quoting.optimal_spread(gamma, sigma, left, k)
    assert spread == pytest.approx(gamma * sigma**2 * left + 2.0 / gamma * math.log(1.0 + gamma / k), rel=1e-9)
    times = [rules_quoting.optimal_spread(gamma, sigma, (n + 0.5) / 200 * left, k) for n in range(200)]
    assert rules_quoting.mean_spread(gamma, sigma, left, k) == pytest.approx(sum(times) / 200, rel=1e-9)


@given(st.integers(-20, 20), positive, positive)
def test_a_maker_far_from_the_horizon_shifts_both_quotes_against_its_inventory(q: int, gamma: float, sigma: float) -> None:
    market = (gamma, sigma, 3.0, 1.5)
    bid, ask = rules_quoting.bid_distance(q, *market), rules_quoting.ask_distance(q, *market)
    assert rules_quoting.bid_distance(-q, *market) == pytest.approx(ask, rel=1e-12, abs=1e-12)
    assert bid + ask == pytest.approx(2.0 * rules_quoting.fill_distance(gamma, 1.5) + rules_quoting.inventory_distance(*market), rel=1e-9)
    assert rules_quoting.bid_distance(q + 1, *market) > bid


def test_the_exact_quotes_are_where_a_long_horizon_arrives() -> None:
    gamma, sigma, arrivals, k, most = 0.05, 0.4, 0.9, 0.3, 6
    # Twin: let the linear system of the paper run from the end of the horizon, in small steps, until its ratios stand still.
    lots = range(-most, most + 1)
    flow = arrivals * (1.0 + gamma / k) ** (-(1.0 + k / gamma))
    value = [1.0] * len(lots)
    for _ in range(60_000):
        ahead = []
        for n, q in enumerate(lots):
            near = (value[n - 1] if n > 0 else 0.0) + (value[n + 1] if n < 2 * most else 0.0)
            ahead.append(value[n] + 0.01 * (flow * near - 0.5 * k * gamma * sigma**2 * q * q * value[n]))
        whole = sum(ahead)
        value = [one / whole for one in ahead]
    twin = [math.log(value[n] / value[n + 1]) / k + math.log(1.0 + gamma / k) / gamma for n in range(2 * most)]
    assert rules_quoting.asymptotic_bid_distances(most, gamma, sigma, arrivals, k) == pytest.approx(twin, rel=1e-6)


def plain_game(paths: int, seed: int, steps: int, by_inventory: bool) -> tuple[list[float], list[float]]:
    """Play Avellaneda and Stoikov's market path by path, with risk aversion 0.1, in plain Python with formulas written out."""
    gamma, k, a, sigma, horizon = 0.1, 1.5, 60.0, 2.0, 1.0
    profits, held = [], []
    for i in range(paths):
        price, cash, q = 100.0, 0.0, 0
        for n in range(steps):
            left, dt = horizon - n * horizon / steps, horizon / steps
            width = 2.0 / gamma * math.log(1.0 + gamma / k) + gamma * sigma**2 * (left if by_inventory else 0.5 * horizon)
            middle = price - (q * gamma * sigma**2 * left if by_inventory else 0.0)
            bid, ask = middle - width / 2.0, middle + width / 2.0
            hit = uniform(key(seed, Purpose.MAKER, n), i) < a * math.exp(-k * (price - bid)) * dt
            lifted = uniform(key(seed, Purpose.NOISE_SIDE, n), i) < a * math.exp(-k * (ask - price)) * dt
            cash += (ask if lifted else 0.0) - (bid if hit else 0.0)
            q += int(hit) - int(lifted)
            price += sigma * math.sqrt(dt) * (1.0 if uniform(key(seed, Purpose.FAIR_OWN, n), i) < 0.5 else -1.0)
        profits.append(cash + q * price)
        held.append(float(q))
    return profits, held


@pytest.mark.parametrize("by_inventory", [True, False])
def test_the_market_of_the_tables_plays_as_in_plain_python(by_inventory: bool) -> None:
    profit, held, _ = quoting_game.play(30, 7, 40, 100.0, 1.0, 2.0, 0.1, 1.5, 60.0, by_inventory)
    plain_profit, plain_held = plain_game(30, 7, 40, by_inventory)
    assert held.tolist() == plain_held and len(set(plain_held)) > 3
    assert profit == pytest.approx(plain_profit, rel=1e-9)


@given(shares)
def test_makers_amount_to_no_more_than_their_number(parts: list[float]) -> None:
    number = rules_concentration.effective_number(parts)
    assert 1.0 - 1e-12 <= number <= len(parts) * (1.0 + 1e-12)
    assert rules_concentration.effective_number([2.0] * len(parts)) == pytest.approx(len(parts))
    assert rules_concentration.effective_number([7.0 * part for part in parts]) == pytest.approx(number)


def test_concentration_of_two_makers_in_numbers_one_can_see() -> None:
    assert rules_concentration.effective_number([0.75, 0.25]) == pytest.approx(1.6)
    assert rules_concentration.largest_part([3.0, 1.0]) == 0.75
    assert rules_concentration.impact_multiplier([3.0, 1.0]) == 4.0
    assert math.isinf(rules_concentration.impact_multiplier([2.0]))
    assert rules_concentration.concentration_haircut(4.0, 0.5, 8.0, 0.3, 0.5, 2.0) == pytest.approx(0.5 + 0.4)
    assert rules_concentration.concentration_haircut(9.0, 0.2, 8.0, 0.3, 0.5, 2.0) == 0.0


def test_kyles_trader_and_maker_answer_each_other_best() -> None:
    variance, noise = 2.25, 3.0
    slope, beta = rules_execution.price_per_coin(variance, noise), rules_execution.informed_coins(1.0, 0.0, variance, noise)
    # The maker: regression of value on flow. The trader: best reply to the slope, x = (v - mean) / (2 slope).
    assert slope == pytest.approx(beta * variance / (beta**2 * variance + noise**2), rel=1e-12)
    assert beta == pytest.approx(1.0 / (2.0 * slope), rel=1e-12)
    assert rules_execution.informed_coins(9.0, 10.0, variance, noise) == -beta
    assert rules_execution.variance_left(variance, noise) == pytest.approx(0.5 * variance, rel=1e-12)
    assert rules_execution.informed_profit(variance, noise) == pytest.approx(slope * noise**2, rel=1e-12)


@few
@given(st.lists(st.floats(-2e4, 2e4), min_size=4, max_size=4))
def test_no_other_schedule_is_better_for_its_risk_aversion(change: list[float]) -> None:
    sigma, gamma, eta, aversion = 0.95, 2.5e-7, 2.5e-6, 1e-6
    kappa = rules_execution.urgency(aversion, sigma, gamma, eta, 1.0)
    best = rules_execution.schedule(1e6, 5, 1.0, kappa)

    def price(held: np.ndarray) -> float:
        mean, deviation = rules_execution.schedule_cost(held, 1.0, 0.0, gamma, eta, sigma)
        return mean + aversion * deviation**2

    other = best.copy()
    other[1:-1] += change
    assert price(other) >= price(best) - 1e-6


def test_a_patient_schedule_is_a_straight_line_and_costs_are_counted_by_hand() -> None:
    assert rules_execution.schedule(100.0, 4, 0.5, 0.0).tolist() == [100.0, 75.0, 50.0, 25.0, 0.0]
    mean, deviation = rules_execution.schedule_cost([10.0, 4.0, 0.0], 2.0, 0.5, 0.1, 0.3, 3.0)
    assert mean == pytest.approx(0.5 * 0.1 * 100.0 + 0.5 * 10.0 + (0.3 - 0.1) / 2.0 * (36.0 + 16.0))
    assert deviation == pytest.approx(3.0 * math.sqrt(2.0 * 16.0))


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 3.0, 8.0]), st.sampled_from([0.0, 0.2, 0.5, 1.0])), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.1, 2.0, 7.5, 1e3]),
)
def test_capped_parts_reach_the_budget_with_the_lowest_level(rows: list[tuple[float, float]], wanted: float) -> None:
    weights, caps = [row[0] for row in rows], [row[1] for row in rows]
    parts = capped_parts(weights, caps, wanted)
    most = sum(weight * cap for weight, cap in rows)
    assert sum(weight * part for weight, part in zip(weights, parts, strict=True)) == pytest.approx(min(wanted, most), abs=1e-9)
    assert all(0.0 <= part <= cap for part, cap in zip(parts, caps, strict=True))
    if wanted <= most:
        # Twin: the smallest largest part is a linear program; the level above which caps are not binding is its value.
        bounds = [(0.0, cap) for cap in caps] + [(0.0, None)]
        rows_le = [[1.0 if j == i else 0.0 for j in range(len(caps))] + [-1.0] for i in range(len(caps))]
        found = linprog([0.0] * len(caps) + [1.0], A_ub=rows_le, b_ub=[0.0] * len(caps), A_eq=[[*weights, 0.0]], b_eq=[wanted], bounds=bounds)
        given_up = [part for weight, part in zip(weights, parts, strict=True) if weight > 0.0]
        assert max(given_up, default=0.0) == pytest.approx(found.fun, abs=1e-7)


def test_capped_parts_of_the_published_three() -> None:
    assert capped_parts([8, 4, 0.5], [0.5, 1, 1], 7.5) == pytest.approx([0.5, 7 / 9, 7 / 9])
