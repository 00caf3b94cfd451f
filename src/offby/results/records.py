"""The parts of a comparison: frozen dataclasses of numbers, text and tuples."""

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["classes", "number"]
"""What a target holds: ordered classes, or a number that is cut into bins."""
StopOn = Literal["score", "own"]
"""What ends a training: a score that is the same for all losses, or the loss itself."""
Verdict = Literal["better", "worse", "practically equal", "not settled"]
"""The answers to "how does this loss compare with the leader?"; better and worse are
one answer, with its direction."""


Ended = Literal["all", "settled", "no gain", "time"]
"""All seeds were trained, everything was settled, more of the planned seeds would have
settled nothing, or the time budget was used up."""


@dataclass(frozen=True)
class Data:
    """The table that was compared on."""

    name: str
    n_rows: int
    n_features: int
    target: str
    kind: Kind
    labels: tuple[str, ...]
    """Name of each class or bin, in order."""
    positions: tuple[float, ...]
    """Where each class or bin center lies, in the units of the target."""
    edges: tuple[float, ...]
    """Edges of bins over all rows, for the histogram; empty for classes. A prediction
    is made on the grid of its own fold: see `Row.grid`."""
    counts: tuple[int, ...]
    """Rows per class or bin."""
    sha256: str
    notes: tuple[str, ...]
    """What was dropped, merged or filled, a sentence each."""
    n_copies: int = 0
    """Rows with the same inputs as an earlier row; earlier offby did not count them."""
    scales: tuple[str, ...] = ()
    """Scale of the target in each fold, as "log" or "none"; empty for classes."""
    ground: dict[str, Any] | None = None
    """How far apart the classes are, as `Circle`, `Tree` or `Costs` save themselves
    (`offby.grounds.from_dict` reads it); None where `positions` say it."""


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
    """Whether it is no loss on the network: a baseline, boosting, a model of one's own.
    """
    model: str = ""
    """What learns: "network", "boosting", "both"; empty for baselines."""
    loss: str = ""
    """The loss that it learns by, if it is one of those compared."""


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
    """One loss against the leader by one metric, paired over rows, folds and seeds."""

    metric: str
    method: str
    other: str
    """The leader: the loss with the best mean."""
    mean: float
    """Score of `method` minus score of `other`, in the unit of the metric."""
    low: float
    high: float
    """95 % interval for new training runs and new rows. It is simultaneous over all
    losses and over the looks that a run takes before it stops."""
    relative: float
    """`mean` in the measure of `unit`: as a share of the size of the score of `other`,
    or as it is."""
    wins: int
    """Fits (folds x seeds) in which `method` has the better score."""
    pairs: int
    verdict: Verdict
    worse_by: float = 0.0
    """The size of `relative`: above 0 where `method` is worse, whatever the metric."""
    worse_by_low: float = 0.0
    worse_by_high: float = 0.0
    """Its interval, which decides the verdict."""
    infinite_rows: int = 0
    """Rows with an infinite score, over all fits: it is worse by any finite measure.
    The other numbers are then of the finite rows."""
    seeds_needed: int | None = None
    """If it is not settled: about how many seeds would settle it; None if none."""
    rows_needed: int | None = None
    """If it is not settled: about how many rows would settle it; None if too many."""
    unit: str = "%"
    """What `worse_by` and its interval are in: "%" for shares of the size of the score
    of `other`, "nats" for log scores, and nothing for the score's own unit."""


@dataclass(frozen=True)
class Answer:
    """The verdict for one use."""

    metric: str
    """What it is judged by; empty in comparisons of schema 1."""
    best: str
    ties: tuple[str, ...]
    """Losses that are practically equal to the best."""
    unsure: tuple[str, ...]
    """Losses whose difference from the best is not settled."""
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
class Measure:
    """How far apart losses took classes or bins to be when the networks were trained.

    Training has a unit of its own, in which the terms of a sum such as `ce+emd2` weigh
    alike; in the unit of the target, `emd2` of a price would be all that counts.
    """

    unit: float
    """What a distance of 1 counts as: between the classes, or on the scale of `edges`.
    """
    edges: tuple[float, ...] = ()
    """Bin edges on the scale of the training, as log prices; empty for classes."""


@dataclass(frozen=True)
class Grid:
    """The classes or bins that a prediction is made on, in order."""

    labels: tuple[str, ...]
    """Name of each class or bin."""
    positions: tuple[float, ...]
    """Where each class or bin center lies, in the units of the target."""
    edges: tuple[float, ...]
    """Bin edges, one more than bins; empty for classes."""
    tails: str = "none"
    """Which of the end bins reach to infinity, as in `Bins`: half of their mass lies
    within their outer edge. Comparisons of earlier offby had none."""
    measure: Measure | None = None
    """How training measured distances on it; unknown in comparisons of earlier offby.
    """


@dataclass(frozen=True)
class Row:
    """A held-out row, and what each loss predicts for it."""

    why: str
    """The rule it was picked by: "typical", "two peaks", "most disputed"."""
    number: int
    """Its place in the data, from 0."""
    true: int
    """Its true class, or the bin of `grid` that holds it."""
    value: float
    probs: dict[str, tuple[float, ...]]
    """By loss: the probability of each class or bin of `grid`."""
    grid: Grid
    """The bins that the networks of this row's fold had; they differ between folds."""
    on_scale: float | None = None
    """The true number on the scale of the training; nothing for classes."""


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
    """Mean Wasserstein-1 distance from the forecast without noise, in target units;
    the energy distance where classes lie on no line."""
    scores: dict[str, tuple[float | None, ...]]
    """Metric -> its mean on held-out rows at each level; None where it is infinite."""
    miscalibration: tuple[float, ...]
    """Largest distance of the share of PIT values from their level; empty where classes
    lie on no line."""


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
    stop_on: StopOn
    rope: float
    versions: dict[str, str]
    not_tested: tuple[str, ...]
    split: str = "at random"
    """How rows were held out: "at random", "by groups of ...", "by time of ..."."""
    network: str = "perceptron"
    """What every loss trained: "ensemble" (one bag of the estimators), "perceptron" (as
    all did in earlier offby) or "module" with its name."""
    ended: Ended = "all"
    """Why no more seeds were trained."""


@dataclass(frozen=True)
class Timing:
    """What the comparison took: the one part that differs from run to run."""

    seconds: float
    """From the call to the answer."""
    fits: dict[str, float]
    """Seconds of all fits of a method together, whenever they ran."""
