"""Worked examples: the venues' published numbers are reproduced; what is not known is said, never skipped."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conftest import ROOT
from waxline.cli import main
from waxline.rulebook.checking import PASSED, UNKNOWN, Outcome, check, check_file
from waxline.rulebook.examples import Example, ExamplesError, load_examples

OWN = ROOT / "examples" / "venue_rules.yaml"
MORE = ROOT / "examples" / "more_venue_rules.yaml"
SHARED_FILE = Path(os.environ.get("WAXLINE_SHARED", ROOT.parent / "shared")) / "checks" / "worked_examples.yaml"
PUBLISHED = load_examples(SHARED_FILE) if SHARED_FILE.is_file() else []
runner = CliRunner()


def story(example: Example, outcome: Outcome) -> str:
    """Return what a person needs to see why an example is not met, with the line that repeats it."""
    return (
        f"{example.id} ({example.venue}, {example.topic}): {outcome.verdict}, {outcome.reason}\n  given {example.inputs}\n"
        f"  published {outcome.expected}\n  computed {outcome.computed}\n  source {example.source}\n  waxline check-rules FILE --venue '{example.venue}'"
    )


@pytest.mark.parametrize("example", PUBLISHED or [None], ids=lambda example: example.id if example else "absent")
def test_a_published_number_is_reproduced(shared: Path, example: Example | None) -> None:
    assert example is not None, shared
    outcome = check(example)
    assert outcome.verdict == PASSED, story(example, outcome)


@pytest.mark.parametrize("example", load_examples(OWN), ids=lambda example: example.id)
def test_our_own_examples_are_reproduced_and_name_their_source(example: Example) -> None:
    outcome = check(example)
    assert outcome.verdict == PASSED, story(example, outcome)
    assert example.source.startswith("https://")


def test_further_examples_of_every_topic_are_reproduced() -> None:
    examples = load_examples(MORE)
    missed = [story(example, outcome) for example in examples if (outcome := check(example)).verdict != PASSED]
    assert not missed, "\n".join(missed)
    assert len({(example.venue, example.topic) for example in examples}) >= 128


def loan(**inputs: object) -> Example:
    return Example("loan", "Binance", "crypto_loan.ltv", dict(inputs), {"ltv": 0.5}, absolute=1e-9)


@pytest.mark.parametrize(
    ("example", "says"),
    [
        (loan(loan_usd=50, collateral_usd=100, colour=3), "unknown input: colour"),
        (loan(loan_usd=50, collateral_usd=100, tiers=[[0, 1]]), "unknown input: tiers"),
        (loan(loan_usd="fifty", collateral_usd=100), "input loan_usd is not a number: 'fifty'"),
        (loan(loan_usd=50), "unknown result: ltv"),
        (replace(loan(loan_usd=50, collateral_usd=100), topic="crypto_loan.colour"), "unknown topic: Binance, crypto_loan.colour"),
        (replace(loan(loan_usd=50, collateral_usd=100), venue="Bittrex"), "unknown topic: Bittrex"),
        (Example("x", "Gate", "liquidation_price.linear.isolated", {"side": "long", "entry": 10, "mmr": 0.01}, {}), "missing input: leverage"),
        (Example("x", "Gate", "liquidation_price.linear.isolated", {"side": "up", "entry": 10, "mmr": 0.01}, {}), "must be long or short"),
    ],
)
def test_what_is_not_known_is_reported_as_unknown_with_the_reason(example: Example, says: str) -> None:
    outcome = check(example)
    assert outcome.verdict == UNKNOWN
    assert says in outcome.reason


def gate(**changed: object) -> Example:
    inputs = {"side": "long", "entry": 10, "leverage": 5, "mmr": 0.01, "taker": 0.0005, "qty": 1, **changed}
    return Example("gate", "Gate", "liquidation_price.linear.isolated", inputs, {"liquidation_price": 0.0}, absolute=0.0)


def tiered(*rows: list[object]) -> Example:
    return Example("tiers", "Binance", "maintenance_tiers", {"tiers": list(rows), "notional": 70_000}, {"mmr": 0.01}, absolute=0.0)


@pytest.mark.parametrize(
    ("example", "says"),
    [
        (gate(mmr=5), r"input mmr must be in [0, 1], was 5: give a fraction, 0.05 for 5 %"),
        (gate(taker=-0.1), "input taker must be in [0, 1], was -0.1"),
        (gate(entry=0), "input entry must be above 0, was 0"),
        (gate(entry=-3), "input entry must be above 0, was -3"),
        (gate(entry=None), "missing input: entry"),
        (tiered([0, 5e4, 0.01, 50], [5e4, 25e4, 1.2, 20]), "tiers[1]: rate must be in [0, 1], was 1.2"),
        (tiered([0, 5e4, 0.02, 50], [5e4, 25e4, 0.01, 20]), "tiers[1]: rates of tiers must rise, was 0.01 after 0.02"),
        (tiered([5e4, 25e4, 0.01, 20], [0, 5e4, 0.02, 10]), "tiers: bands must rise"),
        (tiered([0, 5e4, 0.01, 125], [5e4, 25e4, 0.02, 20]), "tiers[0]: initial margin, 1 / 125, must not be below maintenance 0.01"),
        (
            Example("imr", "OKX", "position_tiers", {"imr": [0.1, 0.04], "mmr": [0.03, 0.05], "pair": "A/B"}, {"mmr": [0.03, 0.05]}, absolute=0.0),
            "input imr must not be below mmr 0.05, was 0.04",
        ),
    ],
)
def test_inputs_that_cannot_be_are_refused_by_name(example: Example, says: str) -> None:
    outcome = check(example)
    assert outcome.verdict == UNKNOWN
    assert says in outcome.reason


def test_a_wrong_number_fails_and_a_right_one_passes() -> None:
    right = loan(loan_usd=50, collateral_usd=100)
    assert check(right).verdict == PASSED
    assert check(replace(right, expected={"ltv": 0.5001})).verdict == "failed"
    assert check(replace(right, expected={"ltv": 0.5001}, absolute=None, relative=0.01)).verdict == PASSED
    assert check(replace(right, expected={"ltv": True})).verdict == "failed"
    assert check(replace(right, expected={"ltv": [0.5]})).verdict == "failed"


def test_inputs_may_be_sums_of_other_inputs() -> None:
    example = loan(principal=40, interest=10, loan_usd="principal + interest", collateral_usd="2 * (principal + interest)")
    assert check(example).verdict == PASSED


@pytest.mark.parametrize("hostile", ["__import__('os')", "9**9**9", "(1).__class__", "loan_usd + 1", "x" * 500, "1/0", "[1]"])
def test_an_input_that_is_no_sum_of_numbers_is_never_run(hostile: str) -> None:
    assert check(loan(loan_usd=hostile, collateral_usd=100)).verdict == UNKNOWN


def test_a_result_of_a_sister_example_of_the_same_source_may_be_needed() -> None:
    sister = {"account_value": 150.0}
    example = Example("x", "Hyperliquid", "initial_margin", {"ntl": 1000, "leverage": 10}, {"withdrawable": 50}, absolute=1e-9, published=sister)
    assert check(example).verdict == PASSED
    assert "account_value" in check(replace(example, published={})).reason


def test_shorts_mirror_longs_where_the_rule_is_symmetric() -> None:
    def price(side: str) -> float:
        inputs = {"side": side, "qty": 1, "entry": 100, "leverage": 10, "mmr": 0.01}
        return float(
            check(Example("x", "Bybit", "liquidation_price.linear.isolated", inputs, {"liquidation_price": 0}, absolute=0.0)).computed["liquidation_price"]
        )

    assert price("long") - 100 == pytest.approx(100 - price("short"))


def write(folder: Path, *examples: dict[str, object]) -> Path:
    path = folder / "rules.json"
    path.write_text(json.dumps(list(examples)))
    return path


GOOD = {
    "id": "a",
    "venue": "Binance",
    "topic": "crypto_loan.ltv",
    "inputs": {"loan_usd": 1, "collateral_usd": 2},
    "expected": {"ltv": 0.5},
    "tolerance": "exact",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tolerance": "near"}, "a: tolerance must be exact"),
        ({"tolerance": {"abs": -1}}, "a: tolerance must be exact"),
        ({"inputs": [1]}, "a: inputs must be a section"),
        ({"expectd": {}}, "a: expectd is not a known key"),
    ],
)
def test_a_file_that_is_no_list_of_examples_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    with pytest.raises(ExamplesError, match=says):
        load_examples(write(tmp_path, {**GOOD, **change}))


def test_missing_keys_ids_used_twice_and_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExamplesError, match="topic is required"):
        load_examples(write(tmp_path, {key: value for key, value in GOOD.items() if key != "topic"}))
    with pytest.raises(ExamplesError, match="the id a is used twice"):
        load_examples(write(tmp_path, GOOD, GOOD))
    broken = tmp_path / "broken.yaml"
    broken.write_text("- id: [1\n")
    with pytest.raises(ExamplesError, match="cannot be read as YAML"):
        load_examples(broken)
    with pytest.raises(ExamplesError, match="cannot be read"):
        load_examples(tmp_path / "none.yaml")


def test_the_command_prints_a_table_and_exits_with_one_when_an_example_fails(tmp_path: Path) -> None:
    wrong = {**GOOD, "id": "b", "expected": {"ltv": 0.6}}
    strange = {**GOOD, "id": "c", "topic": "weather"}
    result = runner.invoke(main.app, ["check-rules", str(write(tmp_path, GOOD, wrong, strange))])
    assert result.exit_code == 1
    assert "1 passed, 1 failed, 1 unknown" in result.stdout
    assert "expected ltv 0.6  computed ltv 0.5" in result.stdout
    assert "unknown topic: Binance, weather" in result.stdout
    assert "rules.json: not checked, 1 with a topic, input or result that is not known: c" in result.stderr


def test_the_command_prints_the_documented_json(tmp_path: Path) -> None:
    strange = {**GOOD, "id": "c", "topic": "weather"}
    result = runner.invoke(main.app, ["check-rules", str(write(tmp_path, GOOD, strange)), "--json"])
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert (answer["passed"], answer["failed"], answer["unknown"]) == (1, 0, 1)
    assert answer["examples"][0] == {"id": "a", "verdict": "passed", "expected": {"ltv": 0.5}, "computed": {"ltv": 0.5}}
    assert answer["examples"][1]["verdict"] == "unknown"


def test_one_venue_can_be_chosen_by_its_short_name() -> None:
    chosen = check_file(OWN, "dydx").outcomes
    assert chosen and all(outcome.id.startswith("dydx") for outcome in chosen)
    result = runner.invoke(main.app, ["check-rules", str(OWN), "--venue", "nowhere"])
    assert result.exit_code == 2
    assert "it has Aave v3, Binance" in result.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 200_000, "is nested too deeply"),
        ('[{"id": ' + "9" * 5000 + "}]", "cannot be read as JSON"),
        ("[]", "must hold a list of examples"),
    ],
)
def test_json_that_no_one_would_write_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "rules.json").write_text(text)
    with pytest.raises(ExamplesError, match=says):
        load_examples(tmp_path / "rules.json")


@pytest.mark.parametrize("change", [{"tolerance": {"abs": True}}, {"tolerance": {"abs": float("inf")}}, {"id": None}, {"id": ""}, {"expected": {}}])
def test_examples_that_hold_nothing_to_compare_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(ExamplesError, match=r"must be|must hold"):
        load_examples(write(tmp_path, {**GOOD, **change}))


def test_dates_sets_and_empty_venues_cost_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("- {id: a, venue: '', topic: t, inputs: {}, expected: {y: 2025-01-01, z: !!set {a}}, tolerance: exact}\n")
    answer = json.loads(runner.invoke(main.app, ["check-rules", str(path), "--json"]).stdout)
    assert answer["examples"][0]["expected"]["y"] == "2025-01-01"
    assert runner.invoke(main.app, ["check-rules", str(path), "--venue", "dydx"]).exit_code == 2
    path.write_text("- {id: a, venue: v, topic: t, inputs: {}, expected: {y: 2025-13-45}, tolerance: exact}\n")
    with pytest.raises(ExamplesError, match="cannot be read as YAML: month must be"):
        load_examples(path)
