"""What the data tell about the losses, in the light of a study of many problems.

The study is benchmarks/why.py, what it says is in docs/why.md; `why.json` beside this
file holds the same numbers.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from offby.comparison.fits import Fit
from offby.comparison.problem import Problem
from offby.results import NoiseShare, Reason, Score

_STUDIED = ("ce+emd2", "emd2", "cce")
"""Losses whose gain over ce was studied: the first that is compared is told of."""

_ENOUGH = 10
"""Problems of a third: with fewer, three of four of them say nothing."""


def reasons(
    problem: Problem,
    scores: Sequence[Score],
    fits: Mapping[str, Sequence[Fit]],
    noise: NoiseShare | None,
) -> tuple[Reason, ...]:
    """One for each factor that may tell which loss does better."""
    base = "ce" if "ce" in fits else next(iter(fits))
    far = [s.value for s in scores if s.method == base and s.metric == "far"]
    share = float(np.mean([value for value in far if value is not None]))
    known = factors(problem, share, None if noise is None else noise.share)
    facts = _facts(problem, base, known, noise)
    studied = [loss for loss in _STUDIED if loss in fits and base == "ce"]
    return tuple(
        _reason(problem.kind, factor, known[factor], fact, studied[:1])
        for factor, fact in facts.items()
    )


def factors(problem: Problem, far: float, noise: float | None) -> dict[str, float]:
    """What may tell which loss does better, as numbers."""
    fold = problem.folds[0]
    n_bins = fold.line.n_classes
    index = fold.labels(fold.train).index.numpy()
    counts = np.bincount(index, fold.train.weight, minlength=n_bins)
    found = {
        "far": far,
        "rows": float(np.mean([len(f.train.y) for f in problem.folds])) / n_bins,
        "bins": float(n_bins),
        "imbalance": float(counts.max() / counts.sum()) * n_bins,
    }
    return found if noise is None else found | {"noise": noise}


def _facts(
    problem: Problem, base: str, known: Mapping[str, float], noise: NoiseShare | None
) -> dict[str, str]:
    """What the data are like, by factor."""
    classes = problem.kind == "classes"
    what = (
        "two or more classes off"
        if classes
        else "off by more than one standard deviation of the target"
    )
    place, places = ("class", "classes") if classes else ("bin", "bins")
    far, rows, bins = known["far"], known["rows"], known["bins"]
    found = {
        "far": f"{100 * far:.1f} % of the held-out predictions of {base} are {what}",
        "rows": f"There are {rows:.3g} rows per {place} to learn from",
        "bins": f"There are {bins:.0f} {places}",
    }
    if classes:
        most = known["imbalance"]
        found["imbalance"] = (
            f"The largest class holds {100 * most / bins:.0f} % of the rows, "
            f"{most:.1f} times an even share"
        )
    if noise is not None:
        found["noise"] = (
            f"The noise of the target, {noise.spread:.3g}, would move "
            f"{100 * noise.share:.0f} % of the rows to another {place}"
        )
    return found


def _reason(
    kind: str, factor: str, value: float, fact: str, studied: Sequence[str]
) -> Reason:
    metric = "rps" if kind == "classes" else "crps"
    for loss in studied:
        found = _found(kind, factor, loss, metric)
        if not tells(found):
            return Reason(factor, value, "", f"{fact}. {_did_not_predict(found, loss)}")
        band = found["bands"][int(np.searchsorted(found["edges"], value))]
        favors = _favored(band, loss)
        q1, q2, q3 = band["quartiles"]
        said = (
            f". This favors {favors or 'neither ce nor ' + loss}: in {band['gained']} "
            f"of {band['problems']} similar problems of our study, the "
            f"{metric.upper()} was better with {loss} than with ce. The median "
            f"difference was {100 * q2:.1f} %, the middle half of the problems had "
            f"{100 * q1:.1f} to {100 * q3:.1f} %."
        )
        return Reason(factor, value, favors, fact + said)
    return Reason(factor, value, "", fact + ".")


def tells(found: Mapping[str, Any]) -> bool:
    """Whether a factor told the gain, on sets that were left out as well.

    Its rank correlation must have an interval without zero, and in three of four
    families of sets the sign that the other families foretell.
    """
    _, low, high = found["rank_correlation"]
    same, of = found["left_out"]
    return low * high > 0 and 4 * same >= 3 * of


def _did_not_predict(found: Mapping[str, Any], loss: str) -> str:
    rank, low, high = found["rank_correlation"]
    if low * high <= 0:
        return (
            f"In our study, this did not predict what {loss} gains over ce (rank "
            f"correlation {rank:+.2f}, 95 % interval {low:+.2f} to {high:+.2f})."
        )
    same, of = found["left_out"]
    return (
        f"In our study, what this said of the gain of {loss} over ce was true in only "
        f"{same} of {of} families of sets that were left out (rank correlation "
        f"{rank:+.2f})."
    )


def _favored(band: Mapping[str, Any], loss: str) -> str:
    """The loss that did better in three of four problems; nothing if neither did."""
    if band["problems"] < _ENOUGH:
        return ""
    low, _, high = band["quartiles"]
    if low > 0:
        return loss
    return "ce" if high < 0 else ""


@cache
def _study() -> dict[str, Any]:
    text = files("offby.comparison").joinpath("why.json").read_text(encoding="utf-8")
    return json.loads(text)


def _found(kind: str, factor: str, loss: str, metric: str) -> dict[str, Any]:
    wanted = {"kind": kind, "factor": factor, "loss": loss, "metric": metric}
    return next(each for each in _study()["found"] if wanted.items() <= each.items())
