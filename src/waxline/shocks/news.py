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
    for random draws. Draws belong to (seed, purpose, asset, step): switching the news off leaves the walk as it was. The walk's volatility
    itself varies, log-normally and with memory, partly for all assets together; its mean square is `volatility_1m` squared.
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
        nervous = memory_of(normals(key(seed, int(Purpose.VOLATILITY_COMMON), 0), steps), step_s, walk.volatility_tau_s)
        share = walk.common_share_frac
        for a in range(assets):
            mine = normals(key(seed, int(Purpose.FAIR_OWN), int(stream[a])), steps)
            own_nervous = memory_of(normals(key(seed, int(Purpose.VOLATILITY_OWN), int(stream[a])), steps), step_s, walk.volatility_tau_s)
            size = volatility_multiple(np.sqrt(share) * nervous + np.sqrt(1.0 - share) * own_nervous, walk.volatility_spread)
            paths[:, a] += scale[a] * np.cumsum(size * (np.sqrt(share) * common + np.sqrt(1.0 - share) * mine))
    return paths


def memory_of(draws: Floats, step_s: float, tau_s: float) -> Floats:
    """Return a stationary series [T] of variance one that forgets in `tau_s`: x_k = a x_(k-1) + sqrt(1 - a^2) z_k, a = exp(-step / tau)."""
    from scipy.signal import lfilter

    if draws.size == 0:
        return draws
    kept = float(np.exp(-step_s / tau_s))
    new = float(np.sqrt(1.0 - kept * kept))
    series, _ = lfilter([new], [1.0, -kept], draws, zi=[draws[0] * (1.0 - new)])
    return np.asarray(series, dtype=np.float64)


def volatility_multiple(series: Floats, spread: float) -> Floats:
    """Return exp(spread x - spread^2) [T] of a series of variance one: log-normal, and its mean square is one."""
    return np.asarray(np.exp(spread * series - spread * spread), dtype=np.float64)
