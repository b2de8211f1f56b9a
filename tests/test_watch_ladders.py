"""Watch ladders find exactly who is at the line, in the step in which it happens: equal to a full sweep at every step, on every kind of path."""

from __future__ import annotations

import numpy as np
import pytest

from plain_watch import ASSETS, KINDS, MARKETS, PlainWatch, Sweep, path, population, rules, start_prices, volatility
from waxline.accounts import margin_book, watch_kernels, watch_ladders, watch_map
from waxline.accounts.margin_book import DEBTS, LOANS, MAINTENANCE, Balances, BookRules, Legs, MixedBook, Prices

AT = start_prices()
ROW = np.concatenate([AT.mark, AT.asset])


def mixed(count: int, seed: int, venue: BookRules) -> MixedBook:
    return margin_book.mixed_book(count, *population(count, seed, venue, AT), venue)


def mismatches(found: list[np.ndarray], wanted: list[np.ndarray]) -> int:
    """Return how many accounts were found in another step than the sweep's, or not at all, or without cause."""
    return sum(np.setxor1d(one, other).size for one, other in zip(found, wanted, strict=True))


def compare(book: MixedBook, prices: np.ndarray, settles: float = 0.0, bits: int | None = None) -> tuple[int, int, int]:
    """Step along a path and return mismatches with the full sweep, accounts found, and accounts looked at."""
    watch, first = watch_ladders.arm(book, AT, volatility(settles), bits)
    sweep = Sweep(book)
    found, wanted = [first], [sweep.step(ROW)]
    watch.counters[watch_kernels.LOOKS] = 0
    for row in prices:
        found.append(watch_ladders.step_row(watch, row))
        wanted.append(sweep.step(row))
    return mismatches(found, wanted), sum(one.size for one in wanted[1:]), int(watch.counters[watch_kernels.LOOKS])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("tiered", "measure", "settles"),
    [
        pytest.param(False, MAINTENANCE, 0.0, marks=pytest.mark.slow),
        pytest.param(True, MAINTENANCE, 0.0, marks=pytest.mark.slow),
        (True, MAINTENANCE, 1e-3),
        pytest.param(True, DEBTS, 0.0, marks=pytest.mark.slow),
        (True, LOANS, 1e-3),
    ],
)
def test_set_and_step_of_every_trigger_equal_the_full_sweep(kind: str, tiered: bool, measure: int, settles: float) -> None:
    book = mixed(1_500, 7, rules(tiered, measure))
    wrong, found, looks = compare(book, path(kind, 120, 3, AT, settles), settles)
    assert wrong == 0
    assert found > (0 if kind == "calm" else 20), "a path on which nobody comes to the line shows nothing"
    assert looks < 120 * 1_500 / 4


@pytest.mark.parametrize("kind", ["crash", "noise"])
def test_coin_margined_accounts_are_looked_at_in_every_step_and_found_in_theirs(kind: str) -> None:
    book = mixed(600, 11, rules(True, inverse=2))
    watch, _ = watch_ladders.arm(book, AT, volatility())
    assert 0 < watch.book.every_step.size < 600
    wrong, found, _ = compare(book, path(kind, 90, 5, AT))
    assert wrong == 0 and found > 50


def test_rules_that_jump_or_grow_faster_than_equity_have_their_holders_looked_at_in_every_step() -> None:
    venue = rules(True)
    jumping = venue._replace(tier_deduction=np.where(np.arange(MARKETS)[:, None] == 0, 0.0, venue.tier_deduction))
    steep = venue._replace(tier_rate=np.where(np.arange(MARKETS)[:, None] == 1, np.where(venue.tier_rate == 0.1, 1.5, venue.tier_rate), venue.tier_rate))
    for other in (jumping, steep):
        book = mixed(400, 5, other)
        watch, _ = watch_ladders.arm(book, AT, volatility())
        assert 0 < watch.book.every_step.size < 400
        assert compare(book, path("noise", 60, 5, AT))[0] == 0


@pytest.mark.parametrize("kind", [pytest.param("calm", marks=pytest.mark.slow), "noise"])
def test_splitting_only_the_crossed_leg_anew_is_late(kind: str) -> None:
    """The negative control (a plain crash would hide it): the rule that seems enough fails the same comparison, and the plain ladders with the right rule pass it."""
    book = mixed(500, 13, rules(True))
    prices = path(kind, 150 if kind == "calm" else 80, 17, AT)
    if kind == "calm":
        # As calm, over a time in which prices move by a few per cent.
        prices = ROW * (prices / ROW) ** 10.0
    sweep, right, wrong = Sweep(book), PlainWatch(book, volatility(), ROW), PlainWatch(book, volatility(), ROW, all_legs=False)
    sweep.step(ROW)
    wanted = [sweep.step(row) for row in prices]
    assert mismatches([right.step(row) for row in prices], wanted) == 0
    assert mismatches([wrong.step(row) for row in prices], wanted) > 0
    watch, _ = watch_ladders.arm(book, AT, volatility())
    watch.counters[watch_kernels.LOOKS] = 0
    assert mismatches([watch_ladders.step_row(watch, row) for row in prices], wanted) == 0
    # Same levels but for their rounding: nearly the same accounts are looked at, the rest of the first look is not counted.
    assert watch.counters[watch_kernels.LOOKS] == pytest.approx(right.looks - 500, rel=0.02, abs=5)


@pytest.mark.parametrize("kind", ["noise", "crash", "jumps"])
def test_changed_slack_is_followed_by_a_new_look(kind: str) -> None:
    """Top-ups, withdrawals, funding and partial closes of random accounts in every step; some come back after they were at their line."""
    book = mixed(1_000, 23, rules(True))
    watch, _ = watch_ladders.arm(book, AT, volatility())
    sweep, rng = Sweep(book), np.random.Generator(np.random.PCG64(29))
    found, wanted = [np.zeros(0)], [np.zeros(0)]
    sweep.step(ROW)
    for row in path(kind, 80, 31, AT):
        found.append(watch_ladders.step_row(watch, row))
        wanted.append(sweep.step(row))
        rows = rng.choice(1_000, 25, replace=False)
        for n in rows.tolist():
            change(watch, sweep, n, rng, row)
        sweep.live[rows] = True
        found.append(watch_ladders.look_again(watch, rows))
        wanted.append(np.intersect1d(sweep.step(row), rows))
    assert mismatches(found, wanted) == 0
    assert sum(one.size for one in wanted) > 200


def change(watch: watch_ladders.Watch, sweep: Sweep, n: int, rng: np.random.Generator, row: np.ndarray) -> None:
    """Change account `n` in the watch and in the sweep: cash comes or goes, or a part of all positions is closed."""
    numbers = watch_ladders.record(watch, n)
    g, i = sweep.place[n]
    group = sweep.groups[g]
    legs = group.leg.shape[1]
    size = float((np.abs(group.leg[i]) * row[np.maximum(sweep.pieces.market[group.leg_piece[i]], 0)]).sum())
    if rng.random() < 0.5:
        group.cash[i] += float(rng.normal(0.02, 0.05)) * size
    else:
        part = float(rng.uniform(0.1, 0.9))
        linear = [x * row[m] for x, m in zip(group.leg[i].tolist(), sweep.pieces.market[group.leg_piece[i]].tolist(), strict=True) if m >= 0]
        group.cost[i] -= part * sum(linear)
        group.leg[i] *= 1.0 - part
    numbers[0], numbers[1 : 1 + legs], numbers[1 + legs + group.coins.shape[1]] = group.cost[i], group.leg[i], group.cash[i]


def test_other_rules_are_followed_by_a_look_at_everybody() -> None:
    venue = rules(True)
    harder = venue._replace(line=1.5, tier_rate=4.0 * venue.tier_rate, tier_deduction=4.0 * venue.tier_deduction)
    legs, coins = population(800, 3, venue, AT)
    legs = legs._replace(counted_at=np.zeros(legs.entry.size))
    book, other = margin_book.mixed_book(800, legs, coins, venue), margin_book.mixed_book(800, legs, coins, harder)
    watch, _ = watch_ladders.arm(book, AT, volatility())
    before, after = Sweep(book), Sweep(other)
    before.step(ROW)
    prices = path("noise", 60, 9, AT)
    for row in prices[:30]:
        assert watch_ladders.step_row(watch, row).tolist() == before.step(row).tolist()
    after.live = before.live
    changed = watch_ladders.change_rules(watch, harder, volatility())
    assert changed.size > 0 and changed.tolist() == after.step(prices[29]).tolist()
    for row in prices[30:]:
        assert watch_ladders.step_row(watch, row).tolist() == after.step(row).tolist()
    with pytest.raises(ValueError, match="same markets"):
        watch_ladders.change_rules(watch, harder._replace(settles_in=1), volatility())


def test_a_price_that_was_promised_to_stay_and_moves_has_everybody_looked_at() -> None:
    book, sweep = mixed(500, 3, rules(True)), Sweep(mixed(500, 3, rules(True)))
    watch, _ = watch_ladders.arm(book, AT, volatility())
    sweep.step(ROW)
    row = ROW.copy()
    for factor in (0.97, 1.0, 0.9):
        row[MARKETS] = factor
        assert watch_ladders.step_row(watch, row).tolist() == sweep.step(row).tolist()
    with pytest.raises(ValueError, match="volatility 0"):
        watch_ladders.watch_path(watch, np.array([ROW]))


def test_a_known_path_at_once_gives_what_single_steps_give_with_any_width_of_buckets_and_little_room() -> None:
    book, prices = mixed(1_500, 7, rules(True)), path("noise", 100, 41, AT)
    sweep = Sweep(book)
    sweep.step(ROW)
    wanted = [(row, t) for t, prices_now in enumerate(prices) for row in sweep.step(prices_now).tolist()]
    for bits in (2, 6, 9):
        watch, _ = watch_ladders.arm(book, AT, volatility(), bits)
        # No free chunks: the first append finds no room, all chains are built anew and nothing is lost.
        watch.counters[watch_kernels.FREE_CHUNKS] = 0
        rows, steps, looks = watch_ladders.watch_path(watch, prices)
        assert list(zip(rows.tolist(), steps.tolist(), strict=True)) == wanted
        assert looks.sum() > rows.size and watch.prices.tolist() == prices[-1].tolist()


def test_removed_accounts_are_never_found_and_come_back_when_named() -> None:
    book = mixed(300, 7, rules(False))
    watch, _ = watch_ladders.arm(book, AT, volatility())
    gone = np.arange(0, 300, 2)
    watch_ladders.remove(watch, gone)
    low = np.concatenate([AT.mark * 0.3, AT.asset])
    found = watch_ladders.step_row(watch, low)
    assert found.size > 20 and not np.isin(found, gone).any()
    again = watch_ladders.look_again(watch, gone)
    assert np.union1d(found, again).tolist() == np.union1d(Sweep(book).step(low), found).tolist()


@pytest.mark.parametrize("inverse", [0, 2])
def test_the_liquidation_map_equals_a_sweep_at_every_moved_price(inverse: int) -> None:
    book = mixed(800, 19, rules(True, inverse=inverse))
    watch, _ = watch_ladders.arm(book, AT, volatility())
    sweep = Sweep(book)
    sweep.step(ROW)
    for row in path("noise", 20, 43, AT):
        watch_ladders.step_row(watch, row)
        sweep.step(row)
    # Looked at once more without a change: levels that stand twice in a chain count once.
    watch_ladders.look_again(watch, np.flatnonzero(sweep.live)[:200])
    distances = np.array([0.01, 0.1, 0.4])
    got, keys = watch_map.liquidation_map(watch, distances), watch.book.key.copy()
    wanted = np.zeros_like(got)
    for p in range(MARKETS + ASSETS):
        for side, sign in ((0, -1.0), (1, 1.0)):
            for d, distance in enumerate(distances):
                moved = row.copy()
                moved[p] *= 1.0 + sign * distance
                hit = sweep.at_line(moved) & sweep.live
                wanted[p, side, d] = held_usd(sweep, hit, p, side, row)
    wanted[MARKETS] = got[MARKETS]
    assert got == pytest.approx(wanted, rel=1e-12)
    assert (got[:MARKETS] > 0.0).any(axis=(1, 2)).sum() > MARKETS // 2
    assert (watch.book.key == keys).all()
    with pytest.raises(ValueError, match=r"\[0, 0.5\]"):
        watch_map.liquidation_map(watch, np.array([0.6]))


def held_usd(sweep: Sweep, hit: np.ndarray, p: int, side: int, row: np.ndarray) -> float:
    """Return the value of the amounts in price `p` of the hit accounts, long (side 0) or short."""
    total = 0.0
    for group in sweep.groups:
        for amounts, pieces in ((group.leg, group.leg_piece), (group.coins, group.coins_piece)):
            place = np.where(sweep.pieces.market[pieces] >= 0, sweep.pieces.market[pieces], MARKETS + sweep.pieces.asset[pieces])
            none = (sweep.pieces.market[pieces] < 0) & (sweep.pieces.asset[pieces] < 0)
            mine = (place == p) & ~none & ((amounts < 0.0) == (side == 1)) & hit[group.row][:, None]
            total += float((np.abs(amounts) * row[p])[mine].sum())
    return total


def test_a_long_position_with_cash_to_spare_has_no_level_and_one_leg_has_its_liquidation_price() -> None:
    venue = rules(False)
    legs = Legs(np.array([0, 1, 2]), np.zeros(3, dtype=np.int64), np.array([1.0, 1.0, -1.0]), np.full(3, 100.0), np.zeros(3))
    balances = Balances(np.arange(3), np.zeros(3, dtype=np.int64), np.array([101.0, 20.0, 20.0]))
    at = Prices(np.full(MARKETS, 100.0), np.ones(ASSETS))
    watch, first = watch_ladders.arm(margin_book.mixed_book(3, legs, balances, venue), at, volatility())
    assert first.size == 0
    keys = watch.book.key.reshape(3, 2)[watch.place]
    assert keys[0].tolist() == [watch_kernels.REMOVED, watch_kernels.ALIVE]
    # cash + (P - 100) = 0.02 P and cash - (P - 100) = 0.02 P, rounded to 32 bits towards 100.
    falls = np.array([keys[1, 0]], dtype=np.int32).view(np.float32)[0]
    rises = np.array([watch_kernels.KEYS - keys[2, 0]], dtype=np.int32).view(np.float32)[0]
    assert 80.0 / 0.98 <= falls <= 80.0 / 0.98 * (1 + 1e-6) and 120.0 / 1.02 * (1 - 1e-6) <= rises <= 120.0 / 1.02


def test_an_account_of_three_legs_takes_at_most_160_bytes() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    count, venue = 20_000, rules(False)
    legs = Legs(
        np.repeat(np.arange(count), 3), rng.integers(0, MARKETS, 3 * count), rng.choice([-1.0, 1.0], 3 * count), np.ones(3 * count), np.zeros(3 * count)
    )
    cash = Balances(np.arange(count), np.zeros(count, dtype=np.int64), rng.uniform(1.0, 2.0, count))
    watch, _ = watch_ladders.arm(margin_book.mixed_book(count, legs, cash, venue), Prices(np.ones(MARKETS), np.ones(ASSETS)), volatility())
    memory = watch.memory()
    assert sum(memory[part] for part in ("records", "chains", "heads", "rows")) <= 160 * count


@pytest.mark.parametrize("price", [0.0, -1.0, np.nan, np.inf, 1e31])
def test_prices_out_of_bounds_are_refused(price: float) -> None:
    watch, _ = watch_ladders.arm(mixed(20, 1, rules(False)), AT, volatility())
    with pytest.raises(ValueError, match="prices must lie in"):
        watch_ladders.step(watch, Prices(np.full(MARKETS, price), AT.asset))
    with pytest.raises(ValueError, match="volatility"):
        watch_ladders.arm(mixed(20, 1, rules(False)), AT, Prices(np.full(MARKETS, -1.0), np.ones(ASSETS)))


def test_a_settlement_currency_with_bands_in_coins_must_not_move() -> None:
    venue = rules(True)
    in_coins = venue._replace(band_in_coins=np.arange(ASSETS) == 0)
    assert compare(mixed(300, 1, in_coins), path("noise", 30, 2, AT))[0] == 0
    with pytest.raises(ValueError, match="bands in coins"):
        watch_ladders.arm(mixed(300, 1, in_coins), AT, volatility(1.0))


def test_an_empty_book_is_watched_without_complaint() -> None:
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    empty = margin_book.mixed_book(0, Legs(none, none, nothing, nothing, nothing), Balances(none, none, nothing), rules(False))
    watch, first = watch_ladders.arm(empty, AT, volatility())
    assert first.size == 0 and watch_ladders.step(watch, AT).size == 0
