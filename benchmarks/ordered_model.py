"""The ordered model beside statsmodels and mord: the coefficients of docs/heads.md.

    python benchmarks/ordered_model.py FOLDER

reads ESL, LEV, ERA and SWD from that folder (see sets.py). Needs statsmodels and mord.
"""

import sys
import time
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import sets
from offby import losses
from offby.nn import heads

SETS = ("ESL", "LEV", "ERA", "SWD")


def fitted(
    X: np.ndarray, index: np.ndarray, link: Any, loss: Any
) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients, thresholds, and seconds of an exact fit by L-BFGS in float64."""
    began = time.process_time()
    head = heads.CumulativeLink(X.shape[1], int(index.max()) + 1, link).double()
    nn.init.zeros_(head.score.weight)
    x, y = torch.tensor(X), torch.tensor(index)
    optimizer = torch.optim.LBFGS(
        head.parameters(),
        max_iter=2000,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(head(x), y).mean()
        value.backward()
        return value

    optimizer.step(closure)
    weights = head.score.weight.detach().numpy()[0]
    return weights, head.thresholds.detach().numpy(), time.process_time() - began


def main(folder: str) -> None:
    """Largest difference of a coefficient, in a table."""
    mord = import_module("mord")
    OrderedModel = import_module("statsmodels.miscmodels.ordinal_model").OrderedModel
    torch.set_num_threads(1)
    for name in SETS:
        frame, y = sets.read(folder, sets.CLASSES[name])
        X = frame.to_numpy().astype(float)
        X = (X - X.mean(0)) / X.std(0)
        index = np.unique(y, return_inverse=True)[1]
        cells = []
        for link in ("logit", "probit"):
            weights, _, took = fitted(X, index, link, losses.cross_entropy)
            began = time.process_time()
            theirs = OrderedModel(index, X, distr=link).fit(
                method="bfgs", disp=False, maxiter=2000, gtol=1e-8
            )
            theirs_took = time.process_time() - began
            off = np.abs(theirs.params[: X.shape[1]] - weights).max()
            cells += [f"{off:.1e}", f"{took:.2f} / {theirs_took:.2f}"]
        weights, _, took = fitted(X, index, "logit", losses.cumulative_cross_entropy)
        began = time.process_time()
        theirs = mord.LogisticAT(alpha=0.0, max_iter=10_000).fit(X, index)
        off = np.abs(theirs.coef_ - weights).max()
        cells += [f"{off:.1e}", f"{took:.2f} / {time.process_time() - began:.2f}"]
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
