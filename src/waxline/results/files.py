"""Write a run folder so that a killed or starved run never looks finished, and read it back only when it is whole."""

from __future__ import annotations

import errno
import glob
import hashlib
import io
import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from waxline.errors import ResultsError
from waxline.results.run_result import RunResult
from waxline.results.schema import BIN_FIELDS, FILES, FORMAT, N_CAUSES, PRICE_FIELDS, polars_schema, table

SEAL = "manifest_hash"
FORSAKEN_S = 60.0
"""Age at which an unfinished folder without its process is taken for left behind."""
PARTIAL = re.compile(r"\.partial-(\d+)$")
MANIFEST, SUMMARY, HASHES, SCENARIO, REPORT = (
    "manifest.json",
    "summary.json",
    "hashes.json",
    "scenario.resolved.yaml",
    "report.html",
)
TABLE_FIELDS = {
    "markets": "markets",
    "liquidations": "liquidations",
    "named": "named",
    "accounts": "accounts",
    "venues": "venues",
    "funds": "funds",
    "map": "liquidation_map",
    "slack": "slack",
}
DATA_FILES = tuple(sorted([f"{name}.parquet" for name in FILES] + [SUMMARY, SCENARIO]))
ZSTD_LEVEL = 6
ROW_GROUP = 500_000


def save(run: RunResult, folder: Path, finish: Callable[[Path], None] | None = None, *, numbered: bool = False) -> Path:
    """Write `run` into `folder` and return it; the folder appears under its name only when every file is on disk.

    `finish` is called with the unfinished folder before it is renamed, to add files such as the report. With `numbered`, a name that is
    taken gets a number at the end. Raises ResultsError when the folder exists or cannot be written; nothing that looks finished is left then.
    """
    first = folder = Path(folder)
    if folder.exists() and not numbered:
        raise _taken(folder)
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    _clear_left_behind(folder)
    try:
        partial.mkdir(parents=True)
        hashes = {name: _write(partial / name, content) for name, content in _contents(run)}
        _write(partial / HASHES, _json(dict(sorted(hashes.items()))))
        if finish is not None:
            finish(partial)
        manifest = {**run.manifest, "format": FORMAT, "status": "complete"}
        manifest["data_hash"] = data_hash(hashes)
        manifest[SEAL] = _seal(manifest)
        _write(partial / MANIFEST, _json(manifest))
        _sync_folder(partial)
        number = 1
        while not _renamed(partial, folder):
            if not numbered:
                raise _taken(folder)
            number += 1
            folder = first.with_name(f"{first.name}-{number}")
        _sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = error.strerror or str(error)
        raise ResultsError(f"{folder}: the run could not be written ({reason}); nothing was left there: free some space or choose another --out") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder


def load(folder: Path) -> RunResult:
    """Read the run in `folder`.

    Raises ResultsError, with the place, the rule, the value and the remedy, when the folder is missing, unfinished, of an
    unknown format, or when a file is missing or differs from its recorded hash.
    """
    folder = Path(folder)
    manifest = check(folder)
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    tables: dict[str, Any] = {name: pl.read_parquet(io.BytesIO((folder / f"{name}.parquet").read_bytes())) for name in FILES}
    for name, frame in tables.items():
        if dict(frame.schema) != polars_schema(FILES[name]):
            raise ResultsError(f"{folder / name}.parquet: columns differ from format {FORMAT}: {_again(manifest)}")
    markets = tables["markets"]
    t_s, prices = _arrays(tables["prices"], PRICE_FIELDS, markets.height, folder / "prices.parquet")
    bin_t_s, bins = _arrays(tables["bins"], BIN_FIELDS, markets.height, folder / "bins.parquet")
    assets = tables["fair"]["asset"].unique(maintain_order=True).to_list()
    fair = tables["fair"]["fair_usd"].to_numpy().astype(np.float32).reshape(len(assets), -1)
    return RunResult(
        manifest=manifest,
        assets=assets,
        t_s=t_s,
        fair_usd=fair,
        bin_t_s=bin_t_s,
        baseline=summary.get("baseline"),
        ledger=summary.get("ledger") or {},
        summary=summary,
        scenario_yaml=(folder / SCENARIO).read_text(encoding="utf-8"),
        **_cause_arrays(tables["causes"], markets.height, bin_t_s),
        **prices,
        **bins,
        **{field: tables[name] for name, field in TABLE_FIELDS.items()},
    )


def check(folder: Path) -> dict[str, Any]:
    """Return the manifest of `folder` after checking that the run is finished, of a known format and unchanged."""
    if not os.path.isdir(folder):
        raise ResultsError(f"{folder}: there is no such run folder: give the path that `waxline run` printed")
    if PARTIAL.search(folder.resolve().name):
        raise ResultsError(f"{folder}: the run is unfinished, its folder never got its name: run the scenario again")
    manifest = _read_json(folder / MANIFEST, "unfinished: a finished run has one; run the scenario again")
    status, version = manifest.get("status"), manifest.get("format")
    if status != "complete":
        raise ResultsError(f"{folder / MANIFEST}: status must be 'complete', was {status!r}: {_again(manifest)}")
    if version != FORMAT:
        raise ResultsError(
            f"{folder / MANIFEST}: format must be {FORMAT}, was {version!r}: use waxline {manifest.get('version', 'of that run')}, or {_again(manifest)}"
        )
    if manifest.pop(SEAL, None) != _seal(manifest):
        raise ResultsError(f"{folder / MANIFEST}: differs from what the run wrote: changed or damaged; run the scenario again")
    expected = _read_json(folder / HASHES, f"damaged: {_again(manifest)}")
    if data_hash(expected) != manifest.get("data_hash"):
        raise ResultsError(f"{folder / HASHES}: differs from what the manifest recorded: {_again(manifest)}")
    for name in DATA_FILES:
        path = folder / name
        found = file_hash(path) if path.is_file() else "no file"
        if found != expected.get(name):
            wanted = str(expected.get(name))[:16]
            raise ResultsError(f"{path}: sha256 must be {wanted}…, was {found[:16]}: changed or lost; {_again(manifest)}")
    return manifest


def load_summary(folder: Path) -> dict[str, Any]:
    """Return the summary of a finished run folder; raises ResultsError as `load` does."""
    check(folder)
    summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return summary


def read_hashes(folder: Path) -> dict[str, str]:
    """Return file name -> sha256 of the data files as recorded in a finished run folder."""
    check(folder)
    return {str(name): str(value) for name, value in json.loads((folder / HASHES).read_text(encoding="utf-8")).items()}


def hashes_of(run: RunResult) -> dict[str, str]:
    """Return file name -> sha256 that the data files of `run` would have, without writing them."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(_contents(run))}


def data_hash(hashes: dict[str, Any]) -> str:
    """Return one hash over all recorded `hashes`, whatever their order."""
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def plain(value: Any) -> Any:
    """Return `value` with numpy numbers as Python's and NaN or infinity as None, ready for strict JSON."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _taken(folder: Path) -> ResultsError:
    """Return the refusal of a folder that exists."""
    return ResultsError(f"{folder}: a run folder is never overwritten: choose another --out or move this one away")


def _renamed(partial: Path, folder: Path) -> bool:
    """Give the finished folder its name; False when another run took it meanwhile."""
    if os.path.lexists(folder):
        return False
    try:
        os.rename(partial, folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    return True


def _clear_left_behind(folder: Path) -> None:
    """Remove what killed runs left unfinished beside `folder`: partial folders of the same name whose process is gone."""
    for path in folder.parent.glob(f"{glob.escape(folder.name)}.partial-*"):
        found = PARTIAL.search(path.name)
        try:
            forsaken = time.time() - path.stat().st_mtime > FORSAKEN_S and os.path.isdir("/proc/self")
        except OSError:
            continue
        if found and forsaken and not os.path.exists(f"/proc/{found[1]}"):
            shutil.rmtree(path, ignore_errors=True)


def _seal(manifest: dict[str, Any]) -> str:
    """Return the hash of a manifest without its seal."""
    plain_text = json.dumps(plain({key: value for key, value in manifest.items() if key != SEAL}), sort_keys=True)
    return hashlib.sha256(plain_text.encode()).hexdigest()


def _again(manifest: dict[str, Any]) -> str:
    """Return the remedy for a run that cannot be used."""
    replay = manifest.get("replay")
    return f"run it again: {replay}" if replay else "run the scenario again"


def _read_json(path: Path, advice: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultsError(f"{path.parent}: {path.name} is missing, the run is {advice}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: cannot be read ({error}); the run is {advice}") from error
    if not isinstance(content, dict):
        raise ResultsError(f"{path}: must hold an object; the run is {advice}")
    return content


def _contents(run: RunResult) -> list[tuple[str, bytes]]:
    """Return (file name, bytes) of every data file; the same run gives the same bytes."""
    files = [
        (SUMMARY, _json({**run.summary, "baseline": run.baseline, "ledger": run.ledger})),
        (SCENARIO, run.scenario_yaml.encode()),
    ]
    for name, field in TABLE_FIELDS.items():
        frame: pl.DataFrame = getattr(run, field)
        files.append((f"{name}.parquet", _parquet(table(name, {column: frame[column] for column in frame.columns}))))
    rows = _long(run.markets.height, run.t_s)
    files.append(("prices.parquet", _parquet(table("prices", {**rows, **{f: getattr(run, f).ravel() for f in PRICE_FIELDS}}))))
    rows = _long(run.markets.height, run.bin_t_s)
    files.append(("bins.parquet", _parquet(table("bins", {**rows, **{f: getattr(run, f).ravel() for f in BIN_FIELDS}}))))
    files.append(("causes.parquet", _parquet(_causes_table(run))))
    fair = {
        "asset": np.repeat(np.array(run.assets, dtype=object), run.t_s.size),
        "t_s": np.tile(run.t_s, len(run.assets)),
        "fair_usd": run.fair_usd.ravel(),
    }
    files.append(("fair.parquet", _parquet(table("fair", fair))))
    return files


def _long(n_markets: int, t_s: Any) -> dict[str, Any]:
    """Return the two key columns of a table with a row per market and time."""
    return {"market_id": np.repeat(np.arange(n_markets, dtype=np.int16), t_s.size), "t_s": np.tile(t_s.astype(np.int32), n_markets)}


def _causes_table(run: RunResult) -> pl.DataFrame:
    """Return the table of causes; rows in which all three amounts are zero are left out."""
    kept = (run.cause_dlog != 0.0) | (run.cause_sold_usd != 0.0) | (run.cause_bought_usd != 0.0)
    market, bins, cause = np.nonzero(kept)
    return table(
        "causes",
        {
            "market_id": market.astype(np.int16),
            "t_s": run.bin_t_s[bins].astype(np.int32),
            "cause": cause.astype(np.uint8),
            "dlog_mid": run.cause_dlog[kept],
            "sold_usd": run.cause_sold_usd[kept],
            "bought_usd": run.cause_bought_usd[kept],
        },
    )


def _cause_arrays(causes: pl.DataFrame, n_markets: int, bin_t_s: Any) -> dict[str, Any]:
    """Return the three dense [M, B, 16] arrays of the table of causes."""
    index = (
        causes["market_id"].to_numpy().astype(np.int64),
        np.searchsorted(bin_t_s, causes["t_s"].to_numpy()),
        causes["cause"].to_numpy().astype(np.int64),
    )
    dense: dict[str, Any] = {}
    for field, column in (("cause_dlog", "dlog_mid"), ("cause_sold_usd", "sold_usd"), ("cause_bought_usd", "bought_usd")):
        dense[field] = np.zeros((n_markets, bin_t_s.size, N_CAUSES), dtype=np.float32)
        dense[field][index] = causes[column].to_numpy()
    return dense


def _arrays(frame: pl.DataFrame, fields: tuple[str, ...], n_markets: int, path: Path) -> tuple[Any, dict[str, Any]]:
    """Return times and [M, n] arrays of a table sorted by market and time."""
    if n_markets == 0 or frame.height % n_markets:
        raise ResultsError(f"{path}: rows must be a multiple of the {n_markets} markets, was {frame.height}: run the scenario again")
    size = frame.height // n_markets
    t_s = frame["t_s"][:size].to_numpy().astype(np.int64)
    columns = {name: frame[name].fill_null(float("nan")).to_numpy().reshape(n_markets, size).copy() for name in fields}
    return t_s, columns


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(buffer, compression="zstd", compression_level=ZSTD_LEVEL, row_group_size=ROW_GROUP, statistics=False)
    return buffer.getvalue()


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(plain(value), indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _write(path: Path, content: bytes) -> str:
    """Write `content`, force it to disk and return its sha256."""
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    return hashlib.sha256(content).hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
