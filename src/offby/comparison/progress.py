"""What is said while a comparison runs: the time left, and the leader so far."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from offby.comparison.fits import Fit
from offby.comparison.scheduler import Job
from offby.comparison.scoring import row_scores
from offby.results import Metric
from offby.results.phrases import duration


class Watch:
    """Follows the fits of a run: what they take, and how the losses score."""

    def __init__(
        self, metric: Metric, losses: Sequence[str], n_jobs: int | None = None
    ) -> None:
        """Watch these losses by this metric; so many fits are made at a time."""
        self._metric = metric
        self._losses = set(losses)
        cores: Any = effective_n_jobs
        self._at_once: int = cores(n_jobs)
        self._seen = 0
        self._steady: tuple[float, float] | None = None
        self._took: dict[str, list[float]] = defaultdict(list)
        self._scores: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)

    def see(self, jobs: Sequence[Job], fits: Sequence[Fit]) -> None:
        """Note what was just finished."""
        self._seen += 1
        if self._seen == self._at_once:
            # Until now workers were started, and the fits of others are not done yet.
            done = self._done() + sum(fit.seconds for fit in fits)
            self._steady = time.perf_counter(), done
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
        Before each worker has finished something, they are taken to share the work
        evenly; after that, seconds of fits in a second of the clock tell their speed.
        """
        done = self._done()
        count = sum(map(len, self._took.values()))
        if not done:
            return None
        usual = done / count
        each = {method: sum(took) / len(took) for method, took in self._took.items()}
        expected = sum(each.get(job.method, usual) for job in left) + later * usual
        since, before = self._steady or (0.0, done)
        if done == before:
            return expected / self._at_once
        # Several fits at once, and all that is done beside them.
        speed = (done - before) / max(time.perf_counter() - since, 1e-9)
        return expected / min(speed, self._at_once)

    def _done(self) -> float:
        """Seconds of all fits that are finished."""
        return sum(map(sum, self._took.values()))

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
