"""Settings shared by all tests: bounds checks in every kernel, and the way to the shared material."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# Out-of-range writes of compiled code are silent otherwise. Compiled code is kept apart per setting, so both kinds stay warm.
if os.environ.get("WAXLINE_FAST") != "1":
    if "numba" in sys.modules:
        raise RuntimeError("numba was imported before the tests could switch its bounds checks on")
    os.environ["NUMBA_BOUNDSCHECK"] = "1"

from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# The first example compiles kernels, so that time limits per example say nothing. Examples are the same in every run.
settings.register_profile("waxline", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("waxline")


SIMULATING = {
    "test_deleveraging_simulated", "test_facts_quantities", "test_inspection", "test_laws_market", "test_results_explained", "test_results_files", "test_run_commands",
    "test_simulation_laws", "test_simulation_switches", "test_news_alone", "test_simulation_worlds", "test_twins_market",
}  # fmt: skip
"""Test files that step the simulation. One worker runs them all: its kernels take longer to compile than the tests to run."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each file its own group, and the simulating files one, first in line (`--dist loadgroup`); before xdist reads the groups."""
    for item in items:
        name = Path(str(item.fspath)).stem
        item.add_marker(pytest.mark.xdist_group("simulating" if name in SIMULATING else name))
    items.sort(key=lambda item: Path(str(item.fspath)).stem not in SIMULATING)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of shared material beside the checkout (or WAXLINE_SHARED), or skip the test."""
    folder = Path(os.environ.get("WAXLINE_SHARED", ROOT.parent / "shared"))
    if not (folder / "checks").is_dir():
        pytest.skip("shared material is absent")
    return folder
