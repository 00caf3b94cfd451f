"""Raw outputs of trees, in units in which the curvature of an unsure row is 1."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from offby.boosting import Objective, Target, objective
from offby.grounds import Circle


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
        form = replace(
            _form(self.basis, self.circle or len(self.log_frequencies)),
            log_frequencies=self.log_frequencies,
        )
        return form.probabilities(raw * self.scale)

    def derivatives(
        self,
        raw: Float[np.ndarray, "rows outputs"],
        *,
        learned: Objective,
        target: Target,
        weights: Float[np.ndarray, " rows"],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and curvature of the loss of each row, times its weight."""
        gradient, curvature = learned.gradient_and_curvature(
            raw * self.scale, target, weights
        )
        return gradient * self.scale, curvature * self.scale**2


@lru_cache(maxsize=16)
def _form(basis: str, classes: int | Circle) -> Objective:
    """An objective of this basis: forecasts do not depend on its loss."""
    return objective("ce", classes, basis=basis)
