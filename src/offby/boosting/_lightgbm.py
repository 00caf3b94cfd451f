"""LightGBM: an objective and a metric for `lightgbm.train`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from offby.boosting._objective import Objective
from offby.boosting._remembered import Remembered
from offby.boosting._scores import ScoreName, score_of


def lightgbm_objective(
    objective: Objective,
) -> Callable[[np.ndarray, Any], tuple[np.ndarray, np.ndarray]]:
    """The objective as `params["objective"]` of `lightgbm.train`.

    Give `num_class=objective.n_outputs` with it: there are so many trees a round. The
    raw outputs start at 0, where the forecast is `objective.log_frequencies`; set them
    by `objective.starting_at(y)`. `Booster.predict` gives raw outputs, which
    `objective.probabilities` turns into forecasts. Labels and weights are those of the
    `lightgbm.Dataset`, which holds them in float32.
    """
    known = Remembered(objective, order="F")

    def gradient_and_curvature(
        raw: np.ndarray, data: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        rows = known.rows(data.get_label(), data.get_weight())
        gradient, curvature = rows.gradient_and_curvature(raw.reshape(rows.raw.shape))
        return gradient.reshape(raw.shape), curvature.reshape(raw.shape)

    return gradient_and_curvature


def lightgbm_metric(
    objective: Objective, score: ScoreName = "auto"
) -> Callable[[np.ndarray, Any], tuple[str, float, bool]]:
    """The score of the forecasts as `feval` of `lightgbm.train`, to stop early on.

    Args:
        objective: What the model is trained on.
        score: "rps" of classes, "crps" of numbers, or "log_score"; "auto" is the first
            that there is. Give `metric="None"` to hear of no other.
    """
    judge = score_of(objective, score)
    known = Remembered(judge.of_rows, order="F", mean=True)

    def evaluate(raw: np.ndarray, data: Any) -> tuple[str, float, bool]:
        rows = known.rows(data.get_label(), data.get_weight())
        return judge.name, rows.loss(raw.reshape(rows.raw.shape)), False

    return evaluate
