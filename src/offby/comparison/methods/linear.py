"""The ordered model of statistics, as a baseline of small tables."""

import numpy as np
import torch
from torch import Tensor

from offby.comparison.fits import Form
from offby.comparison.methods.inputs import columns
from offby.comparison.problem import Fold
from offby.nn import heads

_STEPS = 200


def proportional_odds(fold: Fold) -> tuple[Form, np.ndarray]:
    """Class probabilities of a linear model: one score, and thresholds on it.

    Fitted to the end under cross-entropy, with a penalty of half the squared
    coefficients, as in scikit-learn's logistic regression: columns are standardized.
    """
    learned, tested = (
        torch.tensor(side, dtype=torch.float64) for side in columns(fold)
    )
    index = fold.labels(fold.train).index
    weight = torch.tensor(fold.train.row_weights(), dtype=torch.float64)
    head = heads.CumulativeLink(learned.shape[1], fold.line.n_classes).double()
    torch.nn.init.zeros_(head.score.weight)
    optimizer = torch.optim.LBFGS(
        head.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        rows = -head(learned).gather(1, index[:, None])[:, 0]
        value = (weight * rows).sum() + head.score.weight.square().sum() / 2
        value = value / weight.sum()
        value.backward()
        return value

    optimizer.step(closure)
    with torch.no_grad():
        return "probs", head(tested).exp().numpy()
