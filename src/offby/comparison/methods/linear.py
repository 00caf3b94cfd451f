"""The ordered model of statistics, as a baseline of small tables."""

import numpy as np
import torch
from scipy.optimize import minimize
from torch.nn.utils import parameters_to_vector, vector_to_parameters

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
    parameters = list(head.parameters())

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        vector_to_parameters(torch.tensor(flat), parameters)
        rows = -head(learned).gather(1, index[:, None])[:, 0]
        value = (weight * rows).sum() + head.score.weight.square().sum() / 2
        value = value / weight.sum()
        slopes = torch.autograd.grad(value, parameters)
        return value.item(), parameters_to_vector(slopes).numpy()

    # Not `torch.optim.LBFGS`: the first optimizer of PyTorch loads its compiler, which
    # takes longer than this model.
    start = parameters_to_vector(parameters).detach().numpy()
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}
    )
    vector_to_parameters(torch.tensor(found.x), parameters)
    with torch.no_grad():
        return "probs", head(tested).exp().numpy()
