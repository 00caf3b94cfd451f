"""What a comparison found: plain data with JSON in and out; the rest renders it."""

import json
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any, Literal

SCHEMA_VERSION = 2

Verdict = Literal[
    "better",
    "slightly better",
    "no clear difference",
    "can't tell",
    "slightly worse",
    "worse",
]


@dataclass(frozen=True)
class Data:
    """The table that was compared on."""

    name: str
    n_rows: int
    n_features: int
    target: str
    kind: Literal["classes", "number"]
    labels: tuple[str, ...]
    """Name of each class or bin, in order."""
    positions: tuple[float, ...]
    """Where each class or bin center lies, in the units of the target."""
    edges: tuple[float, ...]
    """Bin edges on all rows, for pictures; empty for classes."""
    counts: tuple[int, ...]
    """Rows per class or bin."""
    sha256: str
    notes: tuple[str, ...]
    """What was dropped, merged or filled, a sentence each."""


@dataclass(frozen=True)
class Metric:
    """One way of judging a prediction on held-out rows."""

    key: str
    """rps, crps, log_score, mae, qwk, rmse, accuracy, far"""
    title: str
    lower_is_better: bool
    unit: str
    use: str
    """What it is for, as "the whole distribution"."""
    answers: bool = True
    """Whether there is a verdict by it, or only scores."""


@dataclass(frozen=True)
class Method:
    """A loss, or a reference that was trained for scale."""

    key: str
    title: str
    reference: bool


@dataclass(frozen=True)
class Score:
    """One metric of one method on the held-out rows of one fold, for one seed."""

    method: str
    fold: int
    seed: int
    metric: str
    value: float | None
    """Mean over the finite rows; None where the method gives no such number."""
    infinite_rows: int


@dataclass(frozen=True)
class Difference:
    """One loss against a better one by one metric, paired over folds and seeds."""

    metric: str
    method: str
    other: str
    """The method it is compared with: one with the better mean."""
    mean: float
    """Score of `method` minus score of `other`, in the unit of the metric."""
    low: float
    high: float
    """95 % interval, corrected for overlapping training rows (Nadeau, Bengio 2003)."""
    relative: float
    """`mean` as a share of the score of `other`."""
    wins: int
    """Pairs in which `method` has the better score."""
    pairs: int
    verdict: Verdict
    p_value: float | None = None
    """Of no difference; corrected as the interval is, and for all pairs (Holm)."""
    seeds_needed: int | None = None
    """If it is "can't tell": about how many seeds would settle it; None if none."""


@dataclass(frozen=True)
class Answer:
    """The verdict for one use."""

    metric: str
    """What it is judged by; empty in comparisons of schema 1."""
    best: str
    ties: tuple[str, ...]
    """Losses with no clear difference from the best."""
    unsure: tuple[str, ...]
    """Losses that can't be told from the best."""
    sentence: str
    """All of it in words, ready to print."""


@dataclass(frozen=True)
class Reason:
    """Something about the data that may tell which loss does better."""

    factor: str
    """far, rows, bins, imbalance, noise"""
    value: float
    """Share of far errors, rows per bin, bins, largest class in even shares, or share
    of rows that noise would move."""
    favors: str
    """The loss that did better on most studied problems like this; or nothing."""
    sentence: str
    """All of it in words, with what the study found."""


@dataclass(frozen=True)
class Row:
    """A held-out row, and what each loss predicts for it."""

    why: str
    """The rule it was picked by: "typical", "two peaks", "most disputed"."""
    number: int
    """Its place in the data, from 0."""
    true: int
    """Its true class or bin."""
    value: float
    probs: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Pushes:
    """Mean push on the logits of a class, by its place relative to the true one."""

    method: str
    stage: Literal["start", "middle", "end"]
    offsets: tuple[int, ...]
    """Class minus true class."""
    mean_push: tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """Non-randomized PIT of the held-out rows of one method."""

    method: str
    levels: tuple[float, ...]
    """Probabilities from 0 to 1."""
    reached: tuple[float, ...]
    """Share of rows whose PIT lies at or below the level; equal to it if calibrated."""
    band: float
    """Half-width of the simultaneous 95 % band for a calibrated forecast."""


@dataclass(frozen=True)
class Reliability:
    """How often "at most a threshold" comes true where a loss predicts it (CORP)."""

    method: str
    threshold: float
    """In the units of the target; of classes, the position of the last one below."""
    predicted: tuple[float, ...]
    """Probabilities at which the curve is given, increasing."""
    happened: tuple[float, ...]
    """Share of rows in which it came true, by isotonic regression."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    """Where a calibrated forecast has its curve in 95 of 100 cases, point by point."""
    miscalibration: float
    """Of the Brier score: what recalibrating would save."""
    discrimination: float
    uncertainty: float


@dataclass(frozen=True)
class Training:
    """How a method trained, on average over its fits."""

    method: str
    epochs: float
    curve: tuple[float, ...]
    """Mean validation score after each epoch, over the nets still training."""


@dataclass(frozen=True)
class Guess:
    """How far one guess from each forecast is off, in the units of the target."""

    rule: str
    """mode, median (the best one for the MAE) or mean (the best one for the RMSE)"""
    mae: float
    rmse: float


@dataclass(frozen=True)
class Forecasts:
    """What the forecasts of a loss are like, over all rows, under the first seed."""

    method: str
    sharpness: float
    """Mean standard deviation of the forecasts, in the units of the target."""
    corp: tuple[float, float, float] | None
    """Miscalibration, discrimination, uncertainty: parts of the RPS or CRPS."""
    guesses: tuple[Guess, ...]


@dataclass(frozen=True)
class Noise:
    """What noise of one kind does to one loss."""

    kind: str
    """edges, counts, strategy, inputs, neighbor, random"""
    method: str
    levels: tuple[float, ...]
    """Strength: a share of bin width, inputs' spread or labels, or a factor of bins."""
    moved: tuple[float, ...]
    """Mean Wasserstein-1 distance from the forecast without noise, in target units."""
    scores: dict[str, tuple[float | None, ...]]
    """Metric -> its mean on held-out rows at each level; None where it is infinite."""
    miscalibration: tuple[float, ...]
    """Largest distance of the share of PIT values from their level."""


@dataclass(frozen=True)
class NoiseShare:
    """How many rows would change class or bin under the noise of the target."""

    spread: float
    """Standard deviation of the noise, in the units of the target."""
    share: float
    source: Literal["neighbors", "given"]


@dataclass(frozen=True)
class Run:
    """How the comparison was made: enough to make it again."""

    command: str
    folds: int
    seeds: int
    seed: int
    stop_on: Literal["score", "own"]
    rope: float
    versions: dict[str, str]
    not_tested: tuple[str, ...]
    split: str = "at random"
    """How rows were held out: "at random", "by groups of ...", "by time of ..."."""


@dataclass(frozen=True)
class Timing:
    """What the comparison took: the one part that differs from run to run."""

    seconds: float
    """From the call to the answer."""
    fits: dict[str, float]
    """Seconds of all fits of a method together, whenever they ran."""


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
    flips: tuple[str, ...] = ()
    """Per kind of noise: from where on another loss is the better one."""
    reliability: tuple[Reliability, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """The whole comparison as JSON; `Comparison.from_json` reads it back."""
        return json.dumps(asdict(self), indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Comparison":
        """The comparison that `to_json` wrote.

        Raises:
            ValueError: If the text is no comparison, or of a newer schema.
        """
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise ValueError(
                f"the comparison must be JSON written by offby compare, got {error}"
            ) from error
        if not isinstance(raw, dict) or "schema_version" not in raw:
            raise ValueError("the JSON must be a comparison written by offby compare")
        if raw["schema_version"] > SCHEMA_VERSION:
            raise ValueError(
                f"the comparison has schema {raw['schema_version']}, this offby reads "
                f"up to {SCHEMA_VERSION}; update offby"
            )
        if raw["schema_version"] == 1:
            raw = _from_schema_1(raw)
        many = {
            "methods": Method,
            "metrics": Metric,
            "scores": Score,
            "differences": Difference,
            "verdicts": Answer,
            "reasons": Reason,
            "rows": Row,
            "pushes": Pushes,
            "calibration": Calibration,
            "reliability": Reliability,
            "training": Training,
            "noise": Noise,
        }
        parts: dict[str, Any] = {
            name: tuple(kind(**_tupled(item)) for item in raw.get(name, ()))
            for name, kind in many.items()
        }
        share = raw.get("noise_share")
        known = tuple(_forecasts(item) for item in raw.get("forecasts", ()))
        return cls(
            data=Data(**_tupled(raw["data"])),
            run=Run(**_tupled(raw["run"])),
            timing=Timing(**raw["timing"]),
            noise_share=share and NoiseShare(**share),
            flips=tuple(raw.get("flips", ())),
            forecasts=known,
            why=tuple(raw["why"]),
            **parts,
        )

    def __repr__(self) -> str:
        losses = ", ".join(each.key for each in self.methods if not each.reference)
        title = f"Comparison of {losses} on {self.data.name}, {self.data.n_rows:,} rows"
        return "\n".join([title, *(answer.sentence for answer in self.verdicts)])

    def _repr_html_(self) -> str | None:
        """The report in a frame: what a notebook shows."""
        # Found by name, and only when shown: the report is a level above its data.
        try:
            report = import_module("offby.report")
        except ImportError:  # Without the extra "compare" the notebook shows text.
            return None
        return report.frame(self)

    def mean(self, method: str, metric: str) -> float | None:
        """Mean score over folds and seeds; None where the method has no such score."""
        values = [
            score.value
            for score in self.scores
            if score.method == method and score.metric == metric
        ]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    def settling(self) -> tuple[int, float] | None:
        """Seeds that would settle what can't be told from the best, and their seconds.

        The seconds are of one core, for the seeds that are not trained yet. None where
        nothing is open, or where no number of seeds would settle any of it.
        """
        best = {answer.metric: answer.best for answer in self.verdicts}
        needed = [
            d.seeds_needed
            for d in self.differences
            if d.seeds_needed is not None and best.get(d.metric) == d.other
        ]
        if not needed:
            return None
        losses = [method.key for method in self.methods if not method.reference]
        each = sum(self.timing.fits.get(key, 0.0) for key in losses) / self.run.seeds
        return max(needed), (max(needed) - self.run.seeds) * each

    def infinite_rows(self, method: str, metric: str) -> int:
        """Held-out rows, over all folds and seeds, whose score is infinite."""
        return sum(
            score.infinite_rows
            for score in self.scores
            if score.method == method and score.metric == metric
        )


def _forecasts(item: dict[str, Any]) -> Forecasts:
    guesses = tuple(Guess(**guess) for guess in item["guesses"])
    return Forecasts(**(_tupled(item) | {"guesses": guesses}))


def _from_schema_1(raw: dict[str, Any]) -> dict[str, Any]:
    """Version 2 gathered the seconds in one place and gave verdicts parts."""
    seconds = {item["method"]: item["seconds"] for item in raw["training"]}
    kept = [{k: v for k, v in t.items() if k != "seconds"} for t in raw["training"]]
    run = {key: value for key, value in raw["run"].items() if key != "seconds"}
    answers = [
        {"metric": "", "best": "", "ties": [], "unsure": [], "sentence": sentence}
        for sentence in raw["verdicts"]
    ]
    timing = {"seconds": raw["run"]["seconds"], "fits": seconds}
    new = {"training": kept, "run": run, "verdicts": answers, "timing": timing}
    return {**raw, **new}


def _tupled(value) -> Any:
    """JSON lists as the tuples they were."""
    if isinstance(value, list):
        return tuple(_tupled(item) for item in value)
    if isinstance(value, dict):
        return {key: _tupled(item) for key, item in value.items()}
    return value
