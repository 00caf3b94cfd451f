"""`BoostedBinnedRegressor`: gradient boosting of a number's whole distribution."""

from dataclasses import dataclass
from typing import Any, ClassVar

from offby.tabular._binned import BinnedForecaster
from offby.tabular.boosted._base import BoostedTrees


@dataclass(eq=False, repr=False, kw_only=True)
class BoostedBinnedRegressor(BinnedForecaster, BoostedTrees):
    """Regression by boosted trees that predict a whole distribution over bins.

    `n_bins`, `strategy`, `tails`, `bounds`, `target_transform`, `period` and the
    attributes of bins are those of `BinnedRegressor`; the other settings are those of
    `offby.tabular.BoostedTrees`, and the same for `BoostedOrdinalClassifier`. Needs
    LightGBM.

    >>> import numpy as np
    >>> X = np.linspace(0, 1, 60)[:, None]
    >>> model = BoostedBinnedRegressor(n_bins=5, max_iter=20, random_state=0)
    >>> model.fit(X, X[:, 0]).predict_dist(X[:2]).median().shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BoostedTrees._parameter_constraints,
        **BinnedForecaster._parameter_constraints,
    }
