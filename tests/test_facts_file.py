"""Facts files: what is accepted, what is refused and how; the shipped file carries the published figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiny_run import event, fact, tiny_run
from waxline.analysis import facts_file
from waxline.analysis.facts import QUANTITIES, Measurement, facts_text, judge, measure_all
from waxline.analysis.facts_file import Fact, Facts, library_facts, load_facts
from waxline.errors import FactsError
from waxline.limits import Limit, LimitError

GOOD = """
event: small
t0_utc: '2025-10-10T20:50:00Z'
facts:
- id: a
  quantity: drawdown
  venue: binance
  market: spot
  asset: BTC
  value: 0.1
  low: 0.05
  high: 0.2
  unit: fraction
  window_s: [0, 600]
  source: by hand
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "facts.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_facts_file_is_read(tmp_path: Path) -> None:
    facts = load_facts(written(tmp_path, GOOD))
    (found,) = facts.facts
    assert (found.id, found.value, found.window_s, facts.event) == ("a", 0.1, (0.0, 600.0), "small")


def test_a_source_may_be_a_key_of_the_file_s_sources(tmp_path: Path) -> None:
    text = GOOD.replace("by hand", "key").replace("facts:", "sources: {key: 'https://example.org/x'}\nfacts:")
    assert load_facts(written(tmp_path, text)).facts[0].source == "https://example.org/x"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("value: 0.1", "value: ten"), "a: value must be a plain number, was 'ten'"),
        (("low: 0.05", "low: 0.5"), "a: low must not lie above high, was 0.5 and 0.2"),
        (("high: 0.2", "high: .nan"), "a: high: Input should be a finite number"),
        (("  value: 0.1\n", ""), "a: value must be given"),
        (("  source: by hand\n", ""), "a: source must be given"),
        (("asset:", "aset:"), "a: aset is not a field of a fact: did you mean asset?"),
        (("unit:", "zzz:"), "a: zzz is not a field of a fact: choose from id, quantity"),
        (("window_s: [0, 600]", "window_s: [600, 0]"), "a: window_s must be [from, to] with from <= to, was [600.0, 0.0]"),
        (("window_s: [0, 600]", "window_s: [0]"), "a: window_s"),
        (("  window_s: [0, 600]\n", ""), "a: one of window_s"),
        (("facts:", "figures:"), "facts must be a list of at least one fact"),
        (("event: small", "event: small\ncolour: red"), "colour is not a field of a fact: choose from event"),
        (("- id: a", "- id: a\n  id: b"), "is not valid YAML"),
        (("- id: a", "- {id: [}"), "is not valid YAML"),
        (("- id: a\n", "- 5\n- id: a\n"), "facts[0] must be a mapping"),
        (("value: 0.1", "value: true"), "a: value must be a plain number, was true"),
        (("value: 0.1", "value: " + "9" * 5000), "is not valid YAML"),
        (("window_s: [0, 600]", "window_s: [0, 1e300]"), "a: window_s must lie within 1e+07 s of t = 0, was 0, 1e+300"),
        (("event: small", "event: small\nsources: [a]"), "sources must be a mapping of short names to sources, was a list of 1"),
        (("event: small", "event: small\nwhen: 2025-13-45"), "is not valid YAML: month must be in 1..12"),
        (("event: small", "event: small\nx: " + "[" * 3000), "nested too deeply"),
        (("- id: a", "- id: [a]"), "facts[0]: id: Input should be a valid string, was a list of 1"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_a_facts_file_with_a_mistake_is_refused_with_id_field_and_rule(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    assert change[0] in GOOD
    path = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(FactsError) as refusal:
        load_facts(path)
    assert says in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_an_id_given_twice_is_refused(tmp_path: Path) -> None:
    text = GOOD + GOOD[GOOD.index("- id") :]
    with pytest.raises(FactsError, match="a: id must be unique"):
        load_facts(written(tmp_path, text))


def test_a_missing_file_and_a_file_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match="no such facts file"):
        load_facts(tmp_path / "none.yaml")
    with pytest.raises(FactsError, match="must be a mapping"):
        load_facts(written(tmp_path, "- 1"))
    (tmp_path / "facts.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FactsError, match="cannot be read"):
        load_facts(tmp_path / "facts.yaml")


def test_a_facts_file_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_file, "FACTS_FILE_BYTES", Limit("the size of a facts file", 10, "bytes", "Split it."))
    with pytest.raises(LimitError, match="the limit on the size of a facts file is 10"):
        load_facts(written(tmp_path, GOOD))


def test_the_shipped_facts_are_the_published_ones(shared: Path) -> None:
    published, shipped = load_facts(shared / "facts" / "oct-2025.yaml"), library_facts("oct-2025")
    assert shipped is not None and len(shipped.facts) == len(published.facts) >= 98
    compared = set(Fact.model_fields) - {"unit", "note"}
    for theirs, ours in zip(published.facts, shipped.facts, strict=True):
        assert ours.model_dump(include=compared) == theirs.model_dump(include=compared), ours.id
        assert ("coins" in ours.unit.split()) == ("coins" in theirs.unit.split()), ours.id


def test_every_shipped_fact_has_an_implemented_quantity_and_an_address_as_source() -> None:
    shipped = library_facts("oct-2025")
    assert shipped is not None
    assert {fact.quantity for fact in shipped.facts} <= set(QUANTITIES)
    assert all(fact.source.startswith("http") for fact in shipped.facts)


def test_a_scenario_without_facts_has_none() -> None:
    assert library_facts("no-such-scenario") is None


def test_the_hash_of_facts_follows_what_is_measured(tmp_path: Path) -> None:
    facts = load_facts(written(tmp_path, GOOD))
    assert facts.hash() == load_facts(written(tmp_path, GOOD)).hash()
    assert facts.hash() == load_facts(written(tmp_path, GOOD.replace("by hand", "by eye"))).hash()
    assert facts.hash() != load_facts(written(tmp_path, GOOD.replace("0.2", "0.3"))).hash()


def facts_of(*given: Fact) -> Facts:
    return Facts(event="small", t0_utc="", facts=given)


def measured(**values: float | None) -> list[Measurement]:
    return [Measurement(name, value, None if value is not None else "why") for name, value in values.items()]


def named(name: str, low: float = 0.0, high: float = 1.0) -> Fact:
    return fact("drawdown").model_copy(update={"id": name, "low": low, "high": high})


def test_the_verdict_is_that_of_the_median_and_the_band_includes_its_ends() -> None:
    seeds = [measured(a=1.0, b=0.0, c=0.0), measured(a=1.0, b=9.0, c=0.0), measured(a=7.0, b=8.0, c=5.0)]
    score = judge(facts_of(named("a"), named("b"), named("c")), seeds)
    assert [judgement.verdict for judgement in score.judgements] == ["inside", "outside", "inside"]
    assert score.judgements[1].median == 8.0
    assert (score.judgements[1].p05, score.judgements[1].p95) == pytest.approx((0.8, 8.9))


def test_the_score_counts_unmeasured_facts_as_not_inside() -> None:
    score = judge(facts_of(named("a"), named("b"), named("c"), named("d")), [measured(a=0.5, b=2.0, c=None, d=0.5)])
    assert (score.n_inside, score.n_measured, score.n, score.score) == (2, 3, 4, 0.5)
    assert score.judgements[2].verdict == "not measured"
    assert score.judgements[2].reason == "why"


def test_a_fact_measured_in_some_seeds_only_says_in_how_many() -> None:
    score = judge(facts_of(named("a")), [measured(a=0.5), measured(a=None), measured(a=0.7)])
    assert score.judgements[0].median == pytest.approx(0.6)
    assert score.judgements[0].reason == "measured in 2 of 3 seeds: why"


def test_the_json_of_a_score_has_the_agreed_keys() -> None:
    score = judge(facts_of(named("a"), named("b")), [measured(a=0.5, b=None)])
    content = json.loads(json.dumps(score.to_dict(), allow_nan=False))
    assert list(content) == ["score", "n_inside", "n_measured", "n", "facts"]
    keys = ["id", "value", "low", "high", "median", "p05", "p95", "verdict"]
    assert list(content["facts"][0]) == keys
    assert list(content["facts"][1]) == [*keys, "reason"]
    assert content["facts"][1]["median"] is None


def test_a_score_without_any_seed_measures_nothing() -> None:
    score = judge(facts_of(named("a")), [])
    assert score.judgements[0].reason == "no seed finished"
    assert score.score == 0.0


def test_the_table_of_facts_shows_every_fact_and_says_once_that_windows_are_cut() -> None:
    facts = facts_of(
        fact("liquidated_usd", window_s=(0, 10_800)).model_copy(update={"id": "total"}),
        fact("liquidated_usd", window_s=(0, 9_000)).model_copy(update={"id": "later"}),
        named("unknown").model_copy(update={"quantity": "gini"}),
    )
    run = tiny_run({"binance-perp-BTC": 1.0}, events=[event(5, "binance-perp-BTC", "close_in_book", 0.5)])
    text = facts_text(judge(facts, [measure_all(run, facts)]))
    assert text.count("cut at the run's end") == 1
    assert "2 facts have windows" in text
    assert "not measured (quantity 'gini' is not known)" in text
    assert "score 67%: 2 inside of 3 facts, 2 measured" in text


def test_aliases_that_multiply_do_not_fill_the_message(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for before, after in zip("abcdefg", "bcdefgh", strict=True):
        bomb += f"{after}: &{after} [" + ", ".join([f"*{before}"] * 9) + "]\n"
    with pytest.raises(FactsError) as refusal:
        load_facts(written(tmp_path, bomb + "facts: [*h]\n"))
    assert str(refusal.value).endswith("was a list of 9")
