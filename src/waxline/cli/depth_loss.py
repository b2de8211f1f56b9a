"""Tell how much of the loss of depth in a run is due to each thing that makers do, by switching it off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

VARIANTS: dict[str, tuple[str, ...]] = {
    "as it is": (),
    "without funding cap": ("makers.funding_cap=off",),
    "without volatility response": ("makers.volatility_response=off",),
    "without withdrawal at high volatility": ("makers.accounts[*].pull_volatility_ratio=1000",),
    "without withdrawal and death": ("makers.withdraw=off",),
    "without pledged coins": ("makers.pledge=off",),
    "without any of these": ("makers.funding_cap=off", "makers.volatility_response=off", "makers.withdraw=off", "makers.pledge=off"),
}
COLUMNS = ("lowest", "at", "below a tenth", "mean loss", "half back after", "median fall")


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Scenario of the library, or a scenario file.")],
    venue: Annotated[str, typer.Option("--venue", help="Venue whose altcoin perps are measured.")] = "binance",
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override of every variant; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of all variants.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
) -> None:
    """Run a scenario with each mechanism of evaporation switched off in turn and compare what happens to the depth of altcoin perps.

    Depth is that within 1 % of the mid, of the median altcoin perp, over its mean of the ten minutes before t = 0. The parts do not add up: mechanisms
    share what they take.
    """
    from tempfile import TemporaryDirectory

    from waxline.cli.processes import Event, Job, default_workers, run_jobs
    from waxline.cli.running import say, say_if_compiling
    from waxline.errors import ResultsError, ScenarioError
    from waxline.jit import is_compiled
    from waxline.scenario.files import load_scenario
    from waxline.scenario.problems import nearest

    asked = load_scenario(name, overrides or [])
    venues = sorted({row.venue for row in asked.markets if str(row.kind) == "perp"})
    if venue not in venues:
        raise ScenarioError(f"--venue {venue!r}: has no perps in {asked.name}: {nearest(venue, venues, few=20)}")
    say_if_compiling(quiet)

    def watch(event: Event) -> None:
        if event.what == "finished":
            say(f"{event.key}: finished, {event.n_done} of {len(VARIANTS)}", quiet)

    with TemporaryDirectory(prefix="waxline-") as folder:
        places = {label: Path(folder) / f"{number}.json" for number, label in enumerate(VARIANTS)}
        jobs = []
        for label, words in VARIANTS.items():
            text = load_scenario(name, [*(overrides or []), *words]).resolved_yaml()
            jobs.append(Job(label, measure, (text, seed, venue, str(places[label]))))
        given_up = run_jobs(jobs, default_workers(), watch, first_alone=not is_compiled())
        if given_up:
            raise ResultsError(f"these runs ended before their time: {', '.join(given_up)}")
        found = {label: json.loads(place.read_text(encoding="utf-8")) for label, place in places.items()}
    if as_json:
        rows = [{"variant": label, "overrides": list(VARIANTS[label]), **{key: finite(value) for key, value in found[label].items()}} for label in VARIANTS]
        typer.echo(json.dumps({"scenario": asked.name, "seed": seed, "venue": venue, "variants": rows}, ensure_ascii=False, allow_nan=False))
        return
    typer.echo(f"{asked.name}, seed {seed}: depth within 1 % of the median altcoin perp on {venue}, over its mean before t = 0")
    typer.echo(f"{'':38s}" + "".join(f"{column:>17s}" for column in COLUMNS))
    for label, loss in found.items():
        back = "not in the run" if finite(loss["back_after_s"]) is None else f"{loss['back_after_s'] / 60.0:,.0f} min"
        cells = (
            f"{loss['lowest']:.2%}", f"{loss['lowest_at_s']:,.0f} s", f"{loss['dead_s'] / 60.0:,.1f} min", f"{loss['mean_loss']:.1%}", back, f"{loss['fall']:.1%}",
        )  # fmt: skip
        typer.echo(f"{label:38s}" + "".join(f"{cell:>17s}" for cell in cells))


def measure(scenario_text: str, seed: int, venue: str, place: str) -> None:
    """Run one variant and write its loss of depth to `place`."""
    from dataclasses import asdict

    from waxline.analysis.depth_loss import depth_loss
    from waxline.scenario.files import parse_scenario
    from waxline.simulation.run import run_scenario

    run = run_scenario(parse_scenario(scenario_text), seed=seed, baseline=False)
    Path(place).write_text(json.dumps(asdict(depth_loss(run, venue))), encoding="utf-8")


def finite(value: Any) -> Any:
    """Return a number, None where it is not finite."""
    import math

    return value if math.isfinite(value) else None
