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
    known = Remembered(objective)

    def gradient_and_curvature(
        raw: np.ndarray, data: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        target = known.target(data.get_label())
        # What LightGBM keeps of them is in float32.
        single = np.asarray(raw, np.float32)
        return objective.gradient_and_curvature(single, target, data.get_weight())

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
    judge, known = score_of(objective, score), Remembered(objective)

    def evaluate(raw: np.ndarray, data: Any) -> tuple[str, float, bool]:
        target = known.target(data.get_label())
        single = np.asarray(raw, np.float32)
        return judge.name, judge(single, target, data.get_weight()), False

    return evaluate
