"""`OrdinalClassifier`: a network for ordered classes."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from offby.tabular._base import TabularNetwork
from offby.tabular._ordinal import OrdinalForecaster, different
from offby.tabular.rows import check_rows


@dataclass(eq=False, repr=False, kw_only=True)
class OrdinalClassifier(OrdinalForecaster, TabularNetwork):
    """Classifier for ordered classes: a network that knows how far off it is.

    Its other settings, and the attributes of the network, are those of
    `offby.tabular.TabularNetwork`, and the same for `BinnedRegressor`.

    Args:
        loss: Short name of a loss, a criterion of `offby.nn`, or a function; see
            `offby.tabular.TabularNetwork`.
        categories: The classes in their order; "auto" takes the order of an ordered
            categorical target (pandas' ordered categories, polars' Enum), else that of
            numbers. For text it takes the alphabetical order, which is rarely right,
            and warns. A class without a training row keeps a small probability.
        decision: What `predict` returns: the "median" of the predicted distribution
            (least expected distance, also where the classes lie on no line) or its
            "mode" (the likeliest class, as other scikit-learn classifiers return).
        class_weight: As in scikit-learn: a weight for each class, or "balanced".
        ground: How far apart the classes are, in the order of `categories`: positions
            on a line, or a `Circle`, a `Tree` or symmetric `Costs`. Neighbors are at
            distance 1 by default. Only the proportions matter: the largest distance is
            made K - 1. `cce` needs a line or a tree.

    Attributes:
        classes_: The classes, sorted, as scikit-learn demands; the columns of
            `predict_proba`.
        categories_: The classes in their order; the columns of `predict_dist`.
        held_out_strangeness_: How unlikely the class of each validation row was, in
            order; for conformal intervals.
        held_out_weights_: The weights of these rows.

    >>> import numpy as np
    >>> X, y = np.arange(40.0)[:, None], np.repeat(["low", "mid", "high", "top"], 10)
    >>> order = ["low", "mid", "high", "top"]
    >>> model = OrdinalClassifier(categories=order, max_iter=5, random_state=0)
    >>> model.fit(X, y).predict_proba(X).shape
    (40, 4)
    >>> model.classes_.tolist(), model.categories_.tolist()
    (['high', 'low', 'mid', 'top'], ['low', 'mid', 'high', 'top'])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TabularNetwork._parameter_constraints,
        **OrdinalForecaster._parameter_constraints,
    }

    def partial_fit(self, X, y, classes=None, sample_weight=None) -> Self:
        """Train on these rows for one epoch.

        The first call must name all `classes` in their order, here or in `categories`.
        """
        self._check_settings()
        first = not hasattr(self, "network_")
        rows = check_rows(self, X, y, sample_weight, y_numeric=False, reset=first)
        if first:
            given: Any = (
                classes if isinstance(self.categories, str) else self.categories
            )
            if given is None:
                raise ValueError(
                    "the first call of partial_fit must know all classes, got none; "
                    "pass classes=[...] in their order, or set categories"
                )
            self._set_categories(different(given))
        self._fit_epoch(self._training_data(rows, fresh=first))
        # The validation rows of `fit` may be trained on from now.
        vars(self).pop("held_out_strangeness_", None)
        vars(self).pop("held_out_weights_", None)
        return self
