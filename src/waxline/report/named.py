"""Follow named accounts (makers, whales, vault, funds) in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.report.view import Float64, View


def named_series(view: View, kind: str, column: str) -> dict[str, tuple[NDArray[Any], Float64]]:
    """Return name -> (times, values) of a column for each named account of `kind`, largest debt before the news first."""
    found: dict[str, tuple[NDArray[Any], Float64]] = {}
    for name, rows in view.named_tables(kind).items():
        values = rows[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        found[name] = (rows["t_s"].to_numpy(), np.asarray(values, dtype=np.float64))
    return found
