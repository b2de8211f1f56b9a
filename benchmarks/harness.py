"""Time a piece of work fairly: compilation apart, set-up outside, several runs, with the memory traffic it cannot do without beside it.

A case is a function registered with `case`: it gets a size and a pool of threads and yields `Work`. Everything it does before a `yield` is set-up.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waxline.jit import njit

THREADS = 2
SIZES = ("small", "medium", "large")
RUNS = {"small": 31, "medium": 15, "large": 9}
PROBE_BYTES = 64_000_000


@dataclass(frozen=True)
class Work:
    """Describe one piece of work: `amount` of `unit` per call of `run`, on `threads` threads.

    bytes_read, bytes_written: what one call must read and write if nothing stays in cache: the physical estimate. `bar`: units per second the
    project asks for; `bar_ratio`: how many times the physical estimate it may take; None where nothing is asked. `prepare` is called before every run
    and not timed; `runs` replaces the number of runs of the size.
    """

    name: str
    unit: str
    amount: int
    run: Callable[[], Any]
    bytes_read: int
    bytes_written: int
    threads: int = 1
    bar: float | None = None
    bar_ratio: float | None = None
    prepare: Callable[[], Any] | None = None
    runs: int | None = None


Ratios = Callable[[list[dict[str, Any]]], dict[str, float]]
Case = Callable[[int, ThreadPoolExecutor], Iterator[Work]]
CASES: dict[str, tuple[Case, dict[str, int]]] = {}
RATIOS: dict[str, Ratios] = {}
SAYS: dict[str, Callable[[dict[str, float]], list[str]]] = {}


def case(
    name: str, small: int, medium: int, large: int, ratios: Ratios | None = None, says: Callable[[dict[str, float]], list[str]] | None = None
) -> Callable[[Case], Case]:
    """Register a case under `name` with its three sizes; `ratios` makes figures that compare its results, by name, `says` sentences of them."""

    def register(function: Case) -> Case:
        CASES[name] = (function, {"small": small, "medium": medium, "large": large})
        if ratios is not None:
            RATIOS[name] = ratios
        if says is not None:
            SAYS[name] = says
        return function

    return register


@njit
def read_all(values):  # type: ignore[no-untyped-def]
    """Return the exclusive or of all values [N] of 64 bit: reads each once and does next to nothing with it."""
    found = 0
    for n in range(values.size):
        found ^= values[n]
    return found


@njit
def write_all(values, value):  # type: ignore[no-untyped-def]
    """Write `value` into all values [N]."""
    for n in range(values.size):
        values[n] = value


@njit
def reckon(steps):  # type: ignore[no-untyped-def]
    """Multiply and add in registers for `steps` rounds, in chains that do not wait for each other; reads no memory."""
    a = b = c = d = e = f = g = h = 1.0
    for _ in range(steps):
        a = a * 0.999 + 1.0
        b = b * 0.998 + 1.0
        c = c * 0.997 + 1.0
        d = d * 0.996 + 1.0
        e = e * 0.995 + 1.0
        f = f * 0.994 + 1.0
        g = g * 0.993 + 1.0
        h = h * 0.992 + 1.0
    return a + b + c + d + e + f + g + h


def reckoning_gain(pool: ThreadPoolExecutor, threads: int = THREADS, rounds: int = 9, steps: int = 1_000_000) -> float:
    """Return how many times as much is reckoned per second on `threads` threads as on one: near 1 where two processors share one core."""
    reckon(1)
    gains = []
    for _ in range(rounds):
        start = time.perf_counter()
        reckon(steps)
        alone, start = time.perf_counter() - start, time.perf_counter()
        list(pool.map(reckon, [steps] * threads))
        gains.append(threads * alone / (time.perf_counter() - start))
    return statistics.median(gains)


class Probe:
    """Measure how many bytes per second this machine reads and writes at the moment, on as many threads as the work it stands beside."""

    def __init__(self, pool: ThreadPoolExecutor, threads: int) -> None:
        self.pool = pool
        self.parts = np.array_split(np.ones(PROBE_BYTES // 8, dtype=np.int64), threads)
        self.both()

    def both(self) -> tuple[float, float]:
        """Return bytes per second read and written."""
        return self._rate(read_all), self._rate(lambda part: write_all(part, 1))

    def _rate(self, work: Callable[[NDArray[np.int64]], Any]) -> float:
        start = time.perf_counter()
        list(self.pool.map(work, self.parts))
        return PROBE_BYTES / (time.perf_counter() - start)


def measure(work: Work, runs: int, pool: ThreadPoolExecutor) -> dict[str, Any]:
    """Return the figures of one piece of work; every run is preceded by a probe of the memory, so that both see the same machine."""
    prepare = work.prepare or (lambda: None)
    prepare()
    start = time.perf_counter()
    work.run()
    first_s = time.perf_counter() - start
    probe = Probe(pool, work.threads)
    walls, cpus, reads, writes = [], [], [], []
    for _ in range(runs):
        read, write = probe.both()
        reads.append(read)
        writes.append(write)
        prepare()
        cpu, start = time.process_time(), time.perf_counter()
        work.run()
        walls.append(time.perf_counter() - start)
        cpus.append(time.process_time() - cpu)
    wall, read, write = statistics.median(walls), statistics.median(reads), statistics.median(writes)
    estimate = work.bytes_read / read + work.bytes_written / write
    best_estimate = work.bytes_read / max(reads) + work.bytes_written / max(writes)
    return {
        "name": work.name,
        "unit": work.unit,
        "amount": work.amount,
        "threads": work.threads,
        "runs": runs,
        "first_call_s": first_s,
        "wall_s_median": wall,
        "wall_s_best": min(walls),
        "cpu_s_median": statistics.median(cpus),
        "per_s_median": work.amount / wall,
        "per_s_best": work.amount / min(walls),
        "bytes_read": work.bytes_read,
        "bytes_written": work.bytes_written,
        "read_bytes_per_s": read,
        "write_bytes_per_s": write,
        "estimate_s": estimate,
        "ratio_median": wall / estimate,
        "ratio_best": min(walls) / best_estimate,
        "bar_per_s": work.bar,
        "bar_ratio": work.bar_ratio,
    }


def run_case(name: str, size: str) -> dict[str, Any]:
    """Return all figures of a case at one size, with set-up time, peak memory and the machine."""
    function, sizes = CASES[name]
    found, load, setup_s = [], os.getloadavg(), 0.0
    with ThreadPoolExecutor(THREADS) as pool:
        gain = reckoning_gain(pool)
        start = time.perf_counter()
        for work in function(sizes[size], pool):
            setup_s += time.perf_counter() - start
            found.append(measure(work, work.runs or RUNS[size], pool))
            start = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = {
        "case": name,
        "size": size,
        "items": sizes[size],
        "setup_s": setup_s,
        "peak_bytes": peak,
        "machine": {**machine(load), "reckoning_gain": gain},
        "results": found,
    }
    if name in RATIOS:
        report["ratios"] = RATIOS[name](found)
    if name in SAYS:
        report["sentences"] = SAYS[name](report["ratios"])
    return report


def machine(load: tuple[float, float, float]) -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, versions, and how busy the machine was before."""
    import numba

    model = platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    versions = {"python": platform.python_version(), "numpy": np.__version__, "numba": numba.__version__}
    return {"processor": model, "cores": os.cpu_count(), "load_before": load[0], "nice": os.nice(0), **versions}


def table_text(report: dict[str, Any]) -> str:
    """Return the figures of a case for people."""
    wide = max([34, *(len(one["name"]) + 1 for one in report["results"])])
    lines = [
        f"{report['case']}, {report['size']}: {report['items']:,} items; set-up {report['setup_s']:.1f} s, peak memory {report['peak_bytes'] / 1e6:,.0f} MB",
        f"{'work':{wide}}{'threads':>8}{'per s':>14}{'best':>14}{'first call':>12}{'estimate':>11}{'median':>11}{'ratio':>7}{'best':>7}  bars",
    ]
    for one in report["results"]:
        lines.append(
            f"{one['name']:{wide}}{one['threads']:>8}{_rate(one['per_s_median']):>14}{_rate(one['per_s_best']):>14}{one['first_call_s']:>10.2f} s"
            f"{one['estimate_s'] * 1e3:>8.2f} ms{one['wall_s_median'] * 1e3:>8.2f} ms{one['ratio_median']:>7.2f}{one['ratio_best']:>7.2f}  {_bars(one)}"
        )
    probes = {one["threads"]: (one["read_bytes_per_s"] / 1e9, one["write_bytes_per_s"] / 1e9) for one in report["results"]}
    lines += [f"memory on {threads} thread(s): read {read:.1f} GB/s, write {write:.1f} GB/s" for threads, (read, write) in sorted(probes.items())]
    if "reckoning_gain" in report["machine"]:
        lines.append(f"{THREADS} threads reckon {report['machine']['reckoning_gain']:.2f} times as much as one (in registers, without memory)")
    lines += [f"{name}: {value:,.4g}" for name, value in report.get("ratios", {}).items()]
    lines += report.get("sentences", [])
    return "\n".join(lines)


def _rate(per_s: float) -> str:
    return f"{per_s / 1e6:,.1f} M/s" if per_s >= 1e6 else f"{per_s:,.1f} /s"


def _bars(one: dict[str, Any]) -> str:
    found = []
    if one["bar_per_s"] is not None:
        found.append(f"{'met' if one['per_s_median'] >= one['bar_per_s'] else 'MISSED'}: {_rate(one['bar_per_s'])}")
    if one["bar_ratio"] is not None:
        found.append(f"{'met' if one['ratio_best'] <= one['bar_ratio'] else 'MISSED'}: best ratio {one['bar_ratio']:g}")
    return ", ".join(found)
