"""`WeightedMean`: what both ensembles of estimators share."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from offby.tabular._estimator import AT_LEAST_ONE, HeldOut, TabularEstimator
from offby.tabular.together.weights import common_rows, fit_weights, mean_of


@dataclass(eq=False, repr=False)
class WeightedMean(TabularEstimator):
    """The weighted mean of the forecasts of several estimators.

    The weights are fitted to the rows that all of them held out for early stopping, by
    the RPS of classes or the CRPS of numbers: no row is spent on them.

    Args:
        estimators: The estimators to fit; None is a network and boosted trees with
            their defaults.
        n_jobs: Number of CPU threads of each, if they are the defaults.
        random_state: Seed of everything random, if they are the defaults.

    Attributes:
        estimators_: The fitted estimators.
        weights_: The weight of each.
    """

    estimators: Sequence[BaseEstimator] | None = None
    _: KW_ONLY
    n_jobs: int | None = None
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimators": ["array-like", None],
        "n_jobs": [AT_LEAST_ONE, Interval(Integral, None, -1, closed="right"), None],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _kind(self) -> type[BaseEstimator]:
        """What each estimator must be."""

    @abstractmethod
    def _defaults(self) -> list[BaseEstimator]:
        """The estimators, if none are given."""

    @abstractmethod
    def _shared(self, first: Any) -> dict[str, Any]:
        """Settings of the others, once the first estimator has been fitted."""

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.estimators is None:
            return
        odd = [each for each in self.estimators if not isinstance(each, self._kind())]
        if odd or len(self.estimators) == 0:
            raise ValueError(
                f"estimators must hold estimators of offby for this kind of target, "
                f"got {odd[0] if odd else 'none'!r}; leave it at None for a network "
                "and boosted trees"
            )

    def _fit(self, X, y, sample_weight, groups=None) -> HeldOut:
        self._check_settings()
        own, parts = self._own_settings(), []
        seed = int(check_random_state(self.random_state).randint(2**31))
        self.estimators_: list[Any] = []
        for each in self.estimators or self._defaults():
            model: Any = clone(each)
            model.set_params(**own)
            if self.estimators is None:
                model.set_params(n_jobs=self.n_jobs, random_state=seed)
            parts.append(model._fit(X, y, sample_weight, groups))
            self.estimators_.append(model)
            own |= self._shared(self.estimators_[0])
        for name, value in vars(self.estimators_[0]).items():
            if name in ("n_features_in_", "feature_names_in_"):
                setattr(self, name, value)
        parts = common_rows(parts)
        self.weights_ = fit_weights(parts)
        return mean_of(parts, self.weights_)

    @abstractmethod
    def _own_settings(self) -> dict[str, Any]:
        """Settings of the target, which every estimator takes from the ensemble."""

    def _probabilities(self, X) -> np.ndarray:
        check_is_fitted(self)
        probs = [model._probabilities(X) for model in self.estimators_]
        return np.tensordot(self.weights_, np.stack(probs), 1)
