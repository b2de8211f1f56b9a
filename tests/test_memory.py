"""What a run will take is said before it starts, and is about what it takes; what cannot fit is refused with what would."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from small_world import scenario
from waxline.errors import SimulationLimitError
from waxline.scenario.files import load_scenario
from waxline.simulation.memory import SAY_FROM_BYTES, available_bytes, expected_bytes, memory_line

PEAK = """
import resource, sys
from waxline.analysis.summary import summarise
from waxline.scenario.files import load_scenario
from waxline.simulation.run import run_scenario
run = run_scenario(load_scenario("oct-2025", sys.argv[1:]), baseline=False)
summarise(run)
scale = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale)
"""


def test_more_traders_markets_and_steps_need_more() -> None:
    least = expected_bytes(scenario())
    assert least < expected_bytes(scenario("population.traders=200000")) and least < expected_bytes(scenario("clock.duration_s=4h", "halts=off"))
    assert least < expected_bytes(load_scenario("oct-2025", ["population.traders=2000"]))


def test_small_runs_say_nothing_and_large_ones_what_they_need() -> None:
    assert memory_line(scenario(), available_bytes()) is None
    large = scenario("population.traders=2000000")
    assert expected_bytes(large) > SAY_FROM_BYTES
    assert re.fullmatch(r"a large run: about [\d.]+ GB of memory of 1000.0 GB free, 2,000,000 traders, .* steps", memory_line(large, 10**12) or "")


def test_what_does_not_fit_is_refused_with_a_number_that_would() -> None:
    large = scenario("population.traders=2000000")
    with pytest.raises(SimulationLimitError, match=r"needs about .* GB .* population.traders=\d+ would fit") as told:
        memory_line(large, 10**9)
    fits = int(re.search(r"traders=(\d+)", str(told.value)).group(1))  # type: ignore[union-attr]
    assert 0.95e9 < expected_bytes(scenario(f"population.traders={fits}")) <= 10**9
    with pytest.raises(SimulationLimitError, match="a shorter run"):
        memory_line(large, 10**8)


def test_the_machine_says_how_much_is_free() -> None:
    free = available_bytes()
    assert free is None or 10**7 < free < 10**14


@pytest.mark.slow
@pytest.mark.parametrize("traders", [100_000, 1_000_000])
def test_a_run_takes_about_what_was_said(traders: int) -> None:
    words = [f"population.traders={traders}", "clock.duration_s=3600", "ledger.every_steps=60"]
    subprocess.run([sys.executable, "-c", PEAK, "population.traders=5000", *words[1:]], check=True, capture_output=True)  # compiles
    done = subprocess.run([sys.executable, "-c", PEAK, *words], check=True, capture_output=True, text=True)
    assert 0.6 < int(done.stdout) / expected_bytes(load_scenario("oct-2025", words)) < 1.4
