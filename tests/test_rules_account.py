"""The margin calculator: equity, requirement, prices per leg, what goes first; as a command and with tables."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from conftest import ROOT
from rule_tables import check_table
from waxline.cli import main
from waxline.errors import ScenarioError
from waxline.rulebook.account import Account, crossing, value
from waxline.rulebook.account_file import AccountFile, account_of
from waxline.rulebook.margin import Margin, margin_of, margin_tables
from waxline.scenario.problems import ScenarioProblems

runner = CliRunner()


def account(venue: str, regime: str | None = None, **data: object) -> Account:
    return account_of(AccountFile.model_validate(data), venue, regime)


def only(answers: list[Margin]) -> Margin:
    (answer,) = answers
    return answer


def test_the_two_legs_of_binances_own_help_page_have_its_liquidation_prices() -> None:
    legs = [
        {"asset": "BTC", "quantity": 109.488, "entry_usd": 32481.98, "rate": 0.025, "deduction": 16300},
        {"asset": "ETH", "quantity": 3683.979, "entry_usd": 1456.84, "rate": 0.1, "deduction": 135365},
    ]
    answer = only(margin_of(account("binance", balances={"USDT": 1535443.01}, positions=legs, prices_usd={"BTC": 31967.27, "ETH": 1335.18})))
    by_asset = {leg.asset: leg for leg in answer.legs if leg.kind == "perp"}
    assert by_asset["BTC"].liquidation_price_usd == pytest.approx(26316.89, abs=0.005)
    assert by_asset["ETH"].liquidation_price_usd == pytest.approx(1153.26, abs=0.005)


def test_isolated_positions_at_venues_that_differ_in_their_basis() -> None:
    def leg(venue: str, side: str, quantity: float, entry: float, leverage: float, rate: float, contract: str) -> dict[str, object]:
        row = {"asset": "BTC", "side": side, "quantity": quantity, "entry_usd": entry, "leverage": leverage, "rate": rate, "inverse": contract == "inverse"}
        found = only(margin_of(account(venue, "isolated", positions=[row], prices_usd={"BTC": entry}))).legs[0]
        return {"liquidation": found.liquidation_price_usd, "bankruptcy": found.bankruptcy_price_usd}

    check_table(
        """
        venue        side   quantity  entry  leverage  rate   contract  |  liquidation    bankruptcy
        binance      long   1         20000  50        0.005  linear    |  19698.492462   19600
        bybit        long   1         20000  50        0.005  linear    |  19700          19600
        bybit        short  60000     50000  10        0.005  inverse   |  55248.618785   55555.555556
        okx          long   1         20000  50        0.005  linear    |  19708.396179   19600
        hyperliquid  short  1         20000  50        0.01   linear    |  20198.019802   20400
        """,
        leg,
        relative=1e-8,
    )


def test_pledged_coins_and_their_perps_fall_together() -> None:
    data = {"balances": {"USDT": -100_000, "SOL": 1_000}, "positions": [{"asset": "SOL", "quantity": 500, "entry_usd": 210}], "prices_usd": {"SOL": 207.1}}
    together = only(margin_of(account("binance", "portfolio", **data)))
    alone = only(margin_of(account("binance", "portfolio", **{**data, "positions": []})))
    prices = [next(leg for leg in one.legs if leg.kind == "collateral").liquidation_price_usd for one in (together, alone)]
    assert prices[0] is not None and prices[1] is not None and prices[0] > prices[1]
    assert together.worth.debt > 100_000, "a loss of the perp is borrowed as well"
    assert together.worth.collateral == pytest.approx(0.9 * 1_000 * 207.1)


def test_accounts_at_a_price_are_worth_what_the_rules_say() -> None:
    def outcome(venue: str, regime: str, usd: float, coins: float, perp: float, entry: float, rate: float, price: float) -> dict[str, object]:
        settle = {"hyperliquid": "USDC", "dydx": "USDC", "aave": "USDC"}.get(venue, "USDT")
        balances = {key: amount for key, amount in ((settle, usd), ("ETH", coins)) if amount}
        leg = {"asset": "ETH", "side": "long" if perp > 0.0 else "short", "quantity": abs(perp), "entry_usd": entry, "rate": rate}
        found = only(margin_of(account(venue, regime, balances=balances, positions=[leg] if perp else [], prices_usd={"ETH": price})))
        state = "liquidated" if found.state == "liquidated" else "open"
        return {"equity": found.worth.equity, "needed": found.worth.maintenance, "distance": found.worth.slack, "state": state}

    check_table(
        """
        venue        regime        usd      coins  perp  entry  rate  price  |  equity   needed  distance  state
        binance      cross         5,000    0      10    4,000  1%    3,600  |  1,000    360     640       open
        binance      cross         5,000    0      10    4,000  1%    3,535  |  350      353.5   -3.5      liquidated
        binance      cross         5,000    0      -10   4,000  1%    4,450  |  500      445     55        open
        # ETH counts 95 %, the loan in full, and 10 % of the loan is maintenance; the line is at 1.05
        binance      portfolio     -30,000  10     0     1      0%    4,000  |  8,000    3,000   4,850     open
        # profit of the perp repays the loan, loss of it is borrowed
        binance      portfolio     -30,000  10     5     3,000  1%    4,000  |  13,000   2,700   10,165    open
        binance      portfolio     -30,000  10     5     4,000  1%    3,500  |  750      3,425   -2846.25  liquidated
        hyperliquid  cross         1,000    0      1     4,000  2%    3,062  |  62       61.24   0.76      open
        # pools: 83 % of ETH against the debt
        aave         pool          -32,000  10     0     1      0%    4,000  |  1,200    0       1,200     open
        aave         pool          -32,000  10     0     1      0%    3,800  |  -460     0       -460      liquidated
        # spot margin: assets over 1.1 times the debt
        binance      cross_margin  -36,000  10     0     1      0%    4,000  |  4,000    0       400       open
        """,
        outcome,
    )


def test_what_each_venue_takes_first() -> None:
    def first(venue: str, regime: str, usd: float, coins: float, quantity: float, price: float) -> dict[str, object]:
        settle = {"hyperliquid": "USDC", "dydx": "USDC", "aave": "USDC"}.get(venue, "USDT")
        balances = {key: amount for key, amount in ((settle, usd), ("ETH", coins)) if amount}
        positions = [{"asset": "ETH", "quantity": quantity, "entry_usd": 4000}] if quantity else []
        step = only(margin_of(account(venue, regime, balances=balances, positions=positions, prices_usd={"ETH": price}))).first[0]
        return {"action": step.action.split()[0], "coins": step.quantity}

    check_table(
        """
        venue        regime        usd      coins  quantity  price  |  action  coins
        # 20 % of a large position, all of a small one; below 2/3 of maintenance the vault has it
        hyperliquid  cross         10,000   0      100       3,955  |  close   20
        hyperliquid  cross         500      0      10        4,025  |  close   10
        hyperliquid  cross         10,000   0      100       3,905  |  taken   100
        # 10 % of the position, at least 1,000 USD
        dydx         cross         2,000    0      40        3,980  |  close   4
        # half of the debt, or all of it when health is 0.95 or less
        aave         pool          -34,000  10     0         4,000  |  seized  4.4625
        aave         pool          -36,000  10     0         4,000  |  seized  9.45
        # spot margin is sold until assets are 1.5 times the debt
        binance      cross_margin  -37,000  10     0         4,000  |  sell    7.75
        binance      loan          -34,000  10     0         4,000  |  sell    5.7142857143
        """,
        first,
    )


def test_a_close_out_to_compliance_leaves_equity_at_maintenance() -> None:
    held = account("binance", balances={"USDT": 60_000}, positions=[{"asset": "BTC", "quantity": 100, "entry_usd": 100_000}], prices_usd={"BTC": 101_000})
    before = value(held)
    assert before.slack > 0.0
    fallen = replace(held, prices={"BTC": 100_270.0})
    step = only(margin_of(fallen)).first[0]
    assert 0.0 < step.quantity < 100.0
    position = fallen.positions[0]
    left = replace(position, quantity=100.0 - step.quantity)
    realised = position.profit(100_270.0) - left.profit(100_270.0) - 0.005 * step.value_usd
    after = value(replace(fallen, positions=(left,), balances={"USDT": 60_000 + realised}))
    assert after.slack == pytest.approx(0.0, abs=1e-3)


@given(
    quantity=st.floats(-200.0, 200.0).filter(lambda q: abs(q) > 0.01),
    hedge=st.floats(-2000.0, 2000.0),
    coins=st.floats(0.0, 5000.0),
    usd=st.floats(-2e6, 5e6),
)
def test_at_every_liquidation_price_the_account_meets_its_line_and_not_before(quantity: float, hedge: float, coins: float, usd: float) -> None:
    legs = [
        {"asset": "BTC", "side": "long" if quantity > 0 else "short", "quantity": abs(quantity), "entry_usd": 100_000},
        {"asset": "SOL", "side": "long" if hedge > 0 else "short", "quantity": abs(hedge), "entry_usd": 200},
    ]
    held = account("binance", "portfolio", balances={"USDT": usd, "SOL": coins}, positions=legs, prices_usd={"BTC": 101_000, "SOL": 207})
    scale = abs(usd) + 207 * (coins + abs(hedge)) + 101_000 * abs(quantity)
    for asset, side in (("BTC", math.copysign(1.0, quantity)), ("SOL", 1.0)):
        price = crossing(held, asset, side)
        if price is None:
            continue
        assert value(held, {asset: price}).slack == pytest.approx(0.0, abs=1e-6 * max(scale, scale * price / held.prices[asset]))
        start = held.prices[asset]
        for part in (0.1, 0.5, 0.9, 0.999):
            between = value(held, {asset: start + part * (price - start)}).slack
            assert (between > 0.0) == (value(held).slack > 0.0) or abs(between) < 1e-6 * scale


def test_an_account_past_its_line_is_liquidated_and_says_what_goes_now() -> None:
    answer = only(
        margin_of(account("binance", balances={"USDT": 100}, positions=[{"asset": "DOGE", "quantity": 100_000, "entry_usd": 0.24}], prices_usd={"DOGE": 0.235}))
    )
    assert answer.state == "liquidated"
    assert answer.step_price_usd is None
    assert answer.first


def test_soft_lines_are_named() -> None:
    def state(debt: float) -> str:
        return only(margin_of(account("binance", "cross_margin", balances={"USDT": -debt, "ETH": 10}, prices_usd={"ETH": 4000}))).state

    assert state(10_000) == "safe"
    assert state(25_000) == "no transfers out"
    assert state(32_000) == "margin call"
    assert state(37_000) == "liquidated"


ACCOUNT = """venue: binance
regime: portfolio
balances: {USDT: -1000, SOL: 100}
positions:
  - {asset: BTC, quantity: 0.01, entry_usd: 100000}
prices_usd: {SOL: 207, BTC: 101000}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("SOL: 207, ", "", 3, "balances.SOL needs prices_usd.SOL, was missing"),
        (", BTC: 101000", "", 5, r"positions\[0\] needs prices_usd.BTC, was missing"),
        ("asset: BTC", "asset: BTX", 5, r"positions\[0\].asset has no maintenance tiers in the rules of binance, was BTX: give rate"),
        ("SOL: 100", "SOLL: 100", 3, "balances.SOLL has no collateral ratio in the rules of binance"),
        ("SOL: 207", "SOL: -207", 6, r"prices_usd.SOL must be above 0 \(USD\), was -207"),
        ("entry_usd: 100000", "entry_usd: 100000, rate: 5", 5, r"positions\[0\].rate must be in \[0, 1\] \(fraction\), was 5: give a fraction"),
        ("quantity: 0.01", "quantity: 0.01, leverage: 500", 5, r"positions\[0\].leverage must not be above the venue's 150 for BTC, was 500"),
        (
            "quantity: 0.01",
            "quantity: 0.01, rate: 0.5, leverage: 10",
            5,
            r"positions\[0\].leverage initial margin, 1 / leverage, must not be below .* 0.5, was 10",
        ),
        ("regime: portfolio", "regime: portfolo", 2, "regime must be a regime of binance, was portfolo: did you mean portfolio"),
        ("venue: binance", "venue: binanse", 1, "venue must be a venue that has a rule file, was binanse: did you mean binance"),
        ("SOL: 207", "SOL: .nan", 6, "prices_usd.SOL must be a finite number \\(USD\\), was nan"),
        ("prices_usd", "ratios: {SOL: 1.5}\nprices_usd", 6, r"ratios.SOL must be in \[0, 1\], was 1.5"),
        ("regime: portfolio", "regime: cross", 3, "balances.SOL does not count in the regime cross, which is margined in USDT"),
        ("prices_usd", "price_usd", 6, "price_usd is not a known key, was a section: did you mean prices_usd"),
    ],
)
def test_bad_accounts_are_refused_with_file_line_and_field(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    path = tmp_path / "account.yaml"
    assert old in ACCOUNT
    path.write_text(ACCOUNT.replace(old, new))
    result = runner.invoke(main.app, ["margin", str(path)])
    assert result.exit_code == 2
    import re

    assert re.search(says, result.stderr), result.stderr
    assert not line or f"account.yaml:{line}: " in result.stderr, result.stderr


def test_the_command_shows_the_example_that_comes_along() -> None:
    example = ROOT / "examples" / "account.yaml"
    shown = runner.invoke(main.app, ["margin", str(example)])
    assert shown.exit_code == 0, shown.stderr
    assert "Binance, portfolio, rules of 2025-10-09: safe" in shown.stdout
    assert "SOL perp long" in shown.stdout and "sell in spot to repay the debt" in shown.stdout
    (answer,) = json.loads(runner.invoke(main.app, ["margin", str(example), "--json"]).stdout)
    assert answer["distance_usd"] == pytest.approx(answer["equity_usd"] - 1.05 * answer["maintenance_usd"])
    other = runner.invoke(main.app, ["margin", str(example), "--venue", "okx"])
    assert other.exit_code == 2 and "okx" in other.stderr


def test_tables_in_and_tables_out_give_what_single_accounts_give() -> None:
    positions = pl.DataFrame(
        {
            "account": ["a", "b", "b"],
            "asset": ["BTC", "BTC", "ETH"],
            "side": ["long", "short", "long"],
            "quantity": [1.0, 2.0, 30.0],
            "entry_usd": [100e3, 99e3, 3900.0],
        }
    )
    balances = pl.DataFrame({"account": ["a", "b"], "asset": ["USDT", "USDT"], "quantity": [20e3, 50e3]})
    prices = pl.DataFrame({"asset": ["BTC", "ETH"], "price_usd": [101e3, 4000.0]})
    tables = margin_tables("binance", positions, balances, prices, regime="cross")
    assert tables.accounts["account"].to_list() == ["a", "b"]
    alone = only(
        margin_of(
            account("binance", "cross", balances={"USDT": 20e3}, positions=[{"asset": "BTC", "quantity": 1, "entry_usd": 100e3}], prices_usd={"BTC": 101e3})
        )
    )
    mine = tables.legs.filter((pl.col("account") == "a") & (pl.col("kind") == "perp"))
    assert mine["liquidation_price_usd"].to_list() == [alone.legs[0].liquidation_price_usd]
    assert set(tables.first_steps["account"]) <= {"a", "b"}
    with pytest.raises(ScenarioError, match="positions: has no column entry_usd"):
        margin_tables("binance", positions.drop("entry_usd"), balances, prices)
    with pytest.raises(ScenarioError, match=r"account b: .*needs prices_usd.ETH"):
        margin_tables("binance", positions, balances, prices.head(1), regime="cross")


def test_a_missing_venue_is_asked_for() -> None:
    with pytest.raises(ScenarioProblems, match="venue is required"):
        account_of(AccountFile())
