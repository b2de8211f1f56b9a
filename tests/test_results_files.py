"""Run folders: they come back as they were saved, and nothing unfinished, damaged or foreign passes for a run."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from conftest import ROOT
from synthetic_run import synthetic_run
from tiny_run import tiny_run
from waxline.analysis.summary import summarise
from waxline.errors import ResultsError
from waxline.results import files
from waxline.results.run_result import RunResult
from waxline.results.schema import BIN_FIELDS, FILES, PRICE_FIELDS, SHARE_COLUMNS, Cause, table

ARRAYS = (*PRICE_FIELDS, *BIN_FIELDS, "fair_usd", "cause_dlog", "cause_sold_usd", "cause_bought_usd", "t_s", "bin_t_s")


@pytest.fixture(scope="module")
def run() -> RunResult:
    made = synthetic_run()
    made.summary = summarise(made)
    return made


@pytest.fixture(scope="module")
def saved(run: RunResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.save(tmp_path_factory.mktemp("runs") / "one")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """Return a copy of the saved run that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_a_saved_run_comes_back_bit_by_bit(run: RunResult, saved: Path) -> None:
    again = RunResult.load(saved)
    for name in ARRAYS:
        before, after = getattr(run, name), getattr(again, name)
        assert after.dtype == before.dtype, name
        assert np.array_equal(after, before, equal_nan=True), name
    for name in files.TABLE_FIELDS.values():
        assert getattr(again, name).equals(getattr(run, name)), name
    assert (again.assets, again.baseline, again.ledger, again.scenario_yaml) == (
        run.assets,
        run.baseline,
        run.ledger,
        run.scenario_yaml,
    )
    assert again.summary == run.summary
    assert {key: again.manifest[key] for key in run.manifest} == run.manifest


def test_the_folder_holds_the_agreed_files(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {*files.DATA_FILES, "manifest.json", "hashes.json"}
    assert not list(saved.parent.glob("*.partial-*"))


def test_the_same_run_gives_the_same_bytes(run: RunResult, saved: Path, tmp_path: Path) -> None:
    again = synthetic_run()
    again.summary = summarise(again)
    again.manifest["wall_s"], again.manifest["machine"] = 99.0, {"system": "other"}
    other = again.save(tmp_path / "two")
    assert files.read_hashes(other) == files.read_hashes(saved) == files.hashes_of(run)
    assert files.read_hashes(synthetic_run(2).save(tmp_path / "three")) != files.read_hashes(saved)


def test_a_loaded_run_saves_to_the_same_bytes(saved: Path) -> None:
    assert files.hashes_of(RunResult.load(saved)) == files.read_hashes(saved)


def test_missing_values_are_null_and_quiet_causes_are_left_out(run: RunResult, saved: Path) -> None:
    prices = pl.read_parquet(saved / "prices.parquet")
    assert prices.height == run.markets.height * run.t_s.size
    assert prices.select(pl.col(pl.Float32).is_nan().any()).sum_horizontal().item() == 0
    spot = prices.filter(pl.col("market_id") == run.market_id("binance-spot-BTC"))
    assert spot["mark_usd"].null_count() == spot.height
    tiny = tiny_run({"binance-spot-BTC": 1.0})
    tiny.cause_dlog[0, 3, Cause.NEWS] = -0.5
    causes = files._causes_table(tiny)
    assert causes.rows() == [(0, int(tiny.bin_t_s[3]), int(Cause.NEWS), -0.5, 0.0, 0.0)]


def test_an_existing_folder_is_never_overwritten(run: RunResult, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ResultsError, match="never overwritten: choose another --out"):
        run.save(tmp_path / "taken")
    assert list((tmp_path / "taken").iterdir()) == []


@pytest.mark.parametrize("name", [*files.DATA_FILES, "hashes.json"])
def test_a_changed_file_is_refused_with_its_name_and_the_remedy(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ResultsError, match=name) as refusal:
        RunResult.load(folder)
    assert "waxline run synthetic --seed 1" in str(refusal.value)


def test_a_file_and_its_recorded_hash_changed_together_are_refused(folder: Path) -> None:
    path, hashes = folder / "scenario.resolved.yaml", folder / "hashes.json"
    path.write_text("name: another\n")
    recorded = {**json.loads(hashes.read_text()), path.name: files.file_hash(path)}
    hashes.write_text(json.dumps(recorded))
    with pytest.raises(ResultsError, match=r"hashes\.json: differs from what the manifest recorded"):
        RunResult.load(folder)


@pytest.mark.parametrize("name", ["prices.parquet", "hashes.json", "scenario.resolved.yaml"])
def test_a_lost_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ResultsError, match=name):
        RunResult.load(folder)


def test_a_folder_without_manifest_is_unfinished(folder: Path, tmp_path: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(ResultsError, match=r"manifest\.json is missing, the run is unfinished"):
        RunResult.load(folder)
    with pytest.raises(ResultsError, match="there is no such run folder"):
        RunResult.load(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": "running"}, "status must be 'complete', was 'running'"),
        ({"format": 1}, "format must be 3, was 1: use waxline 0.1.0, or run it again: waxline run synthetic --seed 1"),
        ({"format": None}, "format must be 3, was None"),
    ],
)
def test_an_unfinished_or_unknown_manifest_is_refused(folder: Path, change: dict[str, Any], says: str) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ResultsError) as refusal:
        RunResult.load(folder)
    assert says in str(refusal.value)


def test_a_manifest_that_is_cut_off_is_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(ResultsError, match="cannot be read"):
        RunResult.load(folder)


def test_the_report_joins_before_the_folder_gets_its_name(run: RunResult, tmp_path: Path) -> None:
    seen = []

    def report(unfinished: Path) -> None:
        seen.append(((tmp_path / "run").exists(), (unfinished / "manifest.json").exists()))
        (unfinished / "report.html").write_text("report")

    files.save(run, tmp_path / "run", report)
    assert seen == [(False, False)]
    assert (tmp_path / "run" / "report.html").read_text() == "report"
    RunResult.load(tmp_path / "run")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_an_interrupted_save_leaves_nothing(run: RunResult, tmp_path: Path, stop: type[BaseException]) -> None:
    def interrupted(_: Path) -> None:
        raise stop

    with pytest.raises(stop):
        files.save(run, tmp_path / "run", interrupted)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_and_says_what_to_do(run: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    whole = files._write

    def full(path: Path, content: bytes) -> str:
        if len(written) == 5:
            path.write_bytes(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path.name)
        return whole(path, content)

    monkeypatch.setattr(files, "_write", full)
    with pytest.raises(ResultsError, match=r"could not be written \(No space left on device\); nothing was left there: free"):
        run.save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_file_size_limit_of_the_system_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tiny_run import tiny_run\n"
        "from waxline.errors import ResultsError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try:\n"
        "    tiny_run({'binance-spot-BTC': {-60: 1.0, 5: 0.5}}).save(Path(sys.argv[1]) / 'run')\n"
        "except ResultsError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=environment())
    assert "could not be written (File too large)" in result.stdout, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_killed_save_never_looks_finished(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tiny_run import tiny_run\n"
        "from waxline.results.files import save\n"
        "save(tiny_run({'binance-spot-BTC': 1.0}), Path(sys.argv[1]) / 'run', lambda _: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=environment())
    assert result.returncode == -signal.SIGKILL
    assert not (tmp_path / "run").exists()
    (left,) = tmp_path.iterdir()
    assert ".partial-" in left.name
    with pytest.raises(ResultsError, match="the run is unfinished"):
        RunResult.load(left)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}


def test_numbers_in_json_are_plain_and_nan_is_null() -> None:
    given = {"a": np.float32(1.5), 2: [np.int64(3), float("nan"), (np.inf,)], "b": np.array([1.0, np.nan])}
    assert files.plain(given) == {"a": 1.5, "2": [3, None, [None]], "b": [1.0, None]}


def test_prices_of_many_markets_stay_small(tmp_path: Path) -> None:
    """210 markets x 7,200 rows x 5 prices are 30 MB as they lie in memory."""
    run = synthetic_run()
    size = len(files._parquet(pl.DataFrame({"mid": run.mid_usd.ravel(), "low": run.low_usd.ravel()})))
    assert size < 0.8 * (run.mid_usd.nbytes + run.low_usd.nbytes)


def test_a_table_with_a_column_too_many_or_too_few_is_refused() -> None:
    columns = {name: [] for name in ("market_id", "price_frac", "long_usd", "short_usd")}
    assert table("map", columns).columns == list(columns)
    with pytest.raises(ValueError, match=r"missing columns \['short_usd'\], undeclared columns \['shorts'\]"):
        table("map", {("shorts" if name == "short_usd" else name): [] for name in columns})


def test_causes_keep_their_codes_and_every_column_says_its_unit_and_meaning() -> None:
    assert [cause.key for cause in Cause][:6] == [
        "news",
        "perp_liquidation",
        "collateral_liquidation",
        "deleveraging",
        "fund_workoff",
        "requoting",
    ]
    assert len(Cause) == len(SHARE_COLUMNS) == 16
    assert all(cause.label and cause.meaning.endswith(".") for cause in Cause)
    assert all(column.unit and column.meaning for columns in FILES.values() for column in columns)


def test_markets_are_selected_by_venue_kind_and_asset(run: RunResult) -> None:
    def names(*selection: str) -> list[str]:
        return [run.market_name(market) for market in run.select(*selection)]

    assert names("binance", "spot", "alts") == ["binance-spot-DOGE", "binance-spot-ATOM"]
    assert names("all", "perp", "BTC") == ["binance-perp-BTC", "bybit-perp-BTC", "hyperliquid-perp-BTC", "rest-perp-BTC"]
    assert names("coinbase", "all", "BTC+DOGE+SOL") == ["coinbase-spot-BTC", "coinbase-spot-DOGE"]
    assert len(names()) == run.markets.height
    assert run.market_id("binance-perp-BTC") == 1
    with pytest.raises(ResultsError, match="market 'kraken-spot-BTC' is not in this run: choose one of binance-perp-ATOM"):
        run.market_id("kraken-spot-BTC")


def test_rows_and_bins_are_found_by_time(run: RunResult) -> None:
    assert run.t_s[run.row_at(-1)] == -1
    assert run.t_s[run.row_at(-9999)] == run.t_s[0]
    assert run.bin_t_s[run.bin_at(-1)] == -10
    assert run.t_s[run.rows_in(0, 60)].tolist() == list(range(61))
    assert run.bin_t_s[run.bins_in(0, 40)].tolist() == [10, 20, 30, 40]


@pytest.mark.parametrize("change", [{"seed": "abc"}, {"seed": 2**70}, {"t0_utc": "noon"}, {"assumptions": 5}, {"manifest_hash": None}])
def test_a_manifest_that_was_edited_is_refused(folder: Path, change: dict[str, Any]) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ResultsError, match=r"manifest\.json: differs from what the run wrote"):
        RunResult.load(folder)


def test_a_manifest_nested_beyond_reason_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(ResultsError, match="cannot be read"):
        RunResult.load(folder)


def test_a_folder_that_never_got_its_name_is_unfinished_even_with_every_file(folder: Path) -> None:
    left = folder.rename(folder.with_name(f"run.partial-{os.getpid()}"))
    with pytest.raises(ResultsError, match="the run is unfinished, its folder never got its name"):
        RunResult.load(left)


def test_a_name_taken_while_a_run_is_written_costs_no_numbered_run(tmp_path: Path) -> None:
    run = tiny_run({"binance-spot-BTC": 1.0})

    def take(_: Path) -> None:
        (tmp_path / "run").mkdir(exist_ok=True)

    assert files.save(run, tmp_path / "run", take, numbered=True) == tmp_path / "run-2"
    assert files.save(run, tmp_path / "run", take, numbered=True) == tmp_path / "run-3"
    RunResult.load(tmp_path / "run-2")
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(ResultsError, match="never overwritten"):
        files.save(run, tmp_path / "run", take)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run-2", "run-3"]


def test_what_killed_runs_left_is_cleared_and_what_others_write_is_not(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for pid, age_s in ((ended.pid, 3600.0), (os.getppid(), 3600.0), (ended.pid + 1_000_000_000, 0.0)):
        left = tmp_path / f"run.partial-{pid}"
        left.mkdir()
        os.utime(left, (time.time() - age_s,) * 2)
    tiny_run({"binance-spot-BTC": 1.0}).save(tmp_path / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["run", f"run.partial-{os.getppid()}", f"run.partial-{ended.pid + 1_000_000_000}"])
