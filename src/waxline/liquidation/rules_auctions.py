"""Rules of collateral auctions (Maker, Sky): what is put up, the falling price, what a taker gets, the limit on throughput.

Numbers are in whole units (coins, DAI), not in wei; given exact fractions they answer exactly.
"""

from __future__ import annotations

from typing import NamedTuple


class Taking(NamedTuple):
    """Hold what one taker got: collateral bought, paid, lot and tab left; refused where the auction's rules revert."""

    bought: float
    paid: float
    lot_left: float
    tab_left: float
    refused: bool


class Kicked(NamedTuple):
    """Hold what an auction puts up: debt taken (art), collateral (lot), amount to raise (tab); refused where the rules revert."""

    debt: float
    lot: float
    tab: float
    refused: bool


def vault_is_unsafe(collateral: float, price: float, ratio: float, debt: float, rate: float) -> bool:
    """Tell whether collateral price / ratio (1.5 for 150 %) is below debt times rate. Source: dss dog.sol."""
    return collateral * price / ratio < debt * rate


def kicked(collateral: float, debt: float, rate: float, chop: float, room: float, dust: float) -> Kicked:
    """Return what an auction puts up within the room left under the limits: min(art, room / rate / chop).

    A remainder below dust takes the whole vault (the limit is then exceeded); a slice below dust is refused. chop 1.13 for 13 %.
    Source: dss dog.sol bark.
    """
    part = min(debt, room / rate / chop)
    refused = False
    if debt > part:
        if (debt - part) * rate < dust:
            part = debt
        else:
            refused = part * rate < dust
    return Kicked(part, collateral * part / debt, part * rate * chop, refused or part <= 0)


def top_price(price: float, buffer: float) -> float:
    """Return the starting price of an auction: oracle price times buffer. Source: dss clip.sol kick."""
    return price * buffer


def keeper_reward(tip: float, chip: float, tab: float) -> float:
    """Return what the keeper who starts an auction gets: tip + chip tab. Source: dss clip.sol kick."""
    return tip + chip * tab


def linear_price(top: float, elapsed_s: float, tau_s: float) -> float:
    """Return top (1 - t / tau), zero from tau on. Source: dss abaci.sol LinearDecrease."""
    return top * ((tau_s - elapsed_s) / tau_s) if elapsed_s < tau_s else 0.0


def stair_price(top: float, elapsed_s: float, cut: float, step_s: float) -> float:
    """Return top cut^(whole steps passed). Source: dss abaci.sol StairstepExponentialDecrease."""
    return float(top * cut ** (elapsed_s // step_s))


def exponential_price(top: float, elapsed_s: float, cut: float) -> float:
    """Return top cut^t. Source: dss abaci.sol ExponentialDecrease."""
    return float(top * cut**elapsed_s)


def needs_reset(price: float, top: float, elapsed_s: float, tail_s: float, cusp: float) -> bool:
    """Tell whether an auction must be started again: older than tail, or fallen below cusp of its top. Source: dss clip.sol status."""
    return elapsed_s > tail_s or price < cusp * top


def taken(tab: float, lot: float, price: float, wanted: float, least_tab: float) -> Taking:
    """Return what a taker gets who wants at most `wanted` coins at `price`.

    Nobody pays more than tab; a partial taking leaves at least `least_tab`, or less is bought, or it is refused. Source: dss clip.sol take.
    """
    bought = min(lot, wanted)
    paid = bought * price
    if paid > tab:
        paid = tab
        bought = paid / price
    elif paid < tab and bought < lot and tab - paid < least_tab:
        if tab <= least_tab:
            return Taking(0.0, 0.0, lot, tab, True)
        paid = tab - least_tab
        bought = paid / price
    return Taking(bought, paid, lot - bought, tab - paid, False)
