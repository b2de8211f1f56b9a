"""The margin calculator: equity, requirement, distance, prices of liquidation and bankruptcy per leg, what goes first; tables in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waxline.errors import ScenarioError
from waxline.rulebook.account import Account, Value, crossing, is_liquidated, parts_of, state_of, value
from waxline.rulebook.account_file import AccountFile, account_of
from waxline.rulebook.account_first import Step, first_step
from waxline.units import format_frac, format_usd

if TYPE_CHECKING:
    import polars as pl

BEYOND_FRAC = 0.001


@dataclass(frozen=True)
class Leg:
    """Hold one leg of an account: a position, a pledged balance or a debt, with the prices at which the account ends."""

    asset: str
    kind: str
    side: str
    quantity: float
    price_usd: float
    value_usd: float
    profit_usd: float
    maintenance_usd: float
    liquidation_price_usd: float | None
    bankruptcy_price_usd: float | None
    distance_frac: float | None


@dataclass(frozen=True)
class Margin:
    """Hold the answer for one account: its value, its state, its legs, and the first step at `step_asset` = `step_price_usd`."""

    account: Account
    worth: Value
    state: str
    legs: list[Leg]
    first: list[Step]
    step_asset: str | None
    step_price_usd: float | None


def margin_of(account: Account, beyond_frac: float = BEYOND_FRAC) -> list[Margin]:
    """Return the answer for an account, one per position under an isolated regime.

    The first step of an account that is not at its line is worked out where its nearest leg has passed its liquidation price by
    `beyond_frac`; at the line itself nothing would be missing.
    """
    return [_margin(part, beyond_frac) for part in parts_of(account)]


def _margin(account: Account, beyond_frac: float) -> Margin:
    worth = value(account)
    legs = [*_position_legs(account), *_balance_legs(account)]
    if is_liquidated(account, worth):
        return Margin(account, worth, state_of(account, worth), legs, first_step(account), None, None)
    near = _nearest(legs)
    if near is None or near.liquidation_price_usd is None:
        return Margin(account, worth, state_of(account, worth), legs, [], None, None)
    falling = near.liquidation_price_usd < near.price_usd
    at = near.liquidation_price_usd * (1.0 - beyond_frac if falling else 1.0 + beyond_frac)
    return Margin(account, worth, state_of(account, worth), legs, first_step(account, {near.asset: at}), near.asset, at)


def nearest_leg(account: Account) -> Leg | None:
    """Return the leg nearest to its liquidation price, under an isolated regime of the one position there is; None where none has one."""
    (part,) = parts_of(account) or [account]
    return _nearest([*_position_legs(part), *_balance_legs(part)])


def _nearest(legs: list[Leg]) -> Leg | None:
    return min((leg for leg in legs if leg.distance_frac is not None), key=lambda leg: abs(leg.distance_frac or 0.0), default=None)


def _position_legs(account: Account) -> list[Leg]:
    found = []
    for position in account.positions:
        mark = account.prices[position.asset]
        margin = position.maintenance(mark, account.regime.maintenance_on, account.regime.taker_fee_frac)
        side = "long" if position.side > 0.0 else "short"
        ends = _ends(account, position.asset, position.side, mark)
        found.append(Leg(position.asset, "perp", side, position.quantity, mark, position.notional(mark), position.profit(mark), margin, *ends))
    return found


def _balance_legs(account: Account) -> list[Leg]:
    found = []
    for asset, amount in account.balances.items():
        if amount == 0.0:
            continue
        price, side = account.price(asset, {}), 1.0 if amount > 0.0 else -1.0
        kind, word = ("collateral", "long") if amount > 0.0 else ("debt", "short")
        is_cash = asset in account.rules.cash
        ends = (None, None, None) if is_cash or asset not in account.prices else _ends(account, asset, side, account.prices[asset])
        margin = -amount * price * account.debt_rate() if amount < 0.0 else 0.0
        shown = account.prices.get(asset, price)
        found.append(Leg(asset, kind, word, abs(amount), shown, amount * price, 0.0, margin, *ends))
    return found


def _ends(account: Account, asset: str, side: float, price: float) -> tuple[float | None, float | None, float | None]:
    """Return liquidation price, bankruptcy price and the distance to the former as a part of the price."""
    liquidation, bankruptcy = crossing(account, asset, side), crossing(account, asset, side, of_equity=True)
    return liquidation, bankruptcy, None if liquidation is None else liquidation / price - 1.0


def as_dict(margin: Margin) -> dict[str, Any]:
    """Return an answer as plain data for JSON; figures that do not exist are null."""
    worth, regime = margin.worth, margin.account.regime
    summary = {
        "account": margin.account.name,
        "venue": margin.account.rules.venue,
        "rules_as_of": margin.account.rules.as_of.isoformat(),
        "regime": regime.name,
        "state": margin.state,
        "equity_usd": worth.equity,
        "maintenance_usd": worth.maintenance,
        "distance_usd": worth.slack,
        "measure": regime.measure.value,
        "measure_value": _finite(worth.measure),
        "liquidated_at": regime.liquidated_at,
        "full_equity_usd": worth.full,
        "collateral_usd": worth.collateral,
        "debt_usd": worth.debt,
    }
    first = [step._asdict() for step in margin.first]
    at = {"asset": margin.step_asset, "price_usd": margin.step_price_usd}
    return {**summary, "legs": [vars(leg) for leg in margin.legs], "first_step": first, "first_step_at": at}


def _finite(number: float) -> float | None:
    return number if number not in (float("inf"), float("-inf")) and number == number else None


@dataclass(frozen=True)
class MarginTables:
    """Hold answers for many accounts as tables: one row per account, per leg, per leg of the first step."""

    accounts: pl.DataFrame
    legs: pl.DataFrame
    first_steps: pl.DataFrame


def margin_tables(
    venue: str,
    positions: pl.DataFrame | None = None,
    balances: pl.DataFrame | None = None,
    prices: pl.DataFrame | None = None,
    regime: str | None = None,
    beyond_frac: float = BEYOND_FRAC,
) -> MarginTables:
    """Return the answers for many accounts, from tables and as tables.

    positions: account, asset, side, quantity, entry_usd and where needed margin, leverage, inverse, tiers, rate, deduction;
    balances: account, asset, quantity and where needed ratio; prices: asset, price_usd and where needed collateral_price_usd.
    Raises ScenarioError naming the account and the field.
    """
    import polars as pl

    rows: dict[str, dict[str, Any]] = {}
    shared: dict[str, dict[str, float]] = {"prices_usd": {}, "collateral_prices_usd": {}}
    for row in _rows(prices, "prices", ("asset", "price_usd")):
        shared["prices_usd"][row["asset"]] = row["price_usd"]
        if row.get("collateral_price_usd") is not None:
            shared["collateral_prices_usd"][row["asset"]] = row["collateral_price_usd"]
    for row in _rows(balances, "balances", ("account", "asset", "quantity")):
        entry = rows.setdefault(str(row["account"]), {"balances": {}, "positions": [], "ratios": {}})
        entry["balances"][row["asset"]] = entry["balances"].get(row["asset"], 0.0) + row["quantity"]
        if row.get("ratio") is not None:
            entry["ratios"][row["asset"]] = row["ratio"]
    for row in _rows(positions, "positions", ("account", "asset", "quantity", "entry_usd")):
        entry = rows.setdefault(str(row.pop("account")), {"balances": {}, "positions": [], "ratios": {}})
        entry["positions"].append({key: one for key, one in row.items() if one is not None})
    summaries, legs, steps = [], [], []
    for name, entry in rows.items():
        for margin in margin_of(account_from_rows(name, {**entry, **shared}, venue, regime), beyond_frac):
            plain = as_dict(margin)
            legs += [{"account": plain["account"], **leg} for leg in plain.pop("legs")]
            at = plain.pop("first_step_at")
            steps += [
                {"account": plain["account"], "order": n, **step, **{f"at_{key}": one for key, one in at.items()}}
                for n, step in enumerate(plain.pop("first_step"), 1)
            ]
            summaries.append(plain)
    return MarginTables(*(pl.DataFrame(table, infer_schema_length=None) for table in (summaries, legs, steps)))


def account_from_rows(name: str, data: dict[str, Any], venue: str, regime: str | None) -> Account:
    """Return an account from plain data in the form of an account file; raises ScenarioError naming the account and the field."""
    from pydantic import ValidationError

    from waxline.scenario.problems import ScenarioProblems
    from waxline.scenario.values import problems_of

    try:
        return account_of(AccountFile.model_validate({"name": name, **data}), venue, regime)
    except ValidationError as error:
        text = "; ".join(problem.text() for _, problem in problems_of(error, AccountFile, data))
        raise ScenarioError(f"account {name}: {text}") from error
    except ScenarioProblems as error:
        raise ScenarioError(f"account {name}: {error}") from error


def _rows(table: pl.DataFrame | None, name: str, needed: tuple[str, ...]) -> list[dict[str, Any]]:
    if table is None:
        return []
    for column in needed:
        if column not in table.columns:
            raise ScenarioError(f"{name}: has no column {column}: it needs {', '.join(needed)}")
    return table.to_dicts()


def price_text(price_usd: float | None) -> str:
    """Return a price with two decimals or seven digits, whichever is more, so that it can be compared with a venue's page."""
    if price_usd is None:
        return "none"
    return f"{price_usd:,.2f}" if abs(price_usd) >= 1e5 else f"{price_usd:,.7g}"


def margin_text(margin: Margin) -> str:
    """Return an answer for people: the figures of the account, a table of legs, what goes first."""
    worth, regime, rules = margin.worth, margin.account.regime, margin.account.rules
    measure = regime.measure.value.replace("_", " ")
    lines = [
        f"{margin.account.name}: {rules.title}, {regime.name}, rules of {rules.as_of:%Y-%m-%d}: {margin.state}",
        f"  equity {format_usd(worth.equity)} USD, maintenance {format_usd(worth.maintenance)}, distance {format_usd(worth.slack)},"
        f" {measure} {worth.measure:.4g} (liquidated at {regime.liquidated_at:g})",
    ]
    if worth.debt > 0.0 or regime.haircuts:
        lines.append(
            f"  collateral counted {format_usd(worth.collateral)} USD, debts {format_usd(worth.debt)}, equity without haircuts {format_usd(worth.full)}"
        )
    lines.append(f"  {'leg':24}{'quantity':>14}{'price':>14}{'value':>12}{'maintenance':>13}{'liquidation':>14}{'bankruptcy':>14}{'distance':>10}")
    for leg in margin.legs:
        lines.append(
            f"  {f'{leg.asset} {leg.kind} {leg.side}':24}{leg.quantity:>14,.8g}{price_text(leg.price_usd):>14}{format_usd(leg.value_usd):>12}"
            f"{format_usd(leg.maintenance_usd):>13}{price_text(leg.liquidation_price_usd):>14}{price_text(leg.bankruptcy_price_usd):>14}"
            f"{format_frac(leg.distance_frac):>10}"
        )
    where = "now" if margin.step_price_usd is None else f"with {margin.step_asset} at {price_text(margin.step_price_usd)}"
    if not margin.first:
        lines.append(
            "  first: nothing is sold, no price of a single leg brings the account to its line" if margin.state == "safe" else "  first: nothing to sell"
        )
    for n, step in enumerate(margin.first, start=1):
        limit = "" if step.worst_price_usd is None else f", not worse than {price_text(step.worst_price_usd)}"
        lines.append(f"  first {where}, {n}: {step.action}: {step.quantity:,.6g} {step.asset} ({step.side}), {format_usd(step.value_usd)} USD{limit}")
    if margin.first and margin.first[-1].then:
        lines.append(f"  then: {margin.first[-1].then}")
    return "\n".join(lines)
