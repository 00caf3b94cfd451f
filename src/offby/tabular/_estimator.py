"""`TabularEstimator`: what every estimator shares, whatever it learns with."""

import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import click
import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from offby.losses.registry import Labels
from offby.tabular import archive
from offby.tabular.criteria import Loss, training_loss
from offby.tabular.data import TrainingData
from offby.tabular.onnx.export import export as write_graph
from offby.tabular.rows import Rows
from offby.tabular.splits import usual_bags

AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Forecasts of rows by models that did not train on them."""

    probs: np.ndarray
    """Rows x classes or bins."""
    rows: np.ndarray
    """Which of the training rows these are."""
    weights: np.ndarray
    """How much of each row was held out, in rows."""
    labels: Labels
    """What is true of them."""
    around: np.ndarray | None = None
    """The numbers, if they lie on a circle."""

    @classmethod
    def of(
        cls,
        data: TrainingData,
        probs: np.ndarray,
        rows: np.ndarray,
        weights: np.ndarray,
    ) -> "HeldOut":
        """Forecasts of these rows of the data."""
        at = torch.from_numpy(rows)
        around = None if data.around is None else data.around[at].cpu().numpy()
        return cls(probs, rows, weights, data.labels(at), around)


@dataclass(eq=False, repr=False)
class TabularEstimator(BaseEstimator):
    """What estimators of all kinds do.

    An estimator is a pair: of a kind of target (`OrdinalForecaster` for classes,
    `BinnedForecaster` for numbers), and of what learns it (`TabularNetwork`,
    `BoostedTrees`, `WeightedMean`).
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one file, without pickle, for `load`."""
        archive.save(self, path)

    def export(self, path: str | Path) -> None:
        """Write the fitted network as an ONNX graph, which needs no offby to run.

        Encoder, network, mean over its members and the correction are all in it;
        docs/models.md names its inputs and outputs. Needs `offby[onnx]`.

        Raises:
            TypeError: If the estimator is not a network.
            ValueError: If a part of it cannot be written, as columns of text.
            RuntimeError: If onnx is not installed.
        """
        write_graph(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The fitted estimator that `save` wrote; no code of the file is run."""
        return archive.load(path, cls)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _check_settings(self) -> None:
        """Refuse settings of a wrong type or range."""
        self._validate_params()

    def _continues(self) -> bool:
        """Whether `fit` continues from the last `fit`."""
        return False

    @abstractmethod
    def _encoded(self, rows: Rows, *, fresh: bool) -> torch.Tensor:
        """The encoded rows; a fresh encoder is fitted to them first."""

    @abstractmethod
    def _learn(self, data: TrainingData) -> HeldOut:
        """Train, and forecast the validation rows."""

    @abstractmethod
    def _probabilities(self, X) -> np.ndarray:
        """Forecasts: rows x classes or bins."""


@dataclass(eq=False, repr=False)
class Learner(TabularEstimator):
    """Settings that `TabularNetwork` and `BoostedTrees`, which explain them, share."""

    loss: Loss = "ce+emd2"
    _: KW_ONLY
    n_bags: int | Literal["auto"] = "auto"
    calibration: Literal["temperature", "isotonic"] | None = None
    max_iter: int = 200
    max_time: float | None = None
    validation_fraction: float = 0.15
    n_iter_no_change: int = 6
    n_jobs: int | None = None
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "loss": [str, torch.nn.Module, callable],
        "n_bags": [AT_LEAST_ONE, StrOptions({"auto"})],
        "calibration": [StrOptions({"temperature", "isotonic"}), None],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [AT_LEAST_ONE],
        "n_jobs": [AT_LEAST_ONE, Interval(Integral, None, -1, closed="right"), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def _check_settings(self) -> None:
        super()._check_settings()
        training_loss(self.loss)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31))

    def _n_bags(self, data: TrainingData) -> int:
        """Number of models to train."""
        if self.n_bags != "auto":
            return self.n_bags
        usual = usual_bags(float(data.row_weights().double().sum()), len(data.index))
        # Each bag holds out groups of its own.
        groups = [] if data.groups is None else data.groups.unique()
        return min(usual, len(groups) or usual)

    @contextmanager
    def _progress(self) -> Iterator[Callable[[int, float], None]]:
        """A progress bar on stderr, if wanted."""
        if not self.verbose:
            yield lambda epoch, score: None
            return
        with click.progressbar(
            length=self.max_iter, label=type(self).__name__, file=sys.stderr
        ) as bar:
            yield lambda epoch, score: bar.update(int(epoch > 0))


def check_n_bags(n_bags: int, n_rows: int) -> None:
    """Refuse bags that would have no validation row."""
    if n_bags > n_rows:
        raise ValueError(
            f"n_bags must be at most the number of rows, {n_rows}, got {n_bags}"
        )
