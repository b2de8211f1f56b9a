"""The court: every fact is known, sourced and held; every check fails when the code it names is broken; the command tells the truth."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from waxline.cli.main import app
from waxline.verification import court, quoting_game
from waxline.verification.court import FAILED, NOT_COVERED, PASSED, SKIPPED, Computed, checks, chosen, held, hold
from waxline.verification.facts_file import Fact, facts

runner = CliRunner()
COVERED = [fact for fact in facts().values() if fact.covered and not fact.data]
ON_DATA = [fact for fact in facts().values() if fact.data]
DRAWN = "MM-AS-gamma-"


def small(fact: Fact) -> Mapping[str, Any]:
    """Return a fact's inputs, with fewer paths where it draws."""
    return {**fact.inputs, "paths": 400} if fact.id.startswith(DRAWN) else fact.inputs


def leaves(value: Any) -> list[Any]:
    """Return the numbers and texts of nested figures."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, (list, tuple)) else [float(value)]


def test_every_covered_fact_has_a_function_and_every_function_a_fact() -> None:
    assert set(checks()) == {fact.id for fact in COVERED + ON_DATA}
    assert {fact.family for fact in COVERED + ON_DATA} == set(court.FAMILIES)


@pytest.mark.parametrize("fact", [fact for fact in COVERED if not fact.id.startswith(DRAWN)], ids=lambda fact: fact.id)
def test_the_program_agrees_with_what_was_published(fact: Fact) -> None:
    outcome = held(fact, checks()[fact.id](fact.inputs))
    assert outcome.verdict == PASSED, outcome.reason


def test_the_tables_of_avellaneda_and_stoikov_agree_with_few_paths_too() -> None:
    fact = facts()["MM-AS-gamma-0.1"]
    outcome = held(fact, checks()[fact.id]({**fact.inputs, "paths": 4000}))
    assert outcome.verdict == PASSED, outcome.reason


@pytest.mark.slow
@pytest.mark.parametrize("gamma", ["0.1", "0.01", "1.0"])
def test_the_tables_of_avellaneda_and_stoikov_agree_at_full_length(gamma: str) -> None:
    fact = facts()[f"{DRAWN}{gamma}"]
    assert fact.inputs["paths"] == 20_000
    outcome = held(fact, checks()[fact.id](fact.inputs))
    assert outcome.verdict == PASSED, outcome.reason


BROKEN = [(fact, name) for fact in COVERED for name in fact.through]


@pytest.mark.parametrize(("fact", "name"), BROKEN, ids=[f"{fact.id}-{name.rsplit('.', 1)[1]}" for fact, name in BROKEN])
def test_a_check_fails_when_a_function_it_names_is_broken(fact: Fact, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = checks()[fact.id]
    module, function = name.rsplit(".", 1)
    original = getattr(importlib.import_module(module), function)
    if fact.id.startswith(DRAWN):
        # Compiled code has its callees inside it: the game is played uncompiled, so that they can be broken.
        monkeypatch.setattr(quoting_game, "play", quoting_game.play.py_func)  # type: ignore[attr-defined]

    def broken(*args: Any) -> Any:
        if function == "walk_side":
            return 0.0, math.nan, 0, 0
        if function in {"bought_through", "trade_portfolio", "value_portfolios", "end_trader"}:
            return None
        answer = original(*args)
        if hasattr(answer, "_replace"):
            parts = {part: value * 1.4 for part, value in answer._asdict().items() if part in ("usd", "coins", "last_usd", "posted")}
            return answer._replace(**parts)
        return tuple(part * 1.4 for part in answer) if isinstance(answer, tuple) else [p * 1.4 for p in answer] if isinstance(answer, list) else answer * 1.4

    for loaded in [one for one_name, one in sys.modules.items() if one_name.startswith("waxline.")]:
        if getattr(loaded, function, None) is original:
            monkeypatch.setattr(loaded, function, broken)
    inputs = {**fact.inputs, "paths": 150, "steps": 100} if fact.id.startswith(DRAWN) else small(fact)
    try:
        outcome = held(fact, compute(inputs))
    except (ValueError, ZeroDivisionError, FloatingPointError, ArithmeticError):
        return
    assert outcome.verdict == FAILED


@pytest.mark.parametrize("fact", COVERED, ids=lambda fact: fact.id)
def test_a_check_fails_when_any_published_figure_were_another(fact: Fact) -> None:
    computed = checks()[fact.id](small(fact))

    def moved(value: Any, at: list[int]) -> Any:
        if isinstance(value, Mapping):
            return {key: moved(item, at) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [moved(item, at) for item in value]
        at[0] -= 1
        if isinstance(value, str):
            return f"{value}?" if at[0] == -1 else value
        return value + 0.11 * max(abs(value), 0.1) + (100.0 if "MM-AS" in fact.id else 0.0) if at[0] == -1 else value

    for n in range(len(leaves(fact.expected))):
        other = dataclasses.replace(fact, expected=moved(fact.expected, [n]))
        assert held(other, computed).verdict == FAILED, n


def enlarged(answer: Any) -> Any:
    """Return what a broken function answers: every number 1.4 times as large."""
    if hasattr(answer, "_replace"):
        return answer._replace(**{name: 1.4 * value for name, value in answer._asdict().items()})
    return [1.4 * one for one in answer] if isinstance(answer, list) else 1.4 * answer


@pytest.mark.parametrize("fact", ON_DATA, ids=lambda fact: fact.id)
def test_the_real_waves_agree_with_what_was_published_and_every_function_matters(fact: Fact, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (shared / "data" / fact.data).is_dir():
        pytest.skip(f"data absent: {fact.data}")
    (outcome,) = hold([fact], shared / "data")
    assert outcome.verdict == PASSED, outcome.reason
    for n in range(len(leaves(fact.expected))):
        moved = [1.11 * value + 0.1 if place == n else value for place, value in enumerate(leaves(fact.expected))]
        figures = iter(moved)
        expected = {key: [next(figures) for _ in value] if isinstance(value, list) else next(figures) for key, value in fact.expected.items()}
        assert held(dataclasses.replace(fact, expected=expected), Computed(outcome.computed)).verdict == FAILED, n
    for name in fact.through:
        module, function = name.rsplit(".", 1)
        with monkeypatch.context() as patch:
            original = getattr(importlib.import_module(module), function)
            patch.setattr(importlib.import_module(module), function, lambda *args, original=original: enlarged(original(*args)))
            assert next(iter(hold([fact], shared / "data"))).verdict == FAILED, name


def test_a_check_without_its_data_is_skipped_and_says_which(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        assert [outcome.verdict for outcome in hold(ON_DATA, folder)] == [SKIPPED] * len(ON_DATA)
    answer = runner.invoke(app, ["verify", "ADL-14-envelope", "IF-01-newsvendor", "--data", str(tmp_path)])
    assert answer.exit_code == 1, "asked for by name: nothing was held"
    assert "data absent: hyperliquid_adl_20251010 is not below" in answer.stdout
    assert "1 passed, 0 failed, 0 not covered, 1 skipped: data absent" in answer.stdout


def test_without_ids_absent_data_leaves_the_exit_status_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(court, "chosen", lambda ids: [facts()["IF-01-newsvendor"], *ON_DATA])
    monkeypatch.setenv("WAXLINE_SHARED", str(tmp_path))
    answer = runner.invoke(app, ["verify"])
    assert answer.exit_code == 0 and f"skipped: {', '.join(fact.id for fact in ON_DATA)}" in answer.stdout
    assert {row["verdict"] for row in json.loads(runner.invoke(app, ["verify", "--json"]).stdout)["checks"]} == {PASSED, SKIPPED}


def test_a_data_file_with_other_columns_or_words_for_numbers_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "hyperliquid_adl_20251010"
    folder.mkdir()
    coins = folder / "two_pass_wave_coin_gap_per_contract.csv"
    for text, says in (("wave,coin\n1,BTC\n", "has no column gap_per_contract_usd"), ("wave,gap_per_contract_usd,qty_contracts\n1,x,2\n", "must hold numbers")):
        coins.write_text(text)
        answer = runner.invoke(app, ["verify", "ADL-14-envelope", "--data", str(tmp_path)])
        assert answer.exit_code == 4 and says in answer.stderr


@pytest.mark.parametrize("policy", ["profit_times_leverage", "unranked", "pro_rata", "capped", "risk_weighted", "smallest_part"])
def test_policies_share_what_the_real_waves_needed_over_the_coins_to_the_cent(policy: str, shared: Path) -> None:
    from waxline.liquidation.rules_deleveraging_policies import POLICIES, Winner
    from waxline.verification.shared_data import columns_of, numbers_of

    folder = shared / "data" / ON_DATA[0].data
    rows = numbers_of(folder / "two_pass_wave_coin_gap_per_contract.csv", ("wave", "gap_per_contract_usd", "qty_contracts"))
    coins = columns_of(folder / "two_pass_wave_coin_gap_per_contract.csv", ("coin",))["coin"]
    from waxline.verification.family_waves import needed_by_wave

    for wave, needed in needed_by_wave(folder).items():
        mine = [n for n, one in enumerate(rows["wave"]) if one == wave]
        # Every coin's closed quantity, in USD of its gap at an entry twice as far, stands for its winners; half the wave's need is asked of them.
        winners = [
            Winner(place, 1, held * gap, 0.5, 2.0 * held * gap + len(coins[n]), 0.0, 0.9)
            for place, n in enumerate(mine)
            if (gap := rows["gap_per_contract_usd"][n]) > 0.0 and (held := rows["qty_contracts"][n]) > 0.0
        ]
        taken = POLICIES[policy](winners, 1.0, 0.5 * needed)
        assert math.fsum(taken) == pytest.approx(0.5 * needed, abs=1e-8)
        assert all(0.0 <= gave <= winner.quantity for gave, winner in zip(taken, winners, strict=True))


def test_figures_that_are_missing_too_many_or_not_numbers_fail() -> None:
    fact = Fact("x", "f", "t", "s", expected={"a": [1.0, 2.0]}, tolerance={"abs": 0.1})
    assert held(fact, Computed({"a": [1.05, 2.0]})).verdict == PASSED
    for wrong in ({}, {"a": [1.0]}, {"a": 1.0}, {"a": [1.0, math.nan]}, {"a": [1.0, 2.0], "b": 3.0}, {"a": [1.2, 2.0]}, {"a": [1.0, math.inf]}):
        outcome = held(fact, Computed(wrong))
        assert outcome.verdict == FAILED and outcome.reason
    assert json.dumps(held(fact, Computed({"a": [1.0, math.nan]})).as_dict(), allow_nan=False)


def test_bounds_are_the_larger_of_two_and_no_more_than_the_errors_of_what_was_drawn() -> None:
    assert court.allowed({"abs": 0.1, "rel": 0.5}, 2.0, None) == 1.0
    assert court.allowed({"rel": 0.5, "standard_errors": 3.0}, 2.0, 0.1) == pytest.approx(0.3)
    assert court.allowed({"rel": 0.01, "standard_errors": 3.0}, 2.0, 0.1) == pytest.approx(0.02)
    assert math.isnan(court.allowed({"standard_errors": 3.0}, 2.0, None))
    assert court.allowed({}, 2.0, None) == 0.0


OF_SINGLE_FILLS = {"liq_notional", "liq_pnl", "adl_share_of_forced", "profitable_share", "median_leverage_adl"}
"""Figures of the published replay that need its file of single fills, which the check does not read."""


def replayed(folder: Path) -> Path:
    """Write a small replay in the form of the published one: three users, two coins, four batches; return the folder."""
    folder.mkdir(parents=True)
    (folder / "adl_by_user_REALTIME.csv").write_text("user,adl_notional,closed_pnl,num_adl_events\na,100.5,10,1\nb,300,-20,2\nc,50,5.25,1\n")
    (folder / "adl_by_coin_REALTIME.csv").write_text("coin,adl_notional\nBTC,400\nETH,50.5\n")
    batches = [{"second": second, "liquidations": number} for second, number in ((0, 3), (30, 4), (59, 1), (130, 2))]
    (folder / "cascade_timing_results.json").write_text(json.dumps({"delay_seconds": 30.5, "timeline": batches}))
    return folder


def test_a_replay_is_summed_spread_and_counted_by_minute(tmp_path: Path) -> None:
    folder = replayed(tmp_path / "replay")
    figures = checks()["ADL-15-oct10-totals"]({"folder": folder, "top": 1}).figures
    assert figures == pytest.approx(
        {
            "liq_events": 10,
            "adl_events": 4,
            "adl_notional": 450.5,
            "adl_realized_pnl": -4.75,
            "first_adl_delay_s": 30.5,
            "tickers": 2,
            "top1_share": 400 / 450.5,
        }
    )
    spread = checks()["ADL-17-oct10-concentration"]({"folder": folder, "tops": [1, 2], "tail": 2}).figures
    assert (spread["users"], spread["top1"], spread["top2"], spread["median_usd"]) == pytest.approx((3, 300 / 450.5, 400.5 / 450.5, 100.5))
    pairs = [(100.5, 300.0), (100.5, 50.0), (300.0, 50.0)]
    assert spread["gini"] == pytest.approx(sum(abs(x - y) for x, y in pairs) / (3 * 450.5)), "mean difference of pairs over twice the mean"
    timing = checks()["ADL-18-minute-counts"]({"folder": folder, "first_batches": 3}).figures
    assert timing["counts"] == [8, 0, 2] and timing["mean_gap_of_first_3_batches_s"] == 29.5


def test_a_replay_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = replayed(tmp_path / "hyperliquid_replay_20251010")
    (folder / "cascade_timing_results.json").write_text("{}")
    answer = runner.invoke(app, ["verify", "ADL-18-minute-counts", "--data", str(tmp_path)])
    assert answer.exit_code != 0 and "cascade_timing_results.json: cannot be read" in answer.stderr


def test_the_court_knows_every_id_and_figure_of_the_shared_checks(shared: Path) -> None:
    listed = {check["id"]: check for check in YAML(typ="safe").load((shared / "checks" / "theory.yaml").read_text())["checks"]}
    assert set(listed) - set(facts()) == set()
    renamed = {"inventory[profit,std,q,std_q]": "inventory", "symmetric": "symmetric", "avg_spread": "average_spread"}
    for fact in COVERED + ON_DATA:
        for name, figures in listed.get(fact.id, {"expected": {}})["expected"].items():
            if name.startswith("my_") or isinstance(figures, str) or (fact.id == "ADL-15-oct10-totals" and name in OF_SINGLE_FILLS):
                continue
            if (fact.id, name) == ("ADL-01-funding", "gamma"):
                assert figures.pop(0) == 0, "the paper's first rate is set, not computed"
            own = fact.expected.get(name, fact.expected.get(renamed.get(name, name)))
            assert own is not None, (fact.id, name)
            assert leaves(own) == [one if isinstance(one, str) else pytest.approx(one, rel=1e-12) for one in leaves(figures)], (fact.id, name)


def test_every_fact_names_a_source_and_what_it_needs_or_what_it_goes_through() -> None:
    for fact in facts().values():
        assert len(fact.source) > 5 and fact.title and fact.source != "same"
        for name in fact.through:
            module, function = name.rsplit(".", 1)
            assert callable(getattr(importlib.import_module(module), function))


def test_an_unknown_id_is_refused_with_the_nearest_spelling() -> None:
    for asked, near in (("atom-swep", "atom-sweep"), ("IM-3-obizhaeva", "IM-03-obizhaeva-wang"), ("MM-GEANT", "MM-GUEANT"), ("im-5", "IM-05-llob-A")):
        answer = runner.invoke(app, ["verify", asked])
        assert answer.exit_code == 2
        assert near in answer.stderr and "--list" in answer.stderr
    assert [fact.id for fact in chosen(["ATOM-SWEEP", "atom-sweep"])] == ["atom-sweep"]


def test_the_command_prints_published_computed_tolerance_source_and_verdict() -> None:
    answer = runner.invoke(app, ["verify", "atom-sweep", "IM-11-book-vwap"])
    assert answer.exit_code == 0
    for part in ("passed", "published  levels 71", "computed   levels 71", "average 0.945824", "tolerance", "source     Binance trades", "kernels.walk"):
        assert part in answer.stdout
    assert "2 passed, 0 failed, 0 not covered" in answer.stdout


def test_json_holds_id_verdict_expected_computed_and_tolerance() -> None:
    answer = runner.invoke(app, ["verify", "atom-sweep", "--json"])
    (check,) = json.loads(answer.stdout)["checks"]
    assert {"id", "verdict", "expected", "computed", "tolerance"} <= set(check)
    assert (check["id"], check["verdict"]) == ("atom-sweep", "passed")
    assert check["computed"] == {"levels": 71, "prices": 70, "filled": pytest.approx(9695.33), "average": 0.945824, "last": pytest.approx(0.001)}


def test_a_failed_check_gives_exit_status_1_and_says_which_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    fact = dataclasses.replace(facts()["IM-11-book-vwap"], expected={"vwap": 1.2, "cost": 5.5})
    monkeypatch.setattr(court, "chosen", lambda ids: [fact])
    answer = runner.invoke(app, ["verify"])
    assert answer.exit_code == 1
    assert "vwap is 1.1, expected 1.2" in answer.stdout and "1 failed" in answer.stdout


def test_what_nothing_computes_yet_is_listed_counted_and_fails_when_asked_for() -> None:
    listing = runner.invoke(app, ["verify", "--list"])
    assert listing.exit_code == 0
    waiting = [fact for fact in facts().values() if not fact.covered]
    assert len(re.findall(r"\bnot covered  ", listing.stdout)) == len(waiting) > 0
    assert f"{len(facts())} ids, {len(COVERED) + len(ON_DATA)} covered, {len(waiting)} not covered" in listing.stdout
    answer = runner.invoke(app, ["verify", waiting[0].id])
    assert answer.exit_code == 1 and "not covered" in answer.stdout and f"needs {waiting[0].needs}" in answer.stdout
    answer = runner.invoke(app, ["verify", waiting[0].id, "--json"])
    assert json.loads(answer.stdout)["checks"][0]["verdict"] == NOT_COVERED
    rows = json.loads(runner.invoke(app, ["verify", "--list", "--json"]).stdout)["checks"]
    assert [row["id"] for row in rows] == list(facts())


def test_without_ids_what_is_not_covered_leaves_the_exit_status_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = next(fact for fact in facts().values() if not fact.covered)
    monkeypatch.setattr(court, "chosen", lambda ids: [facts()["IM-04-kyle"], waiting])
    answer = runner.invoke(app, ["verify"])
    assert answer.exit_code == 0
    assert f"1 passed, 0 failed, 1 not covered\nnot covered: {waiting.id}" in answer.stdout


@pytest.mark.slow
def test_figures_are_drawn_for_what_was_held(tmp_path: Path) -> None:
    asked = ["atom-sweep", "IM-03-obizhaeva-wang", "IM-05-llob-A"]
    answer = runner.invoke(app, ["verify", *asked, "--figures", str(tmp_path / "figures")])
    assert answer.exit_code == 0, answer.stderr
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["atom-sweep.png", "gaps.png", "impact.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in (tmp_path / "figures").iterdir())
    (tmp_path / "file").touch()
    answer = runner.invoke(app, ["verify", "atom-sweep", "--figures", str(tmp_path / "file")])
    assert answer.exit_code == 4 and "cannot be written" in answer.stderr
