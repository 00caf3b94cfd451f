"""XGBoost: an objective and a metric for `xgboost.train`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from offby.boosting._basis import waves_over
from offby.boosting._objective import Objective
from offby.boosting._remembered import Remembered
from offby.boosting._scores import ScoreName, score_of


def xgboost_objective(
    objective: Objective, split_outputs: int | None = None
) -> Callable[..., Any]:
    """The objective as `obj` of `xgboost.train`.

    One tree for each output (the default), or with
    `multi_strategy="multi_output_tree"` one tree a round whose leaves hold a vector.
    Targets are the labels of the `DMatrix`: rows x `n_outputs`, the target in every
    column, since XGBoost takes the number of outputs from there. Give `base_score=0`
    and `disable_default_eval_metric=1`. `Booster.predict(..., output_margin=True)`
    gives raw outputs for `objective.probabilities`.

    Args:
        objective: What to learn.
        split_outputs: Of trees with vector leaves: search for splits by the gradients
            of so many outputs only, the first (location, then log scale); under
            "identity" by those of so many cosines over the classes. Leaves still have
            all outputs. Quicker, and often better. XGBoost 3.2 or later.

    Raises:
        ImportError: If splits are to be reduced and XGBoost 3.2 is missing.
        ValueError: If there are not so many outputs.
    """
    known = Remembered(objective, order="C")

    def both(raw: np.ndarray, data: Any) -> tuple[np.ndarray, np.ndarray]:
        rows = known.rows(_labels(data), _weights(data), key=data)
        return rows.gradient_and_curvature(raw.reshape(rows.raw.shape))

    if split_outputs is None:
        return both
    if not 1 <= split_outputs <= objective.n_outputs:
        raise ValueError(
            f"split_outputs must be 1 to {objective.n_outputs}, the outputs of "
            f"{objective.basis.name}, got {split_outputs}"
        )
    return _reduced(objective, both, split_outputs)


def _reduced(
    objective: Objective, both: Callable[..., Any], split_outputs: int
) -> Callable[..., Any]:
    """The same as a `TreeObjective` with a split gradient of fewer columns."""
    try:
        from xgboost.objective import TreeObjective
    except ImportError as error:
        raise ImportError(
            "split_outputs needs XGBoost 3.2 or later; install it with "
            "`pip install 'xgboost>=3.2'`, or leave split_outputs out"
        ) from error
    waves = None
    if objective.basis.name == "identity":
        waves = waves_over(objective.ground, split_outputs)

    class Reduced(TreeObjective):
        def __call__(self, iteration: int, y_pred: np.ndarray, dtrain: Any):
            return both(y_pred, dtrain)

        def split_grad(self, iteration: int, grad: np.ndarray, hess: np.ndarray):
            if waves is None:
                slope, curvature = grad[:, :split_outputs], hess[:, :split_outputs]
            else:  # the diagonal moves as if the classes were independent
                slope, curvature = grad @ waves.T, hess @ (waves**2).T
            return (
                np.ascontiguousarray(slope, np.float32),
                np.ascontiguousarray(curvature, np.float32),
            )

    return Reduced()


def xgboost_metric(
    objective: Objective, score: ScoreName = "auto"
) -> Callable[[np.ndarray, Any], tuple[str, float]]:
    """The score of the forecasts as `custom_metric` of `xgboost.train`.

    Stop early on it with `xgboost.callback.EarlyStopping(rounds, metric_name=...)`; its
    name is "rps", "crps" or "log_score". Smaller is better.
    """
    judge = score_of(objective, score)
    known = Remembered(judge.of_rows, order="C", mean=True)

    def evaluate(raw: np.ndarray, data: Any) -> tuple[str, float]:
        rows = known.rows(_labels(data), _weights(data), key=data)
        return judge.name, rows.loss(raw.reshape(rows.raw.shape))

    return evaluate


def _labels(data: Any) -> np.ndarray:
    labels = data.get_label()
    n_rows = data.num_row()
    return labels.reshape(n_rows, -1)[:, 0] if n_rows else labels


def _weights(data: Any) -> np.ndarray | None:
    weight = data.get_weight()
    return weight if len(weight) else None
