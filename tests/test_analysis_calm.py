"""Estimators of calm markets agree with closed forms, and a calm time made by hand is measured for what it is."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from tiny_run import tiny_run
from waxline.analysis.calm import EVERYTHING, Calm, measure, step_exponents, thinned, within_factor
from waxline.analysis.estimators import autocorrelation, impact_by_size, power, tail_index
from waxline.results.opening import Opening
from waxline.results.run_result import RunResult
from waxline.results.schema import Cause

# Estimators ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [1.5, 3.0, 4.5])
def test_the_tail_index_of_a_pareto_sample_is_its_exponent(index: float) -> None:
    u = np.random.default_rng(7).uniform(size=40_000)
    found = tail_index(u ** (-1.0 / index) * np.where(u > 0.5, 1.0, -1.0))
    assert found.low < index < found.high and found.value == pytest.approx(index, rel=0.08)
    assert (found.high - found.low) / found.value == pytest.approx(2 * 1.645 / math.sqrt(2000))


def test_the_tail_index_of_exact_pareto_quantiles_is_the_sum_it_is_defined_by() -> None:
    x = np.array([8.0, 4.0, 2.0, 1.0] * 50)
    ranked = np.sort(x)[::-1]
    k = 50
    expected = k / sum(math.log(ranked[i] / ranked[k]) for i in range(k))
    assert tail_index(x, part=0.25).value == pytest.approx(expected)


@pytest.mark.parametrize("values", [np.zeros(1000), np.full(1000, np.nan), np.arange(5.0), np.ones(1000)])
def test_no_tail_is_told_where_there_is_none(values: np.ndarray) -> None:
    assert math.isnan(tail_index(values).value)


def test_the_autocorrelation_of_an_autoregression_falls_geometrically() -> None:
    draws = np.random.default_rng(3).normal(size=60_000)
    x = np.zeros(draws.size)
    for t in range(1, x.size):
        x[t] = 0.6 * x[t - 1] + draws[t]
    assert autocorrelation(x, 4) == pytest.approx([0.6, 0.36, 0.216, 0.1296], abs=0.02)


def test_the_autocorrelation_of_an_alternating_row_is_known_exactly() -> None:
    x = np.array([1.0, -1.0] * 50)
    assert autocorrelation(x, 3) == pytest.approx([-0.99, 0.98, -0.97])
    assert np.isnan(autocorrelation(np.ones(50), 3)).all() and np.isnan(autocorrelation(np.ones(3), 3)).all()


@pytest.mark.parametrize("exponent", [0.5, 0.65, 1.0, 1.4])
def test_the_exponent_of_a_synthetic_power_law_of_impact_is_found(exponent: float) -> None:
    draw = np.random.default_rng(11)
    size = draw.normal(size=6000) * np.exp(draw.normal(size=6000))
    exact = impact_by_size(size, np.sign(size) * np.abs(size) ** exponent)
    assert exact.exponent.value == pytest.approx(exponent, abs=0.03)
    noisy = impact_by_size(size, np.sign(size) * np.abs(size) ** exponent + 0.3 * draw.normal(size=6000))
    assert noisy.exponent.low < exponent + 0.02 and noisy.exponent.high > exponent - 0.02
    assert noisy.exponent.low < noisy.exponent.value < noisy.exponent.high


def test_impact_needs_enough_rows_and_leaves_out_those_without_a_trade() -> None:
    assert math.isnan(impact_by_size(np.ones(30), np.ones(30)).exponent.value)
    size = np.concatenate([np.zeros(5000), np.full(5000, np.nan), np.linspace(0.1, 10.0, 800)])
    assert impact_by_size(size, size).exponent.value == pytest.approx(1.0)
    assert math.isnan(power(np.array([1.0, 2.0]), np.array([1.0, 2.0])))


def test_thinned_returns_are_those_over_rows_that_do_not_overlap() -> None:
    assert thinned(np.arange(10.0)[None] ** 2, 3).tolist() == [[9.0, 27.0, 45.0]]


def test_pairs_within_a_factor_are_counted() -> None:
    assert within_factor(np.array([1.0, 3.0, 0.4, 0.0, np.nan, 2.0]), np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0])) == (2, 4)


# A calm time made by hand --------------------------------------------------------------------------------------------------

NAMES = ["binance-perp-AAA", "binance-spot-AAA", "binance-perp-BBB", "binance-spot-BBB"]
END_S = 3600


def opening(**changes: object) -> Opening:
    count = len(NAMES)
    sales = np.array([0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0])
    table = {
        "names": NAMES,
        "venue": ["binance"] * count,
        "kind": ["perp", "spot", "perp", "spot"],
        "asset": ["AAA", "AAA", "BBB", "BBB"],
        "size_class": ["mid", "mid", "tiny", "tiny"],
        "depth_input_usd": np.full(count, 1e6),
        "spread_input_bps": np.full(count, 20.0),
        "volatility_input_bps": np.full(count, 10.0),
        "basis_cost_bps": np.array([20.0, np.nan, 2.0, np.nan]),
        "distance_bps": np.array([10.0, 100.0]),
        "depth_usd": np.full((count, 2, 2), 1e6),
        "spread_bps": np.full(count, 20.0),
        "sale_frac": sales,
        "walked_bps": np.tile(100.0 * sales**1.5, (count, 1)),
        "cost_bps": np.tile(60.0 * sales**1.5, (count, 1)),
        "filled_frac": np.ones((count, sales.size)),
        "makers": pl.DataFrame(),
    }
    return Opening(**{**table, **changes})  # type: ignore[arg-type]


def calm_run() -> RunResult:
    """Return a run whose mids walk with 2 bps per sqrt(second), whose volatility has two regimes, and whose minutes follow a square root of size."""
    run = tiny_run(dict.fromkeys(NAMES, 100.0), depth=dict.fromkeys(NAMES, 8e5), end_s=END_S)
    draw = np.random.default_rng(5)
    count, steps = len(NAMES), run.t_s.size
    minutes = (steps + 59) // 60
    size = draw.normal(size=(count, minutes)) * np.exp(draw.normal(size=(count, minutes)))
    each_s = np.repeat(np.sign(size) * np.abs(size) ** 0.5, 60, axis=1)[:, :steps] / 60.0
    log_mid = np.cumsum(each_s, axis=1) * 1e-3
    log_mid[0] = log_mid[1] + 5e-4
    log_mid[2] = log_mid[3] + 5e-4
    run.mid_usd = (100.0 * np.exp(log_mid)).astype(np.float32)
    bins = run.bin_t_s.size
    net = np.repeat(size, 6, axis=1)[:, :bins] * 1e6 / 6.0
    run.cause_bought_usd[:, :, Cause.NOISE] = np.maximum(net, 0.0)
    run.cause_sold_usd[:, :, Cause.NOISE] = np.maximum(-net, 0.0)
    run.spread_bps = np.full((count, bins), 30.0, dtype=np.float32)
    run.volume_usd = np.full((count, bins), 1000.0, dtype=np.float32)
    run.markets = run.markets.with_columns(pl.Series("sister_id", [1, 0, 3, 2], dtype=pl.Int32))
    return run


@pytest.fixture(scope="module")
def calm() -> Calm:
    return measure(calm_run(), opening(), warm_up_s=59.0)


def test_volatility_spread_depth_and_volume_are_those_put_in(calm: Calm) -> None:
    returns = np.diff(np.log(calm_run().mid_usd[:, ::-60][:, ::-1].astype(np.float64)), axis=1)[:, 1:]
    assert calm.volatility_bps == pytest.approx(1e4 * returns.std(axis=1, ddof=1), rel=0.05)
    assert calm.spread_bps == pytest.approx(np.full(4, 30.0)) and calm.depth_usd == pytest.approx(np.full(4, 4e5))
    assert calm.volume_usd_h == pytest.approx(np.full(4, 360_000.0), rel=0.01)


def test_impact_over_minutes_is_the_square_root_put_in(calm: Calm) -> None:
    found = calm.impact[EVERYTHING].exponent
    assert found.low < 0.5 < found.high and found.value == pytest.approx(0.5, abs=0.1)


def test_impact_within_a_step_is_the_power_put_in(calm: Calm) -> None:
    assert calm.step_exponent[EVERYTHING] == pytest.approx(1.5) and calm.step_exponent["tiny"] == pytest.approx(1.5)
    partly = opening(filled_frac=np.full((4, 7), 0.5))
    assert math.isnan(step_exponents(partly)[EVERYTHING]), "sales that are not filled say nothing"


def test_the_basis_is_measured_against_the_cost_of_each_perp(calm: Calm) -> None:
    assert calm.basis_bps[0] == pytest.approx([5.0, 5.0, 5.0], abs=0.02) and np.isnan(calm.basis_bps[1]).all()
    assert calm.basis_within_frac[0] == 1.0 and calm.basis_within_frac[2] == 0.0


def test_volatility_that_comes_in_spells_clusters_and_independent_returns_do_not() -> None:
    run = calm_run()
    draw = np.random.default_rng(9)
    plain = draw.normal(size=(4, run.t_s.size)) * 1e-4
    spells = plain * np.where((np.arange(run.t_s.size) // 300) % 2 == 0, 0.3, 1.7)
    for returns, clusters in ((plain, False), (spells, True)):
        run.mid_usd = (100.0 * np.exp(np.cumsum(returns, axis=1))).astype(np.float32)
        found = measure(run, opening(), warm_up_s=0.0)
        early = float(found.clustering[EVERYTHING][:5].mean())
        assert (early > found.noise_band) == clusters, early


def test_liquidations_of_the_calm_time_are_counted_from_its_start() -> None:
    run = tiny_run(
        dict.fromkeys(NAMES, 100.0),
        end_s=END_S,
        events=[{"t_s": t, "notional_usd": 10.0, "market": NAMES[0], "stage": "close_in_book"} for t in (-50, 500, 900)],
    )
    run.markets = run.markets.with_columns(pl.Series("sister_id", [1, 0, 3, 2], dtype=pl.Int32))
    found = measure(run, opening(), warm_up_s=300.0)
    assert (found.liquidations, found.liquidated_usd) == (2, 20.0)
    assert math.isnan(found.tail[EVERYTHING].value) and math.isnan(found.impact[EVERYTHING].exponent.value), "nothing moved"


def test_a_run_of_other_markets_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="same markets"):
        measure(tiny_run({"binance-spot-AAA": 1.0}), opening())
