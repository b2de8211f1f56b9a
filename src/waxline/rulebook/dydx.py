"""dYdX v4: net collateral, liquidation and bankruptcy prices, order size and worst price, insurance fund, deleveraging, tiers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from waxline.accounts.rules_collateral import rounded_up
from waxline.accounts.rules_margin import linear_liquidation_price
from waxline.accounts.rules_tiers import fraction_of_initial, interest_scaled_initial
from waxline.liquidation.rules_waterfall import (
    bankruptcy_quote,
    closing_portion,
    fillable_price,
    fund_delta,
    fund_stays_whole,
    to_steps,
)
from waxline.market.rules_price import funding_cap, impact_notional_of_initial
from waxline.rulebook.inputs import LABELS, Inputs, UnknownInput
from waxline.scenario.venue_rules import venue_rules

QUOTE_QUANTUM = 1e-6
PPM = 1_000_000
NOT_POSITIONS = LABELS | {"usdc", "quote", "account", "id"}


class Account(NamedTuple):
    """Hold a subaccount: quote balance in USDC, sizes and oracle prices by symbol, maintenance fraction by symbol."""

    usdc: float
    sizes: dict[str, float]
    oracle: dict[str, float]
    mmf: dict[str, float]

    def collateral(self) -> float:
        """Return total net collateral at oracle prices."""
        return self.usdc + math.fsum(size * self.oracle[name] for name, size in self.sizes.items())

    def requirement(self) -> float:
        """Return the total maintenance requirement."""
        return math.fsum(abs(size) * self.oracle[name] * self.mmf[name] for name, size in self.sizes.items())

    def quote_of(self, name: str, delta: float) -> float:
        """Return the bankruptcy quote of changing position `name` by `delta` coins, rounded up to a quote quantum."""
        size = self.sizes.get(name, 0.0)
        if delta == 0.0 or size * delta >= 0.0 or abs(delta) > abs(size) + 1e-12:
            raise UnknownInput(f"a change of {delta:g} does not reduce the position of {size:g} {name}")
        change = (abs(size + delta) - abs(size)) * self.oracle[name] * self.mmf[name]
        return rounded_up(bankruptcy_quote(delta * self.oracle[name], self.collateral(), change, self.requirement()), QUOTE_QUANTUM)


def account_of(x: Inputs, above: Inputs | None = None) -> Account:
    """Return the subaccount of an example: positions as a list, or by symbol (btc: -1); oracle and fraction one for all or by symbol."""
    outer = above or x
    sizes: dict[str, float] = {}
    fractions: dict[str, float] = {}
    prices: dict[str, float] = {}
    usdc = x.number("usdc", "quote", "quote_balance", default=0.0 if x.has("positions") else None)
    if x.has("positions"):
        for row in x.rows("positions"):
            name = row.text("sym", "symbol", "asset", "market").lower()
            sizes[name] = row.number("size", "qty")
            if row.has("mmf"):
                fractions[name] = row.number("mmf")
            if row.has("oracle", "price"):
                prices[name] = row.number("oracle", "price")
    else:
        for name in [name for name in x if name not in NOT_POSITIONS and name not in x.read and _is_number(x.values_given[name]) and name in _coins(x)]:
            sizes[name] = x.number(name)
    for name in sizes:
        prices.setdefault(name, _of(outer, ("oracle", "oracle_price", "price"), name, sizes))
        fractions.setdefault(name, _of(outer, ("mmf", "maintenance_fraction", "maintenance_margin_fraction"), name, sizes))
    outer.first("oracle", "oracle_price", "mmf")
    return Account(usdc, {name: size for name, size in sizes.items() if size}, prices, fractions)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _coins(x: Inputs) -> set[str]:
    """Return the inputs that look like symbols: short, letters and digits only, not a known word."""
    words = {"size", "delta", "fee", "mmf", "oracle", "price", "fill", "sign", "usdc", "quote"}
    return {name for name in x if name.isalnum() and len(name) <= 8 and name.lower() not in words}


def _of(outer: Inputs, names: tuple[str, ...], symbol: str, sizes: Mapping[str, float]) -> float:
    """Return a figure that is given for all positions or by symbol; with one position neither changes its bankruptcy price."""
    name = outer.first(*names)
    if name is None:
        if len(sizes) == 1:
            return 1.0
        raise UnknownInput(f"missing input: {names[0]} of {symbol}")
    value = outer.values_given[name]
    if isinstance(value, Mapping):
        by_name = {str(key).lower(): one for key, one in value.items()}
        if symbol not in by_name:
            raise UnknownInput(f"missing input: {name}.{symbol.upper()}")
        return float(by_name[symbol])
    if len(sizes) > 1 and names[0] == "oracle":
        raise UnknownInput(f"missing input: {name} of each of {', '.join(sizes)}")
    return outer.number(name)


def price_of_liquidation(x: Inputs) -> dict[str, Any]:
    """Compute liquidation price of one position, the others unchanged: p' = (e - s p - other requirement) / (|s| MMF - s)."""
    size, price, fraction = x.number("size", "qty"), x.number("price", "oracle"), x.number("mmf")
    others = 0.0
    for row in x.rows("others") if x.has("others") else []:
        row.text("sym", "symbol")
        others += abs(row.number("size", "qty")) * row.number("price", "oracle") * row.number("mmf")
    free = x.number("equity", "collateral") - others
    # The account is worth `free` now, so that its cost is what the position is worth now.
    found = linear_liquidation_price(size, size * price, free, fraction, 0.0)
    return {"liquidation_price": found, "mmr_other": others, "equity_at_liq": abs(size) * found * fraction + others}


def liquidatable(x: Inputs) -> dict[str, Any]:
    """Tell whether net collateral is below the requirement; equality is safe, and so is who has no requirement."""
    account = account_of(x)
    collateral, requirement = account.collateral(), account.requirement()
    return {"liquidatable": requirement > 0.0 and collateral < requirement - 1e-9, "tnc": collateral, "tmmr": requirement}


def price_of_bankruptcy(x: Inputs) -> dict[str, Any]:
    """Compute quote amount of closing a part of one position at the bankruptcy price."""
    account = account_of(x)
    name = _target(x, account, "close", "target")
    quote = account.quote_of(name, x.number("delta", default=-account.sizes[name]))
    return {"bankruptcy_quote": quote, "bankruptcy_price": abs(quote / x.number("delta", default=-account.sizes[name]))}


def _target(x: Inputs, account: Account, *names: str) -> str:
    name = x.text(*names, default=next(iter(account.sizes), "")).lower()
    if name not in account.sizes:
        raise UnknownInput(f"{names[0]}: the account has no position in {name or 'anything'}")
    return name


def worst_price(x: Inputs) -> dict[str, Any]:
    """Compute worst price of the liquidation order of one position."""
    first = venue_rules("dydx").regime("cross").first
    account = account_of(x)
    name = _target(x, account, "target", "close")
    x.first("delta")
    spread = x.number("spread_to_mmr", "smmr", "spread_to_maintenance", default=first.spread)
    adjustment = x.number("bankruptcy_adjustment", "ba", default=first.adjustment)
    side = 1.0 if account.sizes[name] > 0.0 else -1.0
    found = fillable_price(side, account.oracle[name], spread, account.mmf[name], adjustment, account.collateral(), account.requirement())
    return {"fillable_price": found}


def insurance_delta(x: Inputs) -> dict[str, Any]:
    """Tell what the insurance fund gets or pays when one position is closed at a price."""
    close, fee = x.number("close_price"), x.number("max_liquidation_fee", "fee", default=venue_rules("dydx").constants["max_liquidation_fee"])
    x.first("fill", "fill_amount", "delta")
    account = account_of(x)
    name = _target(x, account, "close", "target")
    filled = abs(x.number("fill", "fill_amount", "delta", default=account.sizes[name]))
    delta = -math.copysign(filled, account.sizes[name])
    found = fund_delta(-delta * close, account.quote_of(name, delta), fee)
    return {"insurance_fund_delta": found, "bankruptcy_quote": account.quote_of(name, delta)}


def order_size(x: Inputs) -> dict[str, Any]:
    """Compute size of a liquidation order in one block, in base quantums: exact whole numbers as the chain computes them."""
    position, step = abs(x.whole("position_quantums", "position")), x.whole("step_quantums", "step")
    quantum = x.exact(*([name for name in x if name.startswith("quantum")] or ["quantum_btc"]))
    notional = x.exact("oracle", "price") * quantum * PPM
    value = position * notional
    least = x.exact("min_position_notional_quantums", "min_notional_quantums", default=0)
    caps = ("max_subaccount_notional_quantums", "max_notional_quantums")
    cap = x.exact(*caps, default=0) if x.has(*caps) else value
    x.first(*caps, "case")
    largest = closing_portion(value, x.exact("max_portion", "portion", default=1), min(least, value), cap)
    whole = value <= largest or position <= step
    size = position if whole else int(to_steps(math.floor(largest / notional), step, position))
    return {"liquidate_quantums": size, "quantums": size}


def fund_valid(x: Inputs) -> dict[str, Any]:
    """Tell whether the fund can bear a payment."""
    return {"valid": fund_stays_whole(x.exact("balance"), x.exact("delta"))}


def deleveraging_trigger(x: Inputs) -> dict[str, Any]:
    """Tell whether an account may be deleveraged: only with net collateral below zero."""
    collateral = account_of(x).collateral()
    return {"can_deleverage": collateral < -1e-9, "tnc": collateral}


def allocation(x: Inputs) -> dict[str, Any]:
    """Compute balances after deleveraging: both sides close at the bankruptcy price of the liquidated account, one counterparty after the other.

    A counterparty who cannot bear that price (it would be left with less than it needs to close) refuses: `result` is then "fails".
    """
    liquidated = account_of(x.section("liquidated"), x)
    many = isinstance(x.values_given.get("offsetting"), list)
    others = [account_of(row, x) for row in x.rows("offsetting")]
    deltas = x.named(r"delta(?:_(\w+))?")
    symbol = next((name for name in deltas if name), None) or next(iter(liquidated.sizes), "")
    asked = x.number(next(iter(deltas.values()))) if deltas else None
    if symbol not in liquidated.sizes:
        raise UnknownInput(f"the liquidated account has no position in {symbol}")
    left, usdc, valid = liquidated, [], True
    for other in others:
        held = left.sizes.get(symbol, 0.0)
        size = min(abs(held), abs(other.sizes.get(symbol, 0.0)), abs(asked) if asked is not None else math.inf)
        if size == 0.0 or held * other.sizes.get(symbol, 0.0) > 0.0:
            usdc.append(other.usdc)
            continue
        delta = -math.copysign(size, held)
        quote = left.quote_of(symbol, delta)
        valid = valid and (other.requirement() == 0.0 or -quote >= other.quote_of(symbol, -delta) - QUOTE_QUANTUM)
        usdc.append(other.usdc - quote)
        sizes = {**left.sizes, symbol: held + delta}
        left = Account(left.usdc + quote, {name: one for name, one in sizes.items() if abs(one) > 1e-12}, left.oracle, left.mmf)
        asked = None if asked is None else abs(asked) - size
    open_after = abs(left.sizes.get(symbol, 0.0))
    found: dict[str, Any] = {"liquidated_usdc": left.usdc, "offsetting_usdc": usdc if many else usdc[0], "open_interest_after": open_after}
    return {**found, "valid": valid, "overlap": valid, "result": "ok" if valid else "fails", "success": valid, "error": not valid}


def settlement(x: Inputs) -> dict[str, Any]:
    """Compute balances after a market is closed for good: both sides close at the oracle price."""
    liquidated, offsetting = account_of(x.section("liquidated"), x), account_of(x.section("offsetting"), x)
    if not x.has("oracle", "oracle_price"):
        raise UnknownInput("missing input: oracle")
    x.named(r"(delta(?:_\w+)?)")
    symbol = next(iter(liquidated.sizes), "")
    size = min(abs(liquidated.sizes.get(symbol, 0.0)), abs(offsetting.sizes.get(symbol, 0.0)))
    paid = math.copysign(size, liquidated.sizes[symbol]) * liquidated.oracle[symbol] if size else 0.0
    return {"liquidated_usdc": liquidated.usdc + paid, "offsetting_usdc": offsetting.usdc - paid}


def maintenance_rate(x: Inputs) -> dict[str, Any]:
    """Compute maintenance in ppm: initial times fraction, cut to whole ppm."""
    initial, fraction = x.exact("im_ppm", "initial_margin_ppm"), x.exact("fraction_ppm", "maintenance_fraction_ppm")
    return {"mm_ppm": math.floor(fraction_of_initial(initial, fraction / PPM))}


def cap_of_funding(x: Inputs) -> dict[str, Any]:
    """Compute largest funding rate in ppm: clamp times (initial - maintenance)."""
    initial = x.exact("im_ppm", "initial_margin_ppm") / PPM
    maintenance = fraction_of_initial(initial, x.exact("fraction_ppm", "maintenance_fraction_ppm") / PPM)
    clamp = x.exact("clamp_ppm", default=int(venue_rules("dydx").constants["funding_clamp"] * PPM)) / PPM
    return {"cap_ppm": math.floor(funding_cap(clamp, initial, maintenance) * PPM)}


def scaled_initial(x: Inputs) -> dict[str, Any]:
    """Compute initial rate scaled by open interest, in whole ppm (cut), and the margin of a notional in quote quantums (rounded up)."""
    base = x.exact("base_imf_ppm", "im_ppm") / PPM if x.has("base_imf_ppm", "im_ppm") else x.exact("base_imf", "imf")
    lower, upper = x.exact("oi_lower", "lower", default=0), x.exact("oi_upper", "upper", default=0)
    rate = interest_scaled_initial(base, x.exact("oi", "open_interest", default=0), lower, upper)
    ppm = math.floor(rate * PPM)
    found: dict[str, Any] = {"imf_ppm": ppm, "imf": ppm / PPM}
    if x.has("notional_quantums", "notional"):
        notional = x.exact("notional_quantums", "notional")
        found |= {"im_quantums": math.ceil(notional * ppm / PPM), "im": float(notional * rate)}
    return found


def impact_notional(x: Inputs) -> dict[str, Any]:
    """Compute size whose fill makes the impact price: 500 USDC over the initial rate."""
    amount = x.number("impact_usdc", "impact_margin", default=venue_rules("dydx").constants["impact_usdc"])
    sizes = [impact_notional_of_initial(amount, rate) for rate in x.numbers("imf", "initial_margin_fraction")]
    return {"impact_notional": sizes if isinstance(x.values_given.get("imf"), list) else sizes[0]}


TOPICS = {
    ("dydx", "liquidation_price.isolated"): price_of_liquidation,
    ("dydx", "liquidation_price.cross"): price_of_liquidation,
    ("dydx", "funding_impact_notional"): impact_notional,
    ("dydx", "is_liquidatable"): liquidatable,
    ("dydx", "bankruptcy_price"): price_of_bankruptcy,
    ("dydx", "fillable_price"): worst_price,
    ("dydx", "insurance_fund_delta"): insurance_delta,
    ("dydx", "insurance_fund_valid"): fund_valid,
    ("dydx", "partial_liquidation"): order_size,
    ("dydx", "adl_trigger"): deleveraging_trigger,
    ("dydx", "adl_allocation"): allocation,
    ("dydx", "final_settlement"): settlement,
    ("dydx", "maintenance_rate"): maintenance_rate,
    ("dydx", "funding_cap"): cap_of_funding,
    ("dydx", "oi_scaled_initial_margin"): scaled_initial,
}
