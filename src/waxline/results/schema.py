"""Declare what a run leaves behind: causes, stages, and each table's columns with type, unit and meaning, once.

Writing, loading, the report's column help and the docs page are made from these declarations.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import polars as pl

FORMAT = 3
BIN_STEPS = 10
VENUES = ("binance", "bybit", "coinbase", "hyperliquid", "rest", "aave")
MARKET_KINDS = ("spot", "perp", "pool")


class Cause(IntEnum):
    """Name what an order, or a change of a mid, is booked to; the number is the code in files and arrays."""

    NEWS = 0
    PERP_LIQUIDATION = 1
    COLLATERAL_LIQUIDATION = 2
    DELEVERAGING = 3
    FUND_WORKOFF = 4
    REQUOTING = 5
    ARBITRAGE = 6
    TREND_SELLING = 7
    NOISE = 8
    VALUE_BUYING = 9
    VALUE_SELLING = 10
    SHORT_COVERING = 11
    STOP_LOSS = 12
    NEW_LEVERAGE = 13
    MAKER_HEDGING = 14
    KEEPER = 15

    @property
    def key(self) -> str:
        """Return the name used in files and columns, such as "perp_liquidation"."""
        return self.name.lower()

    @property
    def label(self) -> str:
        """Return the short name for figures and tables, such as "perp liquidation"."""
        return CAUSE_LABELS[self]

    @property
    def meaning(self) -> str:
        """Return one plain sentence that says which orders or moves are booked here."""
        return CAUSE_MEANINGS[self]


N_CAUSES = len(Cause)

CAUSE_LABELS: dict[Cause, str] = {
    Cause.NEWS: "news",
    Cause.PERP_LIQUIDATION: "perp liquidation",
    Cause.COLLATERAL_LIQUIDATION: "collateral sale",
    Cause.DELEVERAGING: "deleveraging",
    Cause.FUND_WORKOFF: "fund work-off",
    Cause.REQUOTING: "re-quoting",
    Cause.ARBITRAGE: "arbitrage",
    Cause.TREND_SELLING: "trend selling",
    Cause.NOISE: "noise",
    Cause.VALUE_BUYING: "value buying",
    Cause.VALUE_SELLING: "value selling",
    Cause.SHORT_COVERING: "short covering",
    Cause.STOP_LOSS: "stop-loss",
    Cause.NEW_LEVERAGE: "new leverage",
    Cause.MAKER_HEDGING: "maker hedging",
    Cause.KEEPER: "keeper",
}

CAUSE_MEANINGS: dict[Cause, str] = {
    Cause.NEWS: "Informed traders who carry outside news into the books, and quotes that follow fair value.",
    Cause.PERP_LIQUIDATION: "Venue closing perpetual positions of triggered accounts in the perpetual book.",
    Cause.COLLATERAL_LIQUIDATION: "Venue selling pledged assets of triggered accounts in the spot book to repay their debt.",
    Cause.DELEVERAGING: "Owners of deleveraged positions trading the leg that was left naked.",
    Cause.FUND_WORKOFF: "Insurance fund or backstop vault working off positions it took over.",
    Cause.REQUOTING: "Makers moving, withdrawing or refilling quotes, after their sister market or other venues too.",
    Cause.ARBITRAGE: "Arbitrageurs closing gaps between spot and perpetual or between venues.",
    Cause.TREND_SELLING: "Holders selling because the price falls.",
    Cause.NOISE: "Background flow without a view, and rounding.",
    Cause.VALUE_BUYING: "Buyers with cash acting at a discount to their slow anchor.",
    Cause.VALUE_SELLING: "Holders selling at a premium to their slow anchor.",
    Cause.SHORT_COVERING: "Shorts taking profit.",
    Cause.STOP_LOSS: "Stop-loss orders of leveraged traders.",
    Cause.NEW_LEVERAGE: "New perpetual positions opened during the event.",
    Cause.MAKER_HEDGING: "Makers hedging inventory across spot and perpetual with taker orders.",
    Cause.KEEPER: "Keepers of lending pools selling the collateral they seized.",
}

FORCED_CAUSES = (
    Cause.PERP_LIQUIDATION,
    Cause.COLLATERAL_LIQUIDATION,
    Cause.DELEVERAGING,
    Cause.FUND_WORKOFF,
    Cause.STOP_LOSS,
    Cause.KEEPER,
)
"""Causes that are orders nobody chose to give at that moment."""

STAGES = (
    "margin_call",
    "cancel",
    "close_in_book",
    "collateral_sale",
    "takeover",
    "deleveraging",
    "socialised",
    "bad_debt",
    "pool_liquidation",
    "payment",
    "top_up",
    "hedge_sale",
    "reduction",
)
PAYERS = ("fund", "vault", "winners", "users", "nobody")
"""Who settles what is missing; the place is the code in a row."""
COUNTED_STAGES = ("close_in_book", "collateral_sale", "takeover", "deleveraging")
"""Stages whose rows may enter the liquidated amount; the column `counted` decides for each row."""

STAGE_MEANINGS = dict(
    zip(
        STAGES,
        (
            "Softer line crossed: the owner may add margin or reduce.",
            "Resting orders of the account are cancelled.",
            "Position closed in the perpetual book.",
            "Pledged asset sold in the spot book.",
            "Position passed to the insurance fund or backstop vault.",
            "Position of a winner closed against a bankrupt one.",
            "Loss shared among the winners.",
            "Loss that nobody covered.",
            "Collateral of a lending pool seized by a keeper.",
            "Insurance fund pays what a closed account could not.",
            "Owner adds margin from a reserve.",
            "Owner sells coins whose short was deleveraged.",
            "Owner who was called closes or sells a part by choice.",
        ),
        strict=True,
    )
)

ACCOUNT_KINDS = ("trader", "whale", "maker", "holder", "tranche", "borrower", "vault", "fund")
ACCOUNT_STATUS = ("healthy", "called", "liquidating", "taken_over", "closed")
SHARE_COLUMNS = tuple(f"share_{cause.key}" for cause in Cause)


class Column(NamedTuple):
    """Describe one column: name, type (i8 i16 i32 i64 u8 f32 f64 str bool), unit and meaning."""

    name: str
    dtype: str
    unit: str
    meaning: str


MARKETS = (
    Column("market_id", "i32", "-", "row number of the market in the arrays"),
    Column("name", "str", "-", 'name "venue-kind-asset"'),
    Column("venue", "str", "-", "venue"),
    Column("kind", "str", "-", "spot, perp or pool"),
    Column("asset", "str", "-", "asset traded"),
    Column("asset_kind", "str", "-", "coin or claim"),
    Column("size_class", "str", "-", "btc_eth, major, mid, small, tiny or claim"),
    Column("pairs", "f64", "pairs", "number of real pairs this market stands for"),
    Column("reference_usd", "f64", "USD", "mid at t = -1 s"),
    Column("depth_usd", "f64", "USD", "input: calm depth within 1 % of mid, one side"),
    Column("open_interest_usd", "f64", "USD", "input: open interest before, 0 for spot"),
    Column("sister_id", "i32", "-", "market of the other kind, same venue and asset; -1 where there is none"),
    Column("redeems_asset", "str", "-", "asset a claim redeems for; null for coins"),
    Column("redeems_units", "f64", "units", "units of that asset per claim; null for coins"),
)

PRICES = (
    Column("market_id", "i16", "-", "market"),
    Column("t_s", "i32", "s", "seconds from t0 at the end of the step"),
    Column("mid_usd", "f32", "USD", "mid"),
    Column("close_usd", "f32", "USD", "last traded price so far"),
    Column("low_usd", "f32", "USD", "lowest traded price within the step; null without a trade"),
    Column("high_usd", "f32", "USD", "highest traded price within the step; null without a trade"),
    Column("mark_usd", "f32", "USD", "mark price; null for spot"),
)
PRICE_FIELDS = tuple(column.name for column in PRICES[2:])

BINS = (
    Column("market_id", "i16", "-", "market"),
    Column("t_s", "i32", "s", "seconds from t0 at the end of the 10 s bin"),
    Column("bid_depth_usd", "f32", "USD", "bids within 100 bps of mid, mean over the bin"),
    Column("ask_depth_usd", "f32", "USD", "asks within 100 bps of mid, mean over the bin"),
    Column("spread_bps", "f32", "bps", "best ask less best bid over mid, mean; null when a side is empty"),
    Column("volume_usd", "f32", "USD", "traded notional, one-sided, sum over the bin"),
    Column("open_interest", "f32", "coins", "open interest at the end of the bin, 0 for spot"),
    Column("empty_bid_s", "f32", "s", "seconds of the bin without any bid"),
    Column("buyer_cash_usd", "f32", "USD", "cash left to value buyers at the end of the bin"),
    Column("maker_quote_frac", "f32", "fraction", "size makers post over their calm target, mean"),
)
BIN_FIELDS = tuple(column.name for column in BINS[2:])

CAUSES = (
    Column("market_id", "i16", "-", "market"),
    Column("t_s", "i32", "s", "seconds from t0 at the end of the 10 s bin"),
    Column("cause", "u8", "-", "code of the cause"),
    Column("dlog_mid", "f32", "log", "change of log mid over the bin booked to the cause"),
    Column("sold_usd", "f32", "USD", "taker sales of the cause in the bin"),
    Column("bought_usd", "f32", "USD", "taker purchases of the cause in the bin"),
)

FAIR = (
    Column("asset", "str", "-", "asset"),
    Column("t_s", "i32", "s", "seconds from t0 at the end of the step"),
    Column("fair_usd", "f32", "USD", "what informed traders believe; driven by the shock only"),
)

LIQUIDATIONS = (
    Column("t_s", "i32", "s", "seconds from t0"),
    Column("account", "i64", "-", "account; for deleveraging the winner whose position was closed"),
    Column("account_kind", "str", "-", ", ".join(ACCOUNT_KINDS)),
    Column("account_name", "str", "-", "name of a named account, else null"),
    Column("venue", "str", "-", "venue"),
    Column("stage", "str", "-", "stage of the waterfall"),
    Column("market_id", "i32", "-", "market; -1 where there is none"),
    Column("asset", "str", "-", "asset"),
    Column("side", "i8", "-", "-1 closes a long or sells collateral, +1 closes a short"),
    Column("quantity", "f64", "coins", "quantity, positive"),
    Column("price_usd", "f64", "USD", "average execution price"),
    Column("notional_usd", "f64", "USD", "quantity x price, one-sided"),
    Column("weight", "f64", "people", "people the account stands for"),
    Column("equity_usd", "f64", "USD", "equity of the account at the trigger, takeover or deleveraging; else null"),
    Column("profit_frac", "f64", "fraction", "deleveraging: unrealised profit over entry notional of the closed position; else null"),
    Column("limit_usd", "f64", "USD", "worst price the order or the takeover allowed; null where every price was"),
    Column("shortfall_usd", "f64", "USD", "money missing that this event settled; 0 where none was"),
    Column("payer", "str", "-", ", ".join(PAYERS) + ": who settled it; null where nothing was missing"),
    Column("generation", "f32", "generations", "1 + weighted generation of the flows that consumed the account's slack"),
    Column("counted", "bool", "-", "whether the row enters the liquidated amount"),
    *(Column(f"share_{c.key}", "f32", "fraction", f"part of the slack consumed by {c.label}") for c in Cause),
)

NAMED = (
    Column("t_s", "i32", "s", "seconds from t0"),
    Column("account", "i64", "-", "account"),
    Column("name", "str", "-", "name of the account"),
    Column("owner", "str", "-", "owner, who may hold several accounts"),
    Column("venue", "str", "-", "venue"),
    Column("kind", "str", "-", ", ".join(ACCOUNT_KINDS)),
    Column("equity_usd", "f64", "USD", "equity at the venue's trigger prices"),
    Column("maintenance_usd", "f64", "USD", "requirement; the account is triggered at equity <= requirement"),
    Column("collateral_usd", "f64", "USD", "pledged assets after haircut"),
    Column("debt_usd", "f64", "USD", "debt"),
    Column("perp_pnl_usd", "f64", "USD", "unrealised profit of perpetual positions"),
    Column("spot_delta_usd", "f64", "USD", "coins owned less owed at index, signed"),
    Column("perp_delta_usd", "f64", "USD", "perpetual positions at index, long positive"),
    Column("quote_frac", "f64", "fraction", "posted size over calm target; null except makers"),
    Column("topups_usd", "f64", "USD", "margin added so far"),
    Column("reserve_usd", "f64", "USD", "reserve left to add"),
    Column("status", "str", "-", ", ".join(ACCOUNT_STATUS)),
)

ACCOUNTS = (
    Column("account", "i64", "-", "account"),
    Column("kind", "str", "-", ", ".join(ACCOUNT_KINDS)),
    Column("name", "str", "-", "name of a named account, else null"),
    Column("venue", "str", "-", "venue"),
    Column("weight", "f64", "people", "people the account stands for"),
    Column("equity_before_usd", "f64", "USD", "equity at t = -1 s"),
    Column("equity_end_usd", "f64", "USD", "equity at the end of the run"),
    Column("liquidated_usd", "f64", "USD", "forced closes and sales of the account"),
    Column("negative_equity_usd", "f64", "USD", "size of the negative equity when taken over or deleveraged, positive"),
    Column("first_trigger_t_s", "f64", "s", "time of the first trigger; null if never"),
    Column("by_perp_frac", "f64", "fraction", "part of the slack consumed by perpetual losses, the rest by collateral; null if never"),
)

VENUE_SERIES = (
    Column("t_s", "i32", "s", "seconds from t0"),
    Column("venue", "str", "-", "venue"),
    Column("fund_usd", "f64", "USD", "insurance fund"),
    Column("fund_inventory_usd", "f64", "USD", "positions the fund holds, gross"),
    Column("vault_usd", "f64", "USD", "equity of the backstop vault"),
    Column("vault_pnl_usd", "f64", "USD", "profit and loss of the vault so far"),
    Column("adl_usd", "f64", "USD", "closed by deleveraging so far"),
    Column("bad_debt_usd", "f64", "USD", "losses nobody covered so far"),
    Column("socialised_usd", "f64", "USD", "losses shared so far"),
    Column("transfers_open", "bool", "-", "whether coins can be moved in and out"),
    Column("orders_slowed", "bool", "-", "whether order entry is slowed"),
    Column("pool_liquidated_usd", "f64", "USD", "lending pool: collateral seized so far"),
    Column("pool_bonus_usd", "f64", "USD", "lending pool: bonus paid to keepers so far"),
    Column("pool_bad_debt_usd", "f64", "USD", "lending pool: debt left uncovered so far"),
    Column("pool_utilisation", "f64", "fraction", "lending pool: borrowed over supplied"),
    Column("pool_rate", "f64", "fraction per year", "lending pool: rate that borrowers pay"),
    Column("arbitrage_usd", "f64", "USD", "notional traded by arbitrageurs so far"),
    Column("topups_usd", "f64", "USD", "margin added by owners so far"),
    Column("margin_calls", "f64", "calls", "margin calls so far"),
)

FUND_SERIES = (
    Column("t_s", "i32", "s", "seconds from t0"),
    Column("venue", "str", "-", "venue"),
    Column("fund", "str", "-", "the venue, for its general fund or vault; venue/group, for that of a group of contracts"),
    Column("fund_usd", "f64", "USD", "its equity: cash, coins and positions at the mark"),
    Column("fund_inventory_usd", "f64", "USD", "positions it holds, gross"),
    Column("drawn_down", "bool", "-", "whether it has lost so much of its largest size that its venue deleverages all it holds"),
)

LIQUIDATION_MAP = (
    Column("market_id", "i32", "-", "market"),
    Column("price_frac", "f64", "fraction", "price level over reference, in steps of 1 %"),
    Column("long_usd", "f64", "USD", "notional of longs registered at the level"),
    Column("short_usd", "f64", "USD", "notional of shorts registered at the level"),
)

SLACK = (
    Column("account", "i64", "-", "account"),
    Column("name", "str", "-", "name"),
    Column("kind", "str", "-", ", ".join(ACCOUNT_KINDS)),
    Column("venue", "str", "-", "venue"),
    Column("equity_usd", "f64", "USD", "equity before the shock"),
    Column("maintenance_usd", "f64", "USD", "requirement before the shock"),
    Column("slack_frac", "f64", "fraction", "(equity - requirement) over gross exposure"),
    Column("topups_24h_usd", "f64", "USD", "margin added in the 24 h before"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "markets": MARKETS,
    "liquidations": LIQUIDATIONS,
    "named": NAMED,
    "accounts": ACCOUNTS,
    "venues": VENUE_SERIES,
    "funds": FUND_SERIES,
    "map": LIQUIDATION_MAP,
    "slack": SLACK,
}
"""Tables kept as they are; arrays are stored as the tables prices, bins, causes and fair."""

FILES: dict[str, tuple[Column, ...]] = {**TABLES, "prices": PRICES, "bins": BINS, "causes": CAUSES, "fair": FAIR}


def polars_schema(columns: tuple[Column, ...]) -> dict[str, Any]:
    """Return name -> polars type for declared `columns`."""
    import polars as pl

    types = {
        "i8": pl.Int8,
        "i16": pl.Int16,
        "i32": pl.Int32,
        "i64": pl.Int64,
        "u8": pl.UInt8,
        "f32": pl.Float32,
        "f64": pl.Float64,
        "str": pl.String,
        "bool": pl.Boolean,
    }
    return {column.name: types[column.dtype] for column in columns}


def table(name: str, columns: dict[str, Any]) -> pl.DataFrame:
    """Make the declared table `name` from `columns` (name -> array or list); order, types and NaN -> null follow the declaration.

    Raises ValueError when a column is missing or not declared.
    """
    import polars as pl

    declared = polars_schema(FILES[name])
    if set(columns) != set(declared):
        missing, unknown = sorted(set(declared) - set(columns)), sorted(set(columns) - set(declared))
        raise ValueError(f"table {name}: missing columns {missing}, undeclared columns {unknown}")
    series = [pl.Series(key, columns[key]).cast(dtype) for key, dtype in declared.items()]
    return pl.DataFrame(series).with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))


def empty_table(name: str) -> pl.DataFrame:
    """Return the declared table `name` without rows."""
    import polars as pl

    return pl.DataFrame(schema=polars_schema(FILES[name]))
