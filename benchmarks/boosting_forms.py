"""The forms of a squared EMD objective that circulate, beside the right one.

    python benchmarks/boosting_forms.py           # for docs/boosting.md

First a row of five classes: the gradient of each form, and what finite differences say.
Then LightGBM with each, on made-up rows: one output for each class, rate .1, stopped
early on the RPS of other rows.
"""

import lightgbm
import numpy as np

from offby.boosting import lightgbm_metric, objective
from offby.metrics import ranked_probability_score

K = 5


def by_the_cdf(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivative by F_k, given as that by the score of class k; p(1 - p) below it."""
    miss = p.cumsum(1) - (y[:, None] <= np.arange(K))
    return 2 * miss, p * (1 - p)


def absolute(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The right gradient, over the absolute value of the exact second derivative."""
    g, h = right(p, y)
    return g, np.abs(h + (1 - 2 * p) * g)


def right(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    made = objective("emd2", K, basis="identity")
    return made.gradient_and_curvature(np.log(p), y)


FORMS = {
    "derivative by the CDF, p(1-p)": by_the_cdf,
    "absolute second derivative": absolute,
    "offby: Gauss-Newton": right,
}


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    noise = rng.logistic(size=n) * np.exp(0.5 * X[:, 1])
    return X, np.digitize(2 * X[:, 0] + X[:, 2] * X[:, 3] + noise, [-2, -0.5, 0.5, 2])


def one_row() -> None:
    made = objective("emd2", K, basis="identity")
    z, y = np.array([[0.0, 1.0, 0.5, 0.0, -1.0]]), np.array([3])
    p = made.probabilities(z)
    step = 1e-6 * np.eye(K)
    exact = [made.loss(z + d, y)[0] - made.loss(z - d, y)[0] for d in step]
    print(f"{'finite differences':32}", *(f"{each / 2e-6:7.3f}" for each in exact))
    for name, form in FORMS.items():
        print(f"{name:32}", *(f"{each:7.3f}" for each in form(p, y)[0][0]))


def fit(form, seed: int) -> tuple[float, int]:
    (X, y), (X_stop, y_stop), (X_new, y_new) = (
        rows(1000, 3 * seed + i) for i in range(3)
    )
    made = objective("emd2", K, basis="identity").starting_at(y)

    def push(raw, data):
        g, h = form(made.probabilities(raw), data.get_label().astype(int))
        return g, np.maximum(h, 1e-6)

    data = lightgbm.Dataset(X, y)
    model = lightgbm.train(
        {"objective": push, "num_class": K, "metric": "None", "verbose": -1}
        | {"num_leaves": 8, "learning_rate": 0.1, "num_threads": 1},
        data,
        300,
        valid_sets=[lightgbm.Dataset(X_stop, y_stop, reference=data)],
        feval=lightgbm_metric(made),
        callbacks=[lightgbm.early_stopping(20, verbose=False)],
    )
    p = made.probabilities(model.predict(X_new))
    return ranked_probability_score(y_new, p), model.best_iteration


def main() -> None:
    print(f"{'gradient by the score of class':32}", *(f"{k:7}" for k in range(K)))
    one_row()
    print(f"\n{'RPS of new rows':32}   mean  rounds (5 seeds)")
    for name, form in FORMS.items():
        found = np.array([fit(form, seed) for seed in range(5)])
        print(f"{name:32} {found[:, 0].mean():6.4f}  {found[:, 1].mean():.0f}")
    start = [rows(1000, 3 * seed)[1] for seed in range(5)]
    new = [rows(1000, 3 * seed + 2)[1] for seed in range(5)]
    scores = [
        ranked_probability_score(b, np.tile(np.bincount(a) / len(a), (len(b), 1)))
        for a, b in zip(start, new, strict=True)
    ]
    print(f"{'frequencies of the classes':32} {np.mean(scores):6.4f}")


if __name__ == "__main__":
    main()
