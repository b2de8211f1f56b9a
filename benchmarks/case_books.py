"""Books: two makers of 300 levels a side re-quote, one sell and one buy arrive, quotes and orders clear, mid and depth are read out.

A market-step is what the simulation does with a market's book in a step, by its own kernels: `quote_books` (estimate, size and place of every
ladder) and `clear_markets` (crossing quotes, netting, walking, trades booked to accounts, mid, depth within 1 %). Sells have no limit; the smaller
of sell and buy is netted at the mid, the rest walks. The work differs in how far: a few levels; now and then 50 times as much; beside a crowd.

Physical estimate, per market-step: about 60 columns of the market (480 bytes) and its flows (13 kinds x 16 bytes) are read, 30 columns
written (240 bytes); moves by cause: 16 causes x 3 tables read and written (768 bytes); what orders have eaten, on each of four sides 20 rungs x
(coins left, USD, price: 24 bytes) read and 8 bytes written. In all 3,400 bytes read, 1,700 written. Posting all 1,200 levels anew would
read 19,200 bytes and write 9,600.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from harness import Work, case

from waxline.accounts.tables import Cells, Portfolios, Traders
from waxline.agents.quoting import quote_books
from waxline.agents.tables import Flow, MakerTable, QuoteRules
from waxline.jit import lean
from waxline.market.ladder import crowd_ladder, maker_ladder, shape_sums
from waxline.market.sorting import DIGITS
from waxline.market.tables import O_SHARES, Books, Causes, Flows, Markets, Orders
from waxline.results.schema import N_CAUSES
from waxline.simulation.clearing import Scratch, clear_markets

LEVELS, MAKERS, STEPS, LINKS = 300, 2, 500, 6
GRID, HALF, DEPTH_USD, PRICE_USD, VOLATILITY = 1e-4, 2e-4, 1e7, 100.0, 1e-3
READ, WRITTEN = 3_400, 1_700


class World(NamedTuple):
    """Hold everything `run_steps` reads and writes: tables of the simulation for M markets, and orders for T steps."""

    markets: Markets
    books: Books
    causes: Causes
    makers: MakerTable
    rules: QuoteRules
    flows: Flows
    orders: Orders
    cells: Cells
    traders: Traders
    portfolios: Portfolios
    scratch: Scratch
    slot_account: Any
    limits: Any
    fair: Any
    sells: Any
    buys: Any


@lean
def run_steps(
    markets, books, causes, makers, rules, flows, orders, cells, traders, portfolios, scratch, slot_account, limits, fair, sells, buys,
    redemption, link_rate, links, speed, fees, mark, bound,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Run all steps [T] of the orders `sells`, `buys` [T, M] in coins; limits [3, S, M]: inventory, coins to offer, USD to bid with; writes the tables."""
    for t in range(sells.shape[0]):
        for m in range(sells.shape[1]):
            flows.quantity[m, 2] = -sells[t, m]
            flows.quantity[m, 1] = buys[t, m]
            for c in range(causes.step.shape[1]):
                causes.step[m, c] = 0.0
        quote_books(
            markets, books, causes, makers, rules, limits[0], limits[1], limits[2], fair[t], redemption, link_rate, speed, 1.0 * t, 1.0, links, scratch.rates
        )
        clear_markets(markets, books, causes, flows, orders, cells, traders, portfolios, fees, slot_account, scratch, mark, bound, 0.01, 0.01, False, 1.0)


def zeros(kind: Any, shapes: dict[str, tuple[int, ...]], default: tuple[int, ...], ints: str = "", flags: str = "") -> dict[str, Any]:
    """Return a zero for every field of a table: of shape `default` unless said, floats unless named."""
    dtypes = {**dict.fromkeys(ints.split(), np.int64), **dict.fromkeys(flags.split(), np.bool_)}
    return {name: np.zeros(shapes.get(name, default), dtype=dtypes.get(name, np.float64)) for name in kind._fields}


def build_world(count: int, crowd: bool, far: float, seed: int) -> World:
    """Return `count` spot books with orders of 0.5 % of the depth within 1 % on average, a part `far` of them 50 times as large; `crowd`: others rest too."""
    rng = np.random.Generator(np.random.PCG64(seed))
    owners = MAKERS + 1
    log_price = np.full(count, np.log(PRICE_USD))
    offset, usd = np.zeros((count, 2, LEVELS), dtype=np.int64), np.zeros((count, 2, LEVELS))
    offset[:, 0], usd[:, 0] = maker_ladder(DEPTH_USD, GRID, HALF, 0.06, 0.67, LEVELS)
    offset[:, 1], usd[:, 1] = crowd_ladder(0.3 * DEPTH_USD, GRID, HALF, 0.22, rungs=LEVELS)
    relative, cumulative = shape_sums(offset, usd, np.full(count, GRID))
    sides = (count, owners, 2)
    table = zeros(
        Markets, {"link_market": (count, LINKS), "link_kind": (count, LINKS)}, (count,),
        ints="venue asset sister size_class link_market link_kind claim_asset stream", flags="perp",
    )  # fmt: skip
    table.update(offset=offset, usd=usd, relative=relative, cumulative=cumulative, maker_whole_usd=usd[:, 0].sum(axis=1), log_reference=log_price)
    for name, value in (("grid", GRID), ("half_spread", HALF), ("depth_usd", DEPTH_USD), ("volatility", VOLATILITY), ("link_market", -1), ("bid_end", -100.0)):
        table[name][:] = value
    book = zeros(
        Books, {"base": sides, "scale": sides, "eaten": sides, "first": sides, "inside": (count, 2), "left": (*sides, LEVELS), "estimate": (owners, count), "skew": (owners, count),
        "size_frac": (owners, count), "pulled_until_s": (owners, count)}, (count,), ints="base eaten first inside",
    )  # fmt: skip
    book["scale"][:, :MAKERS] = np.array([0.6, 0.4])[:, None] / PRICE_USD
    book["scale"][:, MAKERS] = crowd / PRICE_USD
    for name, value in (("variance", VOLATILITY**2 / 60.0), ("variance_fast", VOLATILITY**2 / 60.0), ("last", PRICE_USD), ("pulled_until_s", -1e9)):
        book[name][:] = value
    for name in ("estimate", "mid", "traded_log", "slow_mean", "anchor"):
        book[name][:] = log_price
    book["best_bid"], book["best_ask"] = log_price - HALF, log_price + HALF
    one, two = np.ones(1), np.ones(owners)
    makers = MakerTable(
        share=np.tile(np.array([0.6, 0.4, 0.0])[:, None], (1, 1)), account=np.zeros((owners, count), dtype=np.int64), pull_ratio=1e9 * two, cool_down_s=600.0 * two,
        speed=two.copy(), cap=np.ones((owners, 1)), alive=two.copy(), entered=two.copy(),
    )  # fmt: skip
    rules = QuoteRules(
        own_rate=0.3, learning_floor=0.03, learning_turnover=0.03, learning_spread=0.05, volatility_window_s=60.0, spread_share=0.35, size_scale=8.0, skew_share=0.6,
        skew_limit=0.02, inventory_limit=4.0, inventory_limit_spot=4.0, inventory_tau_s=250.0, refill_rate=0.1 * one, cut_rate=0.7, pulled_frac=0.02, ramp_s=600.0,
        news_tau_s=900.0, news_small_tau_s=10.0, news_small_limit=6.0, crowd_tau_s=300.0 * one, crowd_refill=0.006 * one, crowd_cancel=0.0004, withdraw=True,
        funding_cap=True, volatility_response=True,
    )  # fmt: skip
    free = np.zeros((count, Flow.COUNT))
    free[:, Flow.NOISE_BUY], free[:, Flow.NOISE_SELL] = np.inf, -np.inf
    flows = Flows(np.zeros((count, Flow.COUNT)), free, np.ones(Flow.COUNT, dtype=np.int64), np.full(Flow.COUNT, 8, dtype=np.int64))
    orders = Orders(np.zeros((1, O_SHARES + N_CAUSES)), np.full(1, -1), np.full(count, -1), np.zeros(2, dtype=np.int64))
    cells = Cells(*(np.zeros((2, count)) for _ in Cells._fields))
    traders = Traders(**zeros(Traders, {}, (1,), ints="market status order first_trigger_s next_watched"))
    accounts = {"balance": (MAKERS, 2), "position": (MAKERS, count), "cost": (MAKERS, count)}
    portfolios = Portfolios(**zeros(Portfolios, accounts, (MAKERS,), ints="venue status order first_trigger_s"))
    slot_account = np.tile(np.array([0, 1, -1])[:, None], (1, count))
    limits = np.zeros((3, owners, count))
    limits[1:, :MAKERS] = np.inf
    limits[1:, MAKERS] = np.inf if crowd else 0.0
    asked = 0.005 * DEPTH_USD / PRICE_USD * rng.exponential(1.0, (2, STEPS, count)) * np.where(rng.random((2, STEPS, count)) < far, 50.0, 1.0)
    steps = np.cumsum(rng.normal(0.0, VOLATILITY / np.sqrt(60.0), STEPS))
    fair = (log_price[0] + steps - np.linspace(0.0, steps[-1], STEPS))[:, None]
    entries = Flow.COUNT + 1
    scratch = Scratch(
        entries=np.zeros((2, 5, entries)), cause=np.zeros((2, entries), dtype=np.int64), source=np.zeros((2, entries), dtype=np.int64),
        order=np.zeros(entries, dtype=np.int64), sorting=np.zeros((4, max(entries, DIGITS)), dtype=np.int64), owner=np.zeros((4, owners)),
        place=np.zeros((2, owners), dtype=np.int64), key=np.zeros((2, owners), dtype=np.int64), at=np.zeros((2, owners), dtype=np.int64),
        counts=np.zeros(2, dtype=np.int64), rates=np.zeros((1, 3)), charge=np.zeros(N_CAUSES), by_cause=np.zeros(N_CAUSES),
    )  # fmt: skip
    causes = Causes(**zeros(Causes, {}, (count, N_CAUSES)) | {name: np.zeros(count) for name in ("peak", "trough")})
    return World(
        Markets(**table),
        Books(**book),
        causes,
        makers,
        rules,
        flows,
        orders,
        cells,
        traders,
        portfolios,
        scratch,
        slot_account,
        limits,
        fair,
        asked[0],
        asked[1],
    )


def play(world: World) -> None:
    """Run all steps of a world once more, from where its books stand."""
    count = world.markets.venue.size
    run_steps(*world, np.full(count, np.nan), np.zeros((count, LINKS)), np.zeros(LINKS), np.ones(1), np.zeros(1), np.full(count, PRICE_USD), np.full(1, 0.5))


@case("books", small=20, medium=200, large=2_000)
def books(size: int, pool: ThreadPoolExecutor) -> Iterator[Work]:
    """Yield the work on `size` markets with two makers of 300 levels a side, 500 steps a run."""
    for name, crowd, far, bar in (
        ("a few levels", False, 0.0, 2e6),
        ("1 % of orders 50 times as large", False, 0.01, 1e6),
        ("beside a crowd of 300", True, 0.0, None),
    ):
        world = build_world(size, crowd, far, 20251010)
        yield Work(name, "market-steps", size * STEPS, lambda world=world: play(world), READ * size * STEPS, WRITTEN * size * STEPS, bar=bar)
