"""Networks of other libraries: RealMLP and TabM, as the package pytabkit has them.

benchmarks/boosted.py measures them beside the estimators, on the folds of rivals.py.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from rivals import LEVELS, Fold, Rows, judged_quantiles, spread

SETTINGS: dict[str, Any] = {"device": "cpu", "random_state": 0, "n_threads": 1}


def realmlp_classes(fold: Fold, classes: np.ndarray) -> np.ndarray:
    """Without label smoothing, as its authors advise where probabilities count."""
    from pytabkit import RealMLP_TD_Classifier

    model = RealMLP_TD_Classifier(
        use_ls=False, val_metric_name="cross_entropy", **SETTINGS
    )
    return _classes(model, fold, classes)


def tabm_classes(fold: Fold, classes: np.ndarray) -> np.ndarray:
    from pytabkit import TabM_D_Classifier

    model = TabM_D_Classifier(val_metric_name="cross_entropy", **SETTINGS)
    return _classes(model, fold, classes)


def _classes(model, fold: Fold, classes: np.ndarray) -> np.ndarray:
    stop = fold.known_stop()
    y = fold.y[fold.inner]
    model.fit(
        _frame(fold, fold.inner),
        np.searchsorted(np.unique(y), y),
        _frame(fold, stop),
        np.searchsorted(np.unique(y), fold.y[stop]),
    )
    probs = model.predict_proba(_frame(fold, fold.new))
    return spread(probs, np.unique(y), classes)


def _frame(fold: Fold, rows: np.ndarray):
    """Rows as networks take them: categories as such, a median for each gap."""
    import pandas as pd

    codes = fold.codes(np.arange(len(fold.y)))
    table = pd.DataFrame(codes)
    for place in range(codes.shape[1]):
        if place in fold.words():
            table[place] = table[place].fillna(-1).astype(int).astype("category")
        else:
            table[place] = table[place].fillna(table[place][fold.learned].median())
    return table.iloc[rows]


def realmlp_numbers(fold: Fold) -> Rows:
    from pytabkit import RealMLP_TD_Regressor

    return _numbers(RealMLP_TD_Regressor, fold)


def tabm_numbers(fold: Fold) -> Rows:
    from pytabkit import TabM_D_Regressor

    return _numbers(TabM_D_Regressor, fold)


def _numbers(regressor: Callable, fold: Fold) -> Rows:
    """By the mean pinball loss of 19 levels."""
    pinball = f"multi_pinball({','.join(f'{level:.2f}' for level in LEVELS)})"
    model = regressor(train_metric_name=pinball, val_metric_name=pinball, **SETTINGS)
    model.fit(
        _frame(fold, fold.inner),
        fold.y[fold.inner],
        _frame(fold, fold.stop),
        fold.y[fold.stop],
    )
    quantiles = model.predict(_frame(fold, fold.new))
    return judged_quantiles(np.asarray(quantiles), fold.y[fold.new])
