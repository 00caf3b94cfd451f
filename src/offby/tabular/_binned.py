"""`BinnedForecaster`: a number's distribution over bins, whatever learns it."""

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from offby.bins import DEFAULT_STRATEGY, Bins, Bounds, Strategy
from offby.bins.support import checked_bounds
from offby.distribution import BinnedDistribution
from offby.distribution.around_median import pit_around, quantiles_around
from offby.distribution.given import index_of
from offby.tabular._estimator import AT_LEAST_ONE, HeldOut, TabularEstimator
from offby.tabular.circular import (
    arcs_of,
    balanced_circle,
    check_circular,
    circular_grid,
    circular_r2,
    on_turn,
)
from offby.tabular.conformal import conformal_coverage
from offby.tabular.data import TrainingData, balanced_line
from offby.tabular.rows import Rows, check_rows, groups_of
from offby.tabular.target_columns import check_numeric_target
from offby.tabular.target_grid import make_grid, on_scale_of
from offby.tabular.target_scales import Transform, fit_scale, to_scale
from offby.tabular.warned import warn_caller

_MANY_OUTSIDE = 0.1
"""Warn if more than this share of the targets lies outside of the bins."""


@dataclass(eq=False, repr=False, kw_only=True)
class BinnedForecaster(RegressorMixin, TabularEstimator):
    """Regressors that predict a whole distribution over bins of the target.

    `BinnedRegressor` explains the settings and attributes.
    """

    n_bins: int | Bins = 100
    strategy: Strategy = DEFAULT_STRATEGY
    tails: Literal["half-normal", "none"] = "half-normal"
    bounds: Bounds = "auto"
    target_transform: Transform | None = None
    period: float | None = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TabularEstimator._parameter_constraints,
        "n_bins": [AT_LEAST_ONE, Bins],
        "strategy": [StrOptions(set(get_args(Strategy)))],
        "tails": [StrOptions({"half-normal", "none"})],
        "bounds": [tuple, list, StrOptions({"auto"}), None],
        "target_transform": [StrOptions({"log", "yeo-johnson", "quantile"}), None],
        "period": [Interval(Real, 0, None, closed="neither"), None],
    }

    def fit(self, X, y, sample_weight=None, groups=None) -> Self:
        """Train on rows `X` and their numbers `y`.

        Args:
            X: An array or a frame.
            y: The number of each row.
            sample_weight: A weight means repetition: a row of weight 2 counts as two
                rows, and a row of weight 0 changes nothing.
            groups: Group of each row, such as the person it is about: the rows of a
                group are never both trained on and held out for early stopping,
                calibration and conformal intervals.
        """
        self._fit(X, y, sample_weight, groups)
        return self

    def predict_dist(self, X) -> BinnedDistribution:
        """The predicted distribution of each row."""
        probs = self._probabilities(X)
        return BinnedDistribution(probs, self.bins_, row_index=index_of(X))

    def predict(self, X) -> np.ndarray:
        """Mean of the predicted distribution, in the units of the target.

        With `period` the direction of the mean, on one turn.
        """
        mean = self.predict_dist(X).mean()
        if self.period is None:
            return mean
        return on_turn(mean, self.turn_start_, float(self.period))

    def predict_quantiles(self, X, alpha: list[float]) -> np.ndarray:
        """Quantiles at the levels `alpha`: rows x levels.

        With `period` mass is counted upward from the place across the circle from the
        median, which is level 0.5: below it lie the lower levels, up to half a turn.
        The numbers are on one turn, and so those of higher levels are smaller where the
        way upward passes the seam.
        """
        predicted = self.predict_dist(X)
        if self.period is None:
            return predicted.quantiles(alpha)
        found = quantiles_around(predicted.probs, self.bins_, np.asarray(alpha))
        return on_turn(found, self.turn_start_, float(self.period))

    def predict_interval(
        self, X, coverage: float = 0.9, *, conformal: bool = False
    ) -> np.ndarray:
        """Central interval that holds the number with this probability: rows x 2.

        With `period` an arc, from its start upward to its end: the shortest of this
        probability, or with `conformal` the one around the median, with the same mass
        on both sides. Where it passes the seam the end is below the start: (350, 10)
        are 20 degrees through north. The whole circle is from the start of the turn to
        its end. `offby.metrics` know arcs by `period`.

        Args:
            X: The rows.
            coverage: Probability inside, between 0 and 1.
            conformal: Widen or narrow the interval so that it would have held this
                share of the validation rows. With one bag, new rows like those lie
                inside at least that often, whatever the network.

        References:
            Chernozhukov, Wüthrich, Zhu (2021), Distributional conformal prediction,
            PNAS 118, doi:10.1073/pnas.2107794118.
        """
        if not 0 <= coverage <= 1:
            raise ValueError(f"coverage must lie between 0 and 1, got {coverage}")
        if conformal:
            coverage = self._conformal_coverage(coverage)
        predicted = self.predict_dist(X)
        if self.period is None:
            return np.stack(predicted.interval(coverage), -1)
        return arcs_of(
            predicted.probs,
            self.bins_,
            self.turn_start_,
            coverage,
            shortest=not conformal,
        )

    def predict_var(self, X) -> np.ndarray:
        """Variance of the predicted distribution."""
        return self.predict_dist(X).var()

    def score(self, X, y, sample_weight=None) -> float:
        """R² of `predict`; with `period` that of the chords.

        On a circle it is 1 minus the mean of 1 - cos of the angle between guess and
        truth, over that of the mean direction of `y`.
        """
        if self.period is None:
            return float(super().score(X, y, sample_weight))
        truth = np.asarray(y, np.float64)
        return circular_r2(truth, self.predict(X), float(self.period), sample_weight)

    def _fit(self, X, y, sample_weight, groups=None) -> HeldOut:
        """Train, and forecast the validation rows."""
        fresh = not self._continues()
        data = self._training_data(X, y, sample_weight, groups, reset=True, fresh=fresh)
        held_out = self._learn(data)
        self._note_held_out(held_out)
        return held_out

    def _conformal_coverage(self, coverage: float) -> float:
        """The nominal coverage that reaches this one on the validation rows."""
        check_is_fitted(self)
        if not hasattr(self, "held_out_pit_"):
            raise ValueError(
                "conformal intervals need validation rows, and partial_fit holds "
                "out none; use fit"
            )
        return conformal_coverage(self.held_out_pit_, self.held_out_weights_, coverage)

    def _note_held_out(self, held_out: HeldOut) -> None:
        """How far from its median each validation row lies, for conformal intervals."""
        labels = held_out.labels
        if held_out.around is not None:
            pit = pit_around(held_out.probs, self.bins_, held_out.around)
        else:
            assert labels.value is not None
            assert labels.bins is not None
            validation = BinnedDistribution(held_out.probs, labels.bins)
            pit = validation.pit(labels.value.numpy())
        distances = np.abs(pit - 0.5)
        order = np.argsort(distances)
        self.held_out_pit_ = distances[order]
        self.held_out_weights_ = held_out.weights[order]

    def _training_data(
        self, X, y, sample_weight, groups=None, *, reset: bool, fresh: bool
    ) -> TrainingData:
        self._check_settings()
        if self.period is not None:
            check_circular(self)
        elif isinstance(self.n_bins, Bins) and self.n_bins.wraps:
            raise ValueError(
                f"bins on a circle need its period, got {self.n_bins} without; give "
                f"period={float(self.n_bins.period):g}"
            )
        if self.bounds is not None and not isinstance(self.bounds, str):
            checked_bounds(self.bounds)
        check_numeric_target(y)
        rows = check_rows(
            self, X, y, sample_weight, groups, y_numeric=True, reset=reset
        )
        if fresh:
            self._make_grid(rows)
        if self.period is not None:
            return self._on_circle(rows, fresh=fresh)
        _warn_if_outside(self.bins_, rows, "bins_" if not fresh else "n_bins")
        inputs = self._encoded(rows, fresh=fresh)
        value = torch.tensor(to_scale(self.scale_, rows.y.astype(np.float64)))
        bins = on_scale_of(self.scale_, self.bins_)
        index, weights = bins.index(value), torch.tensor(rows.weights)
        line = balanced_line(bins, index, weights)
        together = groups_of(rows)
        return TrainingData(inputs, index, value, line, bins, weights, together)

    def _on_circle(self, rows: Rows, *, fresh: bool) -> TrainingData:
        """The bins as classes on a circle: losses of numbers are of a line."""
        inputs = self._encoded(rows, fresh=fresh)
        weights = torch.tensor(rows.weights)
        around = torch.tensor(rows.y.astype(np.float64))
        index = self.bins_.index(around)
        circle = balanced_circle(self.bins_, index, weights)
        together = groups_of(rows)
        return TrainingData(
            inputs, index, None, circle, None, weights, together, around=around
        )

    def _make_grid(self, rows: Rows) -> None:
        """The bins, in the units of the target."""
        y = rows.y.astype(np.float64)
        if self.period is not None:
            self.scale_ = fit_scale(None, y, rows.weights)
            if isinstance(self.n_bins, Bins):
                self.bins_ = self.n_bins
                self.turn_start_ = float(self.bins_.edges[0])
            else:
                self.bins_, self.turn_start_ = circular_grid(
                    y, self.n_bins, float(self.period)
                )
            return
        self.scale_ = fit_scale(self.target_transform, y, rows.weights)
        if isinstance(self.n_bins, Bins):
            self.bins_ = self.n_bins
        else:
            self.bins_ = make_grid(
                self.scale_,
                y,
                self.n_bins,
                self.strategy,
                self.tails,
                rows.weights,
                self.bounds,
            )


def _warn_if_outside(bins: Bins, rows: Rows, name: str) -> None:
    """Say so if the grid misses many of the targets."""
    low, high = bins.edges.numpy()[[0, -1]]
    outside = (rows.y < low) | (rows.y > high)
    share = float(rows.weights @ outside / rows.weights.sum())
    if share > _MANY_OUTSIDE:
        made = (
            "fit again, or make the bins over all numbers and pass them as n_bins"
            if name == "bins_"
            else "make them with Bins.around(y, n)"
        )
        warn_caller(
            f"{share:.0%} of the targets lie outside of the bins, which reach from "
            f"{low:g} to {high:g}; the model cannot tell them apart: {made}",
        )
