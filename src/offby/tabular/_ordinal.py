"""`OrdinalForecaster`: classes in their order, whatever learns them."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from offby.distribution import ClassDistribution
from offby.distribution.given import index_of
from offby.grounds import Circle, Costs, Ground, Line, Tree
from offby.tabular._estimator import HeldOut, TabularEstimator
from offby.tabular.class_ground import (
    check_calibration,
    class_ground,
    least_expected,
)
from offby.tabular.conformal import (
    class_range,
    reach,
    shortest_class_range,
    strangeness,
)
from offby.tabular.criteria import loss_name, training_loss
from offby.tabular.data import TrainingData
from offby.tabular.rows import Rows, check_rows, groups_of
from offby.tabular.warned import warn_caller


@dataclass(eq=False, repr=False, kw_only=True)
class OrdinalForecaster(ClassifierMixin, TabularEstimator):
    """Classifiers that predict a distribution over ordered classes.

    `OrdinalClassifier` explains the settings and attributes.
    """

    categories: Literal["auto"] | list | np.ndarray = "auto"
    decision: Literal["median", "mode"] = "median"
    class_weight: dict | Literal["balanced"] | None = None
    ground: Ground | list | np.ndarray | None = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TabularEstimator._parameter_constraints,
        "categories": [StrOptions({"auto"}), "array-like"],
        "decision": [StrOptions({"median", "mode"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "ground": [Line, Circle, Tree, Costs, "array-like", None],
    }

    def fit(self, X, y, sample_weight=None, groups=None) -> Self:
        """Train on rows `X` and their classes `y`.

        Args:
            X: An array or a frame.
            y: The class of each row.
            sample_weight: A weight means repetition: a row of weight 2 counts as two
                rows, and a row of weight 0 changes nothing.
            groups: Group of each row, such as the person it is about: the rows of a
                group are never both trained on and held out for early stopping,
                calibration and conformal intervals.
        """
        self._fit(X, y, sample_weight, groups)
        return self

    def predict_dist(self, X) -> ClassDistribution:
        """The predicted distribution of each row, in the order of `categories_`."""
        probs = self._probabilities(X)
        return ClassDistribution(probs, self.categories_, row_index=index_of(X))

    def predict_proba(self, X) -> np.ndarray:
        """Probability of each class: rows x classes, in the order of `classes_`.

        `classes_` is sorted, as scikit-learn's scorers expect; `predict_dist` has the
        classes in their order.
        """
        predicted = self.predict_dist(X)
        return predicted.probs[:, np.argsort(self.categories_)]

    def predict(self, X) -> np.ndarray:
        """One class per row, by the rule of `decision`."""
        predicted = self.predict_dist(X)
        if self.decision == "mode":
            return predicted.mode()
        if self.ground is None:
            return predicted.median()
        return self.categories_[least_expected(predicted.probs, self._ground())]

    def predict_interval(
        self, X, coverage: float = 0.9, *, conformal: bool = False
    ) -> np.ndarray:
        """The lowest and the highest class of a set without holes: rows x 2.

        Without `conformal`, the fewest neighboring classes that hold this probability.
        `categories_` has the classes between the two.

        Args:
            X: The rows.
            coverage: Probability inside, between 0 and 1.
            conformal: Take as many classes as would have held this share of the
                validation rows, the unlikely ones left out. With one bag, new rows
                like those lie inside at least that often, whatever the model.

        Raises:
            ValueError: If coverage is no probability, the classes have no order, or
                there are no validation rows.

        References:
            Lu, Angelopoulos, Pomerantz (2022), Improving trustworthiness of AI disease
            severity rating in medical imaging with ordinal conformal prediction sets,
            MICCAI, arXiv:2207.02238.

        >>> from offby import OrdinalClassifier
        >>> X, y = np.arange(60.0)[:, None], np.repeat([1, 2, 3], 20)
        >>> model = OrdinalClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> model.predict_interval(X, 0.9, conformal=True).shape
        (60, 2)
        """
        if not 0 <= coverage <= 1:
            raise ValueError(f"coverage must lie between 0 and 1, got {coverage}")
        if isinstance(self.ground, Circle | Tree | Costs):
            raise ValueError(
                "intervals need classes in an order, from a lowest to a highest, got "
                f"the ground {self.ground}; predict_proba has the chance of each class"
            )
        probs = self.predict_dist(X).probs
        if not conformal:
            return self.categories_[shortest_class_range(probs, coverage)]
        if not hasattr(self, "held_out_strangeness_"):
            raise ValueError(
                "conformal intervals need validation rows, and partial_fit holds "
                "out none; use fit"
            )
        bound = reach(self.held_out_strangeness_, self.held_out_weights_, coverage)
        return self.categories_[class_range(probs, bound)]

    def _fit(self, X, y, sample_weight, groups=None) -> HeldOut:
        """Train, and forecast the validation rows."""
        self._check_settings()
        rows = check_rows(
            self, X, y, sample_weight, groups, y_numeric=False, reset=True
        )
        check_classification_targets(rows.y)
        fresh = not self._continues()
        if fresh:
            self._set_categories(self._categories_of(rows))
        held_out = self._learn(self._training_data(rows, fresh=fresh))
        self._note_held_out(held_out)
        return held_out

    def _note_held_out(self, held_out: HeldOut) -> None:
        """How unlikely the class of each validation row was."""
        strange = strangeness(held_out.probs)
        true = held_out.labels.index.numpy()
        found = strange[np.arange(len(true)), true]
        order = np.argsort(found)
        self.held_out_strangeness_ = found[order]
        self.held_out_weights_ = held_out.weights[order]

    def _check_settings(self) -> None:
        super()._check_settings()
        settings = self.get_params(deep=False)
        check_calibration(settings.get("calibration"), self.ground)
        loss = settings.get("loss")
        if loss is not None and training_loss(loss).needs_bins:
            raise ValueError(
                f"the loss {loss_name(loss)!r} needs numbers, and y holds classes; "
                "use ce, emd2, cce or a sum of them, or a BinnedRegressor"
            )
        if not isinstance(self.categories, str):
            different(self.categories)
        if isinstance(self.class_weight, dict):
            odd = [
                f"{value} for {label!r}"
                for label, value in self.class_weight.items()
                if not 0 <= value < np.inf
            ]
            if odd:
                raise ValueError(
                    f"class_weight must hold finite numbers of at least 0, got {odd[0]}"
                )

    def _set_categories(self, categories: np.ndarray) -> None:
        self.categories_, self.classes_ = categories, np.sort(categories)

    def _categories_of(self, rows: Rows) -> np.ndarray:
        if not isinstance(self.categories, str):
            return different(self.categories)
        if rows.order is not None:
            return np.asarray(rows.order)
        present = np.unique(rows.y)
        if present.dtype.kind in "OUS" and len(present) > 2:
            warn_caller(
                f"the classes are text, in alphabetical order: {present.tolist()}; "
                "give their order with categories=[...]",
            )
        return present

    def _ground(self) -> Ground:
        """How far apart the classes are."""
        return class_ground(
            self.ground, len(self.categories_), self.categories_.tolist()
        )

    def _training_data(self, rows: Rows, *, fresh: bool) -> TrainingData:
        inputs = self._encoded(rows, fresh=fresh)
        index = torch.tensor(_codes(rows.y, self.categories_))
        weights = torch.tensor(rows.weights * self._weights_of_classes(rows))
        ground, together = self._ground(), groups_of(rows)
        return TrainingData(inputs, index, None, ground, None, weights, together)

    def _weights_of_classes(self, rows: Rows) -> np.ndarray:
        if self.class_weight is None:
            return np.ones(len(rows.y))
        present, code = np.unique(rows.y, return_inverse=True)
        weights = compute_class_weight(
            self.class_weight, classes=present, y=rows.y, sample_weight=rows.weights
        )
        return weights[code]


def different(categories) -> np.ndarray:
    """The categories as an array.

    Raises:
        ValueError: If one comes twice, or numbers and text are mixed.
    """
    listed = list(categories)
    kinds = {isinstance(each, str) for each in listed}
    if len(kinds) > 1 or len(listed) == 0:
        raise ValueError(
            f"categories must be all numbers or all text, got {listed}; name the "
            "classes as they are in y"
        )
    twice = [each for place, each in enumerate(listed) if each in listed[:place]]
    if twice:
        raise ValueError(
            f"categories must be different, got {twice[0]!r} twice; name each once"
        )
    return np.asarray(listed)


def _codes(y: np.ndarray, categories: np.ndarray) -> list[int]:
    """The place of each row's class in the order."""
    places = {label: place for place, label in enumerate(categories.tolist())}
    unknown = [label for label in np.unique(y).tolist() if label not in places]
    if not unknown:
        return [places[label] for label in y.tolist()]
    says = (
        f"categories must name every class of y, but {unknown[0]!r} is not among "
        f"{categories.tolist()}"
    )
    if set(unknown) <= set(range(len(categories))):
        # Meta-estimators of scikit-learn hand classes on as 0 to K - 1.
        says += (
            "; a meta-estimator such as CalibratedClassifierCV, StackingClassifier or "
            "cross_val_predict seems to have replaced the classes by their places in "
            "alphabetical order: give it whole numbers in the right order instead, "
            "y = [categories.index(label) for label in y], and leave categories at "
            '"auto"'
        )
    raise ValueError(says)
