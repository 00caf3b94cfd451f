"""scikit-learn's contract, held by the estimators under every loss."""

import pytest
from sklearn.utils.estimator_checks import check_estimator

from offby.losses.registry import TABLE
from offby.tabular import BinnedRegressor, OrdinalClassifier
from tests.test_estimators import QUICK, WEIGHTS_ARE_NOT_COPIES

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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the classes are text")
@pytest.mark.parametrize(
    "model", ESTIMATORS, ids=lambda m: f"{type(m).__name__}-{m.loss}"
)
def test_keeps_the_scikit_learn_contract_under_every_loss(model):
    found = check_estimator(
        model, expected_failed_checks=WEIGHTS_ARE_NOT_COPIES, on_skip=None
    )
    assert {check["status"] for check in found} <= {"passed", "skipped", "xfail"}
