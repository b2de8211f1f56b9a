"""The report is one whole file: every place is there, nothing is asked of the outside, and empty runs are said to be empty."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from synthetic_run import synthetic_run
from tiny_run import event, fact, tiny_run
from waxline.agents.whale import Whale
from waxline.analysis.facts import Judgement
from waxline.report.agreement import agreement
from waxline.report.before import before
from waxline.report.chain import LINKS
from waxline.report.closing import assumptions, limits, provenance
from waxline.report.document import page, render, sections_of, write_report
from waxline.report.drawing import drawing
from waxline.report.page import Section, Table, places
from waxline.report.view import View
from waxline.results.run_result import RunResult
from waxline.results.schema import empty_table

SECTIONS = (
    "headline",
    "news",
    "prices",
    "before",
    "waterfall",
    "loop",
    "causes",
    "contagion",
    "depth",
    "gaps",
    "slack",
    "losses",
    "buyers",
    "facts",
    "chain",
    "assumptions",
    "limitations",
    "provenance",
)
PLACES_OF_LINKS = {
    1: {"news"},
    2: {"balance-sheets"},
    3: {"delta"},
    4: {"slack-in-time"},
    5: {"calls"},
    6: {"collateral-sales"},
    7: {"kinds", "basis"},
    8: {"loop"},
    9: {"depth-in-time", "lowest-prints", "empty-books", "makers"},
    10: {"slack-before"},
    11: {"two-losses"},
    12: {"large-accounts"},
    13: {"resonance"},
    14: {"buyers"},
    15: {"venue-gaps", "claims"},
    16: {"deleveraging"},
    17: {"liquidation-map"},
}


class Page(HTMLParser):
    """Collect what a browser would look up: ids, references, tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            if key in ("src", "href", "xlink:href", "srcset", "data", "action", "poster", "background"):
                self.references.append(value or "")

    handle_startendtag = handle_starttag


def outside(text: str) -> list[str]:
    """Return every reference that a browser would ask somebody else for."""
    page = Page(text)
    found = [r for r in page.references if not r.startswith(("#", "data:image/png;base64,"))]
    found += [u for u in re.findall(r"url\(([^)]*)\)", text) if not u.startswith("#")]
    found += re.findall(r"@import[^;]*", text)
    found += re.findall(r"<\?xml-stylesheet|<!DOCTYPE svg[^>]*>|xmlns[^=]*=\"[^\"]*\"", text)
    return found + sorted(page.tags & {"script", "link", "iframe", "object", "embed", "base", "form"})


@pytest.fixture(scope="module")
def run() -> RunResult:
    return synthetic_run()


@pytest.fixture(scope="module")
def sections(run: RunResult) -> list[Section]:
    return sections_of(run)


@pytest.fixture(scope="module")
def text(run: RunResult, sections: list[Section]) -> str:
    return page(run, sections)


def test_a_report_asks_nobody_outside(text: str) -> None:
    assert outside(text) == []


@pytest.mark.parametrize(
    "leak",
    [
        '<img src="https://example.org/a.png">',
        '<a href="https://example.org">x</a>',
        "<style>@import 'x.css';</style>",
        "<style>b{background:url(//example.org/x)}</style>",
        "<script>1</script>",
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    ],
)
def test_a_leak_would_be_seen(text: str, leak: str) -> None:
    assert outside(text + leak) != []


def test_the_same_run_gives_the_same_bytes_whatever_a_users_matplotlibrc_says(run: RunResult, text: str, tmp_path: Path) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 30.0, "axes.grid": False, "svg.fonttype": "path", "text.parse_math": True}):
        write_report(run, tmp_path / "a.html")
        assert matplotlib.rcParams["font.size"] == 30.0
    assert (tmp_path / "a.html").read_bytes() == text.encode()
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]


def test_a_report_is_smaller_than_three_megabytes(text: str) -> None:
    assert 100_000 < len(text.encode()) < 3_000_000


def test_every_section_has_its_place(text: str) -> None:
    assert [name for name in SECTIONS if f'<section id="{name}">' not in text] == []
    assert text.count("How to read this.") == len(SECTIONS)


def test_every_reference_inside_the_page_leads_somewhere_and_no_place_is_there_twice(text: str) -> None:
    page = Page(re.sub(r"<svg.*?</svg>", "", text, flags=re.S))
    assert [r for r in page.references if r[1:] not in page.ids] == []
    assert len(page.ids) == len(set(page.ids))


def test_every_link_of_the_chain_is_seen_where_the_model_says(sections: list[Section]) -> None:
    found = {link: {anchor for anchor, _ in where} for link, where in places(sections).items()}
    assert found == PLACES_OF_LINKS
    assert [link.number for link in LINKS] == sorted(PLACES_OF_LINKS)


def test_the_table_of_the_chain_names_each_link_its_place_and_its_override(text: str) -> None:
    table = text[text.index('<section id="chain">') : text.index('<section id="assumptions">')]
    for link in LINKS:
        assert f">{link.number}</td>" in table
        for override in link.overrides:
            assert f"--set {override}" in table
        for anchor in PLACES_OF_LINKS[link.number]:
            assert f'href="#{anchor}"' in table


def test_every_override_of_the_chain_is_accepted_by_the_scenario() -> None:
    from waxline.scenario.files import load_scenario

    overrides = [override for link in LINKS for override in link.overrides if "[NAME]" not in override]
    load_scenario("oct-2025", overrides)


@pytest.mark.skipif("enabled" not in Whale.model_fields, reason="named whales cannot be switched one by one yet")
def test_one_named_whale_can_be_switched_off() -> None:
    from waxline.scenario.files import load_scenario

    load_scenario("oct-2025", ["whales.named[*]=off"])


def test_every_switch_of_the_scenario_that_removes_a_link_is_named_in_the_chain() -> None:
    from waxline.scenario.schema import Scenario

    linked = set(re.findall(r'"link": (\d+)', str(Scenario.model_json_schema()).replace("'", '"')))
    named = {str(link.number) for link in LINKS if link.overrides}
    assert linked - named == set()


def test_the_parts_of_every_row_of_the_cause_table_add_up_to_its_fall(sections: list[Section]) -> None:
    section = next(s for s in sections if s.anchor == "causes")
    table = next(b for b in section.blocks if isinstance(b, Table) and b.header[2].startswith("fall of mid"))
    assert len(table.rows) >= 5
    for row in table.rows:
        fall, parts = float(number(row[2])), [float(number(cell)) for cell in row[3:]]
        assert sum(parts) == pytest.approx(fall, abs=0.005 * (len(parts) + 1)), row[0]


def number(cell: object) -> str:
    return str(cell).replace("−", "-")


def test_figures_have_no_address_no_date_and_no_needless_id(text: str) -> None:
    for svg in re.findall(r'<svg class="fig".*?</svg>', text, flags=re.S):
        assert "metadata" not in svg and "DejaVu" not in svg
        ids = re.findall(r' id="([^"]*)"', svg)
        assert [i for i in ids if f"#{i}" not in svg] == []
        assert 'role="img"' in svg and 'aria-label="' in svg


def test_markup_in_names_is_shown_and_not_run(run: RunResult) -> None:
    evil = replace(run, manifest={**run.manifest, "scenario": "<script>alert(1)</script>", "replay": "waxline run '<b>'"})
    name = pl.when(pl.col("name") == "maker A").then(pl.lit("<img src=x>")).otherwise(pl.col("name")).alias("name")
    evil = replace(evil, named=run.named.with_columns(name))
    view = View(evil)
    with drawing():
        text = page(evil, [before(view), provenance(view)])
    assert outside(text) == []
    assert "<b>'" not in text and "<img" not in text and "&lt;img src=x&gt;" in text


# Empty states -------------------------------------------------------------------------------------------------------------


def blank(run: RunResult) -> RunResult:
    """Return the run without any table of events and accounts."""
    return replace(
        run,
        liquidations=empty_table("liquidations"),
        named=empty_table("named"),
        accounts=empty_table("accounts"),
        venues=empty_table("venues"),
        liquidation_map=empty_table("map"),
        slack=empty_table("slack"),
        baseline=None,
        ledger={},
        summary={},
        scenario_yaml="",
    )


def test_a_run_without_tables_has_every_section_and_every_link(run: RunResult) -> None:
    empty = blank(run)
    sections = sections_of(empty)
    text = page(empty, sections)
    assert tuple(s.anchor for s in sections) == SECTIONS
    assert set(places(sections)) == set(PLACES_OF_LINKS)
    assert "Nobody was liquidated in this run." in text and "no twin with feedback switched off" in text
    assert outside(text) == []


def not_numbers(text: str) -> list[str]:
    """Return what a reader would see instead of a number."""
    return re.findall(r"[>\s](?:nan|inf|-inf|None)(?= ?[%<])", text)


def test_one_calm_market_and_nothing_else_makes_a_report() -> None:
    text = render(tiny_run({"binance-spot-BTC": 100.0}))
    assert "Nobody was liquidated in this run." in text and not_numbers(text) == []


def test_one_market_one_account_and_one_liquidation_make_a_report() -> None:
    crash = {0: 100.0, 60: 50.0, 120: 80.0}
    text = render(tiny_run({"binance-perp-XYZ": crash}, events=[event(65, "binance-perp-XYZ", "close_in_book", 1e6)]))
    assert "1.00 M USD" in text


@pytest.mark.slow
def test_markets_that_never_trade_and_have_no_mid_make_a_report(run: RunResult) -> None:
    none = np.full_like(run.mid_usd, np.nan)
    text = render(replace(run, mid_usd=none, close_usd=none, low_usd=none, high_usd=none, mark_usd=none))
    assert not_numbers(text) == []


@pytest.mark.slow
def test_a_run_that_ends_before_the_news_makes_a_report(run: RunResult) -> None:
    rows, bins = 300, 30
    short = {
        name: getattr(run, name)[:, :rows] for name in ("mid_usd", "close_usd", "low_usd", "high_usd", "mark_usd", "fair_usd")
    } | {
        name: getattr(run, name)[:, :bins]
        for name in (
            "bid_depth_usd", "ask_depth_usd", "spread_bps", "volume_usd", "open_interest", "empty_bid_s", "buyer_cash_usd",
            "maker_quote_frac", "cause_dlog", "cause_sold_usd", "cause_bought_usd",
        )
    }  # fmt: skip
    tables = {name: getattr(run, name).filter(pl.col("t_s") <= -300) for name in ("liquidations", "named", "venues")}
    text = render(replace(run, t_s=run.t_s[:rows], bin_t_s=run.bin_t_s[:bins], **short, **tables))
    assert len(text) > 50_000


# Facts and assumptions ----------------------------------------------------------------------------------------------------


def test_facts_carry_their_verdict_as_sign_and_word_and_their_source_as_text(run: RunResult) -> None:
    known = fact("drawdown", "binance-spot-BTC", value=0.1, low=0.05, high=0.2, source="https://example.org/paper")
    judged = [
        Judgement(known, 0.12, 0.12, 0.12, "inside", None),
        Judgement(known.model_copy(update={"id": "y"}), 0.5, 0.4, 0.6, "outside", None),
        Judgement(known.model_copy(update={"id": "z"}), None, None, None, "not measured", "there is no such market"),
    ]
    text = page(run, [agreement(View(run), judged)])
    assert all(words in text for words in ("✓ inside", "✗ outside", "○ not measured", "there is no such market", "1 of 3"))
    assert "https://example.org/paper" in text and outside(text) == []


def test_facts_shipped_for_the_scenario_are_measured_without_being_asked_for(run: RunResult) -> None:
    text = page(run, [agreement(View(replace(run, manifest={**run.manifest, "scenario": "oct-2025"})))])
    assert "drawdown-binance-perp-btc" in text


def test_assumptions_come_from_the_scenario_and_the_manifest(run: RunResult) -> None:
    scenario = (
        "name: x\nis_not: >-\n  Not a record\n  of anything.\nsources:\n"
        '  A-one: "assumed: because; range 1-2"\n  P-two: "published"\n'
        "assets:\n- {source: A-one}\n- {source: A-one}\n"
    )
    declared = {"path": "makers.kappa", "value": 0.3, "unit": "1/s", "range": [0.0, 10.0], "meaning": "speed", "source": "assumed"}
    view = View(replace(run, scenario_yaml=scenario, manifest={**run.manifest, "assumptions": [declared]}))
    part = page(run, [assumptions(view), limits(view)])
    assert "because; range 1-2" in part and "P-two" not in part
    assert "<td>2</td>" in part
    assert "makers.kappa" in part and "0 to 10" in part
    assert "Not a record of anything." in part
