"""`BoostedOrdinalClassifier`: gradient boosting for ordered classes."""

from dataclasses import dataclass
from typing import Any, ClassVar

from offby.tabular._ordinal import OrdinalForecaster
from offby.tabular.boosted._base import BoostedTrees


@dataclass(eq=False, repr=False, kw_only=True)
class BoostedOrdinalClassifier(OrdinalForecaster, BoostedTrees):
    """Classifier for ordered classes: boosted trees that know how far off they are.

    `categories`, `decision`, `class_weight`, `ground` and the attributes of classes are
    those of `OrdinalClassifier`; the other settings are those of
    `offby.tabular.BoostedTrees`, and the same for `BoostedBinnedRegressor`. Needs
    LightGBM.

    >>> import numpy as np
    >>> order = ["low", "mid", "high", "top"]
    >>> X, y = np.arange(400.0)[:, None], np.repeat(order, 100)
    >>> model = BoostedOrdinalClassifier(categories=order, max_iter=20, random_state=0)
    >>> model.fit(X, y).predict([[0.0], [399.0]]).tolist()
    ['low', 'top']
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BoostedTrees._parameter_constraints,
        **OrdinalForecaster._parameter_constraints,
    }
