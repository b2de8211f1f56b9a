"""Mesa: an agent per account that looks at itself in every step, in the library's plain order of agents."""

from __future__ import annotations

from collections.abc import Callable

import mesa
import numpy as np
from contest import Found, Inputs, serve

PART_STEPS = 20


class Account(mesa.Agent):  # type: ignore[misc]
    """Hold one position and leave the model when it is at its line."""

    def __init__(self, model: mesa.Model, row: int, quantity: float, cash: float, entry: float, rate: float) -> None:
        super().__init__(model)
        self.row, self.quantity, self.cash, self.entry, self.rate = row, quantity, cash, entry, rate

    def look(self, step: int, mark: float) -> None:
        if self.cash + self.quantity * (mark - self.entry) <= self.rate * abs(self.quantity) * mark:
            self.model.found[self.row] = step
            self.remove()


class Venue(mesa.Model):  # type: ignore[misc]
    """Hold the accounts."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(seed=1)
        self.found = np.full(inputs["cash"].size, -1, dtype=np.int64)
        for row, (quantity, cash) in enumerate(zip(inputs["quantity"].tolist(), inputs["cash"].tolist(), strict=True)):
            Account(self, row, quantity, cash, float(inputs["entry"]), float(inputs["rate"]))


def one_leg(part: int | None) -> Callable[[Inputs], Callable[[], Found]]:
    """Return the task; `part`: only so many steps, where every step costs the same."""

    def task(inputs: Inputs) -> Callable[[], Found]:
        venue, prices = Venue(inputs), inputs["prices"].tolist()[:part]

        def run() -> Found:
            for t, mark in enumerate(prices):
                venue.agents.do("look", t, mark)
            return {"found_step": venue.found, "steps": np.array(len(prices))}

        return run

    return task


if __name__ == "__main__":
    serve(("mesa", "numpy"), 1, {"idle": one_leg(PART_STEPS), "cascade": one_leg(None)})
