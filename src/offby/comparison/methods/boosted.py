"""Gradient boosting under each loss, and the mean of a network and of boosting."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

from offby.comparison.fits import Fit
from offby.comparison.methods.references import Forecast, each
from offby.comparison.problem import Fold, Problem
from offby.comparison.scheduler import FitKey, Job
from offby.losses.registry import NamedLoss
from offby.results import Method
from offby.tabular.copies import groups_to_part

NEEDS = 'boosting under losses needs LightGBM; run pip install "offby[boosting]"'
_PROPER = ("ce", "emd2", "cce", "crps", "nll")
"""Losses that boosting can learn by, and their sums: those of positive curvature."""


def boosting_is_here() -> bool:
    """Whether the library that grows the trees is installed."""
    return find_spec("lightgbm") is not None


def boostable(named: Sequence[NamedLoss]) -> list[NamedLoss]:
    """The losses that boosting can learn by."""
    return [
        loss
        for loss in named
        if all(entry.name in _PROPER and factor > 0 for factor, entry in loss.terms)
    ]


def boosted_key(loss: NamedLoss | str) -> str:
    """What boosting under a loss is called."""
    return f"boosted {loss}"


def mean_key(loss: NamedLoss | str) -> str:
    """What the mean of both is called."""
    return f"mean {loss}"


def mean_of(method: str) -> str | None:
    """The mean in which boosting under a loss takes part."""
    prefix = boosted_key("")
    return mean_key(method.removeprefix(prefix)) if method.startswith(prefix) else None


def boosted_jobs(problem: Problem, named: Sequence[NamedLoss]) -> list[Job]:
    """One fit for each loss and fold: boosting is sure of itself, so of one seed."""
    library = version("lightgbm")
    return [
        Job(
            boosted_key(loss),
            fold,
            0,
            partial(each, forecast=forecast),
            f"{loss} lightgbm {library}",
            together=False,
        )
        for loss in boostable(named)
        for forecast in [partial(boosted, loss=str(loss))]
        for fold in problem.folds
    ]


def boosted(fold: Fold, loss: str) -> Forecast:
    """What one bag of the boosted estimators says of the held-out rows."""
    # On use: most comparisons of losses do without LightGBM.
    from offby.tabular import BoostedBinnedRegressor, BoostedOrdinalClassifier

    seed = fold.network_seed(0) % 2**32
    settings = {"loss": loss, "n_bags": 1, "random_state": seed}
    if fold.bins is None:
        order = list(range(fold.line.n_classes))
        ground = fold.ground or list(fold.positions)
        model = BoostedOrdinalClassifier(categories=order, ground=ground, **settings)
    else:
        model = BoostedBinnedRegressor(
            n_bins=fold.bins, target_transform=fold.transform, **settings
        )
    rows = fold.train
    # As the networks do: no validation row is of a group that the trees learn from.
    groups = groups_to_part(rows.groups, rows.weight)
    model.fit(rows.X, rows.y, sample_weight=rows.weight, groups=groups)
    return "probs", np.asarray(model.predict_dist(fold.test.X).probs)


def means_of(
    fits: Mapping[FitKey, Fit], named: Sequence[NamedLoss]
) -> dict[FitKey, Fit]:
    """The mean forecast of the network and of boosting, for each loss that both know.

    It takes no training: network and trees err differently, so their mean is often
    better than both. The trees of a fold go with each of its networks, so that a mean
    has as many seeds as the loss.
    """
    found = {}
    for loss in boostable(named):
        for (method, fold, seed), network in fits.items():
            trees = fits.get((boosted_key(loss), fold, 0))
            if method != str(loss) or trees is None:
                continue
            probs = (network.probs + trees.probs) / 2
            seconds = network.seconds + trees.seconds
            found[mean_key(loss), fold, seed] = Fit(fold, seed, "probs", probs, seconds)
    return found


def boosted_methods(named: Sequence[NamedLoss]) -> list[Method]:
    """How they are listed: after the networks, as models beside them."""
    known = boostable(named)
    trees = [
        Method(
            boosted_key(loss),
            f"boosted trees under {loss.title}",
            reference=True,
            model="boosting",
            loss=str(loss),
        )
        for loss in known
    ]
    means = [
        Method(
            mean_key(loss),
            f"mean of network and boosted trees under {loss.title}",
            reference=True,
            model="both",
            loss=str(loss),
        )
        for loss in known
    ]
    return trees + means
