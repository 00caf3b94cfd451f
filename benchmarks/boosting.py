"""The objective's share of a fit by LightGBM, in CPU seconds.

    python benchmarks/boosting.py DATA            # each set: objective, metric, all
    OFFBY_KERNELS=torch python benchmarks/boosting.py DATA    # without the C++ library

DATA is a folder with abalone.csv.gz and concrete.csv.gz. One thread, 85 % of the rows
to learn from and the rest to stop on, 8 leaves, rate .05. Beside it LightGBM's own
multiclass objective with the same trees: on the classes, and on the bins.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from sets import CLASSES, NUMBERS, read
from sklearn.model_selection import train_test_split

TREES = {"num_leaves": 8, "learning_rate": 0.05, "num_threads": 1, "verbose": -1}


def clocked(function: Callable) -> tuple[Callable, list[float]]:
    """The function, and the CPU seconds of each of its calls.

    A function and not an object, which LightGBM would copy with its parameters.
    """
    seconds: list[float] = []

    def timed(*arguments):
        start = time.process_time()
        found = function(*arguments)
        seconds.append(time.process_time() - start)
        return found

    return timed, seconds


def fit(X, y, rows, stop, words, objective, rounds: int, patience: int):
    """Seconds of a fit: gradients, the score, everything; rounds; score."""
    import lightgbm

    from offby.boosting import lightgbm_metric, lightgbm_objective

    push, in_push = clocked(lightgbm_objective(objective))
    judge, in_judge = clocked(lightgbm_metric(objective))
    data = lightgbm.Dataset(X[rows], y[rows], categorical_feature=words)
    held = lightgbm.Dataset(X[stop], y[stop], reference=data)
    own = {"objective": push, "num_class": objective.n_outputs, "metric": "None"}
    start = time.process_time()
    model = lightgbm.train(
        TREES | own,
        data,
        rounds,
        valid_sets=[held],
        feval=judge,
        callbacks=[lightgbm.early_stopping(patience, verbose=False)],
    )
    seconds = time.process_time() - start
    best = min(model.best_score["valid_0"].values())
    return sum(in_push), sum(in_judge), seconds, model.current_iteration(), best


def multiclass(X, y, rows, stop, words, n_classes: int, rounds: int, patience: int):
    """The same for LightGBM's own objective of classes, stopped on its log loss."""
    import lightgbm

    data = lightgbm.Dataset(X[rows], y[rows], categorical_feature=words)
    held = lightgbm.Dataset(X[stop], y[stop], reference=data)
    own = {"objective": "multiclass", "num_class": n_classes}
    start = time.process_time()
    model = lightgbm.train(
        TREES | own,
        data,
        rounds,
        valid_sets=[held],
        callbacks=[lightgbm.early_stopping(patience, verbose=False)],
    )
    return time.process_time() - start, model.current_iteration()


def main() -> None:
    import torch

    from offby import Bins
    from offby.boosting import objective

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--rounds", type=int, default=1000)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'set':24}{'loss':10}{'basis':18}gradient  score  fit, s  rounds   share  ")
    for name, sources in (("abalone", CLASSES), ("concrete", NUMBERS)):
        frame, y = read(asked.data, sources[name])
        words = [i for i, t in enumerate(frame.dtypes) if not t.is_numeric()]
        X = np.column_stack(
            [
                column.to_physical() if i in words else column
                for i, column in enumerate(frame)
            ]
        ).astype(float)
        rows, stop = train_test_split(np.arange(len(y)), test_size=0.15, random_state=0)
        if sources is CLASSES:
            labels = np.searchsorted(np.unique(y), y)
            where, losses, title = len(np.unique(y)), ("ce+emd2", "cce"), name
            classes = labels
        else:
            labels = y.astype(float)
            where = Bins.around(labels[rows], 100)
            losses, title = ("emd2", "crps"), f"{name}, {where.n_bins} bins"
            classes = where.index(torch.tensor(labels)).numpy()
        for loss in losses:
            made = objective(loss, where).starting_at(labels[rows])
            found = fit(X, labels, rows, stop, words, made, asked.rounds, 50)
            push, judge, seconds, n_rounds, best = found
            print(
                f"{title:24}{loss:10}{made.basis.name:18}{push:8.2f}{judge:7.2f}"
                f"{seconds:8.2f}{n_rounds:8}{(push + judge) / seconds:8.0%}  {best:.4f}"
            )
        n_classes = int(classes.max()) + 1
        seconds, n_rounds = multiclass(
            X, classes, rows, stop, words, n_classes, asked.rounds, 50
        )
        print(f"{title:24}{'multiclass of LightGBM':44}{seconds:7.2f}{n_rounds:8}")


if __name__ == "__main__":
    main()
