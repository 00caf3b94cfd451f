"""`OrdinalEnsemble`: a network and boosted trees for ordered classes."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from offby.tabular._estimator import HeldOut
from offby.tabular._ordinal import OrdinalForecaster
from offby.tabular.boosted.classifier import BoostedOrdinalClassifier
from offby.tabular.classifier import OrdinalClassifier
from offby.tabular.together._base import WeightedMean


@dataclass(eq=False, repr=False, kw_only=True)
class OrdinalEnsemble(WeightedMean, OrdinalForecaster):
    """Classifier for ordered classes: the mean of a network and boosted trees.

    `categories`, `decision`, `class_weight`, `ground` and the attributes of classes are
    those of `OrdinalClassifier`; the other settings are those of
    `offby.tabular.WeightedMean`. Needs LightGBM.

    >>> import numpy as np
    >>> X, y = np.arange(60.0)[:, None], np.repeat([1, 2, 3], 20)
    >>> parts = [OrdinalClassifier(max_iter=5), BoostedOrdinalClassifier(max_iter=20)]
    >>> model = OrdinalEnsemble(parts).fit(X, y)
    >>> model.predict_proba(X).shape, model.weights_.shape
    ((60, 3), (2,))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **WeightedMean._parameter_constraints,
        **OrdinalForecaster._parameter_constraints,
    }

    def _kind(self) -> type[BaseEstimator]:
        return OrdinalForecaster

    def _defaults(self) -> list[BaseEstimator]:
        return [OrdinalClassifier(), BoostedOrdinalClassifier()]

    def _own_settings(self) -> dict[str, Any]:
        names = ("categories", "decision", "class_weight", "ground")
        return {name: getattr(self, name) for name in names}

    def _shared(self, first: Any) -> dict[str, Any]:
        return {"categories": first.categories_}

    def _fit(self, X, y, sample_weight, groups=None) -> HeldOut:
        held_out = super()._fit(X, y, sample_weight, groups)
        self._set_categories(self.estimators_[0].categories_)
        self._note_held_out(held_out)
        return held_out
