"""`Comparison`: what `offby.compare` found, as plain data with JSON in and out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from offby.results import json, ranking
from offby.results.findings import Column, Coverage, FinalTest, Importance, Region
from offby.results.leaderboard import leaderboard
from offby.results.records import (
    Answer,
    Calibration,
    Data,
    Difference,
    Forecasts,
    Method,
    Metric,
    Noise,
    NoiseShare,
    Pushes,
    Reason,
    Reliability,
    Row,
    Run,
    Score,
    Timing,
    Training,
)


@dataclass(frozen=True)
class Comparison:
    """Which loss does best on this data, by each metric, and how sure that is."""

    data: Data
    methods: tuple[Method, ...]
    metrics: tuple[Metric, ...]
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]
    verdicts: tuple[Answer, ...]
    """One per use."""
    why: tuple[str, ...]
    """A sentence per reason that the data give."""
    rows: tuple[Row, ...]
    pushes: tuple[Pushes, ...]
    calibration: tuple[Calibration, ...]
    training: tuple[Training, ...]
    run: Run
    timing: Timing
    forecasts: tuple[Forecasts, ...] = ()
    noise_share: NoiseShare | None = None
    noise: tuple[Noise, ...] = ()
    reasons: tuple[Reason, ...] = ()
    """What `why` says, in parts."""
    takeovers: tuple[str, ...] = ()
    """For each kind of noise, the lowest level at which another loss scores best."""
    reliability: tuple[Reliability, ...] = ()
    references: tuple[Difference, ...] = ()
    """How each reference differs from the best loss, by each metric."""
    columns: tuple[Column, ...] = ()
    """How each column was read."""
    importances: tuple[Importance, ...] = ()
    """Of the columns for the best loss, the most important first."""
    regions: tuple[Region, ...] = ()
    """Where the forecasts of the best loss are good, and where not."""
    coverage: tuple[Coverage, ...] = ()
    test: FinalTest | None = None
    """Scores on a separate test table, if there was one."""
    schema_version: int = json.SCHEMA_VERSION

    def to_json(self) -> str:
        """The whole comparison as JSON; `Comparison.from_json` reads it back."""
        return json.dumps(self)

    @classmethod
    def from_json(cls, text: str) -> "Comparison":
        """The comparison that `to_json` wrote.

        Raises:
            ValueError: If the text is no comparison, or of a newer schema.
        """
        return json.loads(cls, text)

    def _repr_html_(self) -> str | None:
        """What a notebook shows; `offby.notebook` makes it the report."""
        return None

    def __repr__(self) -> str:
        losses = ", ".join(each.key for each in self.methods if not each.reference)
        title = f"Comparison of {losses} on {self.data.name}, {self.data.n_rows:,} rows"
        return "\n".join([title, *(answer.sentence for answer in self.verdicts)])

    @property
    def losses(self) -> list[str]:
        """Names of the losses that were compared, without the baselines."""
        return [method.key for method in self.methods if not method.reference]

    def mean(self, method: str, metric: str) -> float | None:
        """Mean score over folds and seeds; None where the method has no such score."""
        return ranking.mean(self.scores, method, metric)

    def infinite_rows(self, method: str, metric: str) -> int:
        """Held-out rows, over all folds and seeds, whose score is infinite."""
        return ranking.infinite_rows(self.scores, method, metric)

    def best(self, metric: Metric | str | None = None) -> str | None:
        """The loss with the best score; None if all have infinite scores or none.

        Args:
            metric: A metric or its key; the first one by default.

        Raises:
            ValueError: If there is no metric of this key.
        """
        if not isinstance(metric, Metric):
            metric = self._metric(metric)
        return ranking.best(self.scores, self.losses, metric)

    def _metric(self, key: str | None) -> Metric:
        by_key = {metric.key: metric for metric in self.metrics}
        if key is not None and key not in by_key:
            raise ValueError(
                f"metric must be one of {', '.join(by_key)}, got {key!r}; take one of "
                "them"
            )
        return self.metrics[0] if key is None else by_key[key]

    def leaderboard(self, backend: str = "pandas") -> Any:
        """A data frame: a row per method with its mean scores, the best first.

        Args:
            backend: The library of the frame: "pandas", "polars" or "pyarrow".
        """
        return leaderboard(
            self.methods, self.metrics, self.scores, self.timing.fits, backend
        )

    fit_best: ClassVar[Callable[..., Any]]
    """Train the best loss on all rows: `offby.models.fit_best`, set by the notebook."""

    def ties(self, metric: Metric) -> list[str]:
        """The losses that are settled as no worse than the best one."""
        best = self.best(metric)
        return [] if best is None else ranking.ties(self.differences, metric.key, best)

    def settling(self) -> tuple[int, float] | None:
        """Seeds that would settle the first use, and the seconds they would take.

        The seconds are of one core, for the seeds that are not trained yet, of all
        losses but those that are settled as worse. None where nothing is open, or where
        no number of seeds would settle any of it.
        """
        first = next((answer for answer in self.verdicts if answer.best), None)
        if first is None:
            return None
        rivals = ranking.from_best(self.differences, first.metric, first.best)
        needed = ranking.seeds_that_settle(rivals)
        if needed is None:
            return None
        trained = ranking.seeds(self.scores)
        most = max(trained[key] for key in self.losses)
        going_on = [key for key in self.losses if trained[key] == most]
        each = sum(self.timing.fits.get(key, 0.0) for key in going_on) / most
        return needed, (needed - most) * each
