"""Run jobs in spawned processes, a process per job, so that one that dies costs only itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any

from waxline.errors import WaxlineError

POLL_S = 1.0


@dataclass(frozen=True)
class Job:
    """Hold one call: `key` names it in messages; `target` must be importable and leave its result in a file of its own."""

    key: str
    target: Callable[..., None]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Event:
    """Tell what happened to a job: "started", "finished", "died" (it will be tried again) or "given up"; or "waiting" for none."""

    what: str
    key: str
    exit_code: int | None
    n_done: int
    n_running: int


def default_workers() -> int:
    """Return how many processes to use when nothing is asked: one per core this process may use, at most 2."""
    return max(1, min(2, len(os.sched_getaffinity(0))))


def run_jobs(jobs: Sequence[Job], workers: int, report: Callable[[Event], None], retries: int = 1, first_alone: bool = False) -> list[str]:
    """Run `jobs`, at most `workers` at a time, and return the keys of those given up after `retries` more tries.

    With `first_alone` the first job runs before the others, so that kernels are compiled once and not by every process.
    On Ctrl-C, or any other exception, the processes started here are ended before it goes on.
    """
    context = multiprocessing.get_context("spawn")
    queue = deque((job, 0) for job in jobs)
    running: dict[SpawnProcess, tuple[Job, int]] = {}
    given_up: list[str] = []
    n_done = 0
    last = time.monotonic()
    try:
        while queue or running:
            room = 1 if first_alone and n_done == 0 and not given_up else workers
            while queue and len(running) < room:
                job, tries = queue.popleft()
                process = context.Process(target=_shielded, args=(job.target, job.arguments), name=job.key, daemon=True)
                process.start()
                running[process] = (job, tries)
                report(Event("started", job.key, None, n_done, len(running)))
            wait([process.sentinel for process in running], timeout=POLL_S)
            for process in [process for process in running if process.exitcode is not None]:
                job, tries = running.pop(process)
                process.join()
                if process.exitcode == 0:
                    n_done += 1
                    what = "finished"
                elif tries < retries:
                    queue.appendleft((job, tries + 1))
                    what = "died"
                else:
                    given_up.append(job.key)
                    what = "given up"
                report(Event(what, job.key, process.exitcode, n_done, len(running)))
                last = time.monotonic()
            if time.monotonic() - last >= 5.0:
                last = time.monotonic()
                report(Event("waiting", "", None, n_done, len(running)))
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.join()
    return given_up


def _shielded(target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Call `target`; Ctrl-C is left to the parent, which ends this process; it ends by itself when the parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        target(*arguments)
    except (WaxlineError, OSError) as error:
        print(f"waxline: {error}", file=sys.stderr, flush=True)
        sys.exit(1)


def _end_with_parent() -> None:
    """Wait for the end of the parent process, however it comes, then end this one: nobody would read its result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
