"""What is said while a comparison runs: the time left, and the leader so far."""

import time
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from offby.comparison.fits import Fit
from offby.comparison.scheduler import Job
from offby.comparison.scoring import row_scores
from offby.results import Metric
from offby.results.phrases import duration


class Watch:
    """Follows the fits of a run: what they take, and how the losses score."""

    def __init__(self, metric: Metric, losses: Sequence[str]) -> None:
        """Watch these losses by this metric."""
        self._metric = metric
        self._losses = set(losses)
        self._took: dict[str, list[float]] = defaultdict(list)
        self._scores: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)
        self._begun = time.perf_counter()

    def see(self, jobs: Sequence[Job], fits: Sequence[Fit]) -> None:
        """Note what was just finished."""
        for job, fit in zip(jobs, fits, strict=True):
            self._took[job.method].append(fit.seconds)
            if job.method in self._losses:
                rows = row_scores(job.fold, fit)[self._metric.key]
                score = float(np.average(rows, weights=job.fold.test.weight))
                self._scores[job.method][job.fold.number, job.seed] = score

    def says(self, left: Sequence[Job], later: int) -> str:
        """Time left and leader, as far as they are known.

        Args:
            left: What is still to be made in this round.
            later: How many fits may come after it.
        """
        parts = []
        seconds = self.seconds_left(left, later)
        if seconds is not None:
            parts.append(f"about {duration(seconds)} left")
        leader = self.leader()
        if leader is not None:
            parts.append(f"{leader} leads by {self._metric.title} so far")
        return ", ".join(parts)

    def seconds_left(self, left: Sequence[Job], later: int) -> float | None:
        """Of this round and the later fits, at the speed of the run so far.

        A method of which no fit is there yet is taken to be as slow as the others.
        """
        done = sum(map(sum, self._took.values()))
        count = sum(map(len, self._took.values()))
        elapsed = time.perf_counter() - self._begun
        if not done or not elapsed:
            return None
        usual = done / count
        each = {method: sum(took) / len(took) for method, took in self._took.items()}
        expected = sum(each.get(job.method, usual) for job in left) + later * usual
        # Several fits at once, and all that is done beside them.
        return expected * elapsed / done

    def leader(self) -> str | None:
        """The best loss on the folds and seeds that all losses have by now."""
        known = list(self._scores.values())
        if len(known) < 2:
            return None
        shared = set(known[0]).intersection(*known[1:])
        if not shared:
            return None
        sign = 1 if self._metric.lower_is_better else -1
        means = {
            name: sign * sum(scores[place] for place in shared) / len(shared)
            for name, scores in self._scores.items()
        }
        return min(means, key=lambda name: means[name])
