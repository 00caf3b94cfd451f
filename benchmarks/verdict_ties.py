"""Losses that are equal, and losses that are worse by a known share: what is said."""

import numpy as np
from verdict_replay import Drawn, Stored, false_calls, folds_of, play, seeds_of


def tie_of_seeds(stored: Stored, key: str, seeds: int, rows: int | None, rng) -> bool:
    """The same loss under several names, whose networks differ in their seeds."""
    n = min(5, stored.n_seeds // seeds)
    one = stored.scores[key][rng.choice([0, 2, 3, 4])]
    folds = folds_of(stored, rng, rows)
    found, _ = play({key: seeds_of(one, rng, n, seeds)}, folds, seeds)
    return false_calls(found, lambda loss: True)


def tie_of_losses(stored: Stored, key: str, seeds: int, rng) -> bool:
    """Other losses, whose mean difference over all rows and seeds is taken out."""
    values = stored.scores[key][[0, 2, 3, 4]]
    level = values[0].mean()
    values = values - values.mean((1, 2), keepdims=True) + level
    drawn = np.stack([each[rng.permutation(stored.n_seeds)[:seeds]] for each in values])
    found, _ = play({key: drawn}, folds_of(stored, rng), seeds)
    return false_calls(found, lambda loss: True)


def tie_made_up(tails: str, rows: int, n_folds: int, seeds: int, rng) -> bool:
    """Five equal losses from a model of rows, seeds and training sets.

    The seeds add as much to the variance of a fold's mean as its rows do, and what the
    training rows of the fold do to a loss adds a quarter of that.
    """
    n_losses = 5

    def noise(*shape):
        match tails:
            case "t with 3 degrees of freedom":
                return rng.standard_t(3, shape) / np.sqrt(3)
            case "lognormal":
                drawn = rng.lognormal(0, 1, shape)
                return (drawn - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
            case _:
                return rng.normal(size=shape)

    of_fold = np.sqrt(n_folds / rows)
    fold = np.arange(rows) % n_folds
    rows_shared = np.sqrt(0.5) * noise(n_losses, 1, rows)
    rows_own = np.sqrt(0.5) * noise(n_losses, seeds, rows)
    by_seed = of_fold * rng.normal(size=(n_losses, seeds, n_folds))
    by_fold = 0.5 * of_fold * rng.normal(size=(n_losses, 1, n_folds))
    values = 10 + rows_shared + rows_own + (by_seed + by_fold)[:, :, fold]
    folds = [Drawn(np.flatnonzero(fold == number)) for number in range(n_folds)]
    found, _ = play({"rps": values}, folds, seeds)
    return false_calls(found, lambda loss: True)


def planted(stored: Stored, key: str, share: float, seeds: int, rows: int, rng) -> bool:
    """Whether a loss that is worse by a share, beside four equal ones, is settled."""
    n = min(5, stored.n_seeds // seeds)
    one = stored.scores[key][rng.choice([0, 2, 3, 4])]
    values = seeds_of(one, rng, n, seeds).copy()
    values[-1] *= 1 + share
    folds = folds_of(stored, rng, rows)
    found, _ = play({key: values}, folds, seeds)
    pair, _ = found.get((key, n - 1), (None, 0))
    return pair is not None and pair.verdict == "worse"
