"""Margin of many accounts at once: tables in, a table out, by the kernels of `waxline.accounts.margin_book` and a venue's rule file."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.accounts.margin_book import DEBTS, LOANS, MAINTENANCE, Balances, BookRules, Legs, Prices, mixed_book, slack_of, values_by_account
from waxline.accounts.rules_tiers import deductions
from waxline.errors import ScenarioError
from waxline.limits import ACCOUNTS
from waxline.rulebook.account import is_liquidated_at
from waxline.rulebook.margin import account_from_rows, nearest_leg
from waxline.scenario.venue_rules import Basis, CollateralBands, Measure, Regime, RegimeRules, VenueRules, venue_rules

MEASURES = {
    Measure.EQUITY_TO_MAINTENANCE: MAINTENANCE,
    Measure.ASSETS_TO_DEBTS: DEBTS,
    Measure.HEALTH_FACTOR: DEBTS,
    Measure.DEBT_TO_COLLATERAL: LOANS,
}
POSITIONS: dict[str, Any] = {
    "account": pl.String,
    "asset": pl.String,
    "side": pl.String,
    "quantity": pl.Float64,
    "entry_usd": pl.Float64,
    "margin": pl.Float64,
    "leverage": pl.Float64,
    "inverse": pl.Boolean,
    "tiers": pl.String,
    "rate": pl.Float64,
    "deduction": pl.Float64,
}
BALANCES: dict[str, Any] = {"account": pl.String, "asset": pl.String, "quantity": pl.Float64, "ratio": pl.Float64}
PRICES: dict[str, Any] = {"asset": pl.String, "price_usd": pl.Float64, "collateral_price_usd": pl.Float64}
DEFAULTS: dict[str, Any] = {"side": "long", "inverse": False, "deduction": 0.0}
NEEDED = {"positions": ("account", "asset", "quantity", "entry_usd"), "balances": ("account", "asset", "quantity"), "prices": ("asset", "price_usd")}
Numbers = NDArray[Any]


def margin_frame(
    venue: str, positions: Any = None, balances: Any = None, prices: Any = None, regime: str | None = None, with_liquidation_prices: bool = True
) -> Any:
    """Return equity, maintenance, distance and liquidation price of every account, as a table of the kind that came in (polars or pandas).

    positions: account, asset, quantity (coins; USD of coin-margined contracts), entry_usd, and where needed side, margin, leverage, inverse, tiers,
    rate, deduction; balances: account, asset, quantity (negative: borrowed) and where needed ratio; prices: asset, price_usd and where needed
    collateral_price_usd. One row per account, under an isolated regime per position: account, equity_usd, maintenance_usd, distance_usd (at zero or
    below: at its line), liquidated; and, unless `with_liquidation_prices` is false (they are worked out one account at a time and take most of the time),
    the leg whose liquidation price is nearest: nearest_asset, liquidation_price_usd, liquidation_distance_frac. Raises ScenarioError naming account and
    field, LimitError.

    >>> import polars as pl
    >>> from waxline.rulebook.margin_frame import margin_frame
    >>> positions = pl.DataFrame({"account": ["ann"], "asset": ["BTC"], "quantity": [2.0], "entry_usd": [100_000.0]})
    >>> balances = pl.DataFrame({"account": ["ann"], "asset": ["USDT"], "quantity": [20_000.0]})
    >>> prices = pl.DataFrame({"asset": ["BTC"], "price_usd": [95_000.0]})
    >>> [one] = margin_frame("binance", positions, balances, prices, regime="cross").to_dicts()
    >>> one["equity_usd"], round(one["maintenance_usd"], 2), one["liquidated"]
    (10000.0, 760.0, False)
    """
    rules = venue_rules(venue)
    regime_rules = rules.regime(regime)
    given = positions if positions is not None else balances
    held, owned, at = _table(positions, "positions", POSITIONS), _table(balances, "balances", BALANCES), _table(prices, "prices", PRICES)
    at = at.with_columns(pl.col("collateral_price_usd").fill_null(pl.col("price_usd"))).unique("asset", keep="last", maintain_order=True)
    _refuse(rules, regime_rules, held, owned, at, venue, regime)
    held, owned = held.filter(pl.col("quantity") > 0.0), _summed(owned)
    _refuse_contracts_with_ratios(held, owned)
    if regime_rules.regime is Regime.ISOLATED:
        held, owned = _isolated(held, regime_rules)
    names = pl.concat([owned["account"], held["account"]]).unique(maintain_order=True)
    ACCOUNTS.check(names.len(), "margin_frame")
    book_rules, columns, book_prices = _columns(rules, regime_rules, held, owned, at, names)
    backing, owed = values_by_account(mixed_book(names.len(), *columns, book_rules), book_prices)
    is_maintenance = book_rules.measure == MAINTENANCE
    found = pl.DataFrame(
        {
            "account": names,
            "equity_usd": backing if is_maintenance else backing - owed,
            "maintenance_usd": owed if is_maintenance else np.zeros(names.len()),
            "distance_usd": slack_of(book_rules, backing, owed),
        }
    )
    slack = found["distance_usd"].to_numpy()
    hit = is_liquidated_at(slack, np.abs(backing) + owed, regime_rules.at_equality) & ((owed > 0.0) | (backing < 0.0))
    found = found.with_columns(liquidated=pl.Series(hit))
    if with_liquidation_prices:
        found = pl.concat([found, _nearest(found["account"].to_list(), held, owned, at, venue, regime_rules)], how="horizontal")
    return found if given is None or isinstance(given, pl.DataFrame) else type(given)(found.to_dict(as_series=False))


def _table(table: Any, name: str, columns: dict[str, Any]) -> pl.DataFrame:
    """Return a table with all columns it may have, absent ones empty or with their default."""
    if table is None:
        return pl.DataFrame(schema=columns)
    for column in NEEDED[name]:
        if column not in table.columns:
            raise ScenarioError(f"{name}: has no column {column}: it needs {', '.join(NEEDED[name])}")
    for column in table.columns:
        if column not in columns:
            raise ScenarioError(f"{name}: {column} is not a known column: one of {', '.join(columns)}")
    frame = table if isinstance(table, pl.DataFrame) else pl.DataFrame({str(key): list(table[key]) for key in table.columns})
    try:
        found = frame.select([pl.col(key).cast(kind) if key in frame.columns else pl.lit(None, kind).alias(key) for key, kind in columns.items()])
    except pl.exceptions.PolarsError as error:
        raise ScenarioError(f"{name}: a column does not hold what it must: {error}") from error
    for column in NEEDED[name]:
        if (empty := found[column].null_count()) > 0:
            raise ScenarioError(f"{name}: {column} is missing in {empty} row(s)")
    return found.with_columns([pl.col(key).fill_null(value) for key, value in DEFAULTS.items() if key in columns])


def _refuse(rules: VenueRules, regime: RegimeRules, held: pl.DataFrame, owned: pl.DataFrame, at: pl.DataFrame, venue: str, name: str | None) -> None:
    """Raise what the reader of single accounts says of the first account that it might refuse."""
    priced = at.filter(pl.col("price_usd").is_finite() & (pl.col("price_usd") > 0.0) & (pl.col("collateral_price_usd") > 0.0))["asset"].to_list()
    if len(priced) < at.height:
        bad = at.filter(~pl.col("asset").is_in(priced))
        raise ScenarioError(f"prices: {bad['asset'][0]}: price_usd must be above 0 (USD), was {bad['price_usd'][0]}: give the price of one coin")
    tabled = [asset for table in rules.tiers for asset in table.assets]
    ratios = [asset for row in rules.collateral for asset in row.assets]
    perps = regime.regime not in (Regime.LOAN, Regime.POOL, Regime.MARGIN_LEVEL)
    in_range = pl.col("rate").is_null() | pl.col("rate").is_between(0.0, 1.0)
    good = (
        pl.col("asset").is_in(priced)
        & pl.col("side").is_in(["long", "short"])
        & pl.col("quantity").is_finite()
        & (pl.col("quantity") >= 0.0)
        & pl.col("entry_usd").is_finite()
        & (pl.col("entry_usd") > 0.0)
        & in_range
        & (pl.col("rate").is_not_null() | pl.coalesce("tiers", "asset").is_in(tabled))
        & pl.col("leverage").is_null()
        & pl.lit(perps and regime.regime is not Regime.ISOLATED)
    )
    fine = pl.col("quantity").is_finite() & (pl.col("asset").is_in(priced) | pl.col("asset").is_in(rules.cash))
    fine &= pl.col("ratio").is_null() | pl.col("ratio").is_between(0.0, 1.0)
    if regime.haircuts:
        fine &= (pl.col("quantity") <= 0.0) | pl.col("asset").is_in(ratios) | pl.col("ratio").is_not_null()
    if regime.regime in (Regime.CROSS, Regime.ISOLATED):
        fine &= (pl.col("asset") == regime.settles_in) & pl.lit(regime.regime is Regime.CROSS)
    doubtful = pl.concat([held.filter(~good)["account"], owned.filter(~fine)["account"]]).unique(maintain_order=True).to_list()
    rows = _by_account(held.filter(pl.col("account").is_in(doubtful)), owned.filter(pl.col("account").is_in(doubtful)))
    for account in doubtful:
        account_from_rows(account, {**rows[account], **_price_rows(at)}, venue, name)


def _summed(owned: pl.DataFrame) -> pl.DataFrame:
    """Return one row per account and asset; a ratio given with one row of a coin holds for the whole balance."""
    ratio = pl.col("ratio").drop_nulls().last()
    return owned.group_by("account", "asset", maintain_order=True).agg(pl.col("quantity").sum(), ratio).select(list(BALANCES))


def _refuse_contracts_with_ratios(held: pl.DataFrame, owned: pl.DataFrame) -> None:
    both = held.filter("inverse").join(owned.filter(pl.col("ratio").is_not_null()), on=["account", "asset"])
    if both.height:
        where = f"account {both['account'][0]}: balances.{both['asset'][0]}"
        raise ScenarioError(f"{where}: a ratio of its own does not go with coin-margined contracts of {both['asset'][0]} here: use margin_tables")


def _by_account(held: pl.DataFrame, owned: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return each account's positions, balances and ratios as the reader of single accounts takes them."""
    found: dict[str, dict[str, Any]] = {}
    for row in owned.to_dicts():
        entry = found.setdefault(row["account"], {"balances": {}, "positions": [], "ratios": {}})
        entry["balances"][row["asset"]] = entry["balances"].get(row["asset"], 0.0) + row["quantity"]
        if row["ratio"] is not None:
            entry["ratios"][row["asset"]] = row["ratio"]
    for row in held.to_dicts():
        entry = found.setdefault(row.pop("account"), {"balances": {}, "positions": [], "ratios": {}})
        entry["positions"].append({key: one for key, one in row.items() if one is not None})
    return found


def _price_rows(at: pl.DataFrame) -> dict[str, dict[str, float]]:
    own = at.filter(pl.col("collateral_price_usd") != pl.col("price_usd"))
    return {
        "prices_usd": dict(zip(at["asset"], at["price_usd"], strict=True)),
        "collateral_prices_usd": dict(zip(own["asset"], own["collateral_price_usd"], strict=True)),
    }


def _isolated(held: pl.DataFrame, regime: RegimeRules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return every position as an account of its own, and its margin as that account's balance."""
    cost = pl.when("inverse").then(pl.col("quantity") / pl.col("entry_usd")).otherwise(pl.col("quantity") * pl.col("entry_usd"))
    number, several = pl.int_range(1, pl.len() + 1).over("account").cast(pl.String), pl.len().over("account") > 1
    name = pl.col("account") + "/" + pl.col("asset") + pl.when(several).then(pl.lit("#") + number).otherwise(pl.lit(""))
    held = held.with_columns(account=name, margin=pl.coalesce("margin", cost / pl.col("leverage").fill_null(1.0)))
    currency = pl.when("inverse").then("asset").otherwise(pl.lit(regime.settles_in))
    return held, held.select("account", asset=currency, quantity="margin", ratio=pl.lit(None, pl.Float64))


def _columns(
    rules: VenueRules, regime: RegimeRules, held: pl.DataFrame, owned: pl.DataFrame, at: pl.DataFrame, names: pl.Series
) -> tuple[BookRules, tuple[Legs, Balances], Prices]:
    """Return rules, accounts and prices as arrays: a market per contract and table of tiers, an asset per coin and ratio."""
    kinds = ["asset", "inverse", "tiers", "rate", "deduction"]
    markets = held.select(kinds).unique(maintain_order=True).with_row_index("market")
    settled = pl.DataFrame({"asset": [regime.settles_in], "ratio": [None]}, schema={"asset": pl.String, "ratio": pl.Float64})
    coins = held.filter("inverse").select("asset", ratio=pl.lit(None, pl.Float64))
    assets = pl.concat([settled, owned.select("asset", "ratio"), coins]).unique(maintain_order=True)
    assets = assets.with_row_index("place")
    number = pl.DataFrame({"account": names}).with_row_index("number")
    legs = held.join(number, on="account").join(markets, on=kinds, nulls_equal=True)
    rows = owned.join(number, on="account").join(assets, on=["asset", "ratio"], nulls_equal=True)
    side = np.where(legs["side"].to_numpy() == "long", 1.0, -1.0)
    entry, leverage = legs["entry_usd"].to_numpy(), legs["leverage"].fill_null(np.inf).to_numpy()
    counted_at = np.zeros(entry.size)
    if regime.maintenance_on is not Basis.MARK:
        counted_at = entry * (1.0 - side / leverage) if regime.maintenance_on is Basis.BANKRUPTCY else entry.copy()
    columns = (
        Legs(_whole(legs["number"]), _whole(legs["market"]), side * legs["quantity"].to_numpy(), entry, counted_at),
        Balances(_whole(rows["number"]), _whole(rows["place"]), rows["quantity"].to_numpy()),
    )
    by_asset = {row["asset"]: (row["price_usd"], row["collateral_price_usd"]) for row in at.to_dicts()}
    mark = np.array([by_asset[asset][0] for asset in markets["asset"]])
    price = np.array([by_asset.get(asset, (1.0, 1.0))[1] for asset in assets["asset"]])
    return _book_rules(rules, regime, markets, assets), columns, Prices(mark, price)


def _whole(column: pl.Series) -> NDArray[np.int64]:
    return column.to_numpy().astype(np.int64)


def _book_rules(rules: VenueRules, regime: RegimeRules, markets: pl.DataFrame, assets: pl.DataFrame) -> BookRules:
    tiers, bands, place = [], [], {row["asset"]: n for n, row in reversed(list(enumerate(assets.to_dicts())))}
    for row in markets.to_dicts():
        table = rules.tiers_of(row["tiers"] or row["asset"])
        if row["rate"] is not None:
            free = row["deduction"] / row["rate"] if row["rate"] > 0.0 else 0.0
            tiers.append(([free, np.inf], [0.0, row["rate"]], [0.0, row["deduction"]]) if free > 0.0 else ([np.inf], [row["rate"]], [0.0]))
        else:
            assert table is not None
            tiers.append(([*table.caps[:-1], np.inf], table.rates, deductions(table.floors, table.rates)))
    for row in assets.to_dicts():
        known = rules.bands_of(row["asset"]) if regime.haircuts and row["ratio"] is None else None
        bands.append(_bands(known, row["ratio"] if regime.haircuts else None))
    pooled = regime.regime is Regime.PORTFOLIO and rules.debt_leverage is not None
    return BookRules(
        tier_cap=_filled([one[0] for one in tiers], np.inf),
        tier_rate=_filled([one[1] for one in tiers], 0.0),
        tier_deduction=_filled([one[2] for one in tiers], 0.0),
        inverse=markets["inverse"].to_numpy().astype(bool),
        coin=np.array([place.get(asset, 0) for asset in markets["asset"]], dtype=np.int64),
        band_end=_filled([band[0] for band in bands], np.inf),
        band_ratio=_filled([band[1] for band in bands], 0.0),
        band_in_coins=np.array([band[2] for band in bands], dtype=bool),
        settles_in=0,
        debt_rate=rules.debt_rates[str(rules.debt_leverage)] if pooled else 0.0,
        fee=regime.taker_fee_frac,
        line=regime.liquidated_at,
        equality=regime.at_equality,
        measure=MEASURES[regime.measure],
    )


def _bands(row: CollateralBands | None, ratio: float | None) -> tuple[list[float], list[float], bool]:
    if row is None:
        return [np.inf], [1.0 if ratio is None else ratio], False
    ends, ratios = [np.inf if end is None else end for end, _ in row.bands], [part for _, part in row.bands]
    if ends[-1] != np.inf:
        ends, ratios = [*ends, np.inf], [*ratios, 0.0]
    return ends, ratios, row.unit == "coins"


def _filled(rows: list[list[float]], fill: float) -> Numbers:
    width = max(map(len, rows), default=1)
    return np.array([[*row, *[fill] * (width - len(row))] for row in rows], dtype=float).reshape(len(rows), width)


def _nearest(names: list[str], held: pl.DataFrame, owned: pl.DataFrame, at: pl.DataFrame, venue: str, regime: RegimeRules) -> pl.DataFrame:
    """Return asset, price and distance of the leg nearest to its liquidation price, a row per account."""
    if regime.regime is Regime.ISOLATED:
        owned = owned.clear()
    rows, prices, found = _by_account(held, owned), _price_rows(at), []
    for name in names:
        near = nearest_leg(account_from_rows(name, {**rows[name], **prices}, venue, regime.name))
        found.append((near.asset, near.liquidation_price_usd, near.distance_frac) if near is not None else (None, None, None))
    schema = {"nearest_asset": pl.String, "liquidation_price_usd": pl.Float64, "liquidation_distance_frac": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row")
