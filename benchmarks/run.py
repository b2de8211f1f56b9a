"""Run the benchmarks, one process per case so that peak memory is its own; print tables and write results/CASE-SIZE.json."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import case_books  # noqa: F401  (registers its cases)
import case_growth  # noqa: F401
import case_margin  # noqa: F401
import case_paths  # noqa: F401
import case_simulation  # noqa: F401
import case_watch  # noqa: F401
from harness import CASES, SIZES, run_case, table_text

FOLDER = Path(__file__).resolve().parent / "results"


def main() -> int:
    """Run what the command line asks for and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"cases to run: {', '.join(CASES)}; all without one")
    parser.add_argument("--size", choices=SIZES, default="medium")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the result files")
    parser.add_argument("--here", action="store_true", help="run in this process instead of one per case")
    given = parser.parse_args()
    unknown = [name for name in given.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}: one of {', '.join(CASES)}")
    for name in given.cases or list(CASES):
        if not given.here:
            command = [sys.executable, __file__, name, "--size", given.size, "--out", str(given.out), "--here"]
            if (status := subprocess.run(command, check=False).returncode) != 0:
                return status
            continue
        report = run_case(name, given.size)
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / f"{name}-{given.size}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        print(table_text(report), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
