"""CatBoost on losses that know distance: five ordered classes.

    pip install catboost
    python examples/boosting_catboost.py

CatBoost asks for the gradient of one row at a time, in Python. For more than a few
thousand rows take LightGBM or XGBoost.
"""

import catboost
import numpy as np

from offby.boosting import (
    catboost_metric,
    catboost_objective,
    catboost_target,
    objective,
)
from offby.metrics import ranked_probability_score


# %% The rows
def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two columns, and one of five ordered classes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    noise = rng.logistic(size=n) * np.exp(0.5 * X[:, 1])
    return X, np.digitize(2 * X[:, 0] + noise, [-2.0, -0.5, 0.5, 2.0])


# %% Training under each loss
def main(n: int = 600, rounds: int = 60) -> None:
    X, y = rows(n, 0)
    X_stop, y_stop = rows(n // 2, 1)
    X_new, y_new = rows(n, 2)

    print("loss      RPS of new rows")
    for loss in ("ce", "cce"):
        learned = objective(loss, 5).starting_at(y)
        model = catboost.CatBoost(
            {
                "loss_function": catboost_objective(learned),
                "eval_metric": catboost_metric(learned),
                "iterations": rounds,
                "learning_rate": 0.1,
                "depth": 4,
                "leaf_estimation_method": "Newton",
                "leaf_estimation_iterations": 1,
                "boost_from_average": False,
                "early_stopping_rounds": 20,
                "verbose": False,
                "thread_count": 1,
                "allow_writing_files": False,
            }
        )
        stop = X_stop, catboost_target(learned, y_stop)
        model.fit(X, catboost_target(learned, y), eval_set=stop)
        raw = model.predict(X_new, prediction_type="RawFormulaVal")
        score = ranked_probability_score(y_new, learned.probabilities(raw))
        print(f"{loss:10}{score:.4f}")


# %% Run it
if __name__ == "__main__":
    main()
