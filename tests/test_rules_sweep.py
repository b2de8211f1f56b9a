"""Worked examples with other inputs: no adapter breaks, ignores an input, or answers without one it needs.

Every number of every example is changed by several factors, every input is left out, and an input nobody knows is added.
"""

from __future__ import annotations

import copy
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from waxline.rulebook.checking import UNKNOWN, check
from waxline.rulebook.examples import Example, load_examples
from waxline.rulebook.inputs import LABELS

SHARED_FILE = Path(os.environ.get("WAXLINE_SHARED", ROOT.parent / "shared")) / "checks" / "worked_examples.yaml"
FILES = [ROOT / "examples" / "venue_rules.yaml", *([SHARED_FILE] if SHARED_FILE.is_file() else [])]
FACTORS = (0.01, 0.3, 0.5, 0.9, 0.99, 1.01, 1.1, 2, 3, 10, 1000)
Path_ = tuple[Any, ...]


def numbers(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, float]]:
    """Yield place and value of every number, however deep it stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from numbers(item, (*path, key))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def changed(inputs: dict[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    """Return a copy of the inputs with another value at a place."""
    other = copy.deepcopy(inputs)
    inner: Any = other
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return other


def scaled(value: float, factor: float) -> float:
    if value == 0:
        return factor
    return (round(value * factor) or 1) if isinstance(value, int) and abs(value) > 1 else value * factor


def variants(path: Path) -> Iterator[tuple[Example, dict[str, Any], str]]:
    """Yield every example with every single number changed, and the name of the input it stands in."""
    for example in load_examples(path):
        for place, value in numbers(example.inputs):
            if place[0] not in LABELS and place[-1] not in LABELS:
                for factor in FACTORS:
                    yield example, changed(example.inputs, place, scaled(value, factor)), str(place[0])


def told(example: Example, inputs: dict[str, Any], more: str) -> str:
    return f"{example.id} ({example.venue}, {example.topic}) {more}\n    given {inputs}"


NEVER_DECIDES = {
    ("Binance", "portfolio_margin.margin_mm"): {"margin_leverage": "the rate used is given", "mmr_by_leverage": "the rate used is given"},
    ("Binance", "multi_assets.auto_exchange"): {
        "threshold_others": "a regular user",
        "threshold_btc": "the debt is in another coin",
        "ltv_trigger": "no loan to value is given",
    },
    ("Gate", "liquidation_price.linear.isolated"): {"qty": "the same at every size"},
    ("OKX", "liquidation_price.linear.isolated"): {"qty": "the same at every size"},
    ("Bybit", "liquidation_price.linear.isolated"): {"qty": "the same at every size"},
    ("Bybit", "bankruptcy_price.inverse.isolated"): {"contracts": "the same at every size"},
    ("Bybit", "liquidation_price.inverse.isolated"): {"contracts": "the same at every size"},
    ("Bybit", "adl_trigger"): {"threshold_balance": "far below the pool", "ratio_stop": "where it ends, not what it takes"},
    ("OKX", "margin_ratio.isolated"): {"liq_fee": "far below the maintenance rate", "face": "the size is given in coins"},
    ("OKX", "discount_rate.equity"): {"zrx": "counts for nothing"},
    ("OKX", "isolated_margin.example"): {"leverage": "only coins are asked for", "price": "only coins are asked for"},
    ("BitMEX", "risk_limit"): {"step": "the position is within the base limit", "limits_xbt": "each listed limit is one step"},
    ("Hyperliquid", "partial_liquidation"): {"cooldown_s": "when the next order comes, not how large it is"},
    ("dYdX v4", "insurance_fund_delta"): {"oracle": "one position: its bankruptcy price is what the account owes", "mmf": "likewise"},
    ("dYdX v4", "bankruptcy_price"): {"mmf": "one fraction for all positions drops out"},
    ("dYdX v4", "adl_allocation"): {"mmf": "one fraction for all positions drops out"},
    ("Binance", "portfolio_margin.collateral"): {"default_rate_unlisted": "the asset has a rate"},
    ("OKX", "position_tiers"): {"max_borrow_base": "names the tiers of the venue's file; others are refused"},
    ("Drift v2", "partial_liquidation.pace"): {"initial_pct": "a shortage below 50 USD is cleared at once", "duration_slots": "likewise"},
    ("Drift v2", "size_scaled_weight"): {"price": "size is in tokens"},
    ("Aave v3", "close_factor"): {"collateral_usd": "the debt is repaid whole either way"},
    ("Maker", "auction.kick"): {"dust": "the whole vault fits under the limit"},
    ("Aave v3", "collateral_seized.emode"): {"emode_lt": "the bonus decides", "emode_ltv": "the bonus decides"},
    ("Compound v3", "absorb"): {"total_supply": "only borrows and reserves are asked for"},
    ("GMX v2", "adl_trigger"): {"min_after": "where it ends, not what starts it"},
}
"""(venue, topic) -> input -> why no change of it alone can change what is published for that topic."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_changed_number_breaks_an_adapter(path: Path) -> None:
    broken = []
    for example, inputs, _ in variants(path):
        after = check(replace(example, inputs=inputs))
        if "cannot be computed with" in after.reason:
            broken.append(told(example, inputs, f"breaks: {after.reason}"))
    assert not broken, "\n" + "\n".join(broken)


def test_every_input_of_a_topic_decides_in_some_example(shared: Path) -> None:
    decides: dict[tuple[str, str, str], bool] = defaultdict(bool)
    before: dict[str, Any] = {}
    for example, inputs, name in variants(shared / "checks" / "worked_examples.yaml"):
        if example.id not in before:
            before[example.id] = check(example).computed
        after = check(replace(example, inputs=inputs))
        decides[example.venue, example.topic, name] |= after.verdict != UNKNOWN and after.computed != before[example.id]
    silent = {key for key, found in decides.items() if not found}
    known = {(*topic, name) for topic, names in NEVER_DECIDES.items() for name in names}
    assert silent - known == set(), "no change of these inputs changes any published result"
    assert known - silent == set(), "these decide after all: take them off the list"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_input_nobody_knows_is_reported_wherever_it_stands(path: Path) -> None:
    silent = []
    for example in load_examples(path):
        places: list[Path_] = [("colour",)]
        for name, value in example.inputs.items():
            if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
                places.append((name, 0, "colour"))
        for place in places:
            inputs = changed(example.inputs, place, "red")
            outcome = check(replace(example, inputs=inputs))
            if outcome.verdict != UNKNOWN or "colour" not in outcome.reason:
                silent.append(told(example, inputs, f"says nothing of colour: {outcome.verdict} {outcome.reason}"))
    assert not silent, "\n" + "\n".join(silent)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_without_one_of_its_inputs_is_never_broken(path: Path) -> None:
    broken = []
    for example in load_examples(path):
        for name in example.inputs:
            inputs = {key: value for key, value in example.inputs.items() if key != name}
            outcome = check(replace(example, inputs=inputs))
            if "cannot be computed with" in outcome.reason:
                broken.append(told(example, inputs, f"without {name} breaks: {outcome.reason}"))
            inputs = {**example.inputs, name: "rubbish"}
            outcome = check(replace(example, inputs=inputs))
            if "cannot be computed with" in outcome.reason:
                broken.append(told(example, inputs, f"with rubbish for {name} breaks: {outcome.reason}"))
    assert not broken, "\n" + "\n".join(broken)
