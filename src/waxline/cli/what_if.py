"""Run a scenario again with other rules, one case per override, and tell what changes for whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

USUAL = (
    "without deleveraging: deleveraging=off",
    "rank by profit and margin: deleveraging.rule=profit_times_margin",
    "rank of Hyperliquid: deleveraging.rule=price_times_leverage",
    "without a rank (dYdX): deleveraging.rule=unranked",
    "pro rata: deleveraging.rule=pro_rata",
    "capped: deleveraging.rule=capped",
    "winners closed at the mark: deleveraging.price=mark",
    "ten times the funds: venues[*].fund_usd*=10",
    "without a vault: venues[*].vault_usd=0",
)
"""What the waterfall could do otherwise; used when no case is given."""
AS_IT_IS = "as it is"
FIGURES = ("liquidated", "deleveraged", "missing", "by funds", "by vaults", "by winners", "bad debt", "altcoins fell")
MILLION = 1e6


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Scenario of the library, or a scenario file.")],
    cases: Annotated[
        list[str] | None,
        typer.Option("--case", metavar="LABEL: KEY=VALUE[; ...]", help="A case and its overrides; may be repeated. Without one: rules of the waterfall."),
    ] = None,
    accounts: Annotated[
        list[str] | None,
        typer.Option("--account", metavar="NAME", help="Tell also what this named account gains, and would have without any trade; may be repeated."),
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override of every case; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of all cases.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
) -> None:
    """Run a scenario as it is and once per case, same seed and same draws, and print what changes for whom.

    The first table holds totals of each case: sums in millions of USD, and the median fall of altcoin perps. The second says how much more (+) or less each group of owners
    ends with than as it is.
    """
    from tempfile import TemporaryDirectory

    from waxline.cli.processes import Event, Job, default_workers, run_jobs
    from waxline.cli.running import say, say_if_compiling
    from waxline.errors import ResultsError
    from waxline.jit import is_compiled
    from waxline.scenario.files import load_scenario

    asked = load_scenario(name, overrides or [])
    chosen = {AS_IT_IS: list[str](), **dict(read_case(text) for text in (cases or usual_cases(asked)))}
    texts = {label: load_scenario(name, [*(overrides or []), *words]).resolved_yaml() for label, words in chosen.items()}
    watched = accounts or []
    refuse_unknown(asked, watched)
    say_if_compiling(quiet)

    def watch(event: Event) -> None:
        if event.what == "finished":
            say(f"{event.key}: finished, {event.n_done} of {len(chosen)}", quiet)

    with TemporaryDirectory(prefix="waxline-") as folder:
        places = {label: Path(folder) / f"{number}.json" for number, label in enumerate(chosen)}
        jobs = [Job(label, measure, (texts[label], seed, str(places[label]), watched)) for label in chosen]
        given_up = run_jobs(jobs, default_workers(), watch, first_alone=not is_compiled())
        if given_up:
            raise ResultsError(f"these runs ended before their time: {', '.join(given_up)}")
        found = {label: json.loads(place.read_text(encoding="utf-8")) for label, place in places.items()}
    if as_json:
        rows = [{"case": label, "overrides": chosen[label], **found[label]} for label in chosen]
        typer.echo(json.dumps({"scenario": asked.name, "seed": seed, "cases": rows}, ensure_ascii=False, allow_nan=False))
        return
    typer.echo(f"{asked.name}, seed {seed}; sums in millions of USD")
    typer.echo("\n".join(tables(found)))


def refuse_unknown(asked: Any, accounts: Sequence[str]) -> None:
    """Raise ScenarioError where an account is not one of the scenario's named holders that exist."""
    from waxline.errors import ScenarioError
    from waxline.scenario.problems import nearest

    named = {whale.name: whale.enabled and asked.whales.enabled for whale in asked.whales.named}
    for name in accounts:
        if not named.get(name, False):
            remedy = f"add --set 'whales.named[{name}].enabled=on'" if name in named else nearest(name, [known for known, there in named.items() if there])
            raise ScenarioError(f"--account {name}: must be a named holder that exists in {asked.name}; {remedy}")


def usual_cases(asked: Any) -> list[str]:
    """Return the usual cases that can be asked of a scenario: the vault's only where there is one."""
    has_vault = any(row.vault_usd > 0.0 for row in asked.venues)
    return [case for case in USUAL if has_vault or "vault" not in case]


def read_case(text: str) -> tuple[str, list[str]]:
    """Return label and overrides of "LABEL: KEY=VALUE; KEY=VALUE"; overrides alone are their own label."""
    from waxline.errors import ScenarioError

    label, colon, words = text.partition(":")
    if not colon or "=" in label:
        label, words = text, text
    found = [word.strip() for word in words.split(";") if word.strip()]
    if not found or any("=" not in word for word in found):
        raise ScenarioError(
            f"--case {text!r}: must be LABEL: KEY=VALUE, several overrides parted by semicolons, such as 'larger funds: venues[*].fund_usd*=10'"
        )
    return label.strip(), found


def measure(scenario_text: str, seed: int, place: str, accounts: Sequence[str] = ()) -> None:
    """Run one case and write its totals, its groups' gains and those of named accounts to `place`."""
    from waxline.analysis.account_story import story_of
    from waxline.analysis.depth_loss import depth_loss
    from waxline.analysis.payers import CENTS, payers_of
    from waxline.scenario.files import parse_scenario
    from waxline.simulation.gains import gains_of, gains_of_accounts
    from waxline.simulation.run import assemble, open_state, simulate

    scenario = parse_scenario(scenario_text).model_copy(update={"seed": seed})
    before = open_state(scenario)
    state, recorder, ledger = simulate(scenario)
    run = assemble(scenario, state, recorder, ledger, 0.0)
    parts = payers_of(run)
    largest = max(
        scenario.venues, key=lambda venue: sum(row.open_interest_usd for row in scenario.markets if row.venue == venue.name and venue.margin.value == "unified")
    )
    counted = run.liquidations["notional_usd"].filter(run.liquidations["counted"])
    totals = {
        "liquidated": float(counted.sum()),
        "deleveraged": float(state.venues.deleveraged_usd.sum()),
        "missing": sum(part.shortfall for part in parts) / CENTS,
        "by funds": sum(part.fund for part in parts) / CENTS,
        "by vaults": sum(part.vault for part in parts) / CENTS,
        "by winners": sum(part.deleveraging for part in parts) / CENTS,
        "bad debt": sum(part.bad_debt for part in parts) / CENTS,
    }
    fall = depth_loss(run, largest.name).fall
    told = {name: {**row, "cost at once": story_of(run, name).cost_usd} for name, row in gains_of_accounts(before, state, accounts).items()}
    gains = {"gains": gains_of(before, state), "accounts": told}
    Path(place).write_text(json.dumps({**totals, "altcoins fell": fall if fall == fall else None, **gains}), encoding="utf-8")


def tables(found: dict[str, dict[str, Any]]) -> list[str]:
    """Return the two tables as lines."""
    width = max(len(label) for label in found)
    lines = ["", " " * width + "".join(f"{figure:>14s}" for figure in FIGURES)]
    for label, row in found.items():
        cells = [f"{row[figure] / MILLION:,.0f}" for figure in FIGURES[:-1]] + ["-" if row[FIGURES[-1]] is None else f"{row[FIGURES[-1]]:.1%}"]
        lines.append(f"{label:<{width}}" + "".join(f"{cell:>14s}" for cell in cells))
    base = found[AS_IT_IS]["gains"]
    others = [label for label in found if label != AS_IT_IS]
    heads = [f"({number})" for number in range(1, len(others) + 1)]
    wide = max(len(group) for group in base)
    lines += ["", "gain of each group as it is, and how much more (+) or less with"]
    lines += [f"  {head} {label}" for head, label in zip(heads, others, strict=True)]
    lines += ["", " " * wide + f"{AS_IT_IS:>12s}" + "".join(f"{head:>10s}" for head in heads)]
    for group, gain in base.items():
        cells = [f"{(found[label]['gains'][group] - gain) / MILLION:+,.0f}" for label in others]
        lines.append(f"{group:<{wide}}{gain / MILLION:>12,.0f}" + "".join(f"{cell:>10s}" for cell in cells))
    for account in found[AS_IT_IS].get("accounts", {}):
        lines += ["", f"{account}: gain; had it been left alone at the same prices; what was done to it by the end; what that cost at once; perps closed"]
        lines += ["at once: its deleveraged perps and the coins they had hedged, against the mids just before"]
        for label, row in found.items():
            one = row["accounts"][account]
            sums = [one["gain"], one["left alone"], one["gain"] - one["left alone"], -one["cost at once"]]
            lines.append(f"{label:<{width}}" + "".join(f"{usd / MILLION:>+14,.2f}" for usd in sums) + f"{one['perps closed'] / MILLION:>14,.2f}")
    return lines
