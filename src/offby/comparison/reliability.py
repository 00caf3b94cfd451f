"""Whether what the forecasts say of "at most a threshold" comes true (CORP).

Theory: docs/maths/scores.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import isotonic_regression

from offby.comparison.fits import Fit
from offby.comparison.problem import Problem
from offby.comparison.tails import evened
from offby.results import Reliability
from offby.weighted import WeightedSample

_GRAIN = 10_000
"""Predictions that agree to four decimals are recalibrated as one: no curve shows the
difference, and rows need not be sorted."""
_SIMULATIONS = 200
_CELLS = 80
"""Of the integral over thresholds, at least; the error was under 0.2 %."""
_POINTS = 20
"""Of a curve: this many where the predictions lie, and as many evenly spread."""

Parts = tuple[float, float, float]


def reliability(
    problem: Problem, name: str, fits: Sequence[Fit]
) -> tuple[Reliability, ...]:
    """The curves of a loss at three thresholds, over all rows, under the first seed."""
    forecasts = _Forecasts.of(problem, fits)
    found = []
    for threshold in forecasts.thresholds():
        event = forecasts.event(threshold)
        # The same luck for every loss: their bands differ by what they predict.
        low, high = event.band(np.random.default_rng(problem.seed))
        found.append(
            Reliability(
                name,
                threshold,
                _floats(event.points),
                _floats(event.curve(event.happened)),
                _floats(low),
                _floats(high),
                *event.parts(),
            )
        )
    return tuple(found)


def crps_parts(problem: Problem, fits: Sequence[Fit]) -> Parts:
    """Miscalibration, discrimination and uncertainty of the mean CRPS, for numbers.

    The CRPS is the integral over all thresholds t of the Brier score of the event "at
    most t"; so are its parts. It is taken numerically, on cells as narrow as the target
    lies dense. (The RPS of classes is a sum: `metrics.corp_decomposition`.)

    References:
        Arnold, Walz, Ziegel, Gneiting (2024), Decompositions of the mean continuous
        ranked probability score, Electron. J. Stat. 18, arXiv:2311.14122.
    """
    forecasts = _Forecasts.of(problem, fits)
    total = np.zeros(3)
    for threshold, width in zip(*forecasts.cells(), strict=True):
        total += width * np.array(forecasts.event(threshold).parts())
    miscalibration, discrimination, uncertainty = map(float, total)
    return miscalibration, discrimination, uncertainty


@dataclass(frozen=True, eq=False)
class _Forecasts:
    """What all folds predict for their held-out rows, fold after fold."""

    y: np.ndarray
    """In the units of the target."""
    weight: np.ndarray
    places: tuple[np.ndarray, ...]
    """Of each fold: where the classes lie, or edges between which mass is even."""
    shares: tuple[np.ndarray, ...]
    """Of each fold: rows x places, the mass at or below a place."""
    continuous: bool
    """Whether mass is spread evenly between two places, as in bins."""

    @classmethod
    def of(cls, problem: Problem, fits: Sequence[Fit]) -> "_Forecasts":
        first = [fit for fit in fits if fit.seed == 0]
        folds = [problem.folds[fit.fold] for fit in first]
        rows = np.concatenate([fold.test.numbers for fold in folds])
        weight = np.ones(len(rows)) if problem.weight is None else problem.weight[rows]
        y = problem.y[rows]
        if problem.kind == "classes":
            shares = [np.minimum(fit.probs.cumsum(-1), 1) for fit in first]
            positions = np.asarray(problem.positions, np.float64)
            places = (positions,) * len(folds)
            return cls(positions[y], weight, places, tuple(shares), False)
        grids = [fold.bins for fold in folds if fold.bins is not None]
        even = [evened(bins, fit.probs) for bins, fit in zip(grids, first, strict=True)]
        return cls(
            y,
            weight,
            tuple(edges for edges, _ in even),
            tuple(
                np.pad(np.minimum(probs.cumsum(-1), 1), ((0, 0), (1, 0)))
                for _, probs in even
            ),
            True,
        )

    def event(self, threshold: float) -> "_Event":
        """That the target is at most the threshold."""
        predicted = []
        for places, shares in zip(self.places, self.shares, strict=True):
            k = int(np.searchsorted(places, threshold, "right")) - 1
            below = shares[:, max(k, 0)] * (k >= 0)
            if self.continuous and 0 <= k < len(places) - 1:
                within = (threshold - places[k]) / (places[k + 1] - places[k])
                below = below + within * (shares[:, k + 1] - below)
            predicted.append(below)
        return _Event(self.y <= threshold, np.concatenate(predicted), self.weight)

    def thresholds(self) -> list[float]:
        """Three that cut the rows into quarters, or as near to that as classes can."""
        rows = WeightedSample.of(self.y, self.weight)
        values, reached = rows.values, rows.weights.cumsum()[:-1] / rows.total
        chosen: list[int] = []
        for share in (0.5, 0.25, 0.75):
            order = np.argsort(np.abs(reached - share), kind="stable")
            chosen += [int(k) for k in order if k not in chosen][:1]
        chosen.sort()
        if not self.continuous:
            return [float(values[k]) for k in chosen]
        # Halfway to the next value: a bin around a whole number is then in or out.
        return [float(values[k] + values[k + 1]) / 2 for k in chosen]

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Thresholds, and the stretch of the target that each stands for."""
        borders = np.unique(self.y)
        # Between two targets no event changes: with few rows each of them is a border.
        if len(borders) > 4 * _CELLS:
            # So are those far out, between which there is much room.
            apart = np.argsort(-np.diff(borders), kind="stable")[: _CELLS // 8]
            far = borders[np.r_[apart, apart + 1]]
            borders = np.r_[np.quantile(self.y, np.linspace(0, 1, 41)), far]
        # Forecasts reach beyond the targets.
        edges = np.quantile(np.concatenate(self.places), np.linspace(0, 1, 41))
        borders = np.unique([*borders, *edges])
        # Several parts of each: whole numbers make few.
        parts = -(-_CELLS // (len(borders) - 1))
        at = np.arange(parts * (len(borders) - 1) + 1) / parts
        borders = np.interp(at, np.arange(len(borders)), borders)
        # Two points of Gauss a cell: exact where distribution functions are straight.
        half = np.diff(borders) / 2
        middle = borders[:-1] + half
        thresholds = middle + half * np.array([[-1], [1]]) / np.sqrt(3)
        return thresholds.T.ravel(), half.repeat(2)


@dataclass(frozen=True, eq=False)
class _Event:
    """Something that happened or not in each row, as predicted, and recalibrated."""

    happened: np.ndarray
    predicted: np.ndarray
    weight: np.ndarray

    @cached_property
    def _group(self) -> np.ndarray:
        """Rows predicted alike are in one group."""
        code = np.rint(self.predicted * _GRAIN).astype(np.int64)
        known = np.bincount(code, minlength=_GRAIN + 1) > 0
        return (known.cumsum() - 1)[code]

    @cached_property
    def _mass(self) -> np.ndarray:
        return self._summed(np.ones(len(self.weight)))

    def _summed(self, by_row: np.ndarray) -> np.ndarray:
        return np.bincount(self._group, self.weight * by_row)

    @cached_property
    def levels(self) -> np.ndarray:
        """What is predicted, each number once, increasing."""
        return self._summed(self.predicted) / self._mass

    def rates(self, happened: np.ndarray) -> np.ndarray:
        """How often it happens at each level, made increasing (isotonic regression)."""
        raw = self._summed(happened) / self._mass
        # That of scikit-learn takes most of its time to check what it is given.
        return isotonic_regression(raw, weights=self._mass).x

    def parts(self) -> Parts:
        """Miscalibration, discrimination and uncertainty of the Brier score."""
        mean = np.average(self.happened, weights=self.weight)
        best = self._brier(self.rates(self.happened)[self._group])
        miscalibration = self._brier(self.predicted) - best
        return miscalibration, self._brier(mean) - best, float(mean * (1 - mean))

    def _brier(self, predicted: np.ndarray | float) -> float:
        missed = (predicted - self.happened) ** 2
        return float(np.average(missed, weights=self.weight))

    @cached_property
    def points(self) -> np.ndarray:
        """Where to draw the curve: where predictions lie, and between them."""
        quantiles = np.quantile(self.predicted, np.linspace(0, 1, _POINTS + 1))
        even = np.linspace(self.levels[0], self.levels[-1], _POINTS + 1)
        return np.unique(np.concatenate([quantiles, even]).round(4))

    def curve(self, happened: np.ndarray) -> np.ndarray:
        """The rates at those points."""
        return np.interp(self.points, self.levels, self.rates(happened))

    def band(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Where the curve lies in 95 of 100 cases, point by point, if calibrated."""
        curves = [
            self.curve(rng.random(len(self.predicted)) < self.predicted)
            for _ in range(_SIMULATIONS)
        ]
        low, high = np.quantile(curves, [0.025, 0.975], axis=0)
        return low, high


def _floats(numbers: np.ndarray) -> tuple[float, ...]:
    # Four digits are more than a curve shows, and half the file.
    return tuple(float(x) for x in numbers.round(4))
