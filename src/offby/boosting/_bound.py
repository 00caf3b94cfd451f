"""An objective bound to rows that a fit asks about again in every round."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from offby.boosting import _rows
from offby.boosting._objective import Objective
from offby.boosting._target import Target
from offby.kernels import boosting as kernel


@dataclass(frozen=True, eq=False)
class Bound:
    """An objective with its rows: target and weights are checked once, memory is kept.

    Made by :func:`bind`. The arrays that its methods return are filled again by the
    next call. All is computed in float32, which is what the libraries keep of it; rows
    that need more, in float64. Rows of weight 0 are not computed: theirs is 0.
    """

    objective: Objective
    target: Target
    weight: np.ndarray
    scale: np.ndarray
    """Raw outputs are in these units."""
    raw: np.ndarray
    """Rows x outputs, in units of the objective."""
    rows: np.ndarray
    """Those of a weight above 0."""

    def gradient_and_curvature(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `Objective.gradient_and_curvature`, by raw outputs in units of `scale`."""
        self._take(raw)
        slopes, curved = self._slopes
        if kernel.available():
            again = self._push()
            if len(again):
                self._exactly(again)
        else:
            slopes[:], curved[:] = self.objective.gradient_and_curvature(
                self.raw, self.target, self.weight
            )
        if self._scaled:
            slopes *= self.scale
            curved *= self.scale**2
        return slopes, curved

    def loss(self, raw: np.ndarray) -> float:
        """Sum of the losses of the rows, times their weights."""
        self._take(raw)
        if not kernel.available():
            rows = self.objective.loss(self.raw[self.rows], self.target[self.rows])
            return float(rows @ self.weight[self.rows])
        again = self._judge()
        if len(again):
            wide = self.raw[again].astype(np.float64)
            own = self.objective.loss(wide, self.target[again])
            own -= _rows.loss_of_number(self.target[again], self.objective.terms)
            self._losses[again] = own
        return float(self._losses @ self.weight) + self._of_numbers

    def _take(self, raw: np.ndarray) -> None:
        if raw.shape != self.raw.shape:
            raise ValueError(
                f"raw must have the {self.raw.shape[0]} bound rows and "
                f"{self.raw.shape[1]} outputs, got shape {raw.shape}"
            )
        if self._scaled:
            np.multiply(raw, self.scale, out=self.raw, casting="same_kind")
        else:
            np.copyto(self.raw, raw, casting="same_kind")

    def _exactly(self, rows: np.ndarray) -> None:
        wide = self.raw[rows].astype(np.float64)
        exact = self.objective.gradient_and_curvature(wide, self.target[rows])
        for single, double in zip(self._slopes, exact, strict=True):
            single[rows] = double * self.weight[rows, None]

    @cached_property
    def _scaled(self) -> bool:
        return bool((self.scale != 1).any())

    @cached_property
    def _slopes(self) -> tuple[np.ndarray, np.ndarray]:
        # Those of rows that are not computed stay 0.
        return np.zeros_like(self.raw), np.zeros_like(self.raw)

    @cached_property
    def _losses(self) -> np.ndarray:
        return np.zeros(len(self.raw), np.float32)

    @cached_property
    def _of_numbers(self) -> float:
        """What the losses owe to the numbers alone, whatever the forecasts."""
        own = _rows.loss_of_number(self.target, self.objective.terms)
        return float(np.sum(own * self.weight))

    @cached_property
    def _push(self) -> kernel.Job:
        gradient, curvature = self._slopes
        return self._job(weight=self.weight, gradient=gradient, curvature=curvature)

    @cached_property
    def _judge(self) -> kernel.Job:
        return self._job(loss=self._losses)

    def _job(self, **arrays: np.ndarray) -> kernel.Job:
        return kernel.job_of(
            self.objective.call,
            self.raw,
            self.rows if len(self.rows) < len(self.raw) else None,
            index=self.target.index,
            before=self.target.before,
            after=self.target.after,
            **arrays,
        )


def bind(
    objective: Objective,
    target: ArrayLike | Target,
    sample_weight: ArrayLike | None = None,
    *,
    scale: ArrayLike = 1.0,
    order: Literal["C", "F"] = "F",
) -> Bound:
    """The objective for rows that a fit asks about again in every round.

    Args:
        objective: What is learned.
        target: Class of each row, 0 to K - 1; with bins, its number.
        sample_weight: Weight of each row.
        scale: The unit of the raw outputs that will be given, one for all or one for
            each output. The derivatives are with respect to the outputs as given.
        order: How the library lays out raw outputs.

    >>> import numpy as np
    >>> from offby.boosting import objective
    >>> rows = bind(objective("emd2", 4), [0, 3], [1.0, 0.0])
    >>> rows.gradient_and_curvature(np.zeros((2, 5)))[0][1].tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    >>> round(rows.loss(np.zeros((2, 5))), 3)
    0.875
    """
    known = objective.prepared(target)
    weight = objective.weights_of(known, sample_weight)
    if weight is None:
        weight = np.ones(len(known))
    units = np.broadcast_to(np.asarray(scale, np.float64), objective.n_outputs)
    raw = np.zeros((len(known), objective.n_outputs), np.float32, order=order)
    return Bound(objective, known, weight, units, raw, np.flatnonzero(weight))
