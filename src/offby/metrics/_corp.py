"""The CORP decomposition of a mean score. Theory: docs/maths/scores.md."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from offby.metrics import _inputs


@dataclass(frozen=True)
class Decomposition:
    """A mean score in three parts: miscalibration - discrimination + uncertainty."""

    miscalibration: float
    """By how much recalibration would lower the score of the forecasts."""
    discrimination: float
    """By how much recalibrated forecasts score better than the class frequencies."""
    uncertainty: float
    """Score of the class frequencies as the forecast of every row."""

    @property
    def score(self) -> float:
        """The mean score itself."""
        return self.miscalibration - self.discrimination + self.uncertainty


def corp_decomposition(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    score: Literal["rps", "brier"] = "rps",
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> Decomposition:
    """Miscalibration, discrimination and uncertainty of predicted probabilities (CORP).

    The RPS is a sum of Brier scores over the events "at most class k", and the Brier
    score is a sum over the events "class k". The forecasts of each event are
    recalibrated by isotonic regression of the outcomes on the forecasts, and the parts
    of the events are added. No part is negative. On few rows isotonic regression fits
    noise, which overstates miscalibration and discrimination by the same amount.

    Args:
        y_true: Class of each row. For numbers in bins, pass the index of the bin, as
            `Bins.index` gives it.
        y_proba: Rows x classes probabilities.
        score: The ranked probability score ("rps") or the Brier score ("brier").
        labels: The classes in the order of the columns; 0 to K - 1 by default. Numeric
            labels are the positions of the classes.
        sample_weight: One weight per row.

    Returns:
        The three parts, in the units of the score.

    References:
        Dimitriadis, Gneiting, Jordan (2021), Stable reliability diagrams for
        probabilistic classifiers, PNAS 118, doi:10.1073/pnas.2016191118.
        Arnold, Walz, Ziegel, Gneiting (2024), Decompositions of the mean continuous
        ranked probability score, Electron. J. Stat. 18, arXiv:2311.14122.

    >>> found = corp_decomposition([0, 0, 1, 1], [[0.6, 0.4], [0.4, 0.6]] * 2)
    >>> round(found.miscalibration, 4), found.discrimination, found.uncertainty
    (0.01, 0.0, 0.25)
    """
    n_rows = len(_inputs.one_axis("y_true", y_true))
    p = _inputs.probabilities(y_proba, n_rows, None)
    n_classes = p.shape[-1]
    y = _inputs.codes("y_true", y_true, labels, n_classes)
    weight = _inputs.weights(sample_weight, n_rows)
    match score:
        case "rps":
            gaps = np.diff(_inputs.positions(labels, n_classes))
            predicted = np.minimum(p.cumsum(-1)[:, :-1], 1)
            happened = y[:, None] <= np.arange(n_classes - 1)
        case "brier":
            gaps = np.ones(n_classes)
            predicted, happened = p, y[:, None] == np.arange(n_classes)
        case _:
            raise ValueError(f'score must be "rps" or "brier", got {score!r}')
    parts = [_parts(happened[:, k], predicted[:, k], weight) for k in range(len(gaps))]
    total = gaps @ np.array(parts).reshape(-1, 3)
    return Decomposition(*total.tolist())


def _parts(
    happened: np.ndarray, predicted: np.ndarray, weight: np.ndarray
) -> tuple[float, float, float]:
    """Miscalibration, discrimination and uncertainty of one event's Brier score."""
    from scipy.optimize import isotonic_regression  # slow to import

    counted = weight > 0
    happened, predicted, weight = happened[counted], predicted[counted], weight[counted]
    # Forecasts that differ in the last bit only count as different forecasts.
    # scikit-learn's IsotonicRegression would merge them, and interpolate to NaN.
    forecasts, index = np.unique(predicted, return_inverse=True)
    rows = np.bincount(index, weight, minlength=len(forecasts))
    share = np.bincount(index, weight * happened, minlength=len(forecasts)) / rows
    recalibrated = isotonic_regression(share, weights=rows).x[index]
    frequency = np.average(happened, weights=weight)
    original, best, uncertainty = (
        float(np.average((forecast - happened) ** 2, weights=weight))
        for forecast in (predicted, recalibrated, frequency)
    )
    # Recalibration never raises the score on its own rows, except by rounding.
    return max(0.0, original - best), max(0.0, uncertainty - best), uncertainty
