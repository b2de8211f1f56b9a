"""Fair value in time: news legs on a common factor, each asset's exposure, and a calm random walk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waxline.shocks.parameters import FairValueParameters, NewsParameters
from waxline.streams import Purpose, key, normal, normals

Floats = NDArray[np.float64]


def common_factor(news: NewsParameters, t_s: Floats) -> Floats:
    """Return the log change of the common factor at times `t_s` [T] (s from t0): the sum over legs.

    One leg of log size -b: -b (1 - exp(-u / rise)) (lasting + (1 - lasting) exp(-u / decay)) for u = t - start > 0, and b is the leg's
    share of -log(1 - size).
    """
    path = np.zeros(t_s.size)
    if not news.enabled:
        return path
    whole = -np.log1p(-news.size)
    for leg in news.legs:
        u = np.maximum(t_s - leg.at_s, 0.0)
        kept = leg.lasting_frac + (1.0 - leg.lasting_frac) * np.exp(-u / leg.decay_tau_s)
        path -= whole * leg.share_frac * (1.0 - np.exp(-u / leg.rise_tau_s)) * kept
    return path


def fair_paths(
    news: NewsParameters,
    walk: FairValueParameters,
    seed: int,
    t_s: Floats,
    step_s: float,
    log_price: Floats,
    news_beta: Floats,
    volatility_1m: Floats,
    stream: NDArray[np.int64],
) -> Floats:
    """Return log fair values [T, A] of coins.

    log_price [A] at the start, news_beta [A], volatility_1m [A] (log per square root of a minute), stream [A] stable numbers of the assets
    for random draws. Draws belong to (seed, purpose, asset, step): switching the news off leaves the walk as it was.
    """
    steps, assets = t_s.size, log_price.size
    paths = np.tile(log_price, (steps, 1))
    factor = common_factor(news, t_s)
    own = np.array([normal(key(seed, int(Purpose.NEWS), 0), int(number)) for number in stream])
    beta = news_beta * np.maximum(1.0 + news.beta_spread_frac * own, 0.1)
    beta = np.where(news_beta == 1.0, 1.0, beta)
    paths += factor[:, None] * beta[None, :]
    if walk.enabled and walk.scale > 0.0:
        scale = np.sqrt(step_s / 60.0) * walk.scale * volatility_1m
        common = normals(key(seed, int(Purpose.FAIR_COMMON), 0), steps)
        share = walk.common_share_frac
        for a in range(assets):
            mine = normals(key(seed, int(Purpose.FAIR_OWN), int(stream[a])), steps)
            paths[:, a] += scale[a] * np.cumsum(np.sqrt(share) * common + np.sqrt(1.0 - share) * mine)
    return paths
