"""Raw outputs of trees, in units in which the curvature of an unsure row is 1."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from offby.boosting import Objective


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the trees of a round predict, and what it means.

    Each output is scaled so that the curvature is 1 under a forecast that is the same
    for every class, on average over these. So sums of curvatures are numbers of rows
    that are as unsure as that, whatever the loss and the output.
    """

    objective: Objective | None
    """None of a single class, which is certain."""
    scale: Float[np.ndarray, " outputs"]

    @property
    def n_outputs(self) -> int:
        """Trees in a round."""
        return len(self.scale)

    @classmethod
    def of(
        cls,
        made: Objective,
        target: Int[np.ndarray, " rows"],
        weights: Float[np.ndarray, " rows"],
    ) -> "Outputs":
        """The outputs that start at the frequencies of this target."""
        if made.n_classes == 1:
            return cls(None, np.ones(1))
        each = np.arange(made.n_classes)
        even = made.at(made.starting_scores(each))
        raw = np.zeros((len(each), made.n_outputs))
        curvature = even.gradient_and_curvature(raw, each)[1].mean(0)
        scale = 1 / np.sqrt(np.where(curvature > 1e-12, curvature, 1.0))
        return cls(made.at(made.starting_scores(target, weights)), scale)

    def derivatives(
        self,
        raw: Float[np.ndarray, "rows outputs"],
        target: Int[np.ndarray, " rows"],
        weights: Float[np.ndarray, " rows"],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and curvature of each row, times its weight."""
        if self.objective is None:
            return np.zeros_like(raw), np.zeros_like(raw)
        gradient, curvature = self.objective.gradient_and_curvature(
            raw * self.scale, target, weights
        )
        return gradient * self.scale, curvature * self.scale**2

    def probabilities(
        self, raw: Float[np.ndarray, "rows outputs"]
    ) -> Float[np.ndarray, "rows classes"]:
        """Forecasts."""
        if self.objective is None:
            return np.ones((len(raw), 1))
        return self.objective.probabilities(raw * self.scale)
