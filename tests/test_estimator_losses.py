"""scikit-learn's contract, held by the estimators under every loss."""

from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from offby.losses.registry import TABLE
from offby.tabular import BinnedRegressor, OrdinalClassifier
from tests.test_estimators import QUICK

# The sum that is the default goes through them in tests/test_estimators.py, and with it
# every loss of classes that has a kernel: another one is another number in that call.
# Losses without a kernel all take one way: one of them is enough. Each loss of a number
# makes a target of its own. Wasserstein-1 is hard to train: both estimators have it.
WAYS = [entry for entry in TABLE if entry.needs_bins or entry.name == "emd1"]
ESTIMATORS = [
    OrdinalClassifier(name, decision="mode", **QUICK) for name in ("emd1", "slace")
] + [
    # Wasserstein-1 is flat at first: on few rows it learns sooner in equal counts.
    BinnedRegressor(
        entry.name,
        strategy="quantile" if entry.name == "emd1" else "kmeans",
        **QUICK,
    )
    for entry in WAYS
]


# Of names, types and refusals, and of what is done with the inputs, no loss knows:
# tests/test_estimators.py has all checks. These are where a loss meets odd targets.
WHERE_A_LOSS_COUNTS = {
    "check_all_zero_sample_weights_error",
    "check_classifiers_classes",
    "check_classifiers_one_label",
    "check_classifiers_one_label_sample_weights",
    "check_classifiers_train",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_regressors_int",
    "check_regressors_train",
    "check_supervised_y_2d",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the classes are text")
@pytest.mark.parametrize(
    "model", ESTIMATORS, ids=lambda m: f"{type(m).__name__}-{m.loss}"
)
def test_keeps_the_scikit_learn_contract_under_every_loss(model):
    done = set()
    checks: Any = estimator_checks_generator(model)
    for estimator, check in checks:
        name = getattr(check, "func", check).__name__
        if name in WHERE_A_LOSS_COUNTS:
            check(estimator)
            done.add(name)
    kind = "regressors" if isinstance(model, BinnedRegressor) else "classifiers"
    assert done >= {f"check_{kind}_train", "check_fit2d_1feature"}
