"""LightGBM on losses that know distance: the quality of wine, made up from two columns.

pip install 'offby[boosting]'
python examples/boosting_lightgbm.py
"""

import lightgbm
import numpy as np

from offby.boosting import lightgbm_metric, lightgbm_objective, objective
from offby.metrics import ranked_probability_score


# %% The rows
def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two columns, and one of five ordered classes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    noise = rng.logistic(size=n) * np.exp(0.5 * X[:, 1])
    return X, np.digitize(2 * X[:, 0] + noise, [-2.0, -0.5, 0.5, 2.0])


# %% Training under each loss
def main(n: int = 2000, rounds: int = 500) -> None:
    X, y = rows(n, 0)
    X_stop, y_stop = rows(n // 4, 1)
    X_new, y_new = rows(n, 2)

    print("loss      rounds  RPS of new rows")
    for loss in ("ce", "ce+emd2", "cce"):
        learned = objective(loss, 5).starting_at(y)
        train = lightgbm.Dataset(X, y)
        model = lightgbm.train(
            {
                "objective": lightgbm_objective(learned),
                "num_class": learned.n_outputs,
                "metric": "None",
                "learning_rate": 0.05,
                "num_leaves": 8,
                "verbose": -1,
                "num_threads": 1,
            },
            train,
            rounds,
            valid_sets=[lightgbm.Dataset(X_stop, y_stop, reference=train)],
            feval=lightgbm_metric(learned),
            callbacks=[lightgbm.early_stopping(30, verbose=False)],
        )
        forecast = learned.probabilities(model.predict(X_new))
        score = ranked_probability_score(y_new, forecast)
        print(f"{loss:10}{model.best_iteration:6}  {score:.4f}")


# %% Run it
if __name__ == "__main__":
    main()
