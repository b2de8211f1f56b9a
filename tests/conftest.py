"""Settings shared by all tests: bounds checks in every kernel, and the way to the shared material."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

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
    "test_simulation_laws", "test_simulation_switches", "test_news_alone", "test_simulation_worlds", "test_twins_market", "test_venue_rules_simulated", "test_what_if",
}  # fmt: skip
"""Test files that step the simulation. One worker runs them all: its kernels take longer to compile than the tests to run."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole files, and one of them all simulating files. (Marks for `--dist loadgroup` do nothing with pytest 9.2: xdist issue 1386.)"""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            name = Path(nodeid.split("::")[0]).stem
            return "simulating" if name in SIMULATING else name

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the simulating files first in line: theirs is the longest group."""
    items.sort(key=lambda item: Path(str(item.fspath)).stem not in SIMULATING)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of shared material beside the checkout (or WAXLINE_SHARED), or skip the test."""
    folder = Path(os.environ.get("WAXLINE_SHARED", ROOT.parent / "shared"))
    if not (folder / "checks").is_dir():
        pytest.skip("shared material is absent")
    return folder
