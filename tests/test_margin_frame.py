"""Margin from tables to a table: the kernels give, for every venue's rule file, what the calculator of single accounts gives."""

from __future__ import annotations

import doctest
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from waxline.errors import ScenarioError
from waxline.rulebook import margin_frame as module
from waxline.rulebook.margin import margin_tables
from waxline.rulebook.margin_frame import margin_frame

PRICES = pl.DataFrame({"asset": ["BTC", "ETH", "SOL"], "price_usd": [101_000.0, 4_000.0, 207.0], "collateral_price_usd": [None, None, 205.0]})
EVERYWHERE = [
    ("binance", "cross", "USDT", [], "venue"),
    ("binance", "multi_assets", "USDT", ["BTC", "ETH", "SOL"], "venue"),
    ("binance", "portfolio", "USDT", ["BTC", "ETH", "SOL"], "venue"),
    ("bybit", "unified", "USDT", ["BTC"], "rate"),
    ("okx", "multi_currency", "USDT", ["BTC"], "rate"),
    ("hyperliquid", "cross", "USDC", [], "rate"),
    ("dydx", "cross", "USDC", [], "rate"),
]


def random_tables(cash: str, coins: list[str], tiers: str, size: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return positions and balances of accounts a0, a1, ...: some without either, in debt, with several legs of one coin."""
    rng = np.random.Generator(np.random.PCG64(seed))
    owner = rng.integers(0, size, 3 * size)
    asset = rng.integers(0, 3, owner.size)
    price = PRICES["price_usd"].to_numpy()[asset]
    positions = pl.DataFrame(
        {
            "account": [f"a{n}" for n in owner],
            "asset": PRICES["asset"].to_numpy()[asset],
            "side": np.where(rng.random(owner.size) < 0.5, "long", "short"),
            "quantity": np.exp(rng.normal(10.0, 2.5, owner.size)) / price,
            "entry_usd": price * rng.uniform(0.7, 1.3, owner.size),
        }
    )
    if tiers == "rate":
        positions = positions.with_columns(rate=pl.lit(0.02), deduction=pl.lit(50.0))
    holder = rng.integers(0, size, 2 * size)
    held = rng.choice([cash, *coins], holder.size)
    worth = {cash: 1.0, **dict(zip(PRICES["asset"], PRICES["price_usd"], strict=True))}
    amount = np.exp(rng.normal(10.0, 2.0, holder.size)) * rng.choice([-0.3, 1.0, 1.0], holder.size) / np.array([worth[one] for one in held])
    return positions, pl.DataFrame({"account": [f"a{n}" for n in holder], "asset": held, "quantity": amount})


@pytest.mark.parametrize(("venue", "regime", "cash", "coins", "tiers"), EVERYWHERE, ids=lambda one: str(one))
def test_the_table_has_what_single_accounts_have(venue: str, regime: str, cash: str, coins: list[str], tiers: str) -> None:
    positions, balances = random_tables(cash, coins, tiers, 30, 7)
    wanted = margin_tables(venue, positions, balances, PRICES, regime)
    got = margin_frame(venue, positions, balances, PRICES, regime)
    both = wanted.accounts.join(got, on="account", suffix="_frame")
    assert both.height == wanted.accounts.height == got.height
    for name in ("equity_usd", "maintenance_usd", "distance_usd"):
        assert both[f"{name}_frame"].to_list() == pytest.approx(both[name].to_list(), rel=1e-9, abs=1e-6), name
    assert both["liquidated"].to_list() == (both["state"] == "liquidated").to_list()
    legs = wanted.legs.filter(pl.col("distance_frac").is_not_null()).sort(pl.col("distance_frac").abs(), maintain_order=True).unique("account", keep="first")
    near = got.filter(pl.col("liquidation_price_usd").is_not_null()).join(legs, on="account", suffix="_leg")
    assert near.height == legs.height
    assert near["liquidation_price_usd"].to_list() == pytest.approx(near["liquidation_price_usd_leg"].to_list(), rel=1e-12)


def test_isolated_positions_are_accounts_of_their_own_and_contracts_pay_in_coins() -> None:
    positions = pl.DataFrame(
        {
            "account": ["ann", "ann", "bob"],
            "asset": ["BTC", "ETH", "BTC"],
            "side": ["long", "short", "short"],
            "quantity": [1.0, 10.0, 60_000.0],
            "entry_usd": [100_000.0, 4_100.0, 99_000.0],
            "leverage": [20.0, 10.0, 10.0],
            "rate": [0.005, 0.01, 0.005],
            "inverse": [False, False, True],
        }
    )
    for venue in ("binance", "bybit", "okx"):
        wanted, got = margin_tables(venue, positions, None, PRICES, "isolated").accounts, margin_frame(venue, positions, None, PRICES, "isolated")
        assert got["account"].to_list() == wanted["account"].to_list() == ["ann/BTC#1", "ann/ETH#2", "bob/BTC"]
        for name in ("equity_usd", "maintenance_usd", "distance_usd"):
            assert got[name].to_list() == pytest.approx(wanted[name].to_list(), rel=1e-9), (venue, name)


@pytest.mark.parametrize(("venue", "regime", "cash"), [("aave", "pool", "USDC"), ("binance", "cross_margin", "USDT"), ("binance", "loan", "USDT")])
def test_loans_are_measured_as_the_venue_measures_them(venue: str, regime: str, cash: str) -> None:
    balances = pl.DataFrame(
        {"account": ["ann", "ann", "bob", "bob", "eve"], "asset": ["ETH", cash, "ETH", cash, "ETH"], "quantity": [10.0, -20e3, 10.0, -39e3, 1.0]}
    )
    wanted, got = margin_tables(venue, None, balances, PRICES, regime).accounts, margin_frame(venue, None, balances, PRICES, regime)
    for name in ("equity_usd", "maintenance_usd", "distance_usd"):
        assert got[name].to_list() == pytest.approx(wanted[name].to_list(), rel=1e-9), name
    assert got["liquidated"].to_list() == [False, True, False]


def test_a_ratio_given_with_a_balance_holds_for_all_of_it() -> None:
    balances = pl.DataFrame({"account": ["ann"] * 3, "asset": ["SOL", "SOL", "USDT"], "quantity": [60.0, 40.0, -1_000.0], "ratio": [0.5, None, None]})
    got = margin_frame("binance", None, balances, PRICES, "portfolio")
    assert got["equity_usd"].to_list() == pytest.approx([0.5 * 100 * 205 - 1_000])


GOOD = {
    "positions": pl.DataFrame({"account": ["ann"], "asset": ["BTC"], "quantity": [1.0], "entry_usd": [100_000.0]}),
    "balances": pl.DataFrame({"account": ["ann"], "asset": ["USDT"], "quantity": [20_000.0]}),
    "prices": PRICES,
}


def with_column(name: str, column: str, value: object) -> dict[str, pl.DataFrame]:
    return {**GOOD, name: GOOD[name].with_columns(pl.lit(value).alias(column))}


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({**GOOD, "prices": PRICES.tail(2)}, r"account ann: .*needs prices_usd.BTC"),
        (with_column("positions", "asset", "SOLL"), r"account ann: .*SOLL"),
        (with_column("positions", "side", "up"), r"account ann: .*side"),
        (with_column("positions", "rate", 5.0), r"account ann: .*rate must be in \[0, 1\] \(fraction\), was 5"),
        (with_column("positions", "entry_usd", 0.0), r"account ann: .*entry_usd must be in"),
        (with_column("positions", "leverage", 500.0), r"account ann: .*leverage must not be above the venue's 150 for BTC"),
        (with_column("balances", "asset", "SOL"), r"account ann: balances.SOL does not count in the regime cross"),
        (with_column("balances", "quantity", float("nan")), r"account ann: .*balances.USDT"),
        (with_column("balances", "quantity", "many"), "balances: a column does not hold what it must"),
        (with_column("prices", "price_usd", -1.0), "prices: BTC: price_usd must be above 0"),
        (with_column("positions", "colour", 1.0), "positions: colour is not a known column"),
        ({**GOOD, "positions": GOOD["positions"].drop("entry_usd")}, "positions: has no column entry_usd"),
        ({**GOOD, "positions": GOOD["positions"].with_columns(quantity=pl.lit(None, pl.Float64))}, "positions: quantity is missing in 1 row"),
    ],
)
def test_bad_tables_are_refused_with_account_and_field(tables: dict[str, pl.DataFrame], says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        margin_frame("binance", **tables, regime="cross")


def test_a_table_of_another_kind_comes_back_as_it_came() -> None:
    class Frame:
        """A table as pandas has it: columns, and a column by its name."""

        def __init__(self, data: dict[str, list[object]]) -> None:
            self.data = data
            self.columns = list(data)

        def __getitem__(self, name: str) -> list[object]:
            return self.data[name]

    found = margin_frame("binance", *(Frame(table.to_dict(as_series=False)) for table in GOOD.values()), regime="cross")
    assert isinstance(found, Frame)
    assert found["equity_usd"] == margin_frame("binance", **GOOD, regime="cross")["equity_usd"].to_list()


def test_the_example_in_the_docstring_is_what_comes_out() -> None:
    assert isinstance(module, ModuleType)
    assert doctest.testmod(module).failed == 0 < doctest.testmod(module).attempted


def test_many_accounts_are_valued_without_their_liquidation_prices() -> None:
    positions, balances = random_tables("USDT", ["ETH"], "venue", 20_000, 3)
    found = margin_frame("binance", positions, balances, PRICES, "portfolio", with_liquidation_prices=False)
    assert found.columns == ["account", "equity_usd", "maintenance_usd", "distance_usd", "liquidated"]
    assert found.height > 15_000
    sample = found.filter(pl.col("account").is_in(["a1", "a20", "a300"]))
    few = [table.filter(pl.col("account").is_in(sample["account"].to_list())) for table in (positions, balances)]
    alone = margin_tables("binance", *few, PRICES, "portfolio").accounts.join(sample, on="account", suffix="_frame")
    assert alone["distance_usd_frame"].to_list() == pytest.approx(alone["distance_usd"].to_list(), rel=1e-9)
