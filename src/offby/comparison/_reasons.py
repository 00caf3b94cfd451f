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


def reasons(problem: Problem, scores, fits, noise) -> tuple[str, ...]:
    base = "ce" if "ce" in fits else next(iter(fits))
    far = [s.value for s in scores if s.method == base and s.metric == "far"]
    share = 100 * float(np.mean([value for value in far if value is not None]))
    what = (
        "two or more classes off"
        if problem.kind == "classes"
        else "off by more than the spread of the target"
    )
    rows = len(problem.y) / problem.folds[0].line.n_classes
    place = "class" if problem.kind == "classes" else "bin"
    reasons = [
        f"{share:.1f} % of the held-out predictions of {base} are {what}; "
        "where few are, a distance-aware loss has few wild misses to win back.",
        f"There are {rows:.0f} rows per {place} on average.",
    ]
    if problem.kind == "classes":
        most = np.bincount(problem.y).max() / len(problem.y)
        reasons.append(f"The largest class holds {100 * most:.0f} % of the rows.")
    if noise is not None:
        reasons.append(
            f"The noise of the target, {noise.spread:.3g}, would move "
            f"{100 * noise.share:.0f} % of the rows to another {place}."
        )
    return tuple(reasons)
