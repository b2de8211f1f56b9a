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
    # Takes half the time to compile; that full optimisation gives the same bytes is a test in `make slow` (tests/test_compiled_alike.py).
    os.environ.setdefault("NUMBA_OPT", "1")
    os.environ.setdefault("NUMBA_SLP_VECTORIZE", "0")

from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# The first example compiles kernels, so that time limits per example say nothing. Examples are the same in every run.
settings.register_profile("waxline", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("waxline")


COMPILING = "test_deleveraging_simulated"
"""Test file that begins: it has the kernels of the simulation compiled, which takes longer than any test."""

SIMULATING = {
    "test_facts_quantities", "test_fund_groups", "test_inspection", "test_laws_market", "test_news_alone", "test_pool_variants", "test_results_explained", "test_results_files", "test_run_commands",
    "test_simulation_laws", "test_simulation_switches", "test_socialised_losses", "test_simulation_worlds", "test_twins_market", "test_venue_rules_simulated", "test_voluntary_reduction", "test_what_if",
}  # fmt: skip
"""Test files that step the simulation; they come last, when the kernels are on disk, so that no two workers compile them."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole files. (Marks for `--dist loadgroup` do nothing with pytest 9.2: xdist issue 1386.)"""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.split("::")[0]

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the file that compiles first and those that need what it compiled last."""

    def place(item: pytest.Item) -> int:
        name = Path(str(item.fspath)).stem
        return 0 if name == COMPILING else 2 if name in SIMULATING else 1

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of shared material beside the checkout (or WAXLINE_SHARED), or skip the test."""
    folder = Path(os.environ.get("WAXLINE_SHARED", ROOT.parent / "shared"))
    if not (folder / "checks").is_dir():
        pytest.skip("shared material is absent")
    return folder
