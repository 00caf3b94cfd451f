"""Gradient boosting on losses that know distance. See docs/boosting.md."""

from offby.boosting._bound import Bound, bind
from offby.boosting._catboost import (
    catboost_metric,
    catboost_objective,
    catboost_target,
)
from offby.boosting._curvature import Curvature
from offby.boosting._lightgbm import lightgbm_metric, lightgbm_objective
from offby.boosting._objective import Objective, objective
from offby.boosting._scores import Score, ScoreName, score_of
from offby.boosting._target import Target
from offby.boosting._xgboost import xgboost_metric, xgboost_objective

__all__ = [
    "Bound",
    "Curvature",
    "Objective",
    "Score",
    "ScoreName",
    "Target",
    "bind",
    "catboost_metric",
    "catboost_objective",
    "catboost_target",
    "lightgbm_metric",
    "lightgbm_objective",
    "objective",
    "score_of",
    "xgboost_metric",
    "xgboost_objective",
]
