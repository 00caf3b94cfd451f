"""CatBoost: an objective and a metric for `catboost.CatBoost`."""

from collections.abc import Sequence

import numpy as np

from offby.boosting._objective import Objective
from offby.boosting._scores import ScoreName, score_of


def catboost_objective(objective: Objective) -> "_CatBoostObjective":
    """The objective as `loss_function` of `catboost.CatBoost`.

    NOTE CatBoost calls it once for each row, in Python, and keeps it away from several
    threads: this is many times slower than LightGBM and XGBoost, which hand over all
    rows. CatBoost takes the number of outputs from the target: give rows x `n_outputs`,
    the target in every column, as `offby.boosting.catboost_target` does. Predict with
    `prediction_type="RawFormulaVal"`.
    """
    return _made(objective)


def catboost_target(objective: Objective, y: Sequence[float]) -> np.ndarray:
    """The target in every one of `n_outputs` columns."""
    return np.tile(np.asarray(y, np.float64)[:, None], (1, objective.n_outputs))


def _made(objective: Objective) -> "_CatBoostObjective":
    try:
        from catboost import MultiTargetCustomObjective  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            "catboost_objective needs CatBoost; install it with `pip install catboost`"
        ) from error

    class Made(_CatBoostObjective, MultiTargetCustomObjective):
        pass

    return Made(objective)


class _CatBoostObjective:
    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def calc_ders_multi(
        self, approxes: Sequence[float], targets: Sequence[float], weight: float
    ) -> tuple[list[float], list[list[float]]]:
        """Derivatives of minus the loss, which CatBoost climbs, of one row."""
        raw, row = np.array([list(approxes)]), np.array([targets[0]])
        gradient, curvature = self.objective.gradient_and_curvature(raw, row)
        slopes = -weight * gradient[0]
        return slopes.tolist(), (-weight * np.diag(curvature[0])).tolist()


class _CatBoostMetric:
    def __init__(self, objective: Objective, score: ScoreName) -> None:
        self.judge = score_of(objective, score)

    def is_max_optimal(self) -> bool:
        """Smaller is better."""
        return False

    def evaluate(
        self,
        approxes: Sequence[Sequence[float]],
        targets: Sequence[Sequence[float]],
        weight: Sequence[float] | None,
    ) -> tuple[float, float]:
        """Sum of the scores and of the weights."""
        raw = np.column_stack([np.asarray(each) for each in approxes])
        w = np.ones(len(raw)) if weight is None else np.asarray(weight)
        score = self.judge(raw, np.asarray(targets[0]), w)
        return score * float(w.sum()), float(w.sum())

    def get_final_error(self, error: float, weight: float) -> float:
        """Their mean."""
        return error / (weight + 1e-38)


def catboost_metric(objective: Objective, score: ScoreName = "auto") -> _CatBoostMetric:
    """The score of the forecasts as `eval_metric` of `catboost.CatBoost`."""
    try:
        from catboost import MultiTargetCustomMetric  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            "catboost_metric needs CatBoost; install it with `pip install catboost`"
        ) from error

    class Made(_CatBoostMetric, MultiTargetCustomMetric):
        pass

    return Made(objective, score)
