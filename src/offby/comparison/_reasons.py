"""What the data tell about the losses, in the light of a study of many data sets."""

import numpy as np

from offby.comparison._fits import Problem


def factors(problem: Problem, far: float, noise: float | None) -> dict[str, float]:
    """What may tell which loss wins: shares, and rows as a number."""
    fold = problem.folds[0]
    n_bins = fold.line.n_classes
    counts = np.bincount(fold.labels(fold.learned).index.numpy(), minlength=n_bins)
    found = {
        "far": far,
        "rows": float(np.mean([len(f.learned.y) for f in problem.folds])) / n_bins,
        "bins": float(n_bins),
        "imbalance": float(counts.max() / counts.sum()) * n_bins,
    }
    return found if noise is None else found | {"noise": noise}
