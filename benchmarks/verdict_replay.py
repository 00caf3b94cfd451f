"""Runs of `offby compare` played again with stored scores, rows drawn anew.

docs/verdict_scores.npz has the scores; verdict_scores.py made it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from offby.comparison.differences import Paired, Plan, going_on, pair_of, scale_of
from offby.comparison.inference import FoldScores
from offby.results import Metric

METRICS = {
    "rps": Metric("rps", "RPS", True, "", ""),
    "log": Metric("log", "log score", True, "nats", ""),
    "mae": Metric("mae", "MAE of the median", True, "", ""),
}
EMD1 = 1
ROPE = 0.01
Scores = dict[str, np.ndarray]
"""Metric -> losses x seeds x rows."""
Said = dict[tuple[str, int], tuple[Paired, int]]
"""By metric and loss: the answer, and the leader that it is an answer to."""
Play = tuple[Said, int]
"""The answers at the end of a run, and the fits that it took."""


@dataclass(frozen=True)
class Stored:
    """Scores of one set under the networks that `compare` trains."""

    name: str
    fold: np.ndarray
    groups: np.ndarray
    """Number of each row's inputs: rows with the same ones count as a group."""
    scores: Scores

    @property
    def n_seeds(self) -> int:
        return self.scores["rps"].shape[1]

    def first(self, n_folds: int) -> "Stored":
        """The same with the rows of so many folds only."""
        kept = self.fold < n_folds
        scores = {key: values[:, :, kept] for key, values in self.scores.items()}
        groups = self.groups[kept]
        return replace(self, fold=self.fold[kept], groups=groups, scores=scores)


def read(file: Path) -> list[Stored]:
    """All that is stored."""
    found = np.load(file)
    names = dict.fromkeys(key.split("/")[0] for key in found.files)
    return [
        Stored(
            name,
            found[f"{name}/fold"],
            found[f"{name}/groups"],
            {key: found[f"{name}/{key}"].astype(float) for key in METRICS},
        )
        for name in names
    ]


@dataclass(frozen=True)
class Drawn:
    """Rows of a fold, and the group of each."""

    rows: np.ndarray
    groups: np.ndarray | None = None


def folds_of(stored: Stored, rng, rows: int | None = None) -> list[Drawn]:
    """Each fold with its groups drawn anew with replacement: about so many rows.

    A group that is drawn twice counts as two: so a row that no other is a copy of stays
    a row by itself, and copies stay together.
    """
    found = []
    total = rows or len(stored.fold)
    for number in np.unique(stored.fold):
        place = np.flatnonzero(stored.fold == number)
        order = place[np.argsort(stored.groups[place], kind="stable")]
        begins = np.unique(stored.groups[order], return_index=True)[1]
        parts = np.split(order, begins[1:])
        wanted = round(total * len(place) / len(stored.fold))
        picks = rng.integers(len(parts), size=wanted)
        sizes = np.array([len(parts[pick]) for pick in picks])
        picks = picks[: max(2, int(np.searchsorted(sizes.cumsum(), wanted)) + 1)]
        drawn = [parts[pick] for pick in picks]
        number_of = np.repeat(np.arange(len(drawn)), [len(part) for part in drawn])
        found.append(Drawn(np.concatenate(drawn), number_of))
    return found


def whole_folds(stored: Stored) -> list[Drawn]:
    """Each fold as it is."""
    places = [np.flatnonzero(stored.fold == n) for n in np.unique(stored.fold)]
    return [Drawn(place, stored.groups[place]) for place in places]


def answers(
    scores: Scores, folds: Sequence[Drawn], plan: Plan, n_losses: int | None = None
) -> list[Paired]:
    """Every loss against the leader, by each metric.

    Args:
        scores: Scores of the losses that are still trained.
        folds: The held-out rows.
        plan: The rules of the run.
        n_losses: Losses with which the run began, if more.
    """
    found = []
    for key, values in scores.items():
        means = np.mean([values[:, :, fold.rows].mean((1, 2)) for fold in folds], 0)
        lead = int(np.argmin(means))
        for loss in range(len(values)):
            if loss != lead:
                apart = [
                    FoldScores(
                        values[loss][:, fold.rows] - values[lead][:, fold.rows],
                        groups=fold.groups,
                    )
                    for fold in folds
                ]
                found.append(
                    pair_of(
                        METRICS[key],
                        str(loss),
                        str(lead),
                        apart,
                        plan,
                        scale_of(METRICS[key], means[lead]),
                        n_losses or len(values),
                    )
                )
    return found


def play(scores: Scores, folds: Sequence[Drawn], seeds: int) -> Play:
    """A run that stops when it knows, on the first seeds of the scores.

    A loss that is given up keeps its answer: nothing that it depends on changes, unless
    another loss takes the lead, which the replay leaves out.
    """
    plan = Plan(ROPE, seeds)
    n_losses = len(next(iter(scores.values())))
    left, fits, given_up = list(range(n_losses)), 0, {}
    for seed in range(seeds):
        now = {key: values[left, : seed + 1] for key, values in scores.items()}
        found = answers(now, folds, plan, n_losses)
        fits += len(left) * len(folds)
        names = [str(place) for place in range(len(left))]
        on = going_on(found, names, plan) if seed + 1 < seeds else ()
        named = {
            (pair.metric.key, left[int(pair.method)]): (pair, left[int(pair.leader)])
            for pair in found
        }
        if not on:
            given_up |= named
            break
        gone = [left[int(name)] for name in names if name not in on]
        given_up |= {at: pair for at, pair in named.items() if at[1] in gone}
        left = [left[int(name)] for name in on]
    return given_up, fits


def false_calls(found: dict, tied: Callable[[int], bool]) -> bool:
    """Whether any of the tied losses is called worse than another of them."""
    return any(
        pair.verdict in ("better", "worse") and tied(loss) and tied(lead)
        for (_, loss), (pair, lead) in found.items()
    )


def seeds_of(scores: np.ndarray, rng, n: int, seeds: int) -> np.ndarray:
    """Losses that are one and the same, with seeds of their own: n x seeds x rows."""
    return scores[rng.permutation(len(scores))[: n * seeds]].reshape(n, seeds, -1)
