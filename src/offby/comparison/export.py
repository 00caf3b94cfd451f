"""Every prediction for every held-out row, as a table in a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from offby.comparison.fits import Fit
from offby.comparison.methods.references import LEVELS
from offby.comparison.problem import Problem
from offby.comparison.scheduler import FitKey

FORMATS = ("csv", "parquet")


def check(path: str | Path) -> None:
    """Refuse a name that tells no format, before hours of training.

    Raises:
        ValueError: If the file is neither csv nor parquet.
        RuntimeError: If polars is missing.
    """
    if Path(path).suffix.lstrip(".") not in FORMATS:
        raise ValueError(
            f"the predictions must go to a file of {' or '.join(FORMATS)}, got "
            f"{str(path)!r}; change its ending"
        )
    try:
        import polars  # noqa: F401
    except ImportError as error:
        raise RuntimeError(
            'writing predictions needs polars; run pip install "offby[compare]"'
        ) from error


def write(
    path: str | Path,
    problem: Problem,
    fits: Mapping[FitKey, Fit],
    labels: Sequence[str],
) -> None:
    """One line per method, seed and held-out row, in the order of the fits.

    The columns p_low, p_high, ... are probabilities of the classes by their labels.
    For numbers, p0, p1, ... are probabilities of bins, whose edges edge0, edge1, ...
    differ from fold to fold; `tails` says which end bins reach to infinity, as in
    `Bins(edges, tails=...)`. q05 ... q95 are quantiles, `point` is a single guess.
    """
    import polars

    frames = []
    for (method, number, seed), fit in fits.items():
        fold = problem.folds[number]
        columns: dict[str, object] = {
            "method": [method] * len(fold.test.y),
            "fold": number,
            "seed": seed,
            "row": problem.row_numbers(fold.test.numbers),
            "true": fold.test.y if fold.bins else [labels[k] for k in fold.test.y],
        }
        match fit.form:
            case "quantiles":
                names = [f"q{round(100 * level):02d}" for level in LEVELS]
                columns |= dict(zip(names, fit.outputs.T, strict=True))
            case "points":
                columns["point"] = fit.outputs
            case _:
                if fold.bins is None:
                    names = [f"p_{label}" for label in labels]
                    columns |= dict(zip(names, fit.probs.T, strict=True))
                else:
                    columns |= _numbered("p", fit.probs.T)
                    columns |= _numbered("edge", fold.bins.edges.numpy())
                    columns["tails"] = fold.bins.tails
        frames.append(polars.DataFrame(columns))
    whole = polars.concat(frames, how="diagonal")
    if Path(path).suffix == ".csv":
        whole.write_csv(path)
    else:
        whole.write_parquet(path)


def _numbered(name: str, parts: np.ndarray) -> dict[str, object]:
    return {f"{name}{i}": part for i, part in enumerate(parts)}
