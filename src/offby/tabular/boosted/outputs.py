"""Raw outputs of trees, in units in which the curvature of an unsure row is 1."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from offby.boosting import Objective, Target, bind, objective, score_of
from offby.grounds import Circle
from offby.tabular.boosted.forest import Derivatives


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the trees of a round predict: plain values, so that a file can hold them.

    Each output is scaled so that the curvature of the loss is 1 under a forecast that
    is the same for every class, on average over these. So sums of curvatures are
    numbers of rows that are as unsure as that, whatever the loss and the output.
    """

    basis: str
    """What the outputs move, as `offby.boosting.objective` names it."""
    log_frequencies: Float[np.ndarray, " classes"]
    """The forecast before the first tree."""
    scale: Float[np.ndarray, " outputs"]
    circle: Circle | None = None
    """Where the classes lie, if on a circle: cosines are then those of whole turns."""

    @classmethod
    def of(cls, learned: Objective) -> "Outputs":
        """The outputs of an objective."""
        bins = learned.bins
        # A loss of numbers needs a number in each bin, not only its index.
        each = learned.prepared(
            np.arange(learned.n_classes) if bins is None else bins.centers.numpy()
        )
        even = np.full(learned.n_classes, -np.log(learned.n_classes))
        unsure = replace(learned, log_frequencies=even)
        raw = np.zeros((len(each), learned.n_outputs))
        curvature = unsure.gradient_and_curvature(raw, each)[1].mean(0)
        scale = 1 / np.sqrt(np.where(curvature > 1e-12, curvature, 1.0))
        circle = learned.ground if isinstance(learned.ground, Circle) else None
        return cls(learned.basis.name, learned.log_frequencies, scale, circle)

    @classmethod
    def certain(cls) -> "Outputs":
        """Those of a single class, which no tree can make surer."""
        return cls("", np.zeros(1), np.ones(1))

    @property
    def n_outputs(self) -> int:
        """Trees in a round."""
        return len(self.scale)

    def probabilities(
        self, raw: Float[np.ndarray, "rows outputs"]
    ) -> Float[np.ndarray, "rows classes"]:
        """Forecasts."""
        if len(self.log_frequencies) == 1:
            return np.ones((len(raw), 1))
        form = _form(self.basis, self.circle or len(self.log_frequencies))
        here = replace(form, log_frequencies=self.log_frequencies)
        return here.probabilities(raw * self.scale)


@dataclass(frozen=True, eq=False)
class Learning:
    """What the trees learn: an objective, and the rows with their targets."""

    outputs: Outputs
    objective: Objective | None
    """None: of a single class there is nothing to learn."""
    target: Target | None

    @classmethod
    def of(cls, made: Objective, target: ArrayLike, weights: np.ndarray) -> "Learning":
        """To learn from rows, beginning with the frequencies of their targets."""
        known = made.prepared(target)
        learned = made.starting_at(known, weights)
        return cls(Outputs.of(learned), learned, known)

    @classmethod
    def nothing(cls) -> "Learning":
        """Of a single class."""
        return cls(Outputs.certain(), None, None)

    def derivatives(self, weights: Float[np.ndarray, " rows"]) -> Derivatives:
        """Gradient and curvature of the loss of each row, times its weight."""
        if self.objective is None or self.target is None:
            return lambda raw: (np.zeros_like(raw), np.zeros_like(raw))
        bound = bind(self.objective, self.target, weights, scale=self.outputs.scale)
        return bound.gradient_and_curvature

    def score(
        self, weights: Float[np.ndarray, " rows"]
    ) -> Callable[[np.ndarray], float]:
        """RPS or CRPS, the weighted mean over the rows."""
        if self.objective is None or self.target is None:
            return lambda raw: 0.0
        judge = score_of(self.objective).of_rows
        shares = weights / weights.sum()
        return bind(judge, self.target, shares, scale=self.outputs.scale).loss


@lru_cache(maxsize=16)
def _form(basis: str, classes: int | Circle) -> Objective:
    """An objective of this basis: forecasts do not depend on its loss."""
    return objective("ce", classes, basis=basis)
