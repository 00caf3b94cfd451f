"""The model in the hand: from a table to a file, and from a file to forecasts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from offby.models.kinds import MODELS, ModelKind

if TYPE_CHECKING:
    from offby.models.about import About
    from offby.models.best import fit_best, refit_seconds
    from offby.models.files import describe, load, save
    from offby.models.fitting import Choice, Fitted, fit_problem
    from offby.models.forecasts import Wanted, forecast_columns, ground_of
    from offby.models.scores import SCORES, ScoreKind, scores_of

# Imported on use: the command line asks for the names of the models before it knows
# whether it will need PyTorch.
_HOME = {
    "About": "about",
    "describe": "files",
    "load": "files",
    "save": "files",
    "Choice": "fitting",
    "Fitted": "fitting",
    "fit_best": "best",
    "refit_seconds": "best",
    "fit_problem": "fitting",
    "Wanted": "forecasts",
    "forecast_columns": "forecasts",
    "ground_of": "forecasts",
    "SCORES": "scores",
    "ScoreKind": "scores",
    "scores_of": "scores",
}

__all__ = [
    "MODELS",
    "SCORES",
    "About",
    "Choice",
    "Fitted",
    "ModelKind",
    "ScoreKind",
    "Wanted",
    "describe",
    "fit_best",
    "fit_problem",
    "forecast_columns",
    "ground_of",
    "load",
    "refit_seconds",
    "save",
    "scores_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'offby.models' has no attribute {name!r}")
    return getattr(import_module(f"offby.models.{_HOME[name]}"), name)
