"""A target on a circle: its bins, its ground, and how good a guess is."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from offby import losses
from offby.bins import DEFAULT_STRATEGY, Bins
from offby.distribution.around import shortest_arcs
from offby.distribution.around_median import quantiles_around
from offby.grounds import Ground
from offby.tabular.class_ground import scaled
from offby.tabular.criteria import loss_name, training_loss

_LEAST_BINS = 8


def check_circular(estimator: Any) -> None:
    """Refuse settings that have no meaning on a circle.

    Raises:
        ValueError: If there are such settings.
    """
    period, bins = float(estimator.period), estimator.n_bins
    refused = None
    if isinstance(bins, Bins):
        if not bins.wraps or not np.isclose(float(bins.period), period):
            raise ValueError(
                f"n_bins must lie on a circle of period {period:g}, got {bins}; make "
                "them with Bins.periodic(low, high, n), or give a number"
            )
    elif bins < 3:
        refused = f"n_bins={bins}", "at least 3 bins"
    if estimator.target_transform is not None:
        refused = f"target_transform={estimator.target_transform!r}", "None"
    elif estimator.strategy not in (DEFAULT_STRATEGY, "uniform"):
        refused = f"strategy={estimator.strategy!r}", "the default, bins of equal width"
    elif not (estimator.bounds is None or isinstance(estimator.bounds, str)):
        refused = f"bounds={estimator.bounds!r}", "none: a circle has no ends"
    elif estimator.get_params(deep=False).get("calibration") == "isotonic":
        refused = (
            'calibration="isotonic"',
            '"temperature" or none: no bin is the lowest',
        )
    if refused:
        raise ValueError(f"with period, only {refused[1]} will do, got {refused[0]}")
    loss = estimator.get_params(deep=False).get("loss")
    if loss is None:
        return
    name = loss_name(loss)
    if training_loss(loss).needs_bins or "cce" in name.split("+"):
        raise ValueError(
            f"the loss {name!r} is defined on a line, and period makes it a circle; "
            "use ce, emd1, emd2 (the CRPS of a circle, between centers of bins) or a "
            "sum of them"
        )


def circular_grid(y: np.ndarray, n_bins: int, period: float) -> tuple[Bins, float]:
    """Bins of equal width around the circle, and where the turn of forecasts starts.

    Forecasts go from 0 up to the period; from minus half of it where numbers are below
    0, as of angles from -180 to 180. Whole numbers lie in the middle of their bins if
    there are bins enough.
    """
    start = -period / 2 if y.min() < 0 else 0.0
    whole = period == round(period) and period <= n_bins and (y == y.round()).all()
    if whole and period >= 3:
        low, n_bins = np.floor(start) - 0.5, int(period)
    else:
        low = start
        n_bins = min(n_bins, max(_LEAST_BINS, len(np.unique(y))))
    return Bins.periodic(low, low + period, n_bins), start


def balanced_circle(bins: Bins, index: Tensor, weight: Tensor) -> Ground:
    """The bins as classes, in a unit in which the terms of a sum weigh the same.

    As `balanced_line`: forecasting the frequencies of the bins costs as much under the
    squared EMD as under cross-entropy.
    """
    circle = bins.circle()
    counts = torch.bincount(index, weight, minlength=bins.n_bins).double()
    share = counts / counts.sum()
    if int((share > 0).sum()) < 2:
        return circle
    logits = share.log()
    ce = losses.cross_entropy(logits, share)
    each = torch.arange(bins.n_bins)
    emd2 = losses.squared_emd(logits.expand(len(each), -1), each, circle) @ share
    return scaled(circle, float(ce / emd2))


def on_turn(numbers: np.ndarray, start: float, period: float) -> np.ndarray:
    """The same directions, from the start up to one period above it."""
    turned = start + np.mod(numbers - start, period)
    # Rounding may lead to the end, which is the start.
    return np.where(turned >= start + period, start, turned)


def arcs_of(
    probs: np.ndarray, bins: Bins, start: float, coverage: float, *, shortest: bool
) -> np.ndarray:
    """Arcs of this probability, rows x 2, from their start upward to their end.

    Args:
        probs: Mass of each bin, bins that wrap.
        bins: The grid.
        start: Where the turn of the answers begins.
        coverage: Probability inside.
        shortest: Whether the shortest arc, or the one around the median.
    """
    if shortest:
        ends = np.stack(shortest_arcs(probs, bins, coverage), -1)
    else:
        levels = np.array([1 - coverage, 1 + coverage]) / 2
        ends = quantiles_around(probs, bins, levels)
    period = float(bins.period)
    whole = np.isclose(ends[:, 1] - ends[:, 0], period, rtol=1e-12)
    turned = on_turn(ends, start, period)
    turned[whole] = start + np.array([0, period])
    return turned


def circular_r2(y: np.ndarray, guess: np.ndarray, period: float, weight) -> float:
    """One minus the mean squared chord of the guesses over that of the best constant.

    The square of the chord is in proportion to 1 - cos of the angle. As R², it is 1 if
    all guesses are right, and 0 if they are as good as the mean direction.
    """
    turn = 2 * np.pi / period
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)
    share = weight / weight.sum()
    missed = share @ (1 - np.cos((guess - y) * turn))
    resultant = abs(share @ np.exp(1j * turn * y))
    if resultant == 1:
        return float(missed == 0)
    return float(1 - missed / (1 - resultant))
