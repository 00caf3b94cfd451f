"""XGBoost on losses that know distance: numbers in 40 bins, one tree a round.

    pip install 'xgboost>=3.2'
    python examples/boosting_xgboost.py

The leaves of a tree hold a location, a log scale and three cosines; splits are searched
for on all of them, or on the location and the log scale only.
"""

import numpy as np
import xgboost

from offby import Bins
from offby.boosting import objective, xgboost_metric, xgboost_objective
from offby.metrics import histogram_crps


# %% The rows
def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two columns, and a number whose spread depends on the second."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, 3 * X[:, 0] + rng.normal(size=n) * np.exp(0.5 * X[:, 1])


# %% Training on each set of columns
def main(n: int = 2000, rounds: int = 300) -> None:
    X, y = rows(n, 0)
    X_stop, y_stop = rows(n // 4, 1)
    X_new, y_new = rows(n, 2)
    bins = Bins.around(y, 40, tails="half-normal")
    learned = objective("ce+emd2", bins).starting_at(y)

    def matrix(X: np.ndarray, y: np.ndarray) -> xgboost.DMatrix:
        # XGBoost takes the number of outputs from the labels.
        return xgboost.DMatrix(X, np.tile(y[:, None], learned.n_outputs))

    print("splits by  CRPS of new rows")
    for split_outputs in (None, 2):
        model = xgboost.train(
            {
                "multi_strategy": "multi_output_tree",
                "tree_method": "hist",
                "base_score": 0,
                "disable_default_eval_metric": 1,
                "eta": 0.1,
                "max_depth": 4,
                "nthread": 1,
            },
            matrix(X, y),
            rounds,
            obj=xgboost_objective(learned, split_outputs),
            evals=[(matrix(X_stop, y_stop), "stop")],
            custom_metric=xgboost_metric(learned),
            callbacks=[xgboost.callback.EarlyStopping(rounds=30, save_best=True)],
            verbose_eval=False,
        )
        raw = model.predict(xgboost.DMatrix(X_new), output_margin=True)
        crps = histogram_crps(y_new, learned.probabilities(raw), bins)
        print(f"{split_outputs or 'all'!s:10} {crps:.4f}")


# %% Run it
if __name__ == "__main__":
    main()
