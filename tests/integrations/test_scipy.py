"""Random variables of SciPy have the numbers of our forecasts."""

from typing import Any

import numpy as np
import pytest

from offby import BinnedDistribution, Bins
from offby.distribution import ClassDistribution
from offby.integrations.scipy import to_scipy

BINS = Bins([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])
P = np.random.default_rng(0).dirichlet(np.ones(5), 3)
WRONG: Any = [0.5, 0.5]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_histogram(dtype):
    y, q = np.linspace(-3, 4, 29), np.linspace(0, 1, 21)
    for row in BinnedDistribution(P.astype(dtype), BINS):
        theirs = to_scipy(row)
        for name, at in {
            "cdf": y,
            "sf": y,
            "pdf": y,
            "ppf": q,
            "isf": q,
        }.items():
            # At its last edge SciPy's density is that beyond it.
            at = at[at != 3] if name == "pdf" else at
            wanted = getattr(row, name)(at)
            np.testing.assert_allclose(
                getattr(theirs, name)(at),
                wanted,
                atol=1e-7 if dtype == np.float32 else 1e-12,
            )
        for name in ("mean", "var", "std", "median", "entropy"):
            rtol = 1e-6 if dtype == np.float32 else 1e-10
            np.testing.assert_allclose(
                getattr(theirs, name)(), getattr(row, name)(), rtol=rtol
            )


@pytest.mark.parametrize(
    "classes", [[1, 2, 3, 5, 8], [0.0, 0.5, 1.0, 1.5, 4.0], list("abcde")]
)
def test_classes(classes):
    for row in ClassDistribution(P, classes):
        theirs = to_scipy(row)
        np.testing.assert_allclose(theirs.pmf(row.positions), row.probs, atol=1e-14)
        np.testing.assert_allclose(
            theirs.cdf(row.positions), row.cumulative(), atol=1e-14
        )
        np.testing.assert_allclose(theirs.mean(), row.mean(), rtol=1e-12)
        around = (row.positions - row.mean()) ** 2 @ row.probs
        np.testing.assert_allclose(theirs.var(), around, rtol=1e-10)
        assert row.index(row.median()) == np.flatnonzero(
            row.positions == theirs.ppf(0.5)
        )


def test_what_scipy_has_no_form_for():
    with pytest.raises(ValueError, match=r"batch of shape \(3,\)"):
        to_scipy(BinnedDistribution(P, BINS))
    with pytest.raises(ValueError, match="without tails"):
        to_scipy(BinnedDistribution(P[0], Bins(BINS.edges, tails="half-normal")))
    with pytest.raises(ValueError, match="on a line"):
        to_scipy(BinnedDistribution(P[0], Bins.periodic(0, 24, 5)))
    with pytest.raises(TypeError, match="got a list"):
        to_scipy(WRONG)
