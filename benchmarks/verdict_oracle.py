"""How much could be settled at all: by a test that knows what a run must estimate.

The oracle is told the true variance of the difference of two losses, of rows and of
training together. It makes one comparison at the level of 5 %, so it pays neither for
choosing the leader among several losses nor for looking after each seed. What it cannot
settle, more rows or seeds must; what it settles and a run does not is the price of not
knowing the variance, of several losses and of several looks.
"""

import numpy as np
from scipy import stats
from verdict_replay import ROPE, Stored, folds_of, seeds_of, whole_folds

from offby.comparison.inference import LEVEL, FoldScores, Interval, moments, verdict

_Z = float(stats.norm.isf(LEVEL / 2))


def oracle(
    stored: Stored, key: str, share: float, seeds: int, rows: int, draws: int, rng
) -> float:
    """The chance that the oracle calls a loss worse that is worse by a share.

    As in `verdict_ties.planted`, it is one of the stored losses under other seeds.
    Of each loss `draws` runs are drawn, whose spread is the true one.
    """
    powers = []
    for number in (0, 2, 3, 4):
        one = stored.scores[key][number]
        apart = [_apart(stored, one, share, seeds, rows, rng) for _ in range(draws)]
        signal = np.mean(apart) / np.std(apart, ddof=1)
        powers.append(stats.norm.sf(_Z - signal))
    return float(np.mean(powers))


def _apart(stored: Stored, one: np.ndarray, share, seeds, rows, rng) -> float:
    """The mean difference of one run: of its folds, rows and seeds."""
    values = seeds_of(one, rng, 2, seeds)
    apart = ((1 + share) * values[1] - values[0]).mean(0)
    return float(np.mean([apart[f.rows].mean() for f in folds_of(stored, rng, rows)]))


def oracle_agrees(stored: Stored, seeds: int, repeats: int, truth, rng) -> float:
    """How often the oracle, from so few seeds, gives the very answer of all seeds.

    Args:
        stored: The scores.
        seeds: Seeds of the short run.
        repeats: How many short runs.
        truth: The answers of all seeds, one for each metric and loss.
        rng: Where the seeds come from.
    """
    known = {
        pair.metric.key + pair.method: _error(stored, pair, seeds) for pair in truth
    }
    same = 0
    for _ in range(repeats):
        n = len(stored.scores["rps"])
        picked = [rng.permutation(stored.n_seeds)[:seeds] for _ in range(n)]
        for pair in truth:
            mine, its = (
                stored.scores[pair.metric.key][int(name)][picked[int(name)]].mean(0)
                for name in (pair.method, pair.leader)
            )
            folds = whole_folds(stored)
            mean = float(np.mean([(mine - its)[fold.rows].mean() for fold in folds]))
            error = known[pair.metric.key + pair.method]
            said = verdict(Interval(mean, error, _Z * error), pair.scale, ROPE)
            same += said == pair.verdict
    return same / (repeats * len(truth))


def _error(stored: Stored, pair, seeds: int) -> float:
    """The standard error of a run of so many seeds, from all that are stored."""
    values = stored.scores[pair.metric.key]
    apart = values[int(pair.method)] - values[int(pair.leader)]
    found = moments(
        [
            FoldScores(apart[:, fold.rows], groups=fold.groups)
            for fold in whole_folds(stored)
        ]
    )
    return float(np.sqrt((found.shared + found.seeds_apart / seeds) / found.folds))
