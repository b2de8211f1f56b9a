"""Share what `run`, `demo` and `rerun` do: simulate with progress on stderr, then keep the run and its report."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from waxline.results.run_result import RunResult

RUNS = Path("runs")
LINE_EVERY_S = 5.0
REPORT_MODULE = "waxline.report.document"


def say(text: str, quiet: bool = False) -> None:
    """Print a line for people on stderr, unless `quiet`."""
    if not quiet:
        typer.echo(text, err=True)


def say_if_compiling(quiet: bool = False) -> None:
    """Tell that kernels are compiled first, when they are not on disk yet for these sources."""
    from waxline.jit import is_compiled

    if not is_compiled():
        say("first run of these sources: compiling the kernels, about a minute, once", quiet)


def provenance(name: str, seed: int, overrides: Sequence[str] = (), baseline: bool = True) -> dict[str, Any]:
    """Return what the manifest says about how the run was asked for: overrides and the line that repeats it."""
    words = ["waxline", "run", name, "--seed", str(seed)]
    for text in overrides:
        words += ["--set", text]
    return {"overrides": list(overrides), "replay": shlex.join(words if baseline else [*words, "--no-baseline"])}


def inspection_line(name: str, overrides: Sequence[str], hours: float, seed: int) -> str:
    """Return the line that repeats an inspection."""
    words = ["waxline", "inspect", name, "--hours", f"{hours:g}", "--seed", str(seed)]
    for text in overrides:
        words += ["--set", text]
    return shlex.join(words)


def simulate(scenario: Any, seed: int, asked: dict[str, Any], *, baseline: bool = True, quiet: bool = False) -> RunResult:
    """Run `scenario` with progress on stderr and return the result with its summary; `asked` (provenance) joins the manifest."""
    say_if_compiling(quiet)
    from waxline.analysis.summary import summarise
    from waxline.simulation.memory import available_bytes, memory_line
    from waxline.simulation.run import run_scenario

    if (line := memory_line(scenario, available_bytes())) is not None:
        say(line, quiet)
    with Progress(quiet) as progress:
        run = run_scenario(scenario, seed=seed, progress=progress.step, baseline=baseline)
    run.manifest.update(asked)
    run.scenario_yaml = run.scenario_yaml or scenario.resolved_yaml()
    run.summary = summarise(run)
    return run


def keep(run: RunResult, folder: Path, numbered: bool = False) -> tuple[Path, Path | None]:
    """Write the run folder and the report in it; return both paths, no report's path while there is no report writer.

    A folder whose name is taken while the run is written gets a number at the end when `numbered`, and is refused otherwise.
    A report that cannot be written does not cost the run: the folder is finished first, then the error goes on.
    """
    from waxline.results.files import REPORT, save

    failed: list[Exception] = []
    writer = report_writer()

    def add_report(unfinished: Path) -> None:
        if writer is None:
            return
        try:
            writer(run, unfinished / REPORT)
        except Exception as error:
            (unfinished / REPORT).unlink(missing_ok=True)
            failed.append(error)

    folder = save(run, folder, add_report, numbered=numbered)
    if failed:
        say(f"run folder: {folder} (without a report)")
        raise failed[0]
    return folder, folder / REPORT if writer is not None else None


def report_writer() -> Callable[[RunResult, Path], object] | None:
    """Return the function that writes the report, None where this installation has none."""
    if importlib.util.find_spec(REPORT_MODULE) is None:
        return None
    module = importlib.import_module(REPORT_MODULE)
    writer: Callable[[RunResult, Path], object] = module.write_report
    return writer


def run_folder(out: Path | None, name: str, seed: int, scenario_hash: str) -> Path:
    """Return the folder to write: `out`, else runs/<name>-<seed>-<hash>; raises ResultsError, before anything is simulated, where it cannot be."""
    from waxline.errors import ResultsError

    folder = out if out is not None else RUNS / f"{name}-{seed}-{scenario_hash[:8]}"
    if out is not None and os.path.lexists(folder):
        raise ResultsError(f"{folder}: a run folder is never overwritten: choose another --out or move this one away")
    why = cannot_write(folder)
    if why:
        raise ResultsError(f"{folder}: no run folder can be made there ({why}): choose another --out")
    return folder


def cannot_write(path: Path) -> str:
    """Return why a new file or folder cannot be made at `path`, as far as that shows without making anything; "" when it can."""
    above = path.absolute()
    try:
        os.stat(above.with_name(f"{above.name}.partial-{os.getpid()}"))
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        return str(error.strerror or error) if isinstance(error, OSError) else str(error)
    above = above.parent
    while not os.path.lexists(above):
        above = above.parent
    if not above.is_dir():
        return f"{above} is a file"
    return "" if os.access(above, os.W_OK | os.X_OK) else f"{above} is not writable"


class Progress:
    """Show steps done, rate and time left on stderr: a bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.bar: Any = None
        self.task: Any = None
        self.started = self.said = time.monotonic()

    def __enter__(self) -> Progress:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("simulating"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]} steps/s"),
                TimeRemainingColumn(),
            )
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("simulating", total=None, rate="–")
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def step(self, done: int, total: int) -> None:
        """Take the number of steps done of `total`."""
        now = time.monotonic()
        rate = done / max(now - self.started, 1e-9)
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total, rate=f"{rate:,.0f}")
        elif not self.quiet and now - self.said >= LINE_EVERY_S:
            self.said = now
            left = (total - done) / rate if rate > 0.0 else float("nan")
            say(f"step {done:,} of {total:,} ({done / max(total, 1):.0%}), {rate:,.0f} steps/s, {left:,.0f} s left")
