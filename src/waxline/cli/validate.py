"""Measure published facts in runs of several seeds and score how many agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from waxline.analysis.facts import Measurement
    from waxline.analysis.facts_file import Facts
    from waxline.cli.processes import Event

SEEDS_DEFAULT = 5


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Scenario of the library, or a scenario file.")],
    facts: Annotated[Path | None, typer.Option(help="Facts file. Default: the one shipped for the scenario.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds: 1, 2, … N.")] = SEEDS_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the score and every fact as JSON.")] = False,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override; may be repeated.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes at a time. Default: one per core, at most 2.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps finished seeds; a repeated call goes on there. Default runs/validate-NAME-HASH."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
) -> None:
    """Measure published facts over seeds: published value, band, simulated median, 5-95 % range, verdict, score."""
    import json

    from waxline.analysis.facts import facts_text, judge
    from waxline.cli.running import RUNS, say
    from waxline.errors import ResultsError
    from waxline.limits import SEEDS
    from waxline.scenario.files import load_scenario

    SEEDS.check(seeds, "--seeds")
    scenario = load_scenario(name, overrides or [])
    chosen = choose_facts(facts, str(scenario.name))
    folder = out or RUNS / f"validate-{scenario.name}-{scenario.hash()[:8]}"
    measured, given_up = measure_seeds(scenario, chosen, range(1, seeds + 1), folder, workers, quiet)
    if given_up:
        say(f"seeds given up after two tries: {', '.join(given_up)}; the rest is judged without them")
    if not measured:
        raise ResultsError("no seed finished: run one alone to see why, waxline run " + name)
    score = judge(chosen, measured)
    if as_json:
        typer.echo(json.dumps(score.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    typer.echo(f"{chosen.event}: {len(chosen.facts)} published figures, {len(measured)} seeds of {name}")
    typer.echo(facts_text(score))
    typer.echo(f"finished seeds are kept in {folder}")


def choose_facts(path: Path | None, scenario: str) -> Facts:
    """Return the facts of `path`, else those shipped for `scenario`; raises FactsError when there are none."""
    from waxline.analysis.facts import library_facts, load_facts
    from waxline.errors import FactsError

    if path is not None:
        return load_facts(path)
    shipped = library_facts(scenario)
    if shipped is None:
        raise FactsError(f"no facts are shipped for the scenario {scenario!r}: give a file with --facts")
    return shipped


def measure_seeds(scenario: Any, facts: Facts, seeds: range, folder: Path, workers: int | None, quiet: bool) -> tuple[list[list[Measurement]], list[str]]:
    """Return the measurements of each finished seed, in the order of seeds, and the seeds given up.

    Finished seeds are read from `folder` when they are of this scenario, these facts and these sources; the others run now.
    """
    from waxline.cli.processes import Job, default_workers, run_jobs
    from waxline.cli.running import say, say_if_compiling
    from waxline.jit import is_compiled

    stamp = stamp_of(scenario, facts)
    paths = {seed: folder / f"seed-{seed}-{facts.hash()[:8]}.json" for seed in seeds}
    missing = [seed for seed in seeds if read_seed(paths[seed], stamp) is None]
    if missing:
        make_folder(folder)
        say_if_compiling(quiet)
        text = scenario.resolved_yaml()
        jobs = [Job(str(seed), measure_seed, (text, seed, facts, str(paths[seed]), stamp)) for seed in missing]
        watch = Watch(len(seeds), len(seeds) - len(missing), quiet)
        try:
            given_up = run_jobs(jobs, workers or default_workers(), watch, first_alone=not is_compiled())
        except KeyboardInterrupt:
            kept = sum(read_seed(path, stamp) is not None for path in paths.values())
            say(f"{kept} of {len(seeds)} seeds are finished and kept in {folder}; the same command goes on there")
            raise
    else:
        given_up = []
    found = [read_seed(paths[seed], stamp) for seed in seeds]
    return [measurements for measurements in found if measurements is not None], given_up


def make_folder(folder: Path) -> None:
    """Make the folder that keeps finished seeds; raises ResultsError where nothing can be written."""
    import os

    from waxline.errors import ResultsError

    probe = folder / f"seed.partial-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("", encoding="utf-8")
        probe.unlink()
    except OSError as error:
        raise ResultsError(f"{folder}: finished seeds cannot be kept there ({error.strerror or error}): choose another --out") from error


def measure_seed(scenario_text: str, seed: int, facts: Facts, path: str, stamp: dict[str, str]) -> None:
    """Run one seed and write what it measured to `path`, at once or not at all."""
    import json
    import os
    from dataclasses import asdict

    from waxline.analysis.facts import measure_all
    from waxline.scenario.files import parse_scenario
    from waxline.simulation.run import run_scenario

    run = run_scenario(parse_scenario(scenario_text), seed=seed, progress=None, baseline=False)
    content = {**stamp, "seed": seed, "measurements": [asdict(measurement) for measurement in measure_all(run, facts)]}
    unfinished = Path(f"{path}.partial-{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8") as handle:
            json.dump(content, handle, indent=1, allow_nan=False)
            handle.flush()
            os.fsync(handle.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def stamp_of(scenario: Any, facts: Facts) -> dict[str, str]:
    """Return what a kept seed must agree with to be used again: scenario, facts and the sources that made it."""
    from waxline.jit import sources_key

    return {"scenario_hash": scenario.hash(), "facts_hash": facts.hash(), "sources": sources_key()}


def read_seed(path: Path, stamp: dict[str, str]) -> list[Measurement] | None:
    """Return the measurements kept at `path`, None where there are none or they are of other sources, facts or scenario."""
    import json

    from waxline.analysis.facts import Measurement

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if {key: content.get(key) for key in stamp} != stamp:
            return None
        return [Measurement(**measurement) for measurement in content["measurements"]]
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return None


class Watch:
    """Print what happens to seeds on stderr, with the time left by the pace so far."""

    def __init__(self, n: int, n_kept: int, quiet: bool) -> None:
        import time

        self.n, self.n_kept, self.quiet = n, n_kept, quiet
        self.started = time.monotonic()
        if n_kept:
            self._say(f"{n_kept} of {n} seeds are kept from before")

    def __call__(self, event: Event) -> None:
        """Take one event of the runner."""
        import time

        past = time.monotonic() - self.started
        done = self.n_kept + event.n_done
        if event.what == "finished":
            left = past / event.n_done * (self.n - done)
            self._say(f"seed {event.key} finished: {done} of {self.n}, {past:,.0f} s past, about {left:,.0f} s left")
        elif event.what == "died":
            self._say(f"seed {event.key}: its process died with status {event.exit_code}; trying once more")
        elif event.what == "given up":
            self._say(f"seed {event.key}: its process died again with status {event.exit_code}; given up")
        elif event.what == "waiting":
            self._say(f"{done} of {self.n} seeds finished, {event.n_running} running, {past:,.0f} s past")

    def _say(self, text: str) -> None:
        from waxline.cli.running import say

        say(text, self.quiet)
