"""The commands run, show, rerun, demo and validate, with a run made by hand in the place of the simulation."""

from __future__ import annotations

import json
import os
import sys
import types
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import process_jobs
from tiny_run import event, tiny_run
from waxline import jit
from waxline.cli import main, processes, running, validate
from waxline.cli.processes import Event, Job, run_jobs
from waxline.results.run_result import RunResult
from waxline.scenario import files

runner = CliRunner()
NAME = "oct-2025"


class Simulation:
    """Stand in for the simulation: each call gives a tiny run that depends on the seed only, and notes how it was asked."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.drift = 0.0
        self.stop: BaseException | None = None

    def run_scenario(self, scenario: Any, seed: int, *, progress: Callable[[int, int], None] | None = None, baseline: bool = True) -> RunResult:
        self.calls.append({"name": scenario.name, "seed": seed, "baseline": baseline})
        if progress is not None:
            progress(3600, 7200)
        if self.stop is not None:
            raise self.stop
        low = 100.0 - 10.0 * seed + self.drift
        run = tiny_run({"binance-perp-BTC": {-60: 100.0, 100: low}}, events=[event(100, "binance-perp-BTC", "close_in_book", 5.0)])
        run.manifest.update({"scenario": scenario.name, "seed": seed, "version": "0.1.0", "scenario_hash": scenario.hash()})
        run.baseline = {"binance-perp-BTC": 0.02} if baseline else None
        return run


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Simulation:
    fake = Simulation()
    module = types.ModuleType("waxline.simulation.run")
    module.run_scenario = fake.run_scenario  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "waxline.simulation.run", module)
    monkeypatch.setattr(running, "report_writer", lambda: write_report)
    monkeypatch.setattr(files, "load_scenario", lambda name, overrides=(): loaded(str(name), tuple(overrides)))
    monkeypatch.setattr(files, "parse_scenario", parsed)
    monkeypatch.setattr(jit, "sources_key", lambda: "these sources")
    monkeypatch.chdir(tmp_path)
    return fake


# Reading the scenario takes most of the time of these tests: each text is read once.
loaded = cache(files.load_scenario)
parsed = cache(files.parse_scenario)


def write_report(run: RunResult, path: Path) -> None:
    path.write_text(f"report of seed {run.manifest['seed']}")


def call(*words: str, code: int = 0) -> Any:
    result = runner.invoke(main.app, list(words), prog_name="waxline")
    assert result.exit_code == code, (result.output, result.exception)
    return result


def only_folder() -> Path:
    (folder,) = Path("runs").iterdir()
    return folder


def test_run_prints_the_summary_and_the_paths_last(simulation: Simulation) -> None:
    lines = call("run", NAME, "--seed", "3").stdout.rstrip().split("\n")
    folder = only_folder()
    assert lines[-2:] == [f"run folder: {folder}", f"report: {folder / 'report.html'}"]
    assert any("30.0 %" in line and "x15.0" in line for line in lines)
    assert (folder / "report.html").read_text() == "report of seed 3"
    assert simulation.calls == [{"name": NAME, "seed": 3, "baseline": True}]


def test_run_keeps_overrides_and_the_replay_line(simulation: Simulation) -> None:
    call("run", NAME, "--set", "shock.news.size=0.08", "--no-baseline", "--quiet")
    manifest = RunResult.load(only_folder()).manifest
    assert manifest["overrides"] == ["shock.news.size=0.08"]
    assert manifest["replay"] == f"waxline run {NAME} --seed 1 --set shock.news.size=0.08 --no-baseline"
    assert simulation.calls[0]["baseline"] is False


def test_run_prints_json_and_nothing_else_on_stdout(simulation: Simulation) -> None:
    content = json.loads(call("run", NAME, "--json").stdout)
    assert content["folder"] == str(only_folder())
    assert content["markets"][0]["amplification"] == pytest.approx(5.0, abs=1e-4)


def test_run_gives_a_second_run_its_own_folder_and_refuses_a_taken_one_before_it_simulates(simulation: Simulation) -> None:
    call("run", NAME, "--quiet")
    call("run", NAME, "--quiet")
    first, second = sorted(path.name for path in Path("runs").iterdir())
    assert second == f"{first}-2"
    result = call("run", NAME, "--out", f"runs/{first}", code=4)
    assert "never overwritten" in result.stderr
    assert len(simulation.calls) == 2


def test_run_leaves_nothing_when_interrupted(simulation: Simulation) -> None:
    simulation.stop = KeyboardInterrupt()
    result = call("run", NAME, code=130)
    assert not Path("runs").exists()
    assert "interrupted" in result.stderr


def test_a_report_that_fails_does_not_cost_the_run(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: RunResult, path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("no report")

    monkeypatch.setattr(running, "report_writer", lambda: broken)
    result = call("run", NAME, code=1)
    assert "without a report" in result.stderr
    assert RunResult.load(only_folder()).manifest["seed"] == 1
    assert not (only_folder() / "report.html").exists()


def test_run_works_without_a_report_writer(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "report_writer", lambda: None)
    assert "report:" not in call("run", NAME).stdout


def test_progress_is_a_line_every_few_seconds_when_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 5.0, 6.0, 10.5])
    monkeypatch.setattr(running.time, "monotonic", lambda: next(clock))
    with running.Progress() as progress:
        for done in (100, 500, 600, 1050):
            progress.step(done, 2000)
    assert capsys.readouterr().err.rstrip().split("\n") == [
        "step 500 of 2,000 (25%), 100 steps/s, 15 s left",
        "step 1,050 of 2,000 (52%), 100 steps/s, 10 s left",
    ]


def test_show_prints_the_summary_of_a_folder(simulation: Simulation) -> None:
    call("run", NAME, "--quiet")
    folder = str(only_folder())
    assert "binance-perp-BTC" in call("show", folder).stdout
    assert json.loads(call("show", folder, "--json").stdout)["run"]["seed"] == 1
    (only_folder() / "prices.parquet").write_bytes(b"")
    assert "prices.parquet" in call("show", folder, code=4).stderr
    assert "no such run folder" in call("show", "nowhere", code=4).stderr


def test_rerun_finds_the_same_hashes_and_sees_a_difference(simulation: Simulation) -> None:
    call("run", NAME, "--seed", "2", "--set", "shock.news.size=0.08", "--quiet")
    folder = str(only_folder())
    assert "all 14 files are the same" in call("rerun", folder).stdout
    assert simulation.calls[-1] == {"name": NAME, "seed": 2, "baseline": True}
    simulation.drift = 1.0
    output = call("rerun", folder, code=1).stdout
    assert "files differ" in output
    row = next(line for line in output.split("\n") if line.startswith("prices.parquet"))
    assert row.endswith("different")


def test_demo_ends_with_the_facts_and_the_report(simulation: Simulation) -> None:
    lines = call("demo").stdout.rstrip().split("\n")
    assert lines[-1].startswith("report: ")
    assert any(line.startswith("drawdown-binance-perp-btc") and line.endswith("inside") for line in lines)
    assert any(line.startswith("score ") for line in lines)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the jobs of validate here instead of in processes of their own; return the seeds run."""
    ran: list[str] = []

    def here(jobs: list[Job], workers: int, report: Callable[[Event], None], **_: Any) -> list[str]:
        for job in jobs:
            job.target(*job.arguments)
            ran.append(job.key)
            report(Event("finished", job.key, 0, len(ran), 0))
        return []

    monkeypatch.setattr(processes, "run_jobs", here)
    return ran


def test_validate_judges_the_median_over_seeds(simulation: Simulation, in_process: list[str]) -> None:
    result = call("validate", NAME, "--seeds", "3", "--json")
    content = json.loads(result.stdout)
    assert list(content) == ["score", "n_inside", "n_measured", "n", "facts"]
    found = {entry["id"]: entry for entry in content["facts"]}
    btc = found["drawdown-binance-perp-btc"]
    assert (btc["median"], btc["verdict"]) == (pytest.approx(0.2, abs=1e-6), "inside")
    assert (btc["p05"], btc["p95"]) == (pytest.approx(0.11, abs=1e-6), pytest.approx(0.29, abs=1e-6))
    assert found["drawdown-binance-spot-btc"]["verdict"] == "not measured"
    assert content["n"] == len(content["facts"]) >= 98
    assert content["score"] == content["n_inside"] / content["n"]
    assert "seed 3 finished: 3 of 3" in result.stderr
    assert not any(call["baseline"] for call in simulation.calls)


def test_validate_uses_finished_seeds_again_until_something_that_matters_changes(simulation: Simulation, in_process: list[str], tmp_path: Path) -> None:
    call("validate", NAME, "--seeds", "2")
    result = call("validate", NAME, "--seeds", "3")
    assert in_process == ["1", "2", "3"]
    assert "2 of 3 seeds are kept from before" in result.stderr
    (kept,) = Path("runs").iterdir()
    damaged = next(kept.glob("seed-2-*.json"))
    damaged.write_text(damaged.read_text()[:50])
    call("validate", NAME, "--seeds", "3")
    assert in_process[3:] == ["2"]
    facts = tmp_path / "facts.yaml"
    facts.write_text(
        "event: e\nt0_utc: t\nfacts:\n- {id: a, quantity: drawdown, venue: binance, market: perp, asset: BTC,\n"
        "   value: 0.1, low: 0.05, high: 0.2, window_s: [0, 600], source: x}\n"
    )
    output = call("validate", NAME, "--seeds", "1", "--facts", str(facts)).stdout
    assert in_process[4:] == ["1"]
    assert "score 100%: 1 inside of 1 facts" in output


def test_a_kept_seed_of_other_sources_is_not_used(simulation: Simulation, in_process: list[str]) -> None:
    call("validate", NAME, "--seeds", "1")
    (kept,) = Path("runs").iterdir()
    (path,) = kept.glob("seed-1-*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "sources": "older"}))
    call("validate", NAME, "--seeds", "1")
    assert in_process == ["1", "1"]


def test_validate_without_facts_for_a_scenario_asks_for_a_file(simulation: Simulation) -> None:
    with pytest.raises(Exception, match="no facts are shipped for the scenario 'other': give a file with --facts"):
        validate.choose_facts(None, "other")


def test_validate_fails_when_no_seed_finishes(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "run_jobs", lambda jobs, *_, **__: [job.key for job in jobs])
    result = call("validate", NAME, "--seeds", "2", code=4)
    assert "seeds given up after two tries: 1, 2" in result.stderr


@pytest.fixture
def events() -> Iterator[list[Event]]:
    yield []


def test_jobs_that_die_are_tried_once_more_and_cost_only_themselves(tmp_path: Path, events: list[Event]) -> None:
    paths = {name: str(tmp_path / name) for name in ("good", "bad", "shaky", "wrong")}
    jobs = [
        Job("bad", process_jobs.die, (paths["bad"],)),
        Job("good", process_jobs.leave, (paths["good"],)),
        Job("shaky", process_jobs.die_once, (paths["shaky"],)),
        Job("wrong", process_jobs.raise_error, (paths["wrong"],)),
    ]
    assert sorted(run_jobs(jobs, 2, events.append)) == ["bad", "wrong"]
    assert (tmp_path / "good").read_text() == "done"
    assert (tmp_path / "bad").read_text() == "xx"
    assert (tmp_path / "shaky").read_text() == "xy"
    told = {(event.what, event.key, event.exit_code) for event in events}
    assert {("died", "bad", -9), ("given up", "bad", -9), ("died", "shaky", -9), ("finished", "shaky", 0)} <= told
    assert max(event.n_running for event in events) <= 2


def test_the_first_job_can_run_alone_to_compile_for_the_others(tmp_path: Path, events: list[Event]) -> None:
    jobs = [Job(str(i), process_jobs.leave, (str(tmp_path / str(i)),)) for i in range(3)]
    assert run_jobs(jobs, 2, events.append, first_alone=True) == []
    assert [(event.what, event.key) for event in events[:2]] == [("started", "0"), ("finished", "0")]


def test_an_interrupt_ends_the_processes_that_were_started(tmp_path: Path) -> None:
    path = tmp_path / "pid"

    def interrupt(event: Event) -> None:
        while not path.exists() or not path.read_text():
            pass
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs([Job("slow", process_jobs.sleep_long, (str(path),))], 1, interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(path.read_text()), 0)
