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
    """The best one first, as in every table."""
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
    contenders: tuple[Difference, ...] = ()
    """How all other methods differ from the best model, where that is not the best loss
    on the network, by each metric that there is an answer for."""
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
        """Key of the best model: what `fit_best` and `--save` train on all rows.

        A loss on the network, boosted trees under a loss, or the mean of both; not a
        baseline, nor an estimator of your own. None if no score is a finite one.

        Args:
            metric: A metric or its key; by default the first one with an answer.

        Raises:
            ValueError: If there is no metric of this key.
        """
        return ranking.best_model(self.scores, self.methods, self._metric(metric))

    def best_loss(self, metric: Metric | str | None = None) -> str | None:
        """The loss with the best score on the network, as `best` finds the model."""
        return ranking.best(self.scores, self.losses, self._metric(metric))

    def method(self, key: str) -> Method:
        """The method of this key."""
        return next(method for method in self.methods if method.key == key)

    @property
    def ranked(self) -> tuple[Method, ...]:
        """All methods, the best first: the order of every table."""
        return ranking.ordered(self.scores, self.methods, self._metric(None))

    def from_best(self, metric: Metric) -> dict[str, Difference]:
        """How the other methods differ from the best model, by one metric."""
        best = self.best(metric)
        every = (*self.differences, *self.references, *self.contenders)
        return {d.method: d for d in every if (d.metric, d.other) == (metric.key, best)}

    def equals(self, metric: Metric) -> list[str]:
        """The methods that are practically equal to the best model."""
        found = self.from_best(metric)
        return [key for key, d in found.items() if d.verdict == "practically equal"]

    def _metric(self, key: Metric | str | None) -> Metric:
        if isinstance(key, Metric):
            return key
        by_key = {metric.key: metric for metric in self.metrics}
        if key is None:
            # Comparisons of schema 1 do not say what an answer is judged by.
            key = next((each.metric for each in self.verdicts if each.best), None)
            key = key if key in by_key else None
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
            self.ranked, self.metrics, self.scores, self.timing.fits, backend
        )

    fit_best: ClassVar[Callable[..., Any]]
    """Train the best model on all rows: `offby.models.fit_best`, set by the notebook.
    """
    plot: ClassVar[Callable[..., Any]]
    """A picture of the report, for a paper: `plot("calibration").save("fig.svg")`. It
    is `offby.report.picture`, set by the notebook."""

    def ties(self, metric: Metric) -> list[str]:
        """The losses that are settled as no worse than the best one."""
        best = self.best_loss(metric)
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
