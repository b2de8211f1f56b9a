"""Pools trade by their formulas: exact whole-number twins, published figures, an invariant that never falls."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from waxline.market import pools

reserves = st.floats(1.0, 1e9)
parts = st.floats(1e-6, 2.0)
fees = st.sampled_from([0.0, 0.0004, 0.003, 0.05])
amplifications = st.sampled_from([1.0, 10.0, 100.0, 2000.0])
balances = st.lists(st.floats(1e3, 1e6), min_size=2, max_size=4)
WEI = 10**18


def plain_product_out(x: Fraction, y: Fraction, a: Fraction, fee: Fraction) -> Fraction:
    """Solve x y = (x + a (1 - fee)) (y - out) for what is paid out."""
    return y - x * y / (x + a * (1 - fee))


@given(reserves, reserves, parts, fees)
def test_a_constant_product_pool_pays_what_keeps_the_product(x: float, y: float, part: float, fee: float) -> None:
    a = part * x
    exact = float(plain_product_out(Fraction(x), Fraction(y), Fraction(a), Fraction(fee)))
    assert pools.product_out(x, y, a, fee) == pytest.approx(exact, rel=1e-12)
    assert pools.product_in(x, y, pools.product_out(x, y, a, fee), fee) == pytest.approx(a, rel=1e-9)


def test_a_constant_product_pool_never_gives_all() -> None:
    assert pools.product_out(10.0, 20.0, 1e12, 0.0) < 20.0
    assert math.isinf(pools.product_in(10.0, 20.0, 20.0, 0.003))


@given(reserves, reserves, st.floats(1e-4, 0.9), fees)
def test_the_depth_of_a_constant_product_pool_moves_its_price_by_that_part(x: float, y: float, move: float, fee: float) -> None:
    given_, received = pools.product_depth(x, y, move, fee)
    after = pools.product_price(x + given_, y - received)
    assert after == pytest.approx(pools.product_price(x, y) * (1.0 - move), rel=1e-9)
    assert received == pytest.approx(pools.product_out(x, y, given_, fee), rel=1e-12)


@given(reserves, reserves, parts, st.floats(0.01, 0.99), fees)
def test_a_trade_in_two_pieces_pays_no_more_and_the_product_never_falls(x: float, y: float, part: float, first: float, fee: float) -> None:
    a = part * x
    one = pools.product_out(x, y, a * first, fee)
    two = pools.product_out(x + a * first, y - one, a * (1.0 - first), fee)
    whole = pools.product_out(x, y, a, fee)
    assert one + two <= whole * (1.0 + 1e-9)
    assert fee > 0.0 or one + two == pytest.approx(whole, rel=1e-9)
    assert (x + a) * (y - whole) >= x * y * (1.0 - 1e-12)


def whole_number_invariant(xp: list[int], amplification: int) -> int:
    """Return D of a pool in whole numbers by Newton's method, rounding down at every division as deployed pools do."""
    n, whole = len(xp), sum(xp)
    d, ann = whole, amplification * len(xp)
    for _ in range(255):
        product = d
        for x in xp:
            product = product * d // (x * n)
        before, d = d, (ann * whole + product * n) * d // ((ann - 1) * d + (n + 1) * product)
        if abs(d - before) <= 1:
            break
    return d


def whole_number_out(i: int, j: int, dx: int, xp: list[int], amplification: int, fee_1e10: int) -> int:
    """Return what a trade pays in whole numbers: the balance that keeps D, one unit in the pool's favour, then the fee."""
    n, ann, d = len(xp), amplification * len(xp), whole_number_invariant(xp, amplification)
    c, others = d, 0
    for k in range(n):
        if k != j:
            held = xp[k] + (dx if k == i else 0)
            others += held
            c = c * d // (held * n)
    c = c * d // (ann * n)
    b, y = others + d // ann, d
    for _ in range(255):
        before, y = y, (y * y + c) // (2 * y + b - d)
        if abs(y - before) <= 1:
            break
    dy = xp[j] - y - 1
    return dy - dy * fee_1e10 // 10**10


@given(balances, amplifications, st.floats(1e-4, 1.5), fees)
def test_a_stable_swap_pool_trades_as_in_whole_numbers(held: list[float], amplification: float, part: float, fee: float) -> None:
    xp = [int(Fraction(x) * WEI) for x in held]
    dx = int(Fraction(part * held[0]) * WEI)
    now = np.array(held)
    assert pools.stable_invariant(now, amplification) == pytest.approx(whole_number_invariant(xp, int(amplification)) / WEI, rel=1e-12)
    exact = whole_number_out(0, len(xp) - 1, dx, xp, int(amplification), round(fee * 1e10)) / WEI
    assert pools.stable_out(0, len(xp) - 1, dx / WEI, now, amplification, fee) == pytest.approx(exact, rel=1e-9, abs=1e-9)
    assert now.tolist() == held, "asking leaves the balances alone"


def test_whole_numbers_give_the_published_figure_to_the_last_digit() -> None:
    assert whole_number_out(0, 1, 10**17, [WEI, WEI], 50, 10**7) == 99702611562565289
    assert pools.stable_out(0, 1, 0.1, np.array([1.0, 1.0]), 50.0, 0.001) == pytest.approx(0.099702611562565289, rel=1e-14)


@given(balances, amplifications, parts, fees)
def test_the_invariant_of_a_stable_swap_pool_never_falls(held: list[float], amplification: float, part: float, fee: float) -> None:
    now = np.array(held)
    before = pools.stable_invariant(now, amplification)
    received = pools.stable_swap(1, 0, part * held[1], now, amplification, fee)
    assert 0.0 <= received < held[0]
    assert now[0] == held[0] - received and now[1] == held[1] + part * held[1]
    after = pools.stable_invariant(now, amplification)
    assert after >= before * (1.0 - 1e-11)
    assert fee > 0.0 or after == pytest.approx(before, rel=1e-11)


@given(balances, amplifications)
def test_the_price_of_a_stable_swap_pool_is_that_of_a_tiny_trade(held: list[float], amplification: float) -> None:
    now = np.array(held)
    tiny = 1e-5 * min(held)
    there, back = (pools.stable_out(0, 1, size, now, amplification, 0.0) for size in (tiny, 2.0 * tiny))
    assert pools.stable_price(0, 1, now, amplification) == pytest.approx((2.0 * there - 0.5 * back) / tiny, rel=1e-5)
    assert pools.stable_price(0, 1, now, amplification) * pools.stable_price(1, 0, now, amplification) == pytest.approx(1.0, rel=1e-12)


@given(balances, amplifications, st.sampled_from([0.001, 0.01, 0.3]), fees)
def test_the_depth_of_a_stable_swap_pool_moves_its_price_by_that_part(held: list[float], amplification: float, move: float, fee: float) -> None:
    now = np.array(held)
    given_, received = pools.stable_depth(0, 1, move, now, amplification, fee)
    assume(math.isfinite(given_))
    price = pools.stable_price(0, 1, now, amplification)
    assert received == pools.stable_swap(0, 1, given_, now, amplification, fee)
    assert pools.stable_price(0, 1, now, amplification) == pytest.approx(price * (1.0 - move), rel=1e-6)


def test_a_stable_swap_pool_is_deeper_than_a_constant_product_pool_with_the_same_coins() -> None:
    now = np.array([1e6, 1e6])
    assert pools.stable_depth(0, 1, 0.01, now, 100.0, 0.0)[0] > 20.0 * pools.product_depth(1e6, 1e6, 0.01, 0.0)[0]
