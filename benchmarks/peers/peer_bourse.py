"""bourse: a price-time limit order book in Rust with steps in NumPy arrays, which shuffles the instructions of a step; all orders are kept."""

from __future__ import annotations

from collections.abc import Callable

import bourse
import numpy as np
from contest import Found, Inputs, Run, serve

NEW, CANCEL = 1, 2
WORST_ASK = 2**32 - 1
STEP_NS = 10_000


class Venue:
    """Hold an environment with one book; prices in ticks of inputs["unit"] USD."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.env = bourse.core.StepEnvNumpy(1, 0, 1, STEP_NS)

    def submit(self, kind: int, buy: np.ndarray, lots: np.ndarray, price: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Submit instructions of one kind and run a step; returns the numbers of new orders."""
        count = ids.size
        columns = (np.full(count, kind, np.uint32), buy, lots.astype(np.uint32), np.zeros(count, np.uint32), price.astype(np.uint32), ids)
        new: np.ndarray = self.env.submit_instructions(columns)
        self.env.step()
        return new

    def ladder(self, centre: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return side, lots and price of both makers' orders around a level."""
        inputs = self.inputs
        levels = np.concatenate([centre - 1 - inputs["offset"], centre + 1 + inputs["offset"]])
        price = np.round(np.exp(levels * float(inputs["grid"])) / float(inputs["unit"]))
        buy = np.repeat([True, False], inputs["offset"].size)
        lots = np.tile(inputs["lots"], 2)
        return np.tile(buy, 2), np.concatenate([scale * lots for scale in inputs["scale"]]), np.tile(price, 2)

    def post(self, centre: int) -> np.ndarray:
        buy, lots, price = self.ladder(centre)
        return self.submit(NEW, buy, lots, price, np.zeros(buy.size, np.uint64))

    def hit(self, t: int) -> np.ndarray:
        """Send the market orders of step t."""
        size, buy = self.inputs["size"][t], t % 2 == 1
        count = size.size
        self.submit(NEW, np.full(count, buy), size, np.full(count, WORST_ASK if buy else 0), np.zeros(count, np.uint64))
        found: np.ndarray = self.env.level_1_data()
        return found

    def results(self, rows: list[np.ndarray], steps: np.ndarray) -> Found:
        """Return volume, USD and best prices of the environment's steps `steps`, from the records of the environment; outside the timed part."""
        filled, bid, ask = np.array(rows)[:, :3].T.astype(float)
        trades = np.array([(trade[0], trade[2], trade[3]) for trade in self.env.get_trades()], dtype=float).reshape(-1, 3)
        unit = float(self.inputs["unit"])
        step = np.searchsorted(steps, trades[:, 0] // STEP_NS)
        cash = np.bincount(step, trades[:, 1] * trades[:, 2], steps.size) * unit
        return {"filled": filled, "cash": cash, "bid": bid * unit, "ask": ask * unit}


def order_flow(inputs: Inputs) -> Run:
    venue = Venue(inputs)
    venue.post(int(inputs["centre"][0]))

    def run() -> Callable[[], Found]:
        rows = [venue.hit(t) for t in range(len(inputs["size"]))]
        return lambda: venue.results(rows, np.arange(1, len(rows) + 1))

    return run


def one_by_one(inputs: Inputs) -> Run:
    """Place every order by a call of its own at the plain book, which matches at once."""
    book = bourse.core.OrderBook(0, 1)
    columns = (column.tolist() for column in Venue(inputs).ladder(int(inputs["centre"][0])))
    for n, (buy, lots, price) in enumerate(zip(*columns, strict=True)):
        book.set_time(n)  # two orders of one price and time are one to it
        book.place_order(buy, int(lots), 0, price=int(price))
    posted = n + 1
    sizes = inputs["size"][:, 0].tolist()

    def run() -> Callable[[], Found]:
        best = []
        for t, size in enumerate(sizes):
            book.set_time(posted + t)
            book.place_order(t % 2 == 1, size, 0)
            best.append(book.bid_ask())

        def read() -> Found:
            trades = np.array([(trade[0], trade[2], trade[3]) for trade in book.get_trades()], dtype=float)
            step, unit = trades[:, 0].astype(np.int64) - posted, float(inputs["unit"])
            bid, ask = np.array(best, dtype=float).T * unit
            cash = np.bincount(step, trades[:, 1] * trades[:, 2], len(sizes)) * unit
            return {"filled": np.bincount(step, trades[:, 2], len(sizes)), "cash": cash, "bid": bid, "ask": ask}

        return read

    return run


def requoted(inputs: Inputs) -> Run:
    """Take back, post and hit in three steps of the environment: within one they would be shuffled."""
    venue = Venue(inputs)

    def run() -> Callable[[], Found]:
        rows, ids = [], np.zeros(0, np.uint64)
        for t in range(len(inputs["size"])):
            nothing = np.zeros(ids.size)
            venue.submit(CANCEL, nothing.astype(bool), nothing, nothing, ids)
            ids = venue.post(int(inputs["centre"][t])).astype(np.uint64)
            rows.append(venue.hit(t))
        return lambda: venue.results(rows, 3 * np.arange(len(rows)) + 2)

    return run


if __name__ == "__main__":
    serve(("bourse", "numpy"), 1, {"order flow": order_flow, "one by one": one_by_one, "re-quoted": requoted})
