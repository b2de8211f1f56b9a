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


def result_file(folder: Path, name: str, per_s: dict[str, tuple[float, float]], **changes: object) -> Path:
    """Write a result file with works name -> (speed in the middle, best speed)."""
    works = [{"name": work, "threads": 1, "amount": 10, "per_s_median": middle, "per_s_best": best} for work, (middle, best) in per_s.items()]
    machine = {"processor": "one", "cores": 2, "load_before": 0.5, "python": "3.12"} | dict(changes.pop("machine", {}))  # type: ignore[call-overload]
    report = {"case": "margin", "size": "small", "items": 100, "machine": machine, "results": works} | changes
    (folder / name).write_text(json.dumps(report))
    return folder / name


def compared(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "compare.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_result_files_get_a_verdict_per_work(tmp_path: Path) -> None:
    old = result_file(tmp_path, "old.json", {"up": (100, 110), "down": (100, 110), "noisy": (100, 110), "gone": (1, 1)})
    new = result_file(tmp_path, "new.json", {"up": (130, 140), "down": (80, 90), "noisy": (60, 109), "fresh": (1, 1)}, machine={"python": "3.13"})
    done = compared(old, new)
    verdicts = {line.split(",")[0]: line for line in done.stdout.splitlines()}
    assert verdicts["up"].endswith("  faster") and verdicts["down"].endswith("  slower") and verdicts["noisy"].endswith("same within noise")
    assert "1.30" in verdicts["up"] and "0.80" in verdicts["down"]
    assert "only in the first: gone" in done.stdout and "only in the second: fresh" in done.stdout and "python was 3.12 in the first and is 3.13" in done.stdout
    assert done.returncode == 1 and "1 faster, 1 slower, 1 the same within noise" in done.stdout
    assert compared(old, new, "--threshold", "0.5").returncode == 0
    assert compared(old, old).returncode == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"size": "large"}, "size is 'small' in the first and 'large' in the second"),
        ({"items": 200}, "items is 100"),
        ({"case": "watch"}, "case is 'margin'"),
        ({"machine": {"processor": "two"}}, "machine.processor is 'one'"),
        ({"machine": {"cores": 8}}, "machine.cores is 2"),
        ({"results": []}, "no work stands in both files"),
        ({"results": [{"name": "up", "threads": 1, "amount": 20, "per_s_median": 1, "per_s_best": 1}]}, "not the same work"),
    ],
)
def test_files_of_different_machines_sizes_or_works_are_refused(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    old = result_file(tmp_path, "old.json", {"up": (100, 110)})
    done = compared(old, result_file(tmp_path, "new.json", {"up": (100, 110)}, **changes))
    assert done.returncode == 2 and says in done.stderr and done.stdout == ""


def test_what_is_not_a_result_file_is_refused(tmp_path: Path) -> None:
    old = result_file(tmp_path, "old.json", {"up": (100, 110)})
    (tmp_path / "other.json").write_text("[1]")
    assert "is not a result file" in compared(old, tmp_path / "other.json").stderr
    assert "cannot be read" in compared(old, tmp_path / "missing.json").stderr


def peers_say(code: str, *, folder: str = "peers") -> str:
    """Return what a snippet prints that may import the files of benchmarks/peers (or of `folder`) and of benchmarks."""
    folders = os.pathsep.join([str(ROOT / "benchmarks" / folder), str(ROOT / "benchmarks"), str(ROOT / "src")])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": folders})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_contestants_find_is_compared_value_by_value() -> None:
    code = """
import json, numpy as np, run, tasks
task = tasks.Task("t", "", "answers", {}, {"found_step": 0.0, "cash": 1e-6}, lambda found: 1)
ours = {"found_step": np.array([3, -1, 7, 2]), "cash": np.array([100.0, 200.0])}
seen = [
    run.differences(task, ours, ours),
    run.differences(task, ours, ours | {"found_step": np.array([3, 5, 8, 2])}),
    run.differences(task, ours, ours | {"cash": np.array([100.00005, 200.01])}),
    run.differences(task, ours, {"found_step": np.array([3, -1, -1, 2]), "steps": np.array(5)}),
    run.differences(task, ours, {"found_step": np.array([3, -1])}),
]
print(json.dumps(seen))
"""
    assert json.loads(peers_say(code)) == [[0, 6, []], [2, 6, []], [1, 6, []], [0, 4, ["cash"]], [0, 2, ["cash"]]]


def test_a_peer_that_cannot_be_had_is_said_in_words_and_leaves_its_bars_undecided() -> None:
    code = """
import json, run
row = {"who": "waxline, watch ladders", "per_s_median": 2e9, "times": 1.0}
found = [{"task": task, "contestants": [{**row, "who": who}]} for task, who in run.OURS.items()]
found[0]["contestants"].append({"who": "lrvx (FLOX)", "failed": "cannot be installed"})
found[0]["contestants"].append({"who": "Mesa", "per_s_median": 1.0, "times": 99.0})
print(json.dumps([[bar["bar"], bar["met"]] for bar in run.bars(found)]))
"""
    met = dict(json.loads(peers_say(code)))
    assert met["idle: times as fast as lrvx (FLOX) in this run"] is None
    assert met["idle: times as fast as Mesa in this run"] is False
    assert met["idle: per second, against the figure measured earlier for FLOX"] is True


@pytest.mark.slow
def test_the_desks_scripts_find_what_we_find_and_the_command_ends_well_without_peers(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "peers" / "run.py"), "--size", "tiny", "--rounds", "1", "--without-peers", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "peers-tiny.json").read_text())
    rows = [(task["task"], row) for task in report["tasks"] for row in task["contestants"]]
    assert {row["differences"] for _, row in rows if "failed" not in row} == {0}
    assert {task for task, row in rows if row["who"] == "NumPy, a desk's script"} == {"idle", "cascade", "many markets", "paths"}
    assert "left out by --without-peers" in done.stdout and "not decided" in done.stdout and "MISSED" in done.stdout


def test_powers_are_fitted_per_curve_and_said_in_words() -> None:
    code = """
import json, case_growth as growth
for n in (10, 100, 1000):
    growth.POINTS.append(growth.Point("watch, crash", "accounts", n, f"w {n}"))
    growth.POINTS.append(growth.Point("books", "markets", n, f"b {n}"))
times = {f"w {n}": 5e-6 * n**2 for n in (10, 100, 1000)} | {"b 10": 1.0, "b 100": 1.0, "b 1000": 10.0}
times |= {f"watch, {kind}, {far} far accounts": 2.0 if far == "and" else 1.0 for kind in ("crash", "calm") for far in ("and", "without")}
ratios = growth.fitted([{"name": name, "wall_s_best": wall} for name, wall in times.items()])
print(json.dumps([ratios, growth.sentences(ratios), [growth.grows(power) for power in (0.1, 0.5, 1.0, 1.5)]]))
"""
    ratios, sentences, words = json.loads(peers_say(code))
    assert ratios["watch, crash by accounts: exponent"] == pytest.approx(2.0)
    assert ratios["books by markets: exponent"] == pytest.approx(0.5) and ratios["books by markets: exponent at the end"] == pytest.approx(1.0)
    assert sentences[0].startswith("watch, crash: time grows faster than accounts (power 2.00 from 10 to 1e+03")
    assert sentences[1].startswith("books: time grows slower than markets") and "2.00 times the time" in sentences[-1]
    assert words == ["hardly depends on", "grows slower than", "grows like", "grows faster than"]


@pytest.mark.slow
def test_growth_times_every_curve(tmp_path: Path) -> None:
    code = f"""
import sys, harness, run, case_growth as growth
harness.CASES["growth"][1]["small"], harness.PROBE_BYTES = 2_000, 800_000
growth.MARKET_COUNTS, growth.STEP_COUNTS, growth.FALLS, growth.BOOK_STEPS = (10, 20), (900, 1_200), (0.3, 0.73), (10, 20)
sys.argv = ["run.py", "growth", "--size", "small", "--out", {str(tmp_path)!r}, "--here"]
assert run.main() == 0
"""
    said = peers_say(code, folder=".")
    report = json.loads((tmp_path / "growth-small.json").read_text())
    curves = {name.split(":")[0] for name in report["ratios"]}
    assert {
        "watch, crash by accounts",
        "watch, calm by markets",
        "watch, crash by steps",
        "watch, crash by share liquidated",
        "margin sweep by accounts",
    } <= curves
    assert {"books by markets", "books by steps", "arming by accounts", "margin sweep by markets"} <= curves
    assert all(sentence in said for sentence in report["sentences"]) and len(report["sentences"]) == 14


@pytest.mark.slow
def test_paths_are_run_in_one_process_and_in_two(tmp_path: Path) -> None:
    code = f"""
import sys, harness, run, case_paths as paths
harness.PROBE_BYTES, paths.RUNS, text = 800_000, 1, paths.scenario_text(3, 200, 30)
paths.scenario_text = lambda: text
assert paths.run_paths(text, [1]) == paths.run_paths(text, [1])
sys.argv = ["run.py", "paths", "--size", "small", "--out", {str(tmp_path)!r}, "--here"]
assert run.main() == 0
"""
    peers_say(code, folder=".")
    report = json.loads((tmp_path / "paths-small.json").read_text())
    assert [one["threads"] for one in report["results"]] == [1, 2]
    assert report["ratios"]["parallel_efficiency"] > 0.0
    assert report["ratios"]["two_processes_vs_one"] == pytest.approx(2.0 * report["ratios"]["parallel_efficiency"])


def test_an_unknown_case_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "run.py"), "weather"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 2 and "no such case: weather" in done.stderr
