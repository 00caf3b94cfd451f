"""What the forecasts of a loss are like: sharp, calibrated, good for which guess."""

from collections.abc import Sequence

import numpy as np

from offby import metrics
from offby.comparison.fits import Fit
from offby.comparison.ground_scores import spread_on
from offby.comparison.problem import Problem
from offby.comparison.reliability import crps_parts
from offby.distribution import BinnedDistribution
from offby.results import Forecasts, Guess
from offby.tabular.class_ground import least_expected


def forecasts(problem: Problem, name: str, fits: Sequence[Fit]) -> Forecasts:
    """Of all rows, each held out once, under the first seed."""
    first = [fit for fit in fits if fit.seed == 0]
    rows = np.concatenate([problem.folds[f.fold].test.numbers for f in first])
    weight = np.ones(len(rows)) if problem.weight is None else problem.weight[rows]
    if problem.ground is not None:
        return _on_ground(problem, name, first, rows, weight)
    if problem.kind == "classes":
        y = np.asarray(problem.positions)[problem.y[rows]]
        parts, spread, guesses = _of_classes(problem, first, y, weight)
    else:
        y, parts = problem.y[rows], crps_parts(problem, fits)
        spread, guesses = _of_numbers(problem, first)
    return Forecasts(
        method=name,
        sharpness=float(np.average(spread, weights=weight)),
        corp=parts,
        guesses=tuple(
            Guess(
                rule,
                float(np.average(np.abs(guess - y), weights=weight)),
                float(np.sqrt(np.average((guess - y) ** 2, weights=weight))),
            )
            for rule, guess in guesses.items()
        ),
    )


def _on_ground(problem: Problem, name: str, fits, rows, weight) -> Forecasts:
    """Of classes on no line: errors are distances, and there is no mean class."""
    ground = problem.ground
    assert ground is not None
    probs = np.concatenate([fit.probs for fit in fits])
    cost, y = ground.cost.cpu().numpy(), problem.y[rows]
    guesses = {"mode": probs.argmax(-1), "median": least_expected(probs, ground)}
    off = {rule: cost[guess, y] for rule, guess in guesses.items()}
    return Forecasts(
        method=name,
        sharpness=float(np.average(spread_on(ground, probs), weights=weight)),
        corp=None,
        guesses=tuple(
            Guess(
                rule,
                float(np.average(each, weights=weight)),
                float(np.sqrt(np.average(each**2, weights=weight))),
            )
            for rule, each in off.items()
        ),
    )


def _of_classes(problem: Problem, fits, y: np.ndarray, weight: np.ndarray):
    places = np.asarray(problem.positions)
    probs = np.concatenate([fit.probs for fit in fits])
    mean = probs @ places
    spread = np.sqrt(np.maximum(0, probs @ places**2 - mean**2))
    guesses = {
        "mode": places[probs.argmax(-1)],
        "median": places[metrics.median_class(probs)],
        "mean": mean,
    }
    return _parts(y, probs, places, weight), spread, guesses


def _parts(y, probs, places, weight) -> tuple[float, float, float]:
    found = metrics.corp_decomposition(y, probs, labels=places, sample_weight=weight)
    return found.miscalibration, found.discrimination, found.uncertainty


def _of_numbers(problem: Problem, fits):
    found = []
    for fit in fits:
        bins = problem.folds[fit.fold].bins
        assert bins is not None
        found.append(BinnedDistribution(fit.probs, bins))
    guesses = {
        "mode": np.concatenate([each.mode() for each in found]),
        "median": np.concatenate([each.median() for each in found]),
        "mean": np.concatenate([each.mean() for each in found]),
    }
    return np.concatenate([each.std() for each in found]), guesses
