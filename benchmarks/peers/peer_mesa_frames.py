"""mesa-frames: a Polars table of accounts in a model of Mesa's kind; all accounts look at themselves at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from contest import Found, Inputs, serve
from mesa_frames import AgentSetPolars, ModelDF


class Accounts(AgentSetPolars):  # type: ignore[misc]
    """Hold accounts with one position each."""

    def __init__(self, model: ModelDF, inputs: Inputs) -> None:
        super().__init__(model)
        self.entry, self.rate = float(inputs["entry"]), float(inputs["rate"])
        rows = np.arange(inputs["cash"].size)
        self.add(pl.DataFrame({"unique_id": rows, "quantity": inputs["quantity"], "cash": inputs["cash"]}))

    def step(self, mark: float) -> np.ndarray:
        """Take who is at the line out and return the numbers of these accounts."""
        line = pl.col("cash") + pl.col("quantity") * (mark - self.entry) <= self.rate * pl.col("quantity").abs() * mark
        hit = self.agents.filter(line)["unique_id"]
        if hit.len():
            self.agents = self.agents.filter(~line)
        return hit.to_numpy()


def one_leg(inputs: Inputs) -> Callable[[], Found]:
    accounts = Accounts(ModelDF(), inputs)

    def run() -> Found:
        found = np.full(inputs["cash"].size, -1, dtype=np.int64)
        for t, mark in enumerate(inputs["prices"].tolist()):
            found[accounts.step(mark)] = t
        return {"found_step": found}

    return run


if __name__ == "__main__":
    serve(("mesa-frames", "polars"), pl.thread_pool_size(), {"idle": one_leg, "cascade": one_leg})
