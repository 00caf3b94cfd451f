"""Scales of a target: increasing maps, undone exactly, and the bins on them."""

import warnings
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from sklearn.preprocessing import FunctionTransformer, PowerTransformer

from offby.bins import Bins, Strategy, Tails

_MOMENTS = (date, time, timedelta, np.datetime64, np.timedelta64)
Transform = Literal["log", "yeo-johnson", "quantile"]


@dataclass(frozen=True, eq=False)
class NormalScores:
    r"""Numbers as the normal scores of their ranks: a skewed target becomes normal.

    A number with a share s of the others below it, half of its equals included, becomes
    :math:`\Phi^{-1}(s)`; numbers between those seen lie on straight lines. Beyond the
    least and the largest the outermost lines go on: unlike scikit-learn's
    `QuantileTransformer`, which ends there, the map has an inverse everywhere.

    References:
        Van der Waerden (1952), Order tests for the two-sample problem and their power,
        Indagationes Mathematicae 14.

    >>> scale = NormalScores.of(np.array([1.0, 2.0, 3.0, 30.0]))
    >>> scale.transform(np.array([1.0, 2.0, 3.0, 30.0, 57.0])).round(2)
    array([-1.15, -0.32,  0.32,  1.15,  1.98])
    >>> scale.inverse_transform(scale.transform(np.array([-7.0, 57.0]))).round(9)
    array([-7., 57.])
    """

    numbers: Float[np.ndarray, " knots"]
    scores: Float[np.ndarray, " knots"]

    @classmethod
    def of(cls, values: np.ndarray, n_knots: int = 1001) -> "NormalScores":
        """The scale of these values, exact at `n_knots` of them at most."""
        values = np.sort(values)
        different = np.unique(values)
        if len(different) == 1:
            ends = np.array([-1.0, 1.0])
            return cls(different + ends * max(abs(different[0]), 1.0), ends)
        knots = np.linspace(0, len(different) - 1, min(n_knots, len(different)))
        numbers = different[knots.round().astype(int)]
        below = (
            np.searchsorted(values, numbers),
            np.searchsorted(values, numbers, "right"),
        )
        return cls(numbers, ndtri((below[0] + below[1]) / (2 * len(values))))

    def transform(self, y: np.ndarray) -> np.ndarray:
        """Numbers to scores."""
        return _on_lines(y, self.numbers, self.scores)

    def inverse_transform(self, z: np.ndarray) -> np.ndarray:
        """Scores to numbers."""
        return _on_lines(z, self.scores, self.numbers)


def _on_lines(x: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Straight lines between points, and on beyond the outermost."""
    at = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
    share = (x - xs[at]) / (xs[at + 1] - xs[at])
    # Meets both points of its line to the last bit.
    return ys[at] * (1 - share) + ys[at + 1] * share


def fitted(transform: Transform | None, y: np.ndarray):
    """The scale of these numbers; it has `transform` and `inverse_transform`."""
    match transform:
        case None:
            scale = FunctionTransformer()
        case "log":
            if y.min() <= 0:
                raise ValueError(
                    'target_transform="log" needs positive targets, got '
                    f'{y.min():g}; use "yeo-johnson" or "quantile"'
                )
            scale = FunctionTransformer(np.log, np.exp)
        case "yeo-johnson":
            scale = PowerTransformer("yeo-johnson")
        case "quantile":
            return NormalScores.of(y)
        case _:
            raise ValueError(
                'target_transform must be None, "log", "yeo-johnson" or "quantile", '
                f"got {transform!r}"
            )
    return scale.fit(y[:, None])


def scaled(scale, y: np.ndarray) -> np.ndarray:
    """Numbers on the scale."""
    return np.asarray(scale.transform(y[:, None]))[:, 0]


def grid(scale, y: np.ndarray, n_bins: int, strategy: Strategy, tails: Tails) -> Bins:
    """Bins made on the scale, in the units of the target.

    Tails are two bins more, beyond all numbers seen: so little mass that nothing else
    changes, and enough that no number has density zero.
    """
    on_scale = scaled(scale, y)
    if on_scale.min() == on_scale.max():
        room = max(abs(float(on_scale[0])), 1.0) * 1e-3
        made = Bins([on_scale[0] - room, on_scale[0] + room])
    else:
        made = Bins.around(on_scale, n_bins, strategy)
    edges = _unscaled(scale, made.edges.numpy())
    # The scale may end (Yeo-Johnson does) before the margin does: then the margin is
    # one bin on the scale of the target.
    margins = 2 * y.min() - edges[1], 2 * y.max() - edges[-2]
    ends = np.where(np.isfinite(edges[[0, -1]]), edges[[0, -1]], margins)
    inner = edges[1:-1]
    if tails == "none":
        return Bins(np.concatenate([ends[:1], inner, ends[1:]]))
    # Half of a tail lies within one standard deviation of the numbers: of those on the
    # scale, or of their own if that is further and not out of all proportion there.
    away = np.array([-1.0, 1.0])
    room = on_scale.std() or float(made.widths[0])
    start = scaled(scale, ends)
    plain = ends + away * (y.std() or ends[1] - ends[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.abs(scaled(scale, plain) - start)
    wide = _unscaled(scale, start + away * room)
    use_plain = ~np.isfinite(wide) | ((steps > room) & (steps < 10 * room))
    beyond = np.where(use_plain, plain, wide)
    parts = [beyond[:1], ends[:1], inner, ends[1:], beyond[1:]]
    return Bins(np.concatenate(parts), tails=tails)


def _unscaled(scale, z: np.ndarray) -> np.ndarray:
    """Numbers back from the scale; what it does not reach is not finite."""
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(scale.inverse_transform(z[:, None]))[:, 0]


def check_numbers(y) -> None:
    """Refuse targets that are dates or text."""
    kind = np.asarray(y).dtype.kind
    # Frames hand out text, and lists dates, as objects.
    held = {type(value) for value in np.asarray(y).flat} if kind == "O" else set()
    if kind in "mM" or any(issubclass(each, _MOMENTS) for each in held):
        raise ValueError(
            "y must hold numbers, got dates or times; turn them into a number first, "
            "such as days since a start"
        )
    if kind in "US" or any(issubclass(each, str | bytes) for each in held):
        raise ValueError(
            "y must hold numbers, got text; for ordered classes use an "
            "OrdinalClassifier"
        )
