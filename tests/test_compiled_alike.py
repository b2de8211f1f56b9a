"""What is compiled for the tests, with bounds checks and little optimisation, gives the same bytes as what users run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from small_world import TEXT


def hashes(folder: Path, scenario: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return the hashes of the files of a run made with kernels compiled under `settings`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    command = [
        sys.executable,
        "-m",
        "waxline",
        "run",
        str(scenario),
        "--out",
        str(folder),
        "--quiet",
        "--set",
        "clock.duration_s=8m",
        "--set",
        "shock.news.size=0.2",
    ]
    subprocess.run(command, env=kept | settings, check=True, capture_output=True)
    found: dict[str, str] = json.loads((folder / "hashes.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_kernels_of_the_tests_and_of_users_give_the_same_bytes(tmp_path: Path) -> None:
    scenario = tmp_path / "small.yaml"
    scenario.write_text(TEXT, encoding="utf-8")
    tested = hashes(tmp_path / "tested", scenario, {"NUMBA_BOUNDSCHECK": "1", "NUMBA_OPT": "1", "NUMBA_SLP_VECTORIZE": "0"})
    assert tested == hashes(tmp_path / "used", scenario, {}) and len(tested) > 8
