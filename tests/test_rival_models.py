"""Ordered models of other packages: their coefficients, and what their tests say.

statsmodels 0.15 expects the numbers that `polr` of R's package MASS gives for the 400
students of its table ologit_ucla (miscmodels/tests). mord 0.7 has no numbers in its
tests: the ones here are those that it fits to the same table.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from benchmarks import ordered_model
from offby import losses
from offby.metrics import median_class
from offby.nn import heads

ROOT = Path(__file__).parents[1]
ANSWERS = ["unlikely", "somewhat likely", "very likely"]


def students() -> tuple[np.ndarray, np.ndarray]:
    """Whether they plan to apply for graduate school, and three columns."""
    ordinal_model = pytest.importorskip("statsmodels.miscmodels.ordinal_model")
    folder = Path(ordinal_model.__file__).parent / "tests/results"
    if not folder.exists():
        pytest.skip("this statsmodels came without the data of its tests")
    with (folder / "ologit_ucla.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [[float(row[k]) for k in ("pared", "public", "gpa")] for row in rows]
    return np.array(columns), np.array([ANSWERS.index(row["apply"]) for row in rows])


def masses(
    X: np.ndarray, weights: np.ndarray, thresholds: np.ndarray, link: Any
) -> np.ndarray:
    """What our layer says with these coefficients."""
    head = heads.CumulativeLink(X.shape[1], len(thresholds) + 1, link).double()
    with torch.no_grad():
        head.score.weight.copy_(torch.tensor(weights))
        head.first_threshold.copy_(torch.tensor(thresholds[:1]))
        head.raw_gaps.copy_(torch.tensor(np.diff(thresholds)).expm1().log())
        return head(torch.tensor(X)).exp().numpy()


@pytest.mark.parametrize(
    ("link", "coefficients", "thresholds", "first_and_last"),
    [
        (
            "logit",
            [1.04769011, -0.05878572, 0.61594057],
            [2.203915, 4.299363],
            [[0.5488310, 0.3593310, 0.09183798], [0.6518332, 0.2865114, 0.06165547]],
        ),
        (
            "probit",
            [0.59811, 0.01016, 0.35815],
            [1.2968, 2.5028],
            [[0.5514181, 0.3576848, 0.09089707], [0.6480094, 0.2956162, 0.05637442]],
        ),
        (
            "cloglog",
            [0.5166455, 0.1081131, 0.3343895],
            [0.8705304, 1.9744660],
            [[0.5519526, 0.3592524, 0.08879500], [0.6374521, 0.3156622, 0.04688570]],
        ),
    ],
)
def test_ordered_models_of_statsmodels_and_r(
    link, coefficients, thresholds, first_and_last
):
    """To the digits at which R stops: ours are as likely, or more so."""
    X, y = students()
    ours, cuts, _ = ordered_model.fitted(X, y, link, losses.cross_entropy)
    np.testing.assert_allclose(ours, coefficients, atol=2e-4)
    np.testing.assert_allclose(cuts, thresholds, atol=7e-4)
    of_seven = masses(X[:7], ours, cuts, link)
    np.testing.assert_allclose(of_seven[[0, 6]], first_and_last, atol=5e-5)
    every = np.arange(len(y))
    found, theirs = (
        np.log(masses(X, w, t, link)[every, y]).sum()
        for w, t in ((ours, cuts), (np.array(coefficients), np.array(thresholds)))
    )
    assert found > theirs - 1e-9


def test_the_all_threshold_model_of_mord():
    X, y = students()
    loss = losses.cumulative_cross_entropy
    ours, cuts, _ = ordered_model.fitted(X, y, "logit", loss)
    np.testing.assert_allclose(ours, [1.01236361, 0.04181366, 0.59749171], atol=1e-6)
    np.testing.assert_allclose(cuts, [2.15847746, 4.25302914], atol=2e-6)
    # It predicts as many classes up as the score is above thresholds: the median.
    above = (X @ ours[:, None] > cuts).sum(1)
    np.testing.assert_array_equal(median_class(masses(X, ours, cuts, "logit")), above)


@pytest.mark.parametrize(
    ("name", "coefficients", "thresholds"),
    [
        (
            "LogisticAT",
            [1.01236361, 0.04181366, 0.59749171],
            [2.15847746, 4.25302914],
        ),
        (
            "LogisticIT",
            [0.77594255, -0.04675762, 0.49029862],
            [2.02534848, 2.97365142],
        ),
        (
            "LogisticSE",
            [1.13583539, 0.16455899, 0.65640356],
            [2.02573092, 5.24952845],
        ),
    ],
)
def test_the_threshold_losses_of_mord_as_the_page_has_them(
    name, coefficients, thresholds
):
    page = (ROOT / "docs/own-loss.md").read_text(encoding="utf-8")
    block = page.split("## The threshold losses of mord")[1].split("```")[1]
    there: dict[str, Any] = {"torch": torch}
    exec(block.removeprefix("python\n"), there)
    X, y = students()
    weigh = there["WEIGHTS"][name]
    ours, cuts, _ = ordered_model.fitted(
        X, y, "logit", lambda z, target: there["thresholds"](z, target, weigh)
    )
    np.testing.assert_allclose(ours, coefficients, atol=2e-6)
    np.testing.assert_allclose(cuts, thresholds, atol=2e-6)


def test_of_two_classes_it_is_the_logistic_regression():
    """mord's test_binary_class, of coefficients instead of predictions."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (X @ [1.0, -1.0, 0.5] + rng.logistic(size=200) > 0).astype(int)
    loss = losses.cumulative_cross_entropy
    ours, cuts, _ = ordered_model.fitted(X, y, "logit", loss)
    theirs = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(ours, theirs.coef_[0], atol=1e-4)
    np.testing.assert_allclose(-cuts, theirs.intercept_, atol=1e-4)
