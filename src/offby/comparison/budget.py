"""How long a run may take: what is begun must end in time."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from joblib import effective_n_jobs

from offby.comparison.fits import Fit
from offby.comparison.methods.boosted import boosted_key
from offby.comparison.scheduler import FitKey, Job
from offby.tabular.splits import usual_bags


def seconds_of_refit(each: float, n_rows: int, folds: int) -> float:
    """About how long a model takes on all rows: it is as many as its bags.

    Each of them learns from a few rows more than in a fold.

    Args:
        each: Seconds of a fit in a fold.
        n_rows: All rows.
        folds: Folds of the comparison.
    """
    return usual_bags(n_rows, n_rows) * each * folds / max(1, folds - 1)


@dataclass(frozen=True)
class Refit:
    """The best model that is trained on all rows after the comparison."""

    losses: tuple[str, ...]
    n_rows: int
    folds: int

    def seconds(self, each: Mapping[str, float]) -> float:
        """What it takes about, from the seconds of a fit of each method.

        Nobody knows which model will be best; it may be a mean of network and trees.
        """
        networks = [each[loss] for loss in self.losses if loss in each]
        trees = [each[key] for key in map(boosted_key, self.losses) if key in each]
        one = median(networks or [0.0]) + median(trees or [0.0])
        return seconds_of_refit(one, self.n_rows, self.folds)


@dataclass(frozen=True)
class Budget:
    """How long a run may take, and since when."""

    seconds: float | None
    started: float
    """By `time.perf_counter`."""
    n_jobs: int | None
    refit: Refit | None = None
    """What is to be trained within the same time afterwards, if anything."""

    def allows(self, jobs: Sequence[Job], fits: Mapping[FitKey, Fit]) -> bool:
        """Whether the jobs would end in time, judged by the fits so far."""
        if self.seconds is None:
            return True
        took: dict[str, list[float]] = defaultdict(list)
        for (method, *_), fit in fits.items():
            took[method].append(fit.seconds)
        each = {method: fmean(part) for method, part in took.items()}
        usual = fmean([fit.seconds for fit in fits.values()]) if fits else 0.0
        expected = sum(each.get(job.method, usual) for job in jobs)
        cores: Any = effective_n_jobs
        left = self.seconds - (time.perf_counter() - self.started)
        if self.refit is not None:
            left -= self.refit.seconds(each)
        return expected / cores(self.n_jobs) <= left
