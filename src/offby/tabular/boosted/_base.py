"""`BoostedTrees`: what the estimators that grow trees share."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from joblib import effective_n_jobs
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from offby.boosting import objective
from offby.tabular._estimator import HeldOut, Learner, check_n_bags
from offby.tabular.boosted.bags import grow_bags
from offby.tabular.boosted.forest import Forest, GrowthSettings, make_dataset
from offby.tabular.boosted.outputs import Learning
from offby.tabular.boosted.rows import WeightedRows, held_out_weights
from offby.tabular.calibration import Correction, fit_correction
from offby.tabular.data import TrainingData
from offby.tabular.encoders.table import TreeTableEncoder
from offby.tabular.forecasts import threads
from offby.tabular.rows import Rows, check_new_rows
from offby.tabular.runs import mean_scores


@dataclass(eq=False, repr=False, kw_only=True)
class BoostedTrees(Learner):
    """Settings that `BoostedOrdinalClassifier` and `BoostedBinnedRegressor` share.

    Args:
        loss: Short name of a loss or a sum of them; `offby losses` lists them.
        n_bags: Number of independent forests; each holds out other rows for early
            stopping. "auto" is 5 with 25 to 4,999 rows, else 1.
        calibration: Correct the probabilities on the validation rows: by a
            "temperature", or by an "isotonic" map of the cumulative probabilities.
        basis: What the trees of a round move, as `offby.boosting.objective` names it:
            "auto" is a location, a log scale and three cosines.
        learning_rate: Factor of what each tree adds.
        max_leaf_nodes: Largest number of leaves of a tree.
        min_samples_leaf: Least weight of a leaf, in rows. A row counts by the curvature
            of its loss: as 1 if all classes are as likely, less if the forecast is
            surer.
        max_iter: Largest number of rounds; a round is a tree for each output.
        max_time: Seconds after which a bag begins no further round; None is no limit.
        validation_fraction: Share of the rows that a single bag holds out for early
            stopping.
        n_iter_no_change: Rounds without a better validation score before a bag stops.
        n_jobs: Number of CPU threads; None is one. Results are the same to the last bit
            from run to run on one kind of CPU.
        verbose: Whether to show a progress bar.
        random_state: Seed of everything random.

    Attributes:
        encoder_: The encoder of the columns.
        forests_: The trees of each bag.
        n_iter_: Number of rounds that were kept; the largest over the bags.
        validation_scores_: RPS or CRPS of the validation rows, before training and
            after each round.
    """

    basis: str = "auto"
    learning_rate: float = 0.1
    max_leaf_nodes: int = 8
    min_samples_leaf: float = 20
    max_iter: int = 1000
    n_iter_no_change: int = 25

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Learner._parameter_constraints,
        "loss": [str],
        "basis": [str],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_leaf_nodes": [Interval(Integral, 2, None, closed="left")],
        "min_samples_leaf": [Interval(Real, 0, None, closed="left")],
    }

    def _encoded(self, rows: Rows, *, fresh: bool) -> torch.Tensor:
        encoder = TreeTableEncoder()
        self.encoder_ = encoder.fit(rows.X, sample_weight=rows.weights)
        return torch.from_numpy(_wide(self.encoder_.transform(rows.X)))

    def _learn(self, data: TrainingData) -> HeldOut:
        rows, n_bags = WeightedRows.of(data), self._n_bags(data)
        check_n_bags(n_bags, len(data.index))
        held = held_out_weights(
            rows.weights,
            n_bags,
            self.validation_fraction,
            np.random.default_rng(self._seed()),
            groups=rows.groups,
        )
        learning = self._learning(data, rows)
        self.outputs_ = learning.outputs
        inputs = data.inputs.numpy()[rows.first]
        growth = self._growth(float(rows.weights.mean()))
        with threads(self.n_jobs), self._progress() as show:
            dataset = make_dataset(inputs, self.encoder_.category_columns(), growth)
            grown = grow_bags(inputs, rows, held, learning, dataset, growth, show)
        self.forests_, histories, probs = grown.forests, grown.histories, grown.probs
        self.n_iter_ = max(1, *(history.best_epoch for history in histories))
        self.validation_scores_ = mean_scores(histories)
        share = (held.sum(0) / rows.weights)[rows.code]
        kept = np.flatnonzero(share > 0)
        weights = data.row_weights().double().numpy()[kept] * share[kept]
        self.correction_: Correction = fit_correction(
            self.calibration, probs[rows.code[kept]], data.index.numpy()[kept], weights
        )
        forecasts = self.correction_(probs[rows.code[kept]])
        return HeldOut.of(data, forecasts, kept, weights)

    def _learning(self, data: TrainingData, rows: WeightedRows) -> Learning:
        if data.line.n_classes == 1:
            return Learning.nothing()
        target = data.index if data.value is None else data.value
        assert isinstance(self.loss, str)  # Checked: a module has no curvature.
        made = objective(self.loss, data.line, bins=data.bins, basis=self.basis)
        return Learning.of(made, target.numpy()[rows.first], rows.weights)

    def _growth(self, mean_weight: float) -> GrowthSettings:
        return GrowthSettings(
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            max_iter=self.max_iter,
            n_iter_no_change=self.n_iter_no_change,
            max_time=self.max_time,
            n_threads=effective_n_jobs(1 if self.n_jobs is None else self.n_jobs),
            mean_weight=mean_weight,
        )

    def _forecast(self, forest: Forest, inputs: np.ndarray) -> np.ndarray:
        n_threads = effective_n_jobs(1 if self.n_jobs is None else self.n_jobs)
        raw = forest.raw(inputs, self.outputs_.n_outputs, n_threads)
        return self.outputs_.probabilities(raw)

    def _probabilities(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = check_new_rows(self, self.encoder_, X)
        inputs = _wide(self.encoder_.transform(X))
        with threads(self.n_jobs):
            probs = np.sum([self._forecast(each, inputs) for each in self.forests_], 0)
        return self.correction_(probs / probs.sum(-1, keepdims=True))


def _wide(inputs: np.ndarray) -> np.ndarray:
    """LightGBM wants a column even where a table holds nothing but gaps."""
    return inputs if inputs.shape[1] else np.zeros((len(inputs), 1))
