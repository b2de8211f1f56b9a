"""Draw what the court computed beside what was published, as PNG files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from waxline.errors import ResultsError
from waxline.verification.court import NOT_COVERED, SKIPPED, Comparison, Outcome

INK, PUBLISHED, MISSED = "#1f4e79", "#c55a11", "#a61c1c"
SIZE = (9.0, 4.5)


def draw(outcomes: Iterable[Outcome], folder: Path) -> Iterator[Path]:
    """Write the figures that the outcomes allow into `folder`; yield their paths. Raises ResultsError where a file cannot be written."""
    by_id = {outcome.fact.id: outcome for outcome in outcomes if outcome.verdict not in (NOT_COVERED, SKIPPED)}
    drawings: list[tuple[str, Callable[[Sequence[Outcome]], Figure], list[str]]] = [
        ("gaps", gaps, list(by_id)),
        ("atom-sweep", sweep, ["atom-sweep"]),
        ("impact", impact, ["IM-03-obizhaeva-wang", "IM-05-llob-A"]),
        ("makers", makers, ["MM-AS-gamma-0.01", "MM-AS-gamma-0.1", "MM-AS-gamma-1.0"]),
    ]
    for name, drawing, needed in drawings:
        if not needed or not set(needed) <= set(by_id):
            continue
        figure = drawing([by_id[id] for id in needed])
        path = folder / f"{name}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            FigureCanvasAgg(figure).print_png(path)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written ({error.strerror or error}): choose another folder") from error
        yield path


def part_of_allowed(one: Comparison) -> float:
    """Return the gap as a part of the allowed one: 1 at the bound; 0 or infinity where equality is asked for, as of texts."""
    if np.isnan(one.most):
        return 0.0 if one.agrees() else float("inf")
    gap = abs(one.computed - one.expected)
    if one.most > 0.0:
        return float(gap / one.most)
    return 0.0 if gap == 0.0 else float("inf")


def gaps(outcomes: Sequence[Outcome]) -> Figure:
    """Draw, per check, the gap of each figure as a part of what its tolerance allows."""
    figure = Figure(figsize=(9.0, 1.2 + 0.26 * len(outcomes)), layout="constrained")
    axes = figure.add_subplot()
    for row, outcome in enumerate(outcomes):
        parts = [min(part_of_allowed(one), 2.0) for one in outcome.comparisons]
        axes.scatter(parts, [row] * len(parts), s=14, color=[MISSED if part > 1.0 else INK for part in parts], alpha=0.6)
    axes.axvline(1.0, color=PUBLISHED, linewidth=1.0)
    axes.set_yticks(range(len(outcomes)), [outcome.fact.id for outcome in outcomes], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlim=(-0.03, 2.05), xlabel="gap between computed and published, as a part of the allowed gap (2: twice or more)")
    return figure


def sweep(outcomes: Sequence[Outcome]) -> Figure:
    """Draw the swept bids: price against coins sold, and the average."""
    (outcome,) = outcomes
    prices, coins = (np.array(column) for column in zip(*outcome.fact.inputs["bids"], strict=True))
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.stairs(prices, np.concatenate([[0.0], np.cumsum(coins)]), color=INK, baseline=None, label="published bids")
    axes.axhline(outcome.computed["average"], color=PUBLISHED, label=f"average of the sale, computed {outcome.computed['average']:.6f} USDT")
    axes.set(yscale="log", xlabel="ATOM sold", ylabel="USDT per ATOM", title="ATOM/USDT, one sale of 10 October 2025, 21:20:37.689043 UTC")
    axes.legend(frameon=False)
    return figure


def impact(outcomes: Sequence[Outcome]) -> Figure:
    """Draw the first block of the cheapest purchase by resilience, and the amplitude of the latent book by participation."""
    blocks, latent = outcomes
    figure = Figure(figsize=SIZE, layout="constrained")
    left, right = figure.subplots(1, 2)
    rho, rate = np.array(blocks.fact.inputs["rho"]), np.array(latent.fact.inputs["r"])
    left.plot(rho, blocks.fact.expected["x0"], color=PUBLISHED, label="published")
    left.plot(rho, blocks.computed["x0"], "o", color=INK, label="found by trading")
    left.set(xscale="log", yscale="log", xlabel="resilience times duration", ylabel="coins in the first block", title="Obizhaeva-Wang")
    fine = np.geomspace(rate[0], rate[-1], 60)
    right.plot(fine, fine / np.sqrt(np.pi), ":", color="grey", label="slow limit")
    right.plot(fine, np.sqrt(2.0 * fine), "--", color="grey", label="fast limit")
    right.plot(rate, latent.fact.expected["A"], "x", color=PUBLISHED, label="published", markersize=9)
    right.plot(rate, latent.computed["A_traded"], "o", color=INK, label="traded", fillstyle="none")
    right.set(xscale="log", yscale="log", xlabel="participation r", ylabel="A of y = A sqrt(D t)", title="latent book")
    for axes in (left, right):
        axes.legend(frameon=False)
    return figure


def makers(outcomes: Sequence[Outcome]) -> Figure:
    """Draw the tables of Avellaneda and Stoikov: profit and inventory, mean and standard deviation, published and computed."""
    figure = Figure(figsize=SIZE, layout="constrained")
    for axes, quantity in zip(figure.subplots(1, 3), ("profit", "profit_std", "q_std"), strict=True):
        for shift, strategy in ((-0.1, "inventory"), (0.1, "symmetric")):
            marker = "o" if strategy == "inventory" else "s"
            rows: list[tuple[float, Any, float]] = []
            for place, outcome in enumerate(outcomes):
                most = next(one.most for one in outcome.comparisons if one.place == f"{strategy}.{quantity}")
                rows.append((place + shift, outcome, most))
            at = [row[0] for row in rows]
            published = [row[1].fact.expected[strategy][quantity] for row in rows]
            axes.errorbar(at, published, yerr=[row[2] for row in rows], fmt="none", color=PUBLISHED, capsize=4, label=f"{strategy}, published, allowed")
            axes.plot(at, [row[1].computed[strategy][quantity] for row in rows], marker, color=INK, markersize=4, label=f"{strategy}, computed")
        axes.set_xticks(range(len(outcomes)), [str(outcome.fact.inputs["gamma"]) for outcome in outcomes])
        axes.set(xlabel="risk aversion", title=quantity.replace("_", " "))
    figure.axes[0].legend(frameon=False, fontsize=7)
    return figure
