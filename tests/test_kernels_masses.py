"""Forecasts in C++ against their plain form, and what they take and give back."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offby import BinnedDistribution, Bins, kernels
from offby.kernels import masses as fast
from offby.kernels.cpp import _library

library = _library.load()
if isinstance(library, str):
    pytest.skip(library, allow_module_level=True)

METHODS = ("cdf", "sf", "pit", "crps", "log_pdf")


@given(
    st.integers(1, 23),
    st.integers(0, 9),
    st.sampled_from(["none", "half-normal", "circle"]),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_a_forecast_in_cpp_is_its_plain_form(n_bins, n_rows, kind, dtype, seed):
    rng = np.random.default_rng(seed)
    edges = rng.normal(0, 50) + (10.0 ** rng.uniform(-4, 4, n_bins + 1)).cumsum()
    if kind == "circle":
        bins = Bins(edges, wraps=True)
    else:
        bins = Bins(edges, tails=kind if n_bins > 2 else "none")
    some = rng.random((n_rows, n_bins)) < 0.7
    probs = rng.dirichlet(np.full(n_bins, 0.5), n_rows) * some + 1e-9
    probs = (probs / probs.sum(-1, keepdims=True)).astype(dtype)
    forecast = BinnedDistribution._of(probs, bins)
    span = edges[-1] - edges[0]
    y = rng.uniform(edges[0] - span / 5, edges[-1] + span / 5, n_rows)
    y[: n_rows // 4] = rng.choice(edges, n_rows // 4)
    odd = [np.nan] if kind == "circle" else [np.nan, np.inf, -np.inf]
    y[n_rows // 2 : n_rows // 2 + 1] = rng.choice(odd)
    levels = rng.uniform(0, 1, 3)
    calls = [lambda: forecast.prob(y - 1, y + span / 9), lambda: forecast.crps(y)]
    if kind != "circle":
        calls += [lambda name=name: getattr(forecast, name)(y) for name in METHODS]
        calls += [lambda: forecast.quantiles(levels), forecast.median]
    for call in calls:
        quick = call()
        with kernels.using("torch"):
            plain = call()
        np.testing.assert_allclose(quick, plain, rtol=1e-11, atol=1e-14 * span)


def test_sums_are_the_same_to_the_last_bit():
    """Both add one bin after the other, in float64."""
    rng = np.random.default_rng(0)
    forecast = BinnedDistribution._of(
        rng.dirichlet(np.ones(40), 7).astype(np.float32), Bins.uniform(0, 1, 40)
    )
    y = rng.random(7)
    quick = forecast.cdf(y), forecast.ppf(y)
    with kernels.using("torch"):
        plain = forecast.cdf(y), forecast.ppf(y)
    np.testing.assert_array_equal(quick, plain)
    assert (forecast.cdf(1.0) == 1).all()


def test_a_kernel_that_is_named_must_be_there(monkeypatch):
    forecast = BinnedDistribution([0.5, 0.5], Bins([0, 1, 2]))
    monkeypatch.setattr(_library, "load", lambda: "it was not built")
    assert forecast.cdf(0.5) == 0.25
    with (
        kernels.using("cpp"),
        pytest.raises(RuntimeError, match="cannot run here: it was not built"),
    ):
        forecast.cdf(0.5)


def test_the_job_is_as_large_as_in_cpp():
    assert isinstance(library, _library.Library)
    assert fast._JOB.size == library.handle.offby_sizeof_masses_job()


def test_chances_and_intervals_come_back_as_they_were_asked_for():
    rng = np.random.default_rng(1)
    forecast = BinnedDistribution(rng.dirichlet(np.ones(4), 5), Bins([0, 1, 3, 4, 8]))
    low, index = rng.uniform(-1, 4, 5), pd.Index(list("abcde"))
    series = pd.Series(low, index)
    right = forecast.prob(low, 5.0)
    for found in (forecast.prob(series, 5.0), forecast.prob(series, low + 9)):
        assert isinstance(found, pd.Series)
        assert found.index.equals(index)
        assert found.name == "prob"
    np.testing.assert_array_equal(forecast.prob(series, 5.0), right)
    np.testing.assert_array_equal(
        forecast.prob(0.5, pd.Series(low + 5, index)), forecast.prob(0.5, low + 5)
    )
    assert isinstance(forecast.prob(pl.Series(low), 5.0), pl.Series)
    assert isinstance(forecast.prob(low, 5.0), np.ndarray)
    coverage = pd.Series([0.5, 0.6, 0.7, 0.8, 0.9], index)
    for kind in ("central", "shortest"):
        ends = forecast.interval(coverage, kind=kind)
        arrays = forecast.interval(coverage.to_numpy(), kind=kind)
        for end, array in zip(ends, arrays, strict=True):
            assert isinstance(end, pd.Series)
            assert end.index.equals(index)
            np.testing.assert_array_equal(end, array)
    # A batch of two forecasts, whose shape is that of two ends.
    pair = forecast[:2]
    np.testing.assert_array_equal(
        pair.prob(0.5, 5.0), [row.prob(0.5, 5.0) for row in pair]
    )
    assert forecast[:, None].prob(low, 9.0).shape == (5, 5)


def test_cpp_is_used_where_it_runs_and_only_there():
    """The plain form gives the same numbers: nobody would notice that it is slower."""
    rows, at = np.array([[0.2, 0.8]]), np.array([[1]])
    shares, bins = np.array([[0.5]]), Bins([0.0, 1.0, 3.0])
    calls = [
        lambda: fast.before(rows, at),
        lambda: fast.reaching(rows, shares),
        lambda: fast.integral_of_squares(
            rows, np.array([0.5]), bins, np.diff([0, 1, 3.0])
        ),
        lambda: fast.shortest(rows, np.array([0.5]), bins),
    ]
    assert all(call() is not None for call in calls)
    with kernels.using("torch"):
        assert all(call() is None for call in calls)
