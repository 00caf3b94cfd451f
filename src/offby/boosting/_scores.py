"""The score that a fit is stopped on: that of the forecasts behind the raw outputs."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from offby.boosting._objective import Objective
from offby.boosting._target import Target
from offby.losses.registry import parse

ScoreName = Literal["auto", "rps", "crps", "log_score"]


@dataclass(frozen=True, eq=False)
class Score:
    """A proper score of raw outputs; smaller is better."""

    name: str
    of_rows: Objective
    """The score as an objective, whose loss it is."""

    def __call__(
        self,
        raw: ArrayLike,
        target: ArrayLike | Target,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Weighted mean over the rows.

        RPS in the units of the ground, CRPS in those of the target, log score in nats.
        """
        rows = self.of_rows.loss(raw, target)
        if sample_weight is None:
            return float(rows.mean(dtype=np.float64))
        return float(np.average(rows, weights=np.asarray(sample_weight)))


def score_of(objective: Objective, name: ScoreName = "auto") -> Score:
    """The score with that name, of the forecasts of an objective.

    Args:
        objective: What the raw outputs mean.
        name: "rps" of classes, "crps" of numbers, or "log_score"; "auto" is the first
            that there is.

    Raises:
        ValueError: If there is no such score.
    """
    bins = objective.bins
    line = bins is not None and not bins.wraps
    if name == "auto":
        name = "crps" if line else "rps"
    if name not in get_args(ScoreName) or (name == "crps" and not line):
        known = ", ".join(get_args(ScoreName))
        raise ValueError(
            f"score must be one of {known}, got {name!r}"
            + (": crps is for numbers in bins on a line" * (name == "crps"))
        )
    loss = {
        "rps": "emd2",
        "crps": "crps",
        "log_score": "ce" if bins is None else "nll",
    }[name]
    ground = bins.line() if bins is not None and line else objective.ground
    return Score(
        name,
        replace(objective, named=parse(loss), ground=ground, class_weight=None),
    )
