"""PAMS: an agent simulator in Python; its market is driven here as its sequential runner drives it, an order at a time, without agents around it."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from contest import Found, Inputs, serve
from pams.market import Market
from pams.order import LIMIT_ORDER, MARKET_ORDER, Cancel, Order
from pams.simulator import Simulator

PART_ORDERS, PART_STEPS = 1_000, 3


class Venue:
    """Hold a running market; what has been filled of the step's market orders."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.market = Market(0, random.Random(1), Simulator(random.Random(2)), "market")
        self.market.setup({"tickSize": float(inputs["unit"]), "marketPrice": 100.0})
        self.market._is_running = True
        self.market._update_time(100.0)

    def send(self, order: Order) -> float:
        """Send an order and return the lots it traded."""
        self.market._add_order(order)
        return sum(log.volume for log in self.market._execution())

    def post(self, centre: int) -> list[Order]:
        inputs, orders = self.inputs, []
        unit, grid = float(inputs["unit"]), float(inputs["grid"])
        for scale in inputs["scale"].tolist():
            for buy in (True, False):
                flip = -1 if buy else 1
                for offset, lots in zip(inputs["offset"].tolist(), inputs["lots"].tolist(), strict=True):
                    price = round(np.exp((centre + flip * (1 + offset)) * grid) / unit) * unit
                    orders.append(Order(0, 0, buy, LIMIT_ORDER, int(scale * lots), price=price))
                    self.send(orders[-1])
        return orders

    def take_back(self, orders: list[Order]) -> None:
        for order in orders:
            if order.volume > 0:
                self.market._cancel_order(Cancel(order))

    def hit(self, t: int) -> tuple[float, float, float]:
        """Send the market orders of step t and return lots filled and the best prices after."""
        buy = t % 2 == 1
        filled = sum(self.send(Order(1, 0, buy, MARKET_ORDER, int(size))) for size in self.inputs["size"][t].tolist())
        return filled, self.market.get_best_buy_price(), self.market.get_best_sell_price()


def results(rows: list[tuple[float, float, float]]) -> Found:
    """Return what can be compared: an order that takes several levels is paid at the last of them throughout, so USD cannot."""
    filled, bid, ask = np.array(rows).T
    return {"filled": filled, "bid": bid, "ask": ask}


def order_flow(inputs: Inputs) -> Callable[[], Found]:
    venue = Venue(inputs)
    venue.post(int(inputs["centre"][0]))
    steps = min(max(PART_ORDERS // inputs["size"].shape[1], 1), len(inputs["size"]))
    return lambda: results([venue.hit(t) for t in range(steps)])


def requoted(inputs: Inputs) -> Callable[[], Found]:
    venue = Venue(inputs)

    def run() -> Found:
        rows, orders = [], []
        for t in range(min(PART_STEPS, len(inputs["size"]))):
            venue.take_back(orders)
            orders = venue.post(int(inputs["centre"][t]))
            rows.append(venue.hit(t))
        return results(rows)

    return run


if __name__ == "__main__":
    serve(("pams", "numpy"), 1, {"order flow": order_flow, "one by one": order_flow, "re-quoted": requoted})
