"""`Objective`: a distance-aware loss with what gradient boosting asks of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from offby._checks import on_host
from offby.bins import Bins
from offby.boosting import _rows
from offby.boosting._basis import Basis, basis_of
from offby.boosting._curvature import CURVATURES, Curvature, curvature
from offby.boosting._kernel import call_of
from offby.boosting._target import Target, target_of
from offby.boosting._terms import Terms, terms_of
from offby.grounds import Ground, Line, as_ground
from offby.kernels import boosting as kernel
from offby.losses.registry import NamedLoss, parse

_FLOOR = 1e-6
"""Least curvature, as a share of the size of the loss: rows that are settled have none,
and a tree would divide by it."""

_CELLS = 1 << 20
"""Rows x outputs x classes that NumPy holds at a time."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Objective:
    """A loss, its ground and its basis: what boosting needs to learn a distribution.

    Made by :func:`offby.boosting.objective`.
    """

    named: NamedLoss
    ground: Ground
    """How far apart the classes are, or the bins."""
    bins: Bins | None
    """The grid that numbers lie in; None if the targets are classes."""
    basis: Basis
    curvature: Curvature
    class_weight: np.ndarray | None
    log_frequencies: np.ndarray
    """Scores of a row whose raw outputs are 0: one for each class."""

    @property
    def n_classes(self) -> int:
        """How many classes, or bins."""
        return self.ground.n_classes

    @property
    def n_outputs(self) -> int:
        """How many raw outputs a row has: trees of a round."""
        return self.basis.n_outputs

    @cached_property
    def terms(self) -> Terms:
        """The numbers of its formulas."""
        return terms_of(self.named, self.ground, self.bins)

    @property
    def _floor(self) -> float:
        return _FLOOR * float(self.terms.size)

    @cached_property
    def call(self) -> kernel.BoostingCall:
        """Its numbers as the C++ library reads them."""
        return call_of(
            self.basis, self.log_frequencies, self.terms, self._floor, self.curvature
        )

    def _loss_by_kernel(self, raw: np.ndarray, known: Target) -> np.ndarray:
        found = kernel.loss(self.call, raw, known.index, known.before, known.after)
        return found.astype(np.float64) + _rows.loss_of_number(known, self.terms)

    def prepared(self, target: ArrayLike | Target) -> Target:
        """The target, checked once; every method takes it in place of the target."""
        return target_of(target, self.n_classes, self.bins)  # pyright: ignore[reportArgumentType]

    def starting_scores(
        self, target: ArrayLike | Target, sample_weight: ArrayLike | None = None
    ) -> np.ndarray:
        """Log frequencies of the classes, one case spread over all of them.

        So a class that never occurred has a mass too.
        """
        known = self.prepared(target)
        weight = self.weights_of(known, sample_weight)
        if weight is None:
            weight = np.ones(len(known))
        counts = np.bincount(known.index, weight, self.n_classes)
        counts += np.mean(weight[weight > 0]) / self.n_classes
        return np.log(counts / counts.sum())

    def starting_at(
        self, target: ArrayLike | Target, sample_weight: ArrayLike | None = None
    ) -> "Objective":
        """The same objective, with raw outputs of 0 for the frequencies of a target."""
        scores = self.starting_scores(target, sample_weight)
        return replace(self, log_frequencies=scores)

    def probabilities(self, raw: ArrayLike) -> np.ndarray:
        """Forecasts of the classes: rows x classes, each row of sum 1."""
        found = self._raw(raw)
        if kernel.available():
            return kernel.probabilities(self.call, found)
        out = np.empty((len(found), self.n_classes))
        for rows in self._blocks(len(found)):
            scores, _ = self.basis.scores(
                found[rows].astype(np.float64), self.log_frequencies
            )
            out[rows] = np.exp(scores - scores.max(-1, keepdims=True))
            out[rows] /= out[rows].sum(-1, keepdims=True)
        return out

    def loss(
        self,
        raw: ArrayLike,
        target: ArrayLike | Target,
        sample_weight: ArrayLike | None = None,
    ) -> np.ndarray:
        """Loss of each row in float64, times its weight."""
        found, known, weight = self._checked(raw, target, sample_weight)
        if kernel.available():
            out = self._loss_by_kernel(found, known)
            return out if weight is None else out * weight
        out = np.empty(len(found))
        for rows in self._blocks(len(found)):
            scores, _ = self.basis.scores(
                found[rows].astype(np.float64), self.log_frequencies
            )
            at = _rows.forecast(scores, self.terms)
            out[rows] = _rows.loss(at, known[rows], self.terms)
        return out if weight is None else out * weight

    def gradient_and_curvature(
        self,
        raw: ArrayLike,
        target: ArrayLike | Target,
        sample_weight: ArrayLike | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Derivative of the loss by each raw output, and a positive curvature.

        Args:
            raw: Raw outputs of the trees, rows x `n_outputs`.
            target: Class of each row, 0 to K - 1; with bins, its number.
            sample_weight: Weight of each row.

        Returns:
            Two arrays of rows x `n_outputs`, laid out in memory as `raw` is: float32 if
            it is, and then quicker and less exact, else float64.
        """
        found, known, weight = self._checked(raw, target, sample_weight)
        if kernel.available():
            beside = known.before, known.after
            return kernel.gradient_and_curvature(
                self.call, found, known.index, *beside, weight
            )
        slopes, curved = np.empty_like(found), np.empty_like(found)
        for rows in self._blocks(len(found)):
            scores, moves = self.basis.scores(
                found[rows].astype(np.float64), self.log_frequencies
            )
            at = _rows.forecast(scores, self.terms)
            slopes[rows] = _rows.gradient(at, moves, known[rows], self.terms)
            curved[rows] = curvature(self.curvature, at, moves, self.terms)
        np.maximum(curved, self._floor, out=curved)
        if weight is not None:
            slopes *= weight[:, None]
            curved *= weight[:, None]
        return slopes, curved

    def _checked(
        self,
        raw: ArrayLike,
        target: ArrayLike | Target,
        sample_weight: ArrayLike | None,
    ) -> tuple[np.ndarray, Target, np.ndarray | None]:
        found, known = self._raw(raw), self.prepared(target)
        if len(found) != len(known):
            raise ValueError(
                f"raw and target must have the same rows, got {len(found)} and "
                f"{len(known)}"
            )
        return found, known, self.weights_of(known, sample_weight)

    def _raw(self, raw: ArrayLike) -> np.ndarray:
        found = on_host(raw)
        if found.dtype != np.float32:
            found = found.astype(np.float64, copy=False)
        if self.n_outputs == 1 and found.ndim == 1:
            found = found[:, None]
        if found.ndim != 2 or found.shape[1] != self.n_outputs:
            raise ValueError(
                f"raw must have {self.n_outputs} outputs for each row, got shape "
                f"{found.shape}"
            )
        return found

    def weights_of(
        self, target: Target, sample_weight: ArrayLike | None
    ) -> np.ndarray | None:
        """Weight of each row: its own, times that of its class."""
        own = None
        if sample_weight is not None:
            own = np.asarray(on_host(sample_weight), dtype=np.float64)
            if own.shape != (len(target),) or not ((own >= 0) & (own < np.inf)).all():
                raise ValueError(
                    "sample_weight must hold one finite number of at least 0 for each "
                    f"of {len(target)} rows, got shape {own.shape}"
                )
        if self.class_weight is None:
            return own
        of_class = self.class_weight[target.index]
        return of_class if own is None else own * of_class

    def _blocks(self, n_rows: int) -> list[slice]:
        cells = self.n_outputs * (self.n_classes + len(self.terms.start))
        step = max(_CELLS // cells, 1)
        return [slice(at, at + step) for at in range(0, n_rows, step)]


def objective(
    loss: str | NamedLoss,
    ground: Ground | Bins | int,
    *,
    bins: Bins | None = None,
    basis: str = "auto",
    curvature: Curvature = "gauss-newton",
    class_weight: Sequence[float] | np.ndarray | None = None,
) -> Objective:
    """A distance-aware loss as an objective for gradient boosting.

    Args:
        loss: A sum of ce, emd2, cce and, with bins, crps and nll, such as "ce+emd2".
        ground: How far apart the classes are, or how many classes there are on a line,
            or the bins that numbers lie in. Bins alone are measured in mean distances
            of their centers, so that nothing depends on the unit of the target.
        bins: The grid that numbers lie in, if `ground` says how far apart its bins are.
        basis: What the raw outputs move: "identity" (every class its own),
            "cosines-J" (J cosines over the classes) or "location-scale-J" (a location,
            a log scale and J cosines). "auto": "location-scale-3" on a line,
            "cosines-6" on a circle of more than 12 classes, else "identity".
        curvature: "gauss-newton", the diagonal of the Gauss-Newton matrix;
            "gershgorin", a diagonal that majorizes it; "variance", a bound of the
            diagonal that takes one number for each row.
        class_weight: Weight of the rows of each class.

    Raises:
        ValueError: If one of them is unknown, or does not fit to the others.

    >>> import numpy as np
    >>> rates = objective("ce+emd2", 4).starting_at([0, 1, 1, 2])
    >>> rates.n_outputs
    5
    >>> rates.probabilities(np.zeros((1, 5))).round(2)
    array([[0.25, 0.45, 0.25, 0.05]])
    """
    if isinstance(ground, Bins):
        if bins is not None:
            raise ValueError("give bins once: as the ground, or beside a ground")
        bins = ground
        ground = ground.circle() if ground.wraps else _line_in_mean_gaps(ground)
    elif isinstance(ground, int):
        ground = Line.regular(ground)
    where = as_ground(ground)
    if where.n_classes < 2:
        raise ValueError(f"boosting needs at least two classes, got {where}")
    if bins is not None and bins.n_bins != where.n_classes:
        raise ValueError(
            f"ground must have the {bins.n_bins} classes of bins, got {where}"
        )
    if curvature not in CURVATURES:
        raise ValueError(
            f"curvature must be one of {', '.join(CURVATURES)}, got {curvature!r}"
        )
    named = parse(loss) if isinstance(loss, str) else loss
    made = Objective(
        named=named,
        ground=where,
        bins=bins,
        basis=basis_of(basis, where),
        curvature=curvature,
        class_weight=_class_weights(class_weight, where.n_classes),
        log_frequencies=np.full(where.n_classes, -np.log(where.n_classes)),
    )
    _ = made.terms  # its errors come here
    return made


def _line_in_mean_gaps(bins: Bins) -> Line:
    centers = bins.centers
    if bins.n_bins < 2:
        return Line(centers)
    return Line((centers - centers[0]) / (centers[-1] - centers[0]) * (bins.n_bins - 1))


def _class_weights(
    class_weight: Sequence[float] | np.ndarray | None, n_classes: int
) -> np.ndarray | None:
    if class_weight is None:
        return None
    found = np.asarray(class_weight, dtype=np.float64)
    if found.shape != (n_classes,) or not ((found >= 0) & (found < np.inf)).all():
        raise ValueError(
            f"class_weight must hold one finite number of at least 0 for each of "
            f"{n_classes} classes, got shape {found.shape}"
        )
    return found
