"""A forest: the trees of one bag, as LightGBM writes them, and how they are grown."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from offby.tabular.runs import History

Derivatives = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From raw outputs, rows x outputs, to their gradient and curvature."""

_CATEGORY_ROWS = 10
"""So many rows draw the order of the categories in a split towards no change, and a
category of fewer is in no group."""


@dataclass(frozen=True)
class GrowthSettings:
    """How trees are grown."""

    learning_rate: float
    max_leaf_nodes: int
    min_samples_leaf: float
    max_iter: int
    n_iter_no_change: int
    max_time: float | None
    n_threads: int
    mean_weight: float = 1.0
    """Of a row of the table: LightGBM counts rows where it groups categories."""

    def for_lightgbm(self, n_outputs: int) -> dict[str, Any]:
        """The parameters of LightGBM."""
        return {
            "objective": "none",
            "num_class": n_outputs,
            "learning_rate": self.learning_rate,
            "num_leaves": self.max_leaf_nodes,
            # Curvatures are in rows, see `BoostedTrees`. LightGBM's own count of rows
            # would take a row of weight 3 for one.
            "min_sum_hessian_in_leaf": self.min_samples_leaf,
            "min_data_in_leaf": 0,
            "min_data_per_group": max(
                1, round(self.min_samples_leaf / self.mean_weight)
            ),
            "cat_smooth": _CATEGORY_ROWS / self.mean_weight,
            "boost_from_average": False,
            **self.for_dataset(),
        }

    def for_dataset(self) -> dict[str, Any]:
        """Those of them that the table of the rows needs too."""
        return {
            "num_threads": self.n_threads,
            "deterministic": True,
            "force_col_wise": True,
            "min_data_in_bin": 1,
            "feature_pre_filter": False,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class Forest:
    """The trees of one bag."""

    text: str
    """LightGBM's own format; empty if the best number of trees was none."""

    def raw(
        self, inputs: Float[np.ndarray, "rows columns"], n_outputs: int, n_threads: int
    ) -> Float[np.ndarray, "rows outputs"]:
        """Sums of the leaves."""
        if not self.text:
            return np.zeros((len(inputs), n_outputs))
        found = _booster(self.text).predict(
            inputs, raw_score=True, num_threads=n_threads
        )
        return np.asarray(found).reshape(len(inputs), n_outputs)


def import_lightgbm() -> Any:
    """LightGBM, or a sentence that says how to get it."""
    try:
        import lightgbm
    except ImportError as error:
        raise RuntimeError(
            "boosting grows its trees with LightGBM, which is not here; run "
            "pip install offby[boosting]"
        ) from error
    return lightgbm


def make_dataset(
    inputs: Float[np.ndarray, "rows columns"],
    category_columns: list[int],
    settings: GrowthSettings,
) -> Any:
    """The rows as LightGBM keeps them, for all bags."""
    lightgbm = import_lightgbm()
    return lightgbm.Dataset(
        inputs,
        categorical_feature=category_columns or "auto",
        params=settings.for_dataset(),
    ).construct()


def grow(
    dataset: Any,
    n_outputs: int,
    derivatives: Derivatives,
    score: Callable[[np.ndarray], float],
    settings: GrowthSettings,
    on_round: Callable[[int, float], None] = lambda number, score: None,
) -> tuple[Forest, History]:
    """Grow trees until the score has not been better for a while.

    Rows that a bag holds out have no gradient and no curvature. They are in the table
    all the same: so one table serves all bags, and the raw outputs of the validation
    rows come with those of the others.

    Args:
        dataset: The rows, from `make_dataset`.
        n_outputs: Trees in a round.
        derivatives: Weighted by the rows to train on.
        score: From raw outputs of all rows to the score of the validation rows.
        settings: Rules of the growth.
        on_round: Called before each round with its number and the score.

    Returns:
        The trees up to the best round, and the scores before each round.
    """
    history, started = History(), time.monotonic()

    def noted(raw: np.ndarray, _: Any) -> tuple[np.ndarray, np.ndarray]:
        raw = raw.reshape(-1, n_outputs)
        history.record_epoch(score(raw))
        on_round(len(history.scores) - 1, history.scores[-1])
        gradient, curvature = derivatives(raw)
        if n_outputs == 1:
            return gradient[:, 0], curvature[:, 0]
        return gradient, curvature

    lightgbm = import_lightgbm()
    if all(dataset.feature_num_bin(each) < 2 for each in range(dataset.num_feature())):
        # LightGBM refuses a table in which nothing varies; there is nothing to split.
        noted(np.zeros(dataset.num_data() * n_outputs), None)
        return Forest(""), history
    booster = lightgbm.Booster(settings.for_lightgbm(n_outputs), dataset)
    # The score of a round is known at the beginning of the next.
    for _ in range(settings.max_iter + 1):
        if booster.update(fobj=noted):
            break  # No leaf can be split any more.
        elapsed = time.monotonic() - started
        late = settings.max_time is not None and elapsed > settings.max_time
        if late or history.has_stalled(settings.n_iter_no_change):
            break
    best = history.best_epoch
    text = booster.model_to_string(num_iteration=best) if best else ""
    return Forest(text), history


@lru_cache(maxsize=64)
def _booster(text: str) -> Any:
    return import_lightgbm().Booster(model_str=text)
