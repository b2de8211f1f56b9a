"""Scenario files are read strictly: what is wrong is refused with file, line, field, rule, value and remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_scenario import TEXT, broken, refusal
from waxline.errors import ScenarioError
from waxline.scenario.files import load_scenario, parse_scenario
from waxline.scenario.problems import ScenarioProblems
from waxline.scenario.writing import to_yaml


def test_numbers_with_units_are_read_in_the_unit_of_the_field() -> None:
    scenario = parse_scenario(TEXT)
    assert scenario.clock.duration_s == 7200.0
    assert scenario.market("binance-spot-BTC").depth_usd == 25e6
    assert scenario.asset("ETH").volatility_1m_bps == 12.0
    assert scenario.collateral[0].ratio_frac == 0.9
    assert (scenario.clock.start_t_s, scenario.clock.end_t_s, scenario.clock.steps) == (-600.0, 6600.0, 7200)


def test_times_of_day_count_from_t0() -> None:
    text = TEXT + 'halts: {transfers: [{venue: binance, from_s: "21:12:11", to_s: "22:19:35", assets: [ETH]}]}\n'
    halt = parse_scenario(text).halts.transfers[0]
    assert (halt.from_s, halt.to_s) == (1331.0, 5375.0)


def test_a_section_with_a_switch_may_be_written_as_on_or_off() -> None:
    assert not parse_scenario(TEXT + "shock: {news: off}\n").shock.news.enabled
    assert parse_scenario(TEXT + "shock: {news: on}\n").shock.news.enabled


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "depth_usd: 3e8",
            "depht_usd: 3e8",
            "small.yaml:18: markets[binance-perp-BTC].depht_usd is not a known key, was 3e+08: did you mean depth_usd?",
        ),
        ("title:", "titel:", 'small.yaml:2: titel is not a known key, was "Two coins, a claim, two venues": did you mean title?'),
        (
            "ratio_frac: 90 %",
            "ratio_frac: 5",
            "small.yaml:22: collateral[binance/wBETH].ratio_frac must be in [0, 1] (fraction), was 5: give a fraction",
        ),
        (
            "duration_s: 2h",
            "duration_s: 2bps",
            'small.yaml:4: clock.duration_s must be a number (s), was "2bps": ',
        ),
        (
            "ratio_frac: 90 %",
            "ratio_frac: 15m",
            'small.yaml:22: collateral[binance/wBETH].ratio_frac must be a number (fraction), was "15m": ',
        ),
        (
            "price_usd: 4010",
            "price_usd: true",
            "small.yaml:7: assets[ETH].price_usd must be a number (USD), was true: write a number",
        ),
        ("units: 1.08", "units: 5 %", 'small.yaml:9: assets[wBETH].redeems.units must be a number (units per claim), was "5 %": '),
        (
            "margin: none",
            "margin: crss",
            'small.yaml:13: venues[coinbase].margin must be one of unified, cross, isolated, pool, none, was "crss": did you mean',
        ),
        (
            "price_usd: 4010,",
            "",
            "small.yaml:7: assets[ETH].price_usd is required, was missing: add it: price one second before t0 (USD)",
        ),
        (
            "name: small",
            "name: Small Thing",
            'small.yaml:1: name must match ^[a-z0-9][a-z0-9._-]{0,63}$, was "Small Thing": short name in lower case',
        ),
        ("name: small", "name: 2025", "small.yaml:1: name must be a text, was 2025: put it in quotes"),
        (
            "start_utc: 2025-10-10T20:40:00Z",
            "start_utc: yesterday",
            'small.yaml:4: clock.start_utc must be a time in UTC, was "yesterday": write for example 2025-10-10T20:50:00Z',
        ),
        ("tiers:\n", "tiers: off\n#", "tiers"),
        (
            "step_s: 1}",
            "step_s: 0.01}",
            "small.yaml:4: clock.step_s must be in [0.05, 60] (s), was 0.01: length of a step",
        ),
    ],
)
def test_a_wrong_field_is_refused_with_place_rule_value_and_remedy(old: str, new: str, says: str) -> None:
    lines = refusal(broken(old, new))
    assert any(says in line for line in lines), lines


def test_a_key_that_is_written_twice_is_refused_with_both_lines() -> None:
    lines = refusal(broken("sources:", "title: Again\nsources:"))
    assert lines == ["small.yaml:3: title must be written once, was written twice: line 2 has it already: remove one of them"]
    assert "written twice" in refusal(broken("kind: perp,", "kind: perp, kind: perp,"))[0]


def test_every_mistake_is_reported_at_once() -> None:
    text = broken("taker_fee_bps: 12", "taker_fee_bsp: 12").replace("seen", "seen ").replace("step_s: 1}", "step: 1}")
    lines = refusal(text)
    assert [line.split(" ")[0] for line in lines] == ["small.yaml:4:", "small.yaml:13:"]


def test_text_that_is_no_yaml_is_refused_with_its_line() -> None:
    assert refusal(broken("title: Two", "title: [Two"))[0].startswith("small.yaml:")
    with pytest.raises(ScenarioError, match="must hold a section"):
        parse_scenario("- 1\n- 2\n")
    with pytest.raises(ScenarioError, match="must hold a section"):
        parse_scenario("")


def test_deep_nesting_and_multiplying_aliases_are_refused() -> None:
    with pytest.raises(ScenarioError, match="levels"):
        parse_scenario("a: " + "[" * 100 + "]" * 100)
    bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * 10) + "]\n" for n in range(1, 9))
    with pytest.raises(ScenarioError, match="aliases that multiply"):
        parse_scenario(bomb)


def test_words_of_older_yaml_stay_words() -> None:
    scenario = parse_scenario(broken("title: Two coins, a claim, two venues", "title: NO"))
    assert scenario.title == "NO"


def test_json_and_toml_give_the_same_scenario() -> None:
    scenario = parse_scenario(TEXT)
    plain = scenario.plain()
    assert parse_scenario(json.dumps(plain, indent="\t"), (), "small.json") == scenario
    assert parse_scenario(as_toml(plain), (), "small.toml") == scenario


def test_mistakes_in_json_and_toml_have_lines_too() -> None:
    plain = parse_scenario(TEXT).plain()
    text = json.dumps(plain, indent=1).replace('"step_s"', '"stp_s"')
    line = 1 + text[: text.index('"stp_s"')].count("\n")
    assert refusal(text, file="small.json")[0].startswith(f"small.json:{line}: clock.stp_s is not a known key")
    toml = as_toml(plain).replace("step_s = 1.0", "stp_s = 1.0")
    line = 1 + toml[: toml.index("stp_s")].count("\n")
    assert refusal(toml, file="small.toml")[0].startswith(f"small.toml:{line}: clock.stp_s is not a known key")
    assert "written twice" in refusal('{"name": "a", "name": "b"}', file="small.json")[0]
    assert "cannot be read as TOML" in refusal("a = = 1", file="small.toml")[0]
    assert "cannot be read as JSON" in refusal("{", file="small.json")[0]


def as_toml(plain: dict[str, object]) -> str:
    """Return plain data as TOML: scalars, then a table per section, an array of tables per list of rows."""
    top, below = [], []
    for key, value in plain.items():
        if isinstance(value, dict) and key != "sources":
            below += [f"[{key}]"] + [f"{name} = {inline(item)}" for name, item in value.items() if item is not None]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for row in value:
                below += [f"[[{key}]]"] + [f"{name} = {inline(item)}" for name, item in row.items() if item is not None]
        elif value is not None:
            top.append(f"{key} = {inline(value)}")
    return "\n".join(top + below) + "\n"


def inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def test_a_file_that_cannot_be_read_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file; names of the library are"):
        load_scenario(tmp_path / "absent.yaml")
    with pytest.raises(ScenarioError, match=r'scenario "oct-2052" is neither a file nor in the library: did you mean oct-2025\?'):
        load_scenario("oct-2052")
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(ScenarioError, match="must be UTF-8 text, byte 6 is not"):
        load_scenario(tmp_path / "bad.yaml")


def test_a_scenario_based_on_another_changes_rows_by_name(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(TEXT)
    child = tmp_path / "child.yaml"
    child.write_text(
        "based_on: small.yaml\nname: child\nsources: {Y: later}\nmarkets:\n"
        "  - {venue: binance, kind: perp, asset: BTC, depth_usd: 1e8}\n"
        "  - {venue: coinbase, kind: spot, asset: ETH, depth_usd: 8e6, source: Y}\n"
    )
    base, changed = load_scenario(tmp_path / "small.yaml"), load_scenario(child)
    assert changed.market("binance-perp-BTC").depth_usd == 1e8
    assert changed.market("binance-perp-BTC").open_interest_usd == base.market("binance-perp-BTC").open_interest_usd
    assert len(changed.markets) == len(base.markets) + 1
    assert changed.title == base.title and changed.sources.keys() == {"X", "Y"}
    child.write_text("based_on: small.yaml\nname: child\nmarkets:\n  - {venue: binance, kind: perp, asset: BTC, depth_usd: -1}\n")
    with pytest.raises(ScenarioProblems) as caught:
        load_scenario(child)
    assert str(caught.value).startswith(f"{child}:4: markets[binance-perp-BTC].depth_usd must be in [1, 1e+13] (USD), was -1")


def test_a_chain_of_bases_that_leads_back_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("based_on: b.yaml\nname: a\n")
    (tmp_path / "b.yaml").write_text("based_on: a.yaml\nname: b\n")
    with pytest.raises(ScenarioProblems, match="must not lead back to itself"):
        load_scenario(tmp_path / "a.yaml")
    (tmp_path / "c.yaml").write_text("based_on: a.yaml\n")
    with pytest.raises(ScenarioProblems, match="needs its own name"):
        load_scenario(tmp_path / "c.yaml")


def test_the_resolved_scenario_reads_back_equal_and_the_hash_ignores_only_the_seed_and_the_order_of_rows() -> None:
    scenario = parse_scenario(TEXT)
    again = parse_scenario(scenario.resolved_yaml())
    assert again == scenario and again.resolved_yaml() == scenario.resolved_yaml()
    assert len(scenario.hash()) == 8
    assert parse_scenario(TEXT, ["seed=7"]).hash() == scenario.hash()
    assert parse_scenario(TEXT, ["clock.step_s=2"]).hash() != scenario.hash()
    turned = scenario.model_copy(update={"markets": scenario.markets[::-1], "assets": scenario.assets[::-1]})
    assert turned.hash() == scenario.hash()


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), values, max_size=5))
def test_whatever_is_written_as_yaml_reads_back_the_same(data: dict[str, object]) -> None:
    from waxline.scenario.reading import parse_document

    assert parse_document(to_yaml(data) if data else "{}", "x.yaml").data == data


@settings(max_examples=20)
@given(depth=st.floats(1.0, 1e13), frac=st.floats(0.0, 1.0), seed=st.integers(0, 2**63 - 1), title=st.text())
def test_a_resolved_scenario_with_any_values_reads_back_equal(depth: float, frac: float, seed: int, title: str) -> None:
    scenario = parse_scenario(TEXT)
    market = scenario.markets[0].model_copy(update={"depth_usd": depth, "never_liquidated_frac": frac})
    changed = scenario.model_copy(update={"seed": seed, "title": title, "markets": [market, *scenario.markets[1:]]})
    assert parse_scenario(changed.resolved_yaml()) == changed


def test_a_mark_of_byte_order_is_no_mistake_in_any_format(tmp_path: Path) -> None:
    plain = parse_scenario(TEXT).plain()
    for name, text in (("a.yaml", TEXT), ("a.json", json.dumps(plain)), ("a.toml", as_toml(plain))):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert load_scenario(path) == parse_scenario(TEXT)


def test_a_truth_value_is_no_number_in_a_row_of_numbers_either() -> None:
    (line,) = refusal(broken("[50e3, 0.004]", "[50e3, true]"))
    assert line == "small.yaml:15: tiers[large].steps[0][1] must be a number (USD, fraction), was true: write a number"
    assert "tiers[large].steps[0][1] is required" in refusal(broken("[50e3, 0.004]", "[50e3]"))[0]


def test_a_base_that_cannot_be_is_refused_with_its_line() -> None:
    (line,) = refusal("name: x\nbased_on: nothing\n")
    assert line.startswith('small.yaml:2: based_on must be a scenario, was "nothing": scenario "nothing" is neither a file nor in the library')
    assert refusal("name: x\nbased_on: [a]\n")[0].startswith("small.yaml:2: based_on must be a text, was a list of 1")


def test_what_is_missing_in_a_file_without_lines_names_the_file() -> None:
    assert refusal("", file="small.toml")[0].startswith("small.toml: name is required")


def test_names_that_no_file_can_have_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file"):
        load_scenario("x" * 5000 + ".yaml")
    with pytest.raises(ScenarioError, match="is a folder: name a scenario file in it"):
        load_scenario(tmp_path)


def test_counts_that_are_no_whole_numbers_and_missing_numbers_say_so() -> None:
    assert refusal(TEXT + "seed: 1.5\n")[0].startswith("small.yaml:25: seed must be a whole number, was 1.5")
    assert refusal(TEXT + "seed:\n")[0].startswith("small.yaml:25: seed must be a number, was nothing")
    assert refusal(TEXT + "seed: .inf\n")[0].startswith("small.yaml:25: seed must be a finite number, was inf")
