"""Maker (Sky) auctions: kick, limit on throughput, falling price, taking. Amounts are exact fractions where the rules compare them."""

from __future__ import annotations

from typing import Any

from waxline.liquidation.rules_auctions import (
    exponential_price,
    keeper_reward,
    kicked,
    linear_price,
    stair_price,
    taken,
    top_price,
    vault_is_unsafe,
)
from waxline.rulebook.hyperliquid import like
from waxline.rulebook.inputs import Inputs, UnknownInput

REVERT, OK = "revert", "ok"
NO_LIMIT = 10**40


def kick(x: Inputs) -> dict[str, Any]:
    """Tell what an auction starts with, and the keeper's reward; a safe vault reverts."""
    ink, art, rate, price = x.exact("ink"), x.exact("art"), x.exact("rate", default=1), x.exact("price")
    chop, room = (
        x.exact("chop", default=1),
        min(
            x.exact("hole", default=NO_LIMIT) - x.exact("dirt", default=0),
            x.exact("Hole", "hole_total", default=NO_LIMIT) - x.exact("Dirt", "dirt_total", default=0),
        ),
    )
    unsafe = vault_is_unsafe(ink, price, x.exact("mat", default=1), art, rate)
    made = kicked(ink, art, rate, chop, x.exact("room") if x.has("room") else room, x.exact("dust", default=0))
    reward = keeper_reward(x.exact("tip", default=0), x.exact("chip", default=0), made.tab)
    result = OK if unsafe and not made.refused else REVERT
    found = {"tab": made.tab, "lot": made.lot, "top": top_price(price, x.exact("buf", default=1)), "keeper_reward": reward}
    found |= {"ink_left": ink - made.lot, "art_left": art - made.debt}
    # What reverts has no figures: a published one is then not met.
    return {**(found if result == OK else dict.fromkeys(found)), "unsafe": unsafe, "result": result}


def limit(x: Inputs) -> dict[str, Any]:
    """Tell what an auction takes within the room left under the limits."""
    ink, art = x.exact("ink"), x.exact("art")
    made = kicked(ink, art, x.exact("rate", default=1), x.exact("chop", default=1), x.exact("room", "hole"), x.exact("dust", default=0))
    found = {"tab": made.tab, "lot": made.lot, "ink_left": ink - made.lot, "art_left": art - made.debt}
    return {**found, "result": REVERT if made.refused else OK}


def prices(x: Inputs) -> dict[str, Any]:
    """Compute price after some time: linear with `tau`, in stairs with `step`, exponential otherwise."""
    top, times = x.number("top"), x.numbers("elapsed", "t", "elapsed_s")
    curve = x.text("curve").lower()
    if curve.startswith("lin") or (not curve and x.has("tau")):
        tau = x.number("tau")
        values = [linear_price(top, time, tau) for time in times]
    elif x.has("cut"):
        cut, step = x.number("cut"), x.optional("step")
        stairs = step is not None and not curve.startswith("exp")
        values = [stair_price(top, time, cut, step) if stairs and step else exponential_price(top, time, cut) for time in times]
    else:
        raise UnknownInput("missing input: tau (linear) or cut (stairs)")
    return {"price": like(x, values, "elapsed", "t", "elapsed_s")}


def take(x: Inputs) -> dict[str, Any]:
    """Tell what a taker gets at the price, or at the price the curve has reached; above his own limit it reverts."""
    price = x.exact("price") if x.has("price") else None
    if price is None:
        price = stair_price(x.number("top"), x.number("elapsed", "elapsed_s"), x.number("cut"), x.number("step", default=1.0))
    highest = x.optional("max_price", "max")
    tab, lot, wanted, least = (x.exact(name) if name != "chost" else x.exact(name, default=0) for name in ("tab", "lot", "amt", "chost"))
    exact = [tab, lot, wanted, least] if not isinstance(price, float) else [float(tab), float(lot), float(wanted), float(least)]
    got = taken(exact[0], exact[1], price, exact[2], exact[3])
    refused = got.refused or (highest is not None and highest < price)
    found = {"collateral_bought": got.bought, "paid": got.paid, "lot_left": got.lot_left, "tab_left": got.tab_left, "price": price}
    returned = got.lot_left if got.tab_left == 0 and not refused else 0
    return {**found, "result": REVERT if refused else OK, "returned": returned, "bad_debt": got.tab_left if got.lot_left == 0 else 0}


TOPICS = {
    ("maker", "auction.kick"): kick,
    ("maker", "auction.take"): take,
    ("maker", "auction.price"): prices,
    ("maker", "auction.liquidation_limit"): limit,
}
