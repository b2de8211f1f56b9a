"""Do one piece of work in a process of its own: read its inputs, time it, write what was found, say how long it took as JSON on the standard output.

A contestant's file gives `serve` a table of functions by name of the task. Each gets the inputs (name -> array) and returns a function without arguments: making
it is set-up (building accounts, posting the book) and shown apart, calling it is the work. It returns what it found (name -> array), or a function that reads
it out after the clock has stopped. Where every step or order costs the same, a slow contestant does a part of them.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BUDGET_S, RUNS = 4.0, 5

Inputs = dict[str, np.ndarray]
Found = dict[str, np.ndarray]
Run = Callable[[], Found | Callable[[], Found]]
Task = Callable[[Inputs], Run]


def serve(packages: tuple[str, ...], threads: int, tasks: dict[str, Task], warm: bool = False) -> None:
    """Do the task named on the command line: TASK INPUTS FOUND; `warm`: the first run compiles and does not count."""
    name, inputs_file, found_file = sys.argv[1:]
    inputs = dict(np.load(inputs_file))
    setups, walls, found = [], [], {}
    begin = time.perf_counter()
    while not walls or (len(walls) < RUNS + warm and time.perf_counter() - begin < BUDGET_S) or (warm and len(walls) < 2):
        gc.collect()
        start = time.perf_counter()
        run = tasks[name](inputs)
        setups.append(time.perf_counter() - start)
        start = time.perf_counter()
        found = run()
        walls.append(time.perf_counter() - start)
        if callable(found):
            found = found()
        if warm and len(walls) == 1:
            begin = time.perf_counter()
    if warm:
        setups, walls = setups[1:], walls[1:]
    np.savez(Path(found_file), **found)
    versions = {package: importlib.metadata.version(package) for package in packages}
    report: dict[str, Any] = {"threads": threads, "versions": versions, "setup_s": min(setups), "wall_s": walls}
    print(json.dumps(report))
