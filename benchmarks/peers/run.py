"""Give the same work to waxline and to what a user would pick instead, on this machine in this run: rates, ratios, differences; one JSON file.

Peers go into an environment of their own (`.venv` beside this file), made here from requirements.txt; what cannot be had is said in words, and the rest is measured.
Every contestant runs alone, in a process of its own with a time limit. All of a task take turns in rounds, and ratios are taken within a round,
so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT / "src")]

import numpy as np  # noqa: E402
import tasks  # noqa: E402
from harness import machine  # noqa: E402

import waxline  # noqa: E402

PYTHON = HERE / ".venv" / "bin" / "python"
LIMIT_S, INSTALL_S, ROUNDS = 300, 600, 3


class Contestant(NamedTuple):
    """Hold who works: name, file and its argument, package to install (None: ours and the desk's), tasks it does, and remarks for the table by task ("": all)."""

    who: str
    file: str
    argument: str
    package: str | None
    tasks: tuple[str, ...]
    remarks: dict[str, str] = {}


ACCOUNTS = ("idle", "cascade", "many markets", "paths")
FLOW = ("order flow", "one by one", "re-quoted")
ONE_PRICE = "price-time priority; pays one price per order, so USD are not compared"
CONTESTANTS = (
    Contestant("waxline, watch ladders", "ours.py", "watch", None, ACCOUNTS),
    Contestant("waxline, full sweep", "ours.py", "sweep", None, ("idle", "cascade")),
    Contestant("waxline, ladder book", "ours.py", "books", None, FLOW, {"": "orders of a step share each level pro rata"}),
    Contestant("NumPy, a desk's script", "desk.py", "numpy", None, ACCOUNTS, {"paths": "the first five paths"}),
    Contestant("Polars, a desk's script", "desk.py", "polars", None, ACCOUNTS[:3]),
    Contestant("lrvx (FLOX)", "peer_lrvx.py", "", "lrvx", ACCOUNTS[:3], {"many markets": "the first rows of prices only"}),
    Contestant("Mesa", "peer_mesa.py", "", "mesa", ACCOUNTS[:2], {"idle": "20 steps"}),
    Contestant(
        "mesa-frames",
        "peer_mesa_frames.py",
        "",
        "mesa-frames",
        ACCOUNTS[:2],
        {"cascade": "taken out by a filter: its own `remove` finds no ids with this polars"},
    ),
    Contestant("bourse", "peer_bourse.py", "", "bourse", FLOW, {"order flow": "price-time priority, orders of a step shuffled", "": "price-time priority"}),
    Contestant(
        "PAMS",
        "peer_pams.py",
        "",
        "pams",
        FLOW,
        {"order flow": f"the first step; {ONE_PRICE}", "one by one": f"the first orders; {ONE_PRICE}", "re-quoted": f"three steps; {ONE_PRICE}"},
    ),
)
OURS = {**dict.fromkeys(ACCOUNTS, "waxline, watch ladders"), **dict.fromkeys(FLOW, "waxline, ladder book")}

CANNOT = (
    "bourse, PAMS: no margin accounts. Mesa, mesa-frames: no order book. lrvx: its Python books keep orders and match none; the matching engine is a venue in C++ outside "
    "the package: not run. Measured earlier, on another day: 1.1 to 1.5 million commands/s through it.",
    "flox-py is lrvx under its old name: the same code, measured once.",
    "ABIDES (abides-markets) is on no package index and needs Python 3.9 and packages of that time: not run. Measured earlier, on another day: 43,000 to "
    "47,000 orders/s through its order book alone.",
    "crvUSDrisk with crvusdsim is on no package index and needs a database of quotes: not run. Measured earlier, on another day: about 500 to 700 "
    "borrower-steps/s; its borrowers sit in soft-liquidating pools, which ours do not.",
    "dex-sim is on no package index: not run. Measured earlier, on another day: 245 to 263 million agent-steps/s on its own example, 100 paths of "
    "7,200 minutes for 2,000 traders, without book and feedback; `paths` has that shape.",
)
PUBLISHED = {"idle": 190e6, "cascade": 12e6, "paths": 250e6, "order flow": 4.5e6, "one by one": 4.5e6}
ABIDES_ORDERS, CRVUSD_STEPS = 47e3, 700.0


def install(wanted: list[str]) -> dict[str, str]:
    """Make the environment of the peers if need be; return by package why it cannot be had."""
    lines = {line.split("==")[0]: line for line in (HERE / "requirements.txt").read_text(encoding="utf-8").split()}
    base = getattr(sys, "_base_executable", None) or sys.executable
    uv = ROOT / ".bootstrap" / "bin" / "uv"
    if not PYTHON.exists():
        made = subprocess.run([base, "-m", "venv", "--without-pip", str(PYTHON.parents[1])], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            return dict.fromkeys(wanted, "no environment can be made: " + (made.stderr.strip().splitlines() or ["no reason given"])[-1])
    missing = {}
    for package in wanted:
        probe = f"import importlib.metadata as m, sys; sys.exit(m.version({package!r}) != {lines[package].split('==')[1]!r})"
        if subprocess.run([str(PYTHON), "-c", probe], capture_output=True, check=False).returncode == 0:
            continue
        print(f"installing {lines[package]} (first time only)", file=sys.stderr, flush=True)
        said = "pip cannot be had"
        for command in ([str(uv), "pip", "install", "-q", "-p", str(PYTHON)], [base, "-m", "pip", "--python", str(PYTHON), "install", "-q"]):
            if command[0] == str(uv) and not uv.exists():
                continue
            try:
                done = subprocess.run([*command, lines[package], lines["numpy"]], capture_output=True, text=True, check=False, timeout=INSTALL_S)
            except subprocess.TimeoutExpired:
                said = f"not installed within {INSTALL_S} s"
                continue
            if done.returncode == 0:
                said = ""
                break
            said = next((line for line in reversed(done.stderr.strip().splitlines()) if line.startswith("ERROR")), "the installer failed")
        if said:
            missing[package] = f"{lines[package]} cannot be installed: {said}"
    return missing


def contest(one: Contestant, task: tasks.Task, folder: Path) -> dict[str, Any]:
    """Return what a contestant reports, with "found", or {"failed": why}."""
    python = sys.executable if one.package is None else str(PYTHON)
    found = folder / "found.npz"
    found.unlink(missing_ok=True)
    command = [python, str(HERE / one.file), *([one.argument] if one.argument else []), task.name, str(folder / f"{task.name}.npz"), str(found)]
    paths = [str(HERE), str(ROOT / "src")] if one.package is None else [str(HERE)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    except subprocess.TimeoutExpired:
        return {"failed": f"not done within {LIMIT_S} s"}
    if done.returncode != 0:
        return {"failed": "ended with an error: " + (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]}
    report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return report | {"found": dict(np.load(found))}


def differences(task: tasks.Task, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> tuple[int, int, list[str]]:
    """Return how many values found differ, how many were compared, and what was not compared."""
    differ, compared, left_out = 0, 0, []
    steps = int(theirs.get("steps", np.iinfo(np.int64).max))
    for name, allowed in task.equal.items():
        if name not in theirs:
            left_out.append(name)
            continue
        length = min(len(ours[name]), len(theirs[name]))
        one, other = ours[name][:length], theirs[name][:length]
        if name == "found_step":
            one = np.where(one < steps, one, -1)
        differ += int((np.abs(one - other) > allowed * np.abs(one)).sum())
        compared += one.size
    return differ, compared, left_out


def run_task(task: tasks.Task, missing: dict[str, str], rounds: int, folder: Path) -> dict[str, Any]:
    """Return the figures of all contestants of a task."""
    np.savez(folder / f"{task.name}.npz", **task.inputs)
    entered = [one for one in CONTESTANTS if task.name in one.tasks]
    rows: list[dict[str, Any]] = []
    reports: dict[str, list[dict[str, Any]]] = {one.who: [] for one in entered}
    for _ in range(rounds):
        for one in entered:
            if one.package in missing:
                reports[one.who] = [{"failed": missing[one.package]}]
            elif not any("failed" in report for report in reports[one.who]):
                reports[one.who].append(contest(one, task, folder))
    first = reports[OURS[task.name]]
    if any("failed" in report for report in first):
        raise RuntimeError(f"{task.name}: {OURS[task.name]} {first[-1]['failed']}")
    own = rates(task, first)
    for one in entered:
        runs = reports[one.who]
        if "failed" in runs[-1]:
            rows.append({"who": one.who, "failed": runs[-1]["failed"]})
            continue
        per_s = rates(task, runs)
        walls = [wall for run in runs for wall in run["wall_s"]]
        differ, compared, left_out = differences(task, first[0]["found"], runs[0]["found"])
        times = [mine / theirs for mine, theirs in zip(own, per_s, strict=True)]
        rows.append(
            {"who": one.who, "versions": runs[0]["versions"], "threads": runs[0]["threads"], "runs": len(walls), "amount": task.amount(runs[0]["found"]),
             "setup_s": min(run["setup_s"] for run in runs), "wall_s_median": statistics.median(walls), "wall_s_best": min(walls), "per_s_median": statistics.median(per_s),
             "per_s_best": task.amount(runs[0]["found"]) / min(walls), "times": statistics.median(times), "times_least": min(times), "times_most": max(times),
             "differences": differ, "compared": compared, "not_compared": left_out, "remark": one.remarks.get(task.name, one.remarks.get("", ""))}
        )  # fmt: skip
    return {"task": task.name, "statement": task.statement, "unit": task.unit, "contestants": rows}


def rates(task: tasks.Task, runs: list[dict[str, Any]]) -> list[float]:
    """Return work per second in each round."""
    return [task.amount(run["found"]) / statistics.median(run["wall_s"]) for run in runs]


def bars(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is asked, what was found, and whether it is met (None: not decided)."""
    table = {(task["task"], row["who"]): row for task in found for row in task["contestants"] if "failed" not in row}

    def own(task: str) -> float:
        return float(table[task, OURS[task]]["per_s_median"])

    asked: list[tuple[str, float | None, float]] = []
    level = [(task, "lrvx (FLOX)", 1.0) for task in ACCOUNTS[:2]] + [(task, "bourse", 1.0) for task in FLOW]
    far = [(task, "PAMS", 100.0) for task in FLOW] + [(task, who, 100.0) for who in ("Mesa", "mesa-frames") for task in ACCOUNTS[:2]]
    for task, peer, times in level + far:
        row = table.get((task, peer))
        asked.append((f"{task}: times as fast as {peer} in this run", row["times"] if row else None, times))
    for task, name in (("idle", "FLOX"), ("cascade", "FLOX"), ("paths", "dex-sim"), ("order flow", "bourse"), ("one by one", "bourse")):
        asked.append((f"{task}: per second, against the figure measured earlier for {name}", own(task), PUBLISHED[task]))
    asked.append(("order flow: times the figure measured earlier for the order book of ABIDES", own("order flow") / ABIDES_ORDERS, 100.0))
    asked.append(("cascade: times the figure measured earlier for crvUSDrisk", own("cascade") / CRVUSD_STEPS, 100.0))
    return [{"bar": text, "found": value, "asked": bar, "met": None if value is None else value >= bar} for text, value, bar in asked]


def table_text(report: dict[str, Any]) -> str:
    """Return the figures for people."""
    lines = [f"peers, {report['size']}: ratios are taken within each of {report['rounds']} rounds (median, least to most); one thread unless said"]
    for task in report["tasks"]:
        lines += ["", f"{task['task']}: {task['statement']}"]
        lines.append(f"  {'who':26}{'version':14}{task['unit'] + '/s':>18}{'set-up':>10}  {'ours is so many times as fast':32}different")
        for row in task["contestants"]:
            if "failed" in row:
                lines.append(f"  {row['who']:26}{row['failed']}")
                continue
            times = f"{row['times']:,.3g} ({row['times_least']:,.3g} to {row['times_most']:,.3g})"
            remark = "; ".join([*([f"{row['threads']} threads"] if row["threads"] > 1 else []), *([row["remark"]] if row["remark"] else [])])
            version = next(iter(row["versions"].values())) if not row["who"].startswith("waxline") else report["waxline"]
            lines.append(
                f"  {row['who']:26}{version:14}{row['per_s_median']:>18,.0f}{row['setup_s']:>8.2f} s  {times:32}"
                f"{row['differences']} of {row['compared']:,}{'  (' + remark + ')' if remark else ''}"
            )
    lines += ["", "what others cannot do, or could not be asked:", *(f"  {line}" for line in report["cannot"]), "", "bars:"]
    words = {True: "met", False: "MISSED", None: "not decided"}
    for bar in report["bars"]:
        value = "nothing" if bar["found"] is None else f"{bar['found']:,.4g}"
        lines.append(f"  {words[bar['met']]:12}{bar['bar']}: {value}, asked {bar['asked']:,.4g}")
    return "\n".join(lines)


def main() -> int:
    """Run what the command line asks for and return the exit status: 1 where a contestant finds something else than we do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=list(tasks.SIZES), default="medium")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=HERE.parent / "results", help="folder of the result file")
    parser.add_argument("--tasks", nargs="*", default=[], help="some tasks only")
    parser.add_argument("--without-peers", action="store_true", help="install nothing: ours and the desk's scripts only")
    given = parser.parse_args()
    load = os.getloadavg()
    packages = [one.package for one in CONTESTANTS if one.package is not None]
    missing = dict.fromkeys(packages, "left out by --without-peers") if given.without_peers else install(packages)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for task in tasks.build(given.size):
            if not given.tasks or task.name in given.tasks:
                print(f"{task.name} ...", file=sys.stderr, flush=True)
                found.append(run_task(task, missing, given.rounds, Path(folder)))
    measured = [(task, row) for task in found for row in task["contestants"] if "failed" not in row]
    kept = ("threads", "runs", "amount", "wall_s_median", "wall_s_best", "per_s_median", "per_s_best")
    report = {
        "case": "peers", "size": given.size, "items": tasks.SIZES[given.size]["accounts"][0], "rounds": given.rounds, "waxline": waxline.__version__, "machine": machine(load),
        "tasks": found, "results": [{"name": f"{task['task']}: {row['who']}", "unit": task["unit"], **{name: row[name] for name in kept}} for task, row in measured],
        "ratios": {f"{task['task']}: {row['who']}": row["times"] for task, row in measured if row["who"] != OURS[task["task"]]},
        "cannot": list(CANNOT), "bars": bars(found) if not given.tasks else [],
    }  # fmt: skip
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"peers-{given.size}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table_text(report), flush=True)
    return int(any(row["differences"] for _, row in measured))


if __name__ == "__main__":
    sys.exit(main())
