"""What a calm world is made of: a walk whose volatility varies, a crowd that keeps its distance, accounts that have survived."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waxline.accounts.parameters import PopulationParameters
from waxline.accounts.population import draw_traders
from waxline.analysis.estimators import autocorrelation, tail_index
from waxline.market.kernels import WIDE, bounded_mid
from waxline.market.ladder import crowd_ladder, depth_inside, maker_ladder
from waxline.shocks.news import fair_paths, memory_of, volatility_multiple
from waxline.shocks.parameters import FairValueParameters, NewsParameters
from waxline.streams import key, normals

STEPS = 60_000
VOLATILITY = 0.001


def walk(rules: FairValueParameters, seed: int = 1) -> np.ndarray:
    """Return the one-minute returns [N] of one asset without news."""
    t_s = np.arange(STEPS, dtype=np.float64)
    still = NewsParameters(enabled=False)
    one = np.ones(1)
    path = fair_paths(still, rules, seed, t_s, 1.0, np.zeros(1), one, VOLATILITY * one, np.array([7]))
    return np.diff(path[::60, 0])


def test_the_walk_has_the_volatility_asked_for() -> None:
    sizes = [walk(FairValueParameters(), seed).std() for seed in range(1, 6)]
    assert np.mean(sizes) == pytest.approx(VOLATILITY, rel=0.08)


def test_a_varying_volatility_gives_tails_and_clusters_and_a_constant_one_does_not() -> None:
    varying = np.concatenate([walk(FairValueParameters(), seed) for seed in range(1, 6)])
    constant = np.concatenate([walk(FairValueParameters(volatility_spread=0.0), seed) for seed in range(1, 6)])
    assert 2.0 < tail_index(varying).value < 5.0
    assert tail_index(constant).value > 5.0
    assert autocorrelation(np.abs(varying), 2)[0] > 0.1
    assert abs(autocorrelation(np.abs(constant), 2)[0]) < 0.05


def test_without_spread_the_walk_is_the_plain_one() -> None:
    rules = FairValueParameters(volatility_spread=0.0, common_share_frac=0.0)
    from waxline.streams import Purpose

    plain = VOLATILITY / np.sqrt(60.0) * np.cumsum(normals(key(1, int(Purpose.FAIR_OWN), 7), STEPS))
    assert walk(rules) == pytest.approx(np.diff(plain[::60]), abs=1e-15)


@pytest.mark.parametrize("tau_s", [1.0, 60.0, 600.0])
def test_memory_is_stationary_and_forgets_in_its_time(tau_s: float) -> None:
    series = memory_of(normals(key(3, 1, 0), 400_000), 1.0, tau_s)
    assert np.mean(series * series) == pytest.approx(1.0, rel=0.15)
    assert autocorrelation(series, 1)[0] == pytest.approx(np.exp(-1.0 / tau_s), abs=0.02)


def test_the_mean_square_of_the_multiple_is_one() -> None:
    draws = normals(key(5, 1, 0), 400_000)
    assert np.mean(volatility_multiple(draws, 0.55) ** 2) == pytest.approx(1.0, rel=0.03)


@given(st.floats(1e4, 1e9), st.floats(0.0, 0.009), st.floats(1e-4, 2e-3))
def test_nothing_rests_inside_the_gap_and_makers_fill_what_it_takes_away(depth_usd: float, gap: float, half_spread: float) -> None:
    grid = 2e-4
    offsets, crowd = crowd_ladder(0.3 * depth_usd, grid, half_spread, 0.22, gap)
    assert (crowd[offsets * grid + half_spread < gap] == 0.0).all()
    inside = depth_inside(offsets, crowd, grid, half_spread)
    assert inside <= 0.3 * depth_usd * (1.0 + 1e-9)
    rungs, makers = maker_ladder(depth_usd - inside, grid, half_spread, 0.06, 0.67)
    assert depth_inside(rungs, makers, grid, half_spread) + inside == pytest.approx(depth_usd, rel=1e-9)


@pytest.mark.parametrize("side", [1, -1])
def test_no_account_is_nearer_to_its_line_than_what_somebody_survived(side: int) -> None:
    rules = PopulationParameters()
    near = 0.10
    drawn = draw_traders(rules, 1, 11, 5000, side, 1e9, 2.5, 0.005, 1.0, 50.0, near)
    distance = side * (1.0 - drawn.line / 2.5)
    assert distance.min() >= rules.survived_least_frac * near * (1.0 - 1e-9)
    assert (distance < near).any(), "the range itself is not a wall"


@given(st.integers(-50, 50), st.integers(1, 4000), st.floats(-2.0, 2.0))
def test_the_price_of_a_wide_book_is_the_last_one_between_its_quotes(bid: int, spread: int, last: float) -> None:
    grid = 5e-4
    ask = bid + spread
    price = bounded_mid(bid, ask, grid, last)
    assert bid * grid < price < ask * grid
    if spread * grid <= 2.0 * WIDE:
        assert price == pytest.approx(0.5 * (bid + ask) * grid, abs=1e-12)
    elif bid * grid + WIDE < last < ask * grid - WIDE:
        assert price == last
