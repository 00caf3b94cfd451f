"""`BinnedEnsemble`: a network and boosted trees for a number's distribution."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from offby.tabular._binned import BinnedForecaster
from offby.tabular._estimator import HeldOut
from offby.tabular.boosted.regressor import BoostedBinnedRegressor
from offby.tabular.regressor import BinnedRegressor
from offby.tabular.together._base import WeightedMean


@dataclass(eq=False, repr=False, kw_only=True)
class BinnedEnsemble(WeightedMean, BinnedForecaster):
    """Regression by the mean of the distributions of a network and boosted trees.

    `n_bins`, `strategy`, `tails`, `bounds`, `target_transform`, `period` and the
    attributes of bins are those of `BinnedRegressor`; the other settings are those of
    `offby.tabular.WeightedMean`. Needs LightGBM.

    >>> import numpy as np
    >>> X = np.linspace(0, 1, 60)[:, None]
    >>> parts = [BinnedRegressor(max_iter=5), BoostedBinnedRegressor(max_iter=20)]
    >>> model = BinnedEnsemble(parts, n_bins=5).fit(X, X[:, 0])
    >>> model.predict_interval(X, conformal=True).shape, model.weights_.shape
    ((60, 2), (2,))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **WeightedMean._parameter_constraints,
        **BinnedForecaster._parameter_constraints,
    }

    def _kind(self) -> type[BaseEstimator]:
        return BinnedForecaster

    def _defaults(self) -> list[BaseEstimator]:
        return [BinnedRegressor(), BoostedBinnedRegressor()]

    def _own_settings(self) -> dict[str, Any]:
        names = (
            "n_bins",
            "strategy",
            "tails",
            "bounds",
            "target_transform",
            "period",
        )
        return {name: getattr(self, name) for name in names}

    def _shared(self, first: Any) -> dict[str, Any]:
        return {"n_bins": first.bins_}

    def _fit(self, X, y, sample_weight, groups=None) -> HeldOut:
        held_out = super()._fit(X, y, sample_weight, groups)
        first = self.estimators_[0]
        self.bins_, self.scale_ = first.bins_, first.scale_
        if self.period is not None:
            self.turn_start_ = first.turn_start_
        self._note_held_out(held_out)
        return held_out
