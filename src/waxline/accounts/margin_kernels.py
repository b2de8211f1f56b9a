"""Compiled loops that value whole books of accounts: equity and requirement per account, and who is at the line.

One-leg accounts stand sorted by market and size, so that mark, rate and deduction are single numbers per run. Accounts with many legs
hold entries (a signed amount, and the affine piece of the rules it lies in); pieces are priced once per call, so that a loop over millions of
entries only multiplies and adds, and moves to a neighbouring piece where a price has carried an amount over the edge of a tier or band.
"""

from __future__ import annotations

import numpy as np

from waxline.jit import njit

GIVES, OWED, BACKS, NEEDS = range(4)
"""Columns of a table of priced pieces, all in USD: per unit of the amount what it gives (a position into the settlement balance, a coin into what backs
the account) and what it requires; at any amount what it gives and what it requires."""

ROW = 4
"""Numbers in a row of that table: two pairs, so that the sums of an account (what it has, what it needs) are made side by side in one register."""

HAS, MUST_HAVE = range(2)
"""Columns of values of accounts."""

BLOCK = 1024


@njit
def first_above(quantity, begin, end, mark, inverse, cap):
    """Return the first place in begin..end whose notional (USD) is above `cap`; |quantity| rises there, a notional at the cap stays below."""
    low = begin
    high = end
    while low < high:
        middle = (low + high) // 2
        size = abs(quantity[middle])
        if (size if inverse else size * mark) > cap:
            high = middle
        else:
            low = middle + 1
    return low


@njit
def tier_runs(quantity, start, inverse, mark, tier_cap, run_end, run_market, run_tier):
    """Split every market's accounts at the ends of tiers; writes run_end, run_market, run_tier [M * N], returns the number of runs.

    quantity [K] sorted by market, then |quantity|; start [M + 1]; inverse [M]; mark [M] USD; tier_cap [M, N] USD, the last one infinite.
    """
    runs = 0
    for m in range(mark.size):
        at = start[m]
        for n in range(tier_cap.shape[1]):
            if at == start[m + 1]:
                break
            after = first_above(quantity, at, start[m + 1], mark[m], inverse[m], tier_cap[m, n])
            if after > at:
                run_end[runs] = after
                run_market[runs] = m
                run_tier[runs] = n
                runs += 1
                at = after
    return runs


@njit
def mark_hits(quantity, rest, mark, inverse, rate, fee, deduction, line, equality, hit):
    """Write 1 into hit [K] (8 bit) for the accounts of one run at or past their line, else 0, return their number; see `check_one_leg`."""
    count = 0
    for i in range(quantity.size):
        q = quantity[i]
        if inverse:
            equity = rest[i] * mark - q
            notional = abs(q)
        else:
            equity = rest[i] + q * mark
            notional = abs(q) * mark
        tiered = notional * rate - deduction
        required = (tiered if tiered > 0.0 else 0.0) + fee * notional
        slack = equity - line * required
        one = ((slack < 0.0) | (equality & (slack == 0.0))) & ((required > 0.0) | (equity < 0.0))
        hit[i] = one
        count += one
    return count


@njit
def value_run(quantity, rest, mark, inverse, rate, fee, deduction, equity_out, required_out):
    """Value one run; writes equity_out and required_out [K] in USD; arguments as in `value_one_leg`."""
    for i in range(quantity.size):
        q = quantity[i]
        if inverse:
            equity_out[i] = rest[i] * mark - q
            notional = abs(q)
        else:
            equity_out[i] = rest[i] + q * mark
            notional = abs(q) * mark
        tiered = notional * rate - deduction
        required_out[i] = (tiered if tiered > 0.0 else 0.0) + fee * notional


@njit
def check_one_leg(begin, end, quantity, rest, run_end, run_market, run_tier, runs, mark, inverse, rate, deduction, fee, line, equality, found):
    """Collect the accounts in begin..end whose equity has come down to `line` times their requirement; returns their number.

    Linear: E = rest + q P, rest = cash - q EP (USD), N = |q| P. Inverse: E = rest P - q, rest = coins + q / EP, N = |q|, q in contracts of one
    USD. M = max(N rate - deduction, 0) + fee N. quantity (long positive), rest [K] as `tier_runs` wants them; mark [M] USD; rate, deduction [M, N];
    writes places into found [end - begin]. An account at its line counts if `equality`; one without requirement and loss never does.
    """
    hit = np.empty(BLOCK, np.uint8)
    count = 0
    at = begin
    for r in range(runs):
        if run_end[r] <= begin:
            continue
        if at >= end:
            break
        m = run_market[r]
        n = run_tier[r]
        stop = min(run_end[r], end)
        while at < stop:
            upto = min(at + BLOCK, stop)
            q = quantity[at:upto]
            if mark_hits(q, rest[at:upto], mark[m], inverse[m], rate[m, n], fee, deduction[m, n], line, equality, hit) > 0:
                # Written first and counted after, so that nothing is guessed about who is hit.
                for i in range(q.size):
                    found[count] = at + i
                    count += hit[i]
            at = upto
    return count


@njit
def value_one_leg(begin, end, quantity, rest, run_end, run_market, run_tier, runs, mark, inverse, rate, deduction, fee, equity_out, required_out):
    """Value the accounts in begin..end; writes equity_out, required_out [K] in USD. Formulas and shapes as in `check_one_leg`."""
    at = begin
    for r in range(runs):
        if run_end[r] <= begin:
            continue
        if at >= end:
            break
        m = run_market[r]
        n = run_tier[r]
        stop = min(run_end[r], end)
        value_run(quantity[at:stop], rest[at:stop], mark[m], inverse[m], rate[m, n], fee, deduction[m, n], equity_out[at:stop], required_out[at:stop])
        at = stop


@njit
def price_pieces(market, asset, paid_by, in_coins, gives, always, owed, up_to, mark, price, table, per_contract, ends):
    """Write the table of pieces at prices [K, 4], one over the mark of the contracts that pay in a piece's coin [K], and the ends in coins [K].

    Columns [K] as in `margin_book.Pieces`, mark [M], price [A] in USD.
    """
    for k in range(market.size):
        at = mark[market[k]] if market[k] >= 0 else price[asset[k]] if asset[k] >= 0 else 1.0
        constant = always[k] * at if in_coins[k] else always[k]
        table[k, GIVES] = gives[k] * at
        table[k, OWED] = owed[k] * at
        table[k, BACKS] = constant if asset[k] >= 0 else 0.0
        table[k, NEEDS] = 0.0 if asset[k] >= 0 else constant
        per_contract[k] = 1.0 / mark[paid_by[k]] if paid_by[k] >= 0 else 0.0
        ends[k] = up_to[k] if in_coins[k] else up_to[k] / at


@njit
def move_pieces(first, up_to, amount, place, start, bound, piece):
    """Give every amount the piece that holds it at new prices; writes bound [K] and piece [Z], touches only what has changed its piece.

    The pieces of family f are rows first[f]..first[f + 1]; they cover all amounts and up_to [K] rises. Its amounts are amount[start[f]:start[f + 1]],
    rising, and stand at place [E] of `piece`. bound[k] is the end of the amounts of row k: all zero before the first call.
    """
    for f in range(first.size - 1):
        above = above_before = start[f]
        for k in range(first[f], first[f + 1]):
            before = max(bound[k], start[f])
            now = before
            while now < start[f + 1] and amount[now] <= up_to[k]:
                now += 1
            while now > start[f] and amount[now - 1] > up_to[k]:
                now -= 1
            # Those at above..now belong to row k; of them, above_before..before knew it.
            for n in range(above, min(above_before, now)):
                piece[place[n]] = k
            for n in range(max(before, above), now):
                piece[place[n]] = k
            bound[k] = now
            above = now
            above_before = before


@njit
def find_pieces(coins, contracts, piece, lowest, up_to, per_contract):
    """Find the pieces of coins whose amount moves with the price, x = coins - contracts / mark; writes piece [N, C].

    lowest [K]: first row of the family of each row; up_to, per_contract [K] as `price_pieces` writes them.
    """
    for i in range(coins.shape[0]):
        for j in range(coins.shape[1]):
            k = int(lowest[piece[i, j]])
            x = coins[i, j] - contracts[i, j] * per_contract[k]
            while x > up_to[k]:
                k += 1
            piece[i, j] = k


def _legs_first(width):
    """Return the kernel that values the first `width` legs of every account together with cash and cost.

    One loop per number of legs: the compiler knows their count, sums stay in registers, and memory is read ahead while the sums are made.
    """

    @njit
    def add(leg, piece, cash, cost, rows, settle_price, out):
        for i in range(cash.size):
            gained = cash[i] * settle_price - cost[i]
            required = 0.0
            for j in range(width):
                at = ROW * piece[i, j]
                x = leg[i, j]
                gained = gained + rows[at + GIVES] * x + rows[at + BACKS]
                required = required + rows[at + OWED] * x + rows[at + NEEDS]
            out[i, HAS] = gained
            out[i, MUST_HAVE] = required

    return add


def _coins_first(width):
    """Return the kernel that values the first `width` coins of every account together with its settlement balance, as `_legs_first` does."""

    @njit
    def add(settled, coins, piece, rows, debt_gives, debt_owed, gives, out):
        highest = 0.0
        for i in range(coins.shape[0]):
            balance = settled[i, HAS]
            debt = min(balance, 0.0)
            highest = max(highest, balance)
            backing = debt_gives * debt + gives * (balance - debt)
            owed = settled[i, MUST_HAVE] + debt_owed * debt
            for j in range(width):
                at = ROW * piece[i, j]
                x = coins[i, j]
                backing = backing + rows[at + GIVES] * x + rows[at + BACKS]
                owed = owed + rows[at + OWED] * x + rows[at + NEEDS]
            out[i, HAS] = backing
            out[i, MUST_HAVE] = owed
        return highest

    return add


_no_legs, _one_leg, _two_legs, _three_legs, _four_legs, _five_legs = (_legs_first(width) for width in range(6))
_no_coins, _one_coin, _two_coins = (_coins_first(width) for width in range(3))


@njit
def add_column(amount, piece, j, contracts, per_contract, rows, out):
    """Add what column `j` of the amounts gives and requires to the values [N, 2], in USD; arguments as in `value_accounts`, rows: the table flat."""
    paid = contracts.shape[1] > 0
    for i in range(amount.shape[0]):
        at = ROW * piece[i, j]
        x = amount[i, j]
        if paid:
            x -= contracts[i, j] * per_contract[piece[i, j]]
        out[i, HAS] = out[i, HAS] + rows[at + GIVES] * x + rows[at + BACKS]
        out[i, MUST_HAVE] = out[i, MUST_HAVE] + rows[at + OWED] * x + rows[at + NEEDS]


@njit
def add_legs(leg, piece, cash, cost, rows, per_contract, settle_price, out):
    """Write the settlement balance and the requirement of the legs [N, 2], both in USD; arguments as in `value_accounts`, rows: the table flat."""
    width = leg.shape[1]
    if width == 0:
        _no_legs(leg, piece, cash, cost, rows, settle_price, out)
    elif width == 1:
        _one_leg(leg, piece, cash, cost, rows, settle_price, out)
    elif width == 2:
        _two_legs(leg, piece, cash, cost, rows, settle_price, out)
    elif width == 3:
        _three_legs(leg, piece, cash, cost, rows, settle_price, out)
    elif width == 4:
        _four_legs(leg, piece, cash, cost, rows, settle_price, out)
    else:
        _five_legs(leg, piece, cash, cost, rows, settle_price, out)
        for j in range(5, width):
            add_column(leg, piece, j, leg[:, :0], per_contract, rows, out)


@njit
def add_coins(settled, coins, contracts, piece, rows, per_contract, settle, settle_up_to, settle_price, out):
    """Write what settlement balances and coins back, and what they and the legs require [N, 2], both in USD; arguments as in `value_accounts`.

    settled [N, 2]: as `add_legs` writes it. The settlement currency's lowest piece ends at zero and the next begins there, without a jump; balances beyond
    that one are put right in a second pass.
    """
    debt_gives, debt_owed = rows[ROW * settle + GIVES] / settle_price, rows[ROW * settle + OWED] / settle_price
    gives = rows[ROW * (settle + 1) + GIVES] / settle_price
    width = coins.shape[1]
    done = 0 if contracts.shape[1] > 0 else min(width, 2)
    if done == 0:
        highest = _no_coins(settled, coins, piece, rows, debt_gives, debt_owed, gives, out)
    elif done == 1:
        highest = _one_coin(settled, coins, piece, rows, debt_gives, debt_owed, gives, out)
    else:
        highest = _two_coins(settled, coins, piece, rows, debt_gives, debt_owed, gives, out)
    for j in range(done, width):
        add_column(coins, piece, j, contracts, per_contract, rows, out)
    first_ends = settle_up_to[1] * settle_price
    if highest > first_ends:
        for i in range(coins.shape[0]):
            if settled[i, HAS] > first_ends:
                x = settled[i, HAS] / settle_price
                k = 1
                while x > settle_up_to[k]:
                    k += 1
                at = ROW * (settle + k)
                out[i, HAS] += (rows[at + GIVES] * x + rows[at + BACKS]) - gives * settled[i, HAS]


@njit
def value_accounts(leg, leg_piece, coins, contracts, coins_piece, cash, cost, table, per_contract, settle, settle_up_to, settle_price, out):
    """Value accounts of one shape (L legs, C coins each); writes out [N, 2] in USD: what backs each account, what it owes or must have.

    S = cash price - cost + sum over legs of (GIVES x + BACKS), the settlement balance in USD;
    HAS = sum over coins of (GIVES x + BACKS) + f(S);  MUST_HAVE = sum over legs and coins of (OWED x + NEEDS) + g(S),
    each with the piece that holds x; f and g are those of the settlement currency, whose lowest pieces are rows `settle` and following.
    leg [N, L]: coins of positions, long positive (or what else the piece multiplies); coins [N, C]: balances, held positive; contracts [N, C], or [N, 0]
    where none has any: signed USD of coin-margined contracts, x = coins - contracts / mark; leg_piece, coins_piece: row of the table, 16 bit, not
    checked; cash [N] in the settlement currency; cost [N] USD, sum of quantity times entry; table [K, 4], per_contract [K] as `price_pieces` writes them;
    settle_up_to: ends of the settlement currency's pieces in its coins, the last one infinite; settle_price USD.
    """
    rows = table.reshape(table.size)
    spare = np.empty((BLOCK, 2))
    for begin in range(0, cash.size, BLOCK):
        end = min(begin + BLOCK, cash.size)
        settled = spare[: end - begin]
        add_legs(leg[begin:end], leg_piece[begin:end], cash[begin:end], cost[begin:end], rows, per_contract, settle_price, settled)
        held = (coins[begin:end], contracts[begin:end], coins_piece[begin:end])
        add_coins(settled, *held, rows, per_contract, settle, settle_up_to, settle_price, out[begin:end])


@njit
def value_groups(
    part,
    parts,
    legs,
    coins_each,
    contracts_each,
    start,
    row,
    leg,
    coins,
    contracts,
    cash,
    cost,
    piece,
    lowest,
    table,
    per_contract,
    up_to,
    settle,
    settle_price,
    out,
):
    """Value one of `parts` equal parts of every group of accounts; writes out [accounts, 2] in the book's order.

    Columns as in `margin_book.Whole` and `Members`, the rest as in `value_accounts`; coins that contracts pay in get their pieces here.
    """
    legs_before = coins_before = contracts_before = pieces_before = 0
    for g in range(legs.size):
        size, wide, many, paid = start[g + 1] - start[g], legs[g], coins_each[g], contracts_each[g]
        begin, end = size * part // parts, size * (part + 1) // parts
        count, coin_pieces = end - begin, pieces_before + size * wide
        amounts = leg[legs_before + begin * wide : legs_before + end * wide].reshape((count, wide))
        held = coins[coins_before + begin * many : coins_before + end * many].reshape((count, many))
        owing = contracts[contracts_before + begin * paid : contracts_before + end * paid].reshape((count, paid))
        leg_piece = piece[pieces_before + begin * wide : pieces_before + end * wide].reshape((count, wide))
        coins_piece = piece[coin_pieces + begin * many : coin_pieces + end * many].reshape((count, many))
        if paid > 0:
            find_pieces(held, owing, coins_piece, lowest, up_to, per_contract)
        mine = slice(start[g] + begin, start[g] + end)
        columns = (amounts, leg_piece, held, owing, coins_piece, cash[mine], cost[mine])
        value_accounts(*columns, table, per_contract, settle, up_to[settle:], settle_price, out[mine])
        legs_before += size * wide
        coins_before += size * many
        contracts_before += size * paid
        pieces_before += size * (wide + many)
