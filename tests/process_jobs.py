"""Jobs that tests of the process runner start in processes of their own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def leave(path: str) -> None:
    """Write the file and end well."""
    Path(path).write_text("done")


def die(path: str) -> None:
    """Leave a mark and end as if the machine had run out of memory."""
    with Path(path).open("a") as handle:
        handle.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(path: str) -> None:
    """Die the first time, end well the second."""
    if not Path(path).exists():
        die(path)
    with Path(path).open("a") as handle:
        handle.write("y")


def raise_error(path: str) -> None:
    """Fail with an error."""
    raise RuntimeError(path)


def sleep_long(path: str) -> None:
    """Say that it started, then sleep longer than any test."""
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)
