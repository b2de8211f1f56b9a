"""The resilient book, the latent book and the laws of impact: twins by small steps, limits, and that the cheapest purchase is the cheapest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from waxline.market import impact, latent_book, resilient_book

few = settings(max_examples=40)
DENSITY, PERMANENT = 5000.0, 1e-4
coins = st.floats(-1e5, 1e5)
resiliences = st.sampled_from([0.0, 1e-6, 0.5, 20.0])


def plain_cost(blocks: list[float], rates: list[float], durations: list[float], resilience: float, pieces: int) -> float:
    """Buy in many small blocks: each pays the ask's move on average, then the book relaxes."""
    kappa = 1.0 / DENSITY - PERMANENT
    displacement = bought = cost = 0.0
    for i, block in enumerate(blocks):
        orders = [(block, 0.0)]
        if i < len(rates):
            orders += [(rates[i] * durations[i] / pieces, durations[i] / pieces)] * pieces
        for size, elapsed in orders:
            half = displacement * (math.exp(-resilience * elapsed) - 1.0) / 2.0
            cost += size * (displacement + half + PERMANENT * bought) + size * size / (2.0 * DENSITY)
            displacement = displacement * math.exp(-resilience * elapsed) + kappa * size
            bought += size
    return cost


@few
@given(st.lists(coins, min_size=3, max_size=3), st.lists(coins, min_size=2, max_size=2), resiliences)
def test_the_cost_of_a_purchase_is_that_of_many_small_blocks(blocks: list[float], rates: list[float], resilience: float) -> None:
    durations = [0.7, 0.3]
    exact = resilient_book.execution_cost(np.array(blocks), np.array(rates), np.array(durations), DENSITY, PERMANENT, resilience)
    whole = sum(abs(one) for one in blocks) + sum(abs(one) for one in rates)
    assert exact == pytest.approx(plain_cost(blocks, rates, durations, resilience, 4000), abs=2e-3 * whole**2 / DENSITY / 10 + 1e-6)


@few
@given(st.lists(st.floats(-0.5, 1.0), min_size=6, max_size=6), st.sampled_from([0.001, 1.0, 5.0, 300.0]))
def test_no_other_purchase_is_cheaper_than_the_closed_form(parts: list[float], resilience: float) -> None:
    bought = np.array(parts) - (sum(parts) - 1.0) / len(parts)
    cost = resilient_book.execution_cost(np.array([bought[0], 0.0, 0.0, 0.0, bought[5]]), bought[1:5] / 0.25, np.full(4, 0.25), DENSITY, PERMANENT, resilience)
    assert cost >= resilient_book.cheapest_cost(1.0, DENSITY, PERMANENT, resilience, 1.0) * (1.0 - 1e-9)


@pytest.mark.parametrize("resilience", [0.001, 2.0, 1000.0])
def test_the_closed_form_costs_what_it_says(resilience: float) -> None:
    ends = resilient_book.cheapest_block(1e5, resilience, 1.0)
    cost = resilient_book.execution_cost(np.array([ends, ends]), np.array([1e5 - 2.0 * ends]), np.ones(1), DENSITY, PERMANENT, resilience)
    assert cost == pytest.approx(resilient_book.cheapest_cost(1e5, DENSITY, PERMANENT, resilience, 1.0), rel=1e-9)


def test_a_block_moves_the_ask_and_the_move_comes_back() -> None:
    moved = resilient_book.displaced(0.0, 1000.0, DENSITY, PERMANENT)
    assert moved == pytest.approx(1000.0 / DENSITY - PERMANENT * 1000.0)
    assert resilient_book.relaxed(moved, math.log(2.0) / 3.0, 3.0) == pytest.approx(0.5 * moved)
    assert resilient_book.block_cost(0.0, 0.0, 1000.0, DENSITY) == pytest.approx(1000.0 * (0.5 * 1000.0 / DENSITY))


@given(st.sampled_from([0.0, 0.01, 0.5, 4.0, 14.0, 300.0]))
def test_the_integral_of_the_latent_book_is_that_of_adaptive_quadrature(amplitude: float) -> None:
    def integrand(u: float) -> float:
        return math.exp(-(amplitude**2) * (1.0 - math.sqrt(u)) ** 2 / (4.0 * (1.0 - u))) / (2.0 * math.sqrt(1.0 - u))

    exact, _ = quad(integrand, 0.0, 1.0, limit=400, points=[0.9, 0.99, 0.9999])
    assert latent_book.scaled_supply(amplitude) == pytest.approx(exact, rel=1e-6)


def test_the_amplitude_has_its_slow_and_its_fast_limit() -> None:
    assert latent_book.impact_amplitude(0.0) == 0.0
    assert latent_book.impact_amplitude(1e-4) == pytest.approx(1e-4 / math.sqrt(math.pi), rel=1e-6)
    assert latent_book.impact_amplitude(1e4) == pytest.approx(math.sqrt(2e4), rel=0.01)


def plain_latent(density: list[float], first: float, spacing: float, rate: float, step: float, count: int) -> list[float]:
    """Diffuse and buy in plain Python."""
    prices = []

    def price() -> float:
        cell = max(i for i, value in enumerate(density) if value > 0.0)
        return first + spacing * (cell + density[cell] / (density[cell] - density[cell + 1]))

    for _ in range(count):
        at = (price() - first) / spacing
        bent = [0.0, *(density[i + 1] - 2.0 * density[i] + density[i - 1] for i in range(1, len(density) - 1)), 0.0]
        density = [value + step / spacing**2 * curve for value, curve in zip(density, bent, strict=True)]
        below = math.floor(at)
        density[below] += rate * step / spacing * (below + 1.0 - at)
        density[below + 1] += rate * step / spacing * (at - below)
        prices.append(price())
    return prices


@pytest.mark.parametrize("rate", [-8.0, 0.0, 0.3, 20.0])
def test_the_latent_book_moves_as_in_plain_python(rate: float) -> None:
    spacing, step = 0.1, 0.004
    density = -(-6.0 + spacing * np.arange(161))
    prices = np.empty(60)
    expected = plain_latent(density.tolist(), -6.0, spacing, rate, step, 60)
    latent_book.bought_through(density, -6.0, spacing, 1.0, rate, step, prices)
    assert prices == pytest.approx(expected, abs=1e-10)


def test_a_sale_in_the_latent_book_mirrors_a_purchase_and_a_book_eaten_whole_has_no_price() -> None:
    moved = []
    for sign in (1.0, -1.0):
        density = -(-8.0 + 0.05 * np.arange(321))
        prices = np.empty(400)
        latent_book.bought_through(density, -8.0, 0.05, 1.0, sign * 2.0, 0.001, prices)
        moved.append(prices[-1])
    assert moved[0] == pytest.approx(-moved[1], abs=1e-9) and moved[0] > 0.5
    density = -(-1.0 + 0.1 * np.arange(21))
    prices = np.empty(200)
    latent_book.bought_through(density, -1.0, 0.1, 1.0, 1e4, 0.004, prices)
    assert math.isnan(prices[-1])


def test_impact_laws_scale_as_they_say() -> None:
    assert impact.sweep_distance(2e6, 0.001, 1e6, 0.5) == pytest.approx(0.004)
    assert impact.depth_within(0.004, 0.001, 1e6, 0.5) == pytest.approx(2e6)
    assert impact.depth_exponent(0.001, 1e6, 0.004, 2e6) == pytest.approx(0.5)
    assert impact.temporary_move(-0.2, 1.0, 0.02) == -impact.temporary_move(0.2, 1.0, 0.02)
    assert impact.permanent_move(0.2, 16.0, 0.02) == pytest.approx(0.314 * 0.02 * 0.2 * 2.0)
    assert impact.order_cost(0.02, 0.03) == pytest.approx(0.04)
