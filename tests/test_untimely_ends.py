"""Runs that are stopped, started twice, or have nowhere to write: the message is clear, nothing looks finished, nothing finished is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ROOT
from test_run_commands import NAME, Simulation, call, in_process, simulation  # noqa: F401 (fixtures)
from waxline.cli import main, processes, running, validate
from waxline.cli.processes import Event, Job

SLOW = """
import sys, time, types
module = types.ModuleType("waxline.simulation.run")
def run_scenario(*_, **__):
    print("simulating", flush=True)
    time.sleep(60)
module.run_scenario = run_scenario
sys.modules["waxline.simulation.run"] = module
from waxline.cli.main import main
sys.argv = ["waxline", *sys.argv[1:]]
main()
"""
PARENT = """
import sys
import process_jobs
from waxline.cli.processes import Job, run_jobs
if __name__ == "__main__":
    run_jobs([Job("slow", process_jobs.sleep_long, (sys.argv[1],))], 1, lambda event: None)
"""


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]), **settings}


def waxline(*words: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "waxline", *words], capture_output=True, env=environment(**settings), check=False)


# Signals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status", "says"),
    [
        (signal.SIGINT, 130, "waxline: interrupted; nothing unfinished"),
        (signal.SIGTERM, 143, "waxline: stopped by SIGTERM; nothing unfinished"),
        (signal.SIGHUP, 129, "waxline: stopped by SIGHUP; nothing unfinished"),
    ],
)
def test_a_run_that_is_stopped_says_so_and_leaves_nothing(tmp_path: Path, number: int, status: int, says: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "run", NAME, "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path,
        preexec_fn=lambda: signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "simulating\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told.count("Traceback")) == (status, 0), told
    assert says in told
    assert list(tmp_path.iterdir()) == []


def test_a_stop_before_any_command_runs_gives_a_message_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def early(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", early)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as stopped:
        main.main()
    assert stopped.value.code == 130
    assert "waxline: interrupted" in capsys.readouterr().err


def test_processes_of_a_killed_parent_end_by_themselves(tmp_path: Path) -> None:
    script, told = tmp_path / "parent.py", tmp_path / "pid"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script), str(told)], env=environment())
    until = time.monotonic() + 60.0
    while not (told.exists() and told.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    child = int(told.read_text())
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20.0
    while running_still(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not running_still(child)


def running_still(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_job_that_cannot_write_says_so_in_one_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing = tmp_path / "none" / "file"
    events: list[Event] = []
    assert processes.run_jobs([Job("a", Path.write_text, (missing, "x"))], 1, events.append, retries=0) == ["a"]
    told = capfd.readouterr().err
    assert f"waxline: [Errno 2] No such file or directory: '{missing}'" in told and "Traceback" not in told


def test_validate_tells_what_is_kept_when_it_is_stopped(simulation: Simulation, in_process: list[str], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    call("validate", NAME, "--seeds", "1")

    def stopped(*_: object, **__: object) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "run_jobs", stopped)
    told = call("validate", NAME, "--seeds", "3", code=130).stderr
    assert "1 of 3 seeds are finished and kept in runs/validate-oct-2025-" in told


# Places --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("run", NAME), ("demo",)])
def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(simulation: Simulation, tmp_path: Path, command: tuple[str, ...]) -> None:  # noqa: F811
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    for out, says in (("taken", "never overwritten"), ("file/run", "file is a file"), ("x" * 300, "File name too long"), ("/proc/run", "is not writable")):
        if out.startswith("/proc") and os.access("/proc", os.W_OK):
            continue
        assert says in call(*command, "--out", out, code=4).stderr
    assert simulation.calls == []


def test_a_folder_made_only_to_look_is_not_left(tmp_path: Path) -> None:
    assert running.cannot_write(tmp_path / "new" / "deep" / "run") == ""
    assert list(tmp_path.iterdir()) == []


def test_two_runs_at_once_both_keep_what_they_made(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    whole = simulation.run_scenario

    def meanwhile(*args: object, **settings: object) -> object:
        monkeypatch.setattr(sys.modules["waxline.simulation.run"], "run_scenario", whole)
        call("run", NAME, "--quiet")
        call("run", NAME, "--out", "mine", "--quiet")
        return whole(*args, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(sys.modules["waxline.simulation.run"], "run_scenario", meanwhile)
    told = call("run", NAME, "--quiet").stdout
    first, second = sorted(path.name for path in Path("runs").iterdir())
    assert second == f"{first}-2"
    assert f"run folder: runs/{second}\nreport: runs/{second}/report.html\n" == told
    monkeypatch.setattr(sys.modules["waxline.simulation.run"], "run_scenario", meanwhile)
    assert "mine: a run folder is never overwritten" in call("run", NAME, "--out", "mine", code=4).stderr


def test_validate_needs_a_folder_it_can_write(simulation: Simulation, in_process: list[str], tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "file").write_text("")
    assert "file: finished seeds cannot be kept there (File exists): choose another --out" in call("validate", NAME, "--out", "file", code=4).stderr
    assert in_process == []


@pytest.mark.parametrize("content", ["[]", "5", '{"scenario_hash": 1}', "[" * 100_000])
def test_a_kept_seed_that_is_none_is_made_again(simulation: Simulation, in_process: list[str], content: str) -> None:  # noqa: F811
    call("validate", NAME, "--seeds", "1")
    (kept,) = Path("runs").glob("*/seed-1-*.json")
    stamp = {key: value for key, value in json.loads(kept.read_text()).items() if key != "measurements"}
    for text in (content, json.dumps(stamp), json.dumps({**stamp, "measurements": [5]})):
        kept.write_text(text)
        assert validate.read_seed(kept, {key: str(stamp[key]) for key in ("scenario_hash", "facts_hash", "sources")}) is None


@pytest.mark.parametrize("command", [("run", NAME), ("demo",), ("inspect", NAME)])
def test_a_seed_beyond_64_bits_is_refused(simulation: Simulation, command: tuple[str, ...]) -> None:  # noqa: F811
    assert "Invalid value for '--seed'" in call(*command, "--seed", str(2**63), code=2).stderr


def test_a_copy_that_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    told = call("scenario", "copy", NAME, str(tmp_path / "mine.yaml"), code=2).stderr
    assert "mine.yaml: cannot be written (No space left on device): name another FILE" in told
    assert list(tmp_path.iterdir()) == []


# Output --------------------------------------------------------------------------------------------------------------


def test_output_that_cannot_be_written_is_named_without_a_traceback() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-m", "waxline", "scenario", "list"], stdout=full, stderr=subprocess.PIPE, text=True, env=environment())
    assert (done.returncode, done.stderr) == (1, "waxline: the output: No space left on device\n")


def test_what_an_encoding_lacks_is_escaped_and_json_stays_json() -> None:
    command = ("depth", "10bps=1M,100bps=2M")
    assert b"\\u2013" in waxline(*command, PYTHONIOENCODING="latin-1").stdout
    assert main.escaped(UnicodeEncodeError("ascii", "a–💥", 1, 3, "")) == ("\\u2013\\ud83d\\udca5", 3)
    assert json.loads('"' + main.escaped(UnicodeEncodeError("ascii", "é💥", 0, 2, ""))[0] + '"') == "é💥"


def test_running_out_of_memory_says_what_to_do(simulation: Simulation) -> None:  # noqa: F811
    simulation.stop = MemoryError()
    assert "out of memory: run fewer accounts" in call("run", NAME, code=3).stderr
    assert not Path("runs").exists()
