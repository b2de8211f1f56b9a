"""Random numbers: equal to a student's version, well distributed, independent, and free of the order of calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from waxline import streams
from waxline.jit import njit
from waxline.streams import Purpose

WORD = 2**64
COUNT = 200_000
words = st.integers(min_value=0, max_value=2**63 - 1)
indices = st.integers(min_value=0, max_value=2**40)


def plain_mix(word: int) -> int:
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % WORD
    return word ^ (word >> 31)


def plain_key(seed: int, purpose: int, step: int) -> int:
    word = plain_mix((seed + 0x9E3779B97F4A7C15) % WORD)
    word = plain_mix((word + (purpose + 1) * 0xD1B54A32D192ED03) % WORD)
    return plain_mix((word + (step + 1) * 0x8CB92BA72F3D8DD7) % WORD) >> 1


def plain_path_seed(seed: int, path: int) -> int:
    return plain_mix((plain_mix((seed + 0x9E3779B97F4A7C15) % WORD) + (path + 1) * 0xDB4F0B9175AE2165) % WORD) >> 1


def plain_uniform(key: int, index: int) -> float:
    word = plain_mix((key + (index + 1) * 0x9E3779B97F4A7C15) % WORD)
    return ((word >> 12) + 0.5) / 2**52


@given(seed=words, purpose=words, step=words)
def test_keys_equal_the_plain_twin_bit_for_bit(seed: int, purpose: int, step: int) -> None:
    assert int(streams.key(seed, purpose, step)) == plain_key(seed, purpose, step)
    assert int(streams.path_seed(seed, step)) == plain_path_seed(seed, step)


def test_a_key_made_in_plain_python_can_be_handed_to_every_draw() -> None:
    keys = [streams.key(streams.path_seed(0, path), Purpose.NEWS, 1) for path in range(64)]
    assert max(keys) > 2**62
    assert all(0.0 < streams.uniform(key, 0) < 1.0 for key in keys)


@given(key=words, index=indices)
def test_uniform_draws_equal_the_plain_twin_bit_for_bit_and_stay_inside_the_open_interval(key: int, index: int) -> None:
    draw = streams.uniform(key, index)
    assert draw == plain_uniform(key, index)
    assert 0.0 < draw < 1.0


@given(key=words, index=indices)
def test_normal_draws_are_the_inverse_of_the_normal_distribution(key: int, index: int) -> None:
    expected = NormalDist().inv_cdf(plain_uniform(key, index))
    assert streams.normal(key, index) == pytest.approx(expected, rel=2e-9, abs=1e-12)


@pytest.mark.parametrize("probability", [2.0**-53, 1e-12, 0.02424, 0.02426, 0.25, 0.5, 0.97574, 0.97576, 1.0 - 2.0**-53])
def test_the_normal_quantile_holds_its_error_across_the_seams(probability: float) -> None:
    expected = NormalDist().inv_cdf(probability)
    assert streams.normal_quantile(probability) == pytest.approx(expected, rel=2e-9, abs=1e-12)


def test_the_extreme_words_give_draws_inside_the_open_interval() -> None:
    lowest, highest = 0.5 / 2**52, (2**52 - 0.5) / 2**52
    assert lowest > 0.0 and highest < 1.0
    assert math.isfinite(streams.normal_quantile(lowest)) and math.isfinite(streams.normal_quantile(highest))


def test_a_negative_step_counts_modulo_two_to_the_64() -> None:
    assert int(streams.key(1, 1, -600)) == plain_key(1, 1, -600 % WORD)


@njit
def draw_inside_a_kernel(seed: int, step: int, index: int) -> float:
    return streams.uniform(streams.key(seed, Purpose.NEWS, step), index)


def test_kernels_take_purposes_by_name_and_draw_the_same_numbers() -> None:
    assert draw_inside_a_kernel(7, 3, 11) == plain_uniform(plain_key(7, Purpose.NEWS, 3), 11)


def test_moments_of_uniform_and_normal_draws_lie_within_five_standard_errors() -> None:
    key = streams.key(20251010, Purpose.POPULATION, 0)
    uniform, normal = streams.uniforms(key, COUNT), streams.normals(key, COUNT)
    error = 5.0 / math.sqrt(COUNT)
    assert abs(uniform.mean() - 0.5) < error * math.sqrt(1 / 12)
    assert abs(uniform.var() - 1 / 12) < error * math.sqrt(1 / 180)
    assert abs(normal.mean()) < error
    assert abs(normal.var() - 1.0) < error * math.sqrt(2)
    assert abs((normal**3).mean()) < error * math.sqrt(15)
    assert abs((normal**4).mean() - 3.0) < error * math.sqrt(96)


def test_uniform_draws_fill_256_cells_evenly() -> None:
    cells = np.bincount((streams.uniforms(streams.key(1, 2, 3), COUNT) * 256).astype(int), minlength=256)
    chi_square = float(((cells - COUNT / 256) ** 2 / (COUNT / 256)).sum())
    assert abs(chi_square - 255) < 5 * math.sqrt(2 * 255)


def neighbour_step(key: Callable[..., int]) -> tuple[int, int]:
    return key(5, Purpose.NOISE_SIZE, 100), key(5, Purpose.NOISE_SIZE, 101)


def neighbour_purpose(key: Callable[..., int]) -> tuple[int, int]:
    return key(5, Purpose.NOISE_SIZE, 100), key(5, Purpose.NOISE_SIDE, 100)


def neighbour_seed(key: Callable[..., int]) -> tuple[int, int]:
    return key(5, Purpose.NOISE_SIZE, 100), key(6, Purpose.NOISE_SIZE, 100)


def neighbour_path(key: Callable[..., int]) -> tuple[int, int]:
    return (
        key(streams.path_seed(5, 0), Purpose.NOISE_SIZE, 100),
        key(streams.path_seed(5, 1), Purpose.NOISE_SIZE, 100),
    )


def correlation_in_standard_errors(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    return float(np.corrcoef(left, right)[0, 1]) * math.sqrt(left.size)


@pytest.mark.parametrize("neighbours", [neighbour_step, neighbour_purpose, neighbour_seed, neighbour_path])
def test_neighbours_in_step_purpose_seed_and_path_are_independent(neighbours: Callable[..., tuple[int, int]]) -> None:
    left, right = (streams.normals(key, COUNT) for key in neighbours(streams.key))
    for lag in (0, 1, 2):
        assert abs(correlation_in_standard_errors(left[lag:], right[: COUNT - lag])) < 5
        assert abs(correlation_in_standard_errors(left[lag:] ** 2, right[: COUNT - lag] ** 2)) < 5


def test_neighbouring_agents_under_one_key_are_independent() -> None:
    draws = streams.normals(streams.key(9, Purpose.MAKER, 4), COUNT)
    for lag in (1, 2, 3, 64):
        assert abs(correlation_in_standard_errors(draws[lag:], draws[:-lag])) < 5


def test_draws_of_one_agent_over_steps_are_independent() -> None:
    draws = np.array([streams.normal(streams.key(9, Purpose.MAKER, step), 17) for step in range(20_000)])
    for lag in (1, 2, 60):
        assert abs(correlation_in_standard_errors(draws[lag:], draws[:-lag])) < 5


def test_the_independence_check_turns_red_on_streams_that_overlap() -> None:
    draws = streams.normals(streams.key(9, Purpose.MAKER, 4), COUNT)
    assert correlation_in_standard_errors(draws, draws + 0.02 * draws[::-1]) > 5


def test_draws_do_not_depend_on_the_order_of_calls() -> None:
    key = streams.key(3, Purpose.TREND, 8)
    forwards = [streams.normal(key, i) for i in range(50)]
    streams.normal(streams.key(4, Purpose.TREND, 8), 0)
    backwards = [streams.normal(key, i) for i in reversed(range(50))]
    assert forwards == backwards[::-1] == streams.normals(key, 50).tolist()


def test_numbers_of_purposes_are_explicit_and_never_shared() -> None:
    numbers = [int(purpose) for purpose in Purpose.__members__.values()]
    assert len(numbers) == len(set(numbers))
    assert (Purpose.NEWS, Purpose.FAIR_COMMON, Purpose.FAIR_OWN, Purpose.NOISE_SIZE, Purpose.NOISE_SIDE) == (1, 2, 3, 4, 5)
    assert (Purpose.POPULATION, Purpose.MAKER) == (6, 7)
