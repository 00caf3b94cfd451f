"""Where a score comes from. Theory: docs/maths/scores.md."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from offby.metrics import _inputs


@dataclass(frozen=True)
class Decomposition:
    """A mean score in three parts: miscalibration - discrimination + uncertainty."""

    miscalibration: float
    """What recalibrating the forecasts would save."""
    discrimination: float
    """How much better the recalibrated forecasts are than the same one for all rows."""
    uncertainty: float
    """Score of the class frequencies, the same forecast for all rows."""

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

    The RPS is a sum of Brier scores of the events "at most class k", the Brier score
    one of the events "class k". Each event is recalibrated by isotonic regression of
    what happened on what was predicted; the parts add up to those of the whole. All
    three are nonnegative. On few rows isotonic regression fits noise: miscalibration
    is then overstated, and discrimination by as much.

    Args:
        y_true: Class of each row; of numbers in bins, the bin (`Bins.index`).
        y_proba: Rows x classes probabilities.
        score: The ranked probability score ("rps") or the Brier score ("brier").
        labels: The classes in the order of the columns; 0 to K - 1 by default. Numbers
            say where the classes lie.
        sample_weight: One weight per row.

    Returns:
        The parts, in the units of the score.

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
    """Of the Brier score of one event."""
    from sklearn.isotonic import isotonic_regression  # slow to import

    counted = weight > 0
    happened, predicted, weight = happened[counted], predicted[counted], weight[counted]
    # Forecasts that differ in the last bit only are different forecasts: a map that
    # takes them for one and interpolates has nothing to say of the higher one.
    at, place = np.unique(predicted, return_inverse=True)
    rows = np.bincount(place, weight, minlength=len(at))
    share = np.bincount(place, weight * happened, minlength=len(at)) / rows
    recalibrated = isotonic_regression(share, sample_weight=rows)[place]
    always = np.average(happened, weights=weight)
    as_said, at_best, uncertainty = (
        float(np.average((guess - happened) ** 2, weights=weight))
        for guess in (predicted, recalibrated, always)
    )
    # Nothing recalibrated is worse than what it was made from, but for rounding.
    return max(0.0, as_said - at_best), max(0.0, uncertainty - at_best), uncertainty
