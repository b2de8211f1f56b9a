"""Compare two result files of the same case, size and machine: how many times as fast the second is, work by work, with a verdict.

Faster or slower: by more than the threshold both in the middle of the runs and in the best of them; else the same within noise, which includes a middle and a best
that contradict each other. The exit status is 1 where a work is slower, 2 where the files cannot be compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

THRESHOLD = 0.15
SAME = ("case", "size", "items")
MACHINE = ("processor", "cores")
VERSIONS = ("python", "numpy", "numba")


class CannotCompare(Exception):
    """Say why two files cannot be compared."""


class Line(NamedTuple):
    """Hold one work: name, ratio of the second file's speed to the first's in the middle and at best, and the verdict."""

    name: str
    middle: float
    best: float
    verdict: str


def load(path: Path) -> dict[str, Any]:
    """Return a result file; raises CannotCompare where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotCompare(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict) or not {*SAME, "machine", "results"} <= set(found):
        raise CannotCompare(f"{path} is not a result file of a benchmark: it must hold {', '.join([*SAME, 'machine', 'results'])}")
    return found


def refuse(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Raise CannotCompare where the files are of different cases, sizes or machines."""
    pairs = [(name, first[name], second[name]) for name in SAME]
    pairs += [(f"machine.{name}", first["machine"].get(name), second["machine"].get(name)) for name in MACHINE]
    differ = [f"{name} is {one!r} in the first and {other!r} in the second" for name, one, other in pairs if one != other]
    if differ:
        raise CannotCompare("speeds can only be compared within one case, size and machine: " + "; ".join(differ))


def named(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the works by name and number of threads."""
    return {f"{one['name']}, {one['threads']} thread(s)": one for one in report["results"]}


def verdict(middle: float, best: float, threshold: float) -> str:
    """Return faster, slower or same within noise; ratios of speeds, the second over the first."""
    if min(middle, best) > 1.0 + threshold:
        return "faster"
    if max(middle, best) < 1.0 / (1.0 + threshold):
        return "slower"
    return "same within noise"


def compare(first: dict[str, Any], second: dict[str, Any], threshold: float) -> tuple[list[Line], list[str]]:
    """Return a line per work of both files, and remarks; raises CannotCompare as `refuse` does and where no work is in both."""
    refuse(first, second)
    one, other = named(first), named(second)
    lines = []
    for name in (name for name in one if name in other):
        if one[name]["amount"] != other[name]["amount"]:
            raise CannotCompare(f"{name}: {one[name]['amount']:,} in a run of the first, {other[name]['amount']:,} of the second: not the same work")
        middle, best = (other[name][key] / one[name][key] for key in ("per_s_median", "per_s_best"))
        lines.append(Line(name, middle, best, verdict(middle, best, threshold)))
    if not lines:
        raise CannotCompare("no work stands in both files")
    remarks = [f"only in the {place}: {name}" for place, a, b in (("first", one, other), ("second", other, one)) for name in a if name not in b]
    for name in VERSIONS:
        pair = [report["machine"].get(name) for report in (first, second)]
        if pair[0] != pair[1]:
            remarks.append(f"{name} was {pair[0]} in the first and is {pair[1]} in the second")
    loads = [report["machine"].get("load_before") for report in (first, second)]
    if all(isinstance(load, float) for load in loads):
        remarks.append(f"load before the run: {loads[0]:.1f} and {loads[1]:.1f}")
    return lines, remarks


def text(lines: list[Line], remarks: list[str], threshold: float) -> str:
    """Return the comparison for people."""
    wide = max(len(line.name) for line in lines)
    found = [f"{'work':{wide}}{'middle':>9}{'best':>9}  verdict (threshold {threshold:.0%})"]
    found += [f"{line.name:{wide}}{line.middle:>9.2f}{line.best:>9.2f}  {line.verdict}" for line in lines]
    slower = sum(line.verdict == "slower" for line in lines)
    faster = sum(line.verdict == "faster" for line in lines)
    return "\n".join([*found, *remarks, f"{faster} faster, {slower} slower, {len(lines) - faster - slower} the same within noise"])


def main() -> int:
    """Compare what the command line names and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path, help="result file to compare with")
    parser.add_argument("second", type=Path, help="result file that is judged")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="part by which a speed must differ (0.15: 15 %%)")
    given = parser.parse_args()
    if not 0.0 < given.threshold < 10.0:
        parser.error("--threshold must lie between 0 and 10: 0.15 means 15 %")
    try:
        lines, remarks = compare(load(given.first), load(given.second), given.threshold)
    except CannotCompare as why:
        print(f"cannot compare: {why}", file=sys.stderr)
        return 2
    print(text(lines, remarks, given.threshold))
    return int(any(line.verdict == "slower" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
