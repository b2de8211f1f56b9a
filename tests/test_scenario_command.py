"""`waxline scenario` lists, shows, copies and checks; mistakes end with status 2 and say what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from small_scenario import TEXT
from waxline.cli.main import app


def waxline(*words: str) -> Result:
    return CliRunner().invoke(app, ["scenario", *words])


def test_list_names_every_scenario_with_its_title() -> None:
    assert "oct-2025  The crash of 10 October 2025" in waxline("list").stdout
    assert "oct-2025" in [row["name"] for row in json.loads(waxline("list", "--json").stdout)]


def test_show_says_what_the_scenario_is_and_is_not_and_where_its_figures_come_from() -> None:
    shown = waxline("show", "oct-2025")
    assert shown.exit_code == 0
    for words in (
        "It is not: Not a record of what happened",
        "hyperliquid   perp_venue",
        "217 B",
        "assumptions with a reason",
        "P-price",
    ):
        assert words in shown.stdout
    values = json.loads(waxline("show", "oct-2025", "--json", "--set", "seed=9").stdout)
    assert values["seed"] == 9 and len(values["markets"]) > 100


def test_a_copy_is_valid_has_its_schema_beside_it_and_overwrites_nothing(tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    assert waxline("copy", "oct-2025", str(target)).exit_code == 0
    schema = target.read_text(encoding="utf-8").splitlines()[0].partition("$schema=")[2]
    assert json.loads((tmp_path / schema).read_text(encoding="utf-8"))["title"] == "Scenario"
    checked = waxline("check", str(target))
    assert checked.exit_code == 0 and ": ok, " in checked.stdout
    again = waxline("copy", "oct-2025", str(target))
    assert again.exit_code == 2 and "is not overwritten: name another FILE" in again.stderr
    nowhere = waxline("copy", "oct-2025", str(tmp_path / "absent" / "x.yaml"))
    assert nowhere.exit_code == 2 and "does not exist: make it first" in nowhere.stderr


def test_check_names_every_mistake_and_ends_with_status_2(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(TEXT.replace("depth_usd: 3e8", "depht_usd: 3e8").replace("step_s: 1}", "stepp_s: 1}"), encoding="utf-8")
    text = waxline("check", str(file))
    assert text.exit_code == 2
    assert f"{file}:4: clock.stepp_s is not a known key, was 1: did you mean step_s?" in text.stderr
    assert "2 mistakes" in text.stderr
    found = json.loads(waxline("check", str(file), "--json").stdout)
    assert not found["ok"]
    assert [(problem["line"], problem["path"]) for problem in found["problems"]] == [
        (4, "clock.stepp_s"),
        (18, "markets[binance-perp-BTC].depht_usd"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "oct-2052"), "did you mean oct-2025?"),
        (("show", "absent.yaml"), "absent.yaml: no such file; names of the library are"),
        (("check", "oct-2025", "--set", "shock.nwes=off"), "finds no nwes in shock: did you mean news?"),
    ],
)
def test_a_wrong_name_or_override_ends_with_status_2(words: tuple[str, ...], says: str) -> None:
    ended = waxline(*words)
    assert ended.exit_code == 2 and says in ended.stderr


def test_the_printed_schema_is_json() -> None:
    assert json.loads(waxline("schema").stdout)["properties"]["clock"]["description"]
