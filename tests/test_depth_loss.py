"""The loss of depth is measured as stated, and every variant of the command names switches that exist."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import synthetic_run
from waxline.analysis.depth_loss import depth_loss
from waxline.cli.depth_loss import VARIANTS
from waxline.scenario.files import load_scenario


@pytest.mark.parametrize("label", VARIANTS)
def test_every_variant_is_a_scenario(label: str) -> None:
    load_scenario("oct-2025", list(VARIANTS[label]))


def test_depth_is_measured_against_the_calm_before_and_by_whole_minutes() -> None:
    run = synthetic_run.synthetic_run()
    rows = run.select("binance", "perp", "alts")
    assert rows
    depth = np.full_like(run.bid_depth_usd, 4e6)
    gone = run.bins_in(600.0, 720.0)
    depth[:, gone] = 1e5
    half = run.bins_in(720.0, 900.0)
    depth[:, half] = 1e6
    asked = dataclasses.replace(run, bid_depth_usd=depth, ask_depth_usd=depth)
    loss = depth_loss(asked, "binance")
    assert loss.lowest == pytest.approx(0.025) and loss.lowest_at_s == pytest.approx(600.0)
    assert loss.dead_s == pytest.approx(120.0) and loss.back_after_s == pytest.approx(300.0)
    seconds = float(run.end_t_s)
    assert loss.mean_loss == pytest.approx((120.0 * 0.975 + 180.0 * 0.75) / seconds, rel=0.02)
    assert np.isnan(depth_loss(asked, "nowhere").lowest)
