"""The benchmarks run, count what they say and write their figures; no figure of speed is tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT


def test_a_case_runs_at_a_small_size_and_writes_its_figures(tmp_path: Path) -> None:
    run = "import sys; import harness, run; harness.CASES['margin'][1]['small'] = 2_000; harness.RUNS['small'] = 2; harness.PROBE_BYTES = 800_000; sys.exit(run.main())"
    folders = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT / "src")])
    arguments = ["margin", "--size", "small", "--out", str(tmp_path), "--here"]
    done = subprocess.run([sys.executable, "-c", run, *arguments], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": folders}, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "margin-small.json").read_text())
    assert {one["threads"] for one in report["results"]} == {1, 2}
    for one in report["results"]:
        assert one["per_s_median"] == one["amount"] / one["wall_s_median"]
        assert 0.0 < one["wall_s_best"] <= one["wall_s_median"]
    assert report["peak_bytes"] > 0 and report["machine"]["processor"]
    assert "one leg: who is at the line" in done.stdout


@pytest.mark.slow
def test_the_watch_finds_what_the_sweeps_find_and_writes_its_ratios(tmp_path: Path) -> None:
    run = "import sys; import harness, run; harness.CASES['watch'][1]['small'] = 2_000; harness.PROBE_BYTES = 800_000; sys.exit(run.main())"
    folders = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT / "src")])
    arguments = ["watch", "--size", "small", "--out", str(tmp_path), "--here"]
    done = subprocess.run([sys.executable, "-c", run, *arguments], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": folders}, check=False)
    assert done.returncode == 0, done.stderr
    ratios = json.loads((tmp_path / "watch-small.json").read_text())["ratios"]
    assert ratios["mismatches"] == 0 and 0.2 < ratios["crash_liquidated"] < 0.4
    assert {"watch_vs_compiled_sweep", "watch_vs_row_sweep", "watch_vs_numpy_sweep", "calm_watch_vs_compiled_sweep", "crash_stormy_steps"} <= set(ratios)
    assert "watch_vs_compiled_sweep" in done.stdout


def test_an_unknown_case_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "run.py"), "weather"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 2 and "no such case: weather" in done.stderr
