from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from offby import Bins, Costs, Line
from offby.losses import cross_entropy, squared_emd
from offby.targets import hl_gauss, one_hot, smoothed, two_hot
from tests import reference
from tests.cases import grid, points

EPS = float(np.finfo(np.float64).eps)


@st.composite
def numbers(draw):
    """A grid and numbers in, near and far outside it."""
    n = draw(st.integers(1, 9))
    bins = grid(n)
    low, high = bins.edges[0].item(), bins.edges[-1].item()
    reach = draw(st.sampled_from([0.0, 1.0, 100.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return bins, torch.from_numpy(rng.uniform(low - reach, high + reach, 4))


@given(numbers(), st.sampled_from([0.05, 0.75, 20.0]))
def test_hl_gauss_agrees_with_the_maths(drawn, sigma):
    bins, y = drawn
    found = hl_gauss(y, bins, sigma, outside="spread")
    expected = [reference.hl_gauss(v, bins.edges, sigma) for v in y.tolist()]
    # A log mass of -z^2/2 is known to eps of its size, and of masses less than a
    # standard deviation apart the logarithms cancel.
    z = float((bins.edges - y[:, None]).abs().max()) / sigma
    narrow = min(1.0, float(bins.widths.min()) / sigma)
    rtol = 20 * EPS * (1 + z * z) / narrow
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-290)


@given(numbers())
def test_hl_gauss_measures_sigma_in_bins(drawn):
    bins, y = drawn
    inside = y.clamp(bins.edges[0], bins.edges[-1])
    widths = bins.widths[bins.index(inside)]
    assert_close(hl_gauss(y, bins), hl_gauss(inside, bins, 0.75 * widths))


@given(numbers())
def test_two_hot_agrees_with_the_maths(drawn):
    bins, y = drawn
    expected = [reference.two_hot(v, bins.centers) for v in y.tolist()]
    np.testing.assert_allclose(two_hot(y, bins), expected, rtol=1e-12, atol=1e-14)


@given(numbers())
def test_two_hot_keeps_the_mean(drawn):
    bins, y = drawn
    y = y.clamp(bins.centers[0], bins.centers[-1])
    assert_close(two_hot(y, bins) @ bins.centers, y, rtol=1e-12, atol=1e-14)


@given(st.integers(1, 9), st.sampled_from([0.01, 1.0, 50.0]), st.integers(0, 2**32 - 1))
def test_smoothed_agrees_with_the_maths(n, temperature, seed):
    ground = points(n)
    q = np.random.default_rng(seed).dirichlet(np.ones(n))
    expected = reference.smoothed(q, ground.cost.tolist(), temperature)
    found = smoothed(torch.from_numpy(q), ground, temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-290)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@given(numbers())
def test_every_target_is_a_distribution(dtype, drawn):
    bins, y = drawn
    n, index = bins.n_bins, bins.index(y)
    out = torch.float64 if dtype == torch.float64 else torch.float32
    for rows in (
        two_hot(y.to(dtype), bins),
        hl_gauss(y.to(dtype), bins),
        hl_gauss(y.to(dtype), bins, 0.1, outside="spread"),
        smoothed(one_hot(index, n, dtype=dtype), bins.line(), 2.0),
        one_hot(index, n, dtype=out),
    ):
        assert rows.dtype == out
        assert rows.shape == (4, n)
        assert (rows >= 0).all()
        assert_close(rows.sum(-1), torch.ones(4, dtype=out))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@given(numbers())
def test_low_precision_costs_only_the_rounding_of_its_input(dtype, drawn):
    bins, y = drawn
    y = y.to(dtype)
    for target in (two_hot, hl_gauss):
        exact = target(y.double(), bins)
        assert_close(target(y, bins).double(), exact, rtol=1e-6, atol=1e-7)


def test_far_outside_no_mass_is_lost_and_no_perfect_score_is_given():
    # D7: a truth of 3.0 on a grid from 0 to 1 had no mass at all, and cost nothing.
    bins = Bins.uniform(0, 1, 50)
    far = torch.tensor([3.0, 1e4, -1e4])
    for rows in (hl_gauss(far, bins, outside="spread"), hl_gauss(far, bins)):
        assert_close(rows.sum(-1), torch.ones(3))
        assert rows.argmax(-1).tolist() == [49, 49, 0]
        assert (cross_entropy(torch.zeros(3, 50), rows) > 3).all()


def test_the_further_outside_the_more_on_the_end_bin():
    bins = Bins.uniform(0, 1, 4)
    rows = hl_gauss(torch.tensor([1.0, 2.0, 8.0]), bins, 1.0, outside="spread")
    assert (rows[:, -1].diff() > 0).all()
    clipped = hl_gauss(torch.tensor([1.0, 8.0]), bins, 1.0)
    assert_close(clipped[0], clipped[1])


def test_truncation_moves_the_mean_of_hl_gauss_inward():
    # D7 again: documented, not hidden.
    bins = Bins.uniform(0, 1, 50)
    mean = hl_gauss(torch.tensor([0.0]), bins, 0.04).double() @ bins.centers
    assert mean.item() == pytest.approx(0.033, abs=5e-4)


def test_beyond_the_edges_can_be_refused():
    bins = Bins.uniform(0, 1, 4)
    y = torch.tensor([0.5, 1.25])
    nonsense: Any = "drop"
    for target in (two_hot, hl_gauss):
        with pytest.raises(ValueError, match=r"within the bins, 0 to 1, got 1.25"):
            target(y, bins, outside="raise")
        assert target(y.clamp(max=1), bins, outside="raise").shape == (2, 4)
        with pytest.raises(ValueError, match='outside must be "clip"'):
            target(y, bins, outside=nonsense)


def test_what_is_no_class_and_no_number_gives_nan():
    bins = Bins.uniform(0, 3, 3)
    bad = torch.tensor([-1, 3, -100])
    assert one_hot(bad, 3).isnan().all()
    assert smoothed(bad, Line.regular(3), 1.0).isnan().all()
    nan = torch.tensor([torch.nan])
    assert two_hot(nan, bins).isnan().all()
    assert hl_gauss(nan, bins).isnan().all()
    assert hl_gauss(torch.tensor([1.0]), bins, torch.tensor([-1.0])).isnan().all()


def test_wrong_kinds_of_input_are_refused():
    bins, line = Bins.uniform(0, 3, 3), Line.regular(3)
    with pytest.raises(TypeError, match="must hold real numbers"):
        two_hot(torch.tensor([1]), bins)
    with pytest.raises(TypeError, match="must hold real numbers"):
        hl_gauss(torch.tensor([1]), bins)
    for bad in (torch.tensor([1.0]), torch.tensor([True])):
        with pytest.raises(TypeError, match="integer class indices"):
            one_hot(bad, 3)
    with pytest.raises(TypeError, match="integer class indices"):
        smoothed(torch.tensor([True]), line, 1.0)
    with pytest.raises(ValueError, match="sigma must be positive, got 0"):
        hl_gauss(torch.tensor([1.0]), bins, 0)
    with pytest.raises(ValueError, match="temperature must be positive, got -1"):
        smoothed(torch.tensor([1]), line, -1)
    with pytest.raises(ValueError, match="3 classes on its last axis"):
        smoothed(torch.ones(2, 4) / 4, line, 1.0)


@pytest.mark.parametrize("temperature", [0.1, 0.4, 1.0, 5.0])
@pytest.mark.parametrize("n", [3, 20, 101])
def test_every_label_peaks_at_its_own_class(n, temperature):
    # D5: binomial labels of others peak up to ten classes away.
    rows = smoothed(torch.arange(n), Line.regular(n), temperature)
    assert rows.argmax(-1).tolist() == list(range(n))
    assert (rows.double().sort(-1).values.diff(dim=-1)[:, -1] > 0).all()


def test_equal_distances_make_plain_label_smoothing():
    rows = smoothed(torch.tensor([1]), Costs.equal(4), 0.5)
    off = rows[0, 0]
    assert_close(rows, torch.stack([off, 1 - 3 * off, off, off])[None])


def test_a_certain_distribution_is_smoothed_as_its_class():
    line = Line([0.0, 1.0, 5.0])
    index = torch.tensor([[0, 2], [1, 1]])
    of_class = smoothed(index, line, 1.5)
    of_mass = smoothed(one_hot(index, 3), line, 1.5)
    assert_close(of_class, of_mass)


def test_targets_feed_the_losses():
    bins = Bins.uniform(0, 4, 4)
    y = torch.tensor([0.7, 3.3])
    logits = two_hot(y, bins).log()
    assert_close(squared_emd(logits, two_hot(y, bins), bins.line()), torch.zeros(2))


def test_smoothing_on_asymmetric_costs_asks_what_each_prediction_would_cost():
    on = Costs([[0, 1, 5], [2, 0, 1], [7, 3, 0]], asymmetric=True)
    of_class = smoothed(torch.arange(3), on, temperature=2.0).double()
    expected = (-on.cost.T / 2).softmax(-1)  # column y of the costs is row y here
    assert_close(of_class, expected, rtol=1e-6, atol=0)
    assert_close(smoothed(torch.eye(3).double(), on, temperature=2.0), expected)


ON_CIRCLES = {
    "even": Bins.periodic(-2, 6, 9),
    "uneven": Bins([-2, -1.5, 0, 0.25, 3, 6], wraps=True),
    "one": Bins.periodic(0, 5, 1),
}


@pytest.mark.parametrize("name", ON_CIRCLES)
@given(
    st.integers(-2, 2), st.floats(0, 1), st.sampled_from([None, 0.1, 1.0, 5.0, 99.0])
)
def test_targets_on_a_circle_agree_with_the_turns_laid_out(name, turns, share, sigma):
    """Many turns side by side on a line, each bin's masses summed over them."""
    bins, around = ON_CIRCLES[name], 60
    low, n = bins.edges[0], bins.n_bins
    y = (low + bins.period * share)[None]
    there = y + turns * bins.period
    many = torch.arange(-around, around + 1)
    laid = (bins.edges[:-1] + bins.period * many[:, None]).flatten()
    line = Bins(torch.cat([laid, laid[-n:][:1] + bins.period]))
    expected = two_hot(y, line).unflatten(-1, (len(many), n)).sum(-2)
    assert_close(two_hot(there, bins), expected, rtol=1e-9, atol=1e-9)
    if sigma is None:
        sigma = 0.75 * float(bins.widths[bins.index(y)])
        assert_close(hl_gauss(y, bins), hl_gauss(y, bins, sigma))
    expected = hl_gauss(y, line, sigma).unflatten(-1, (len(many), n)).sum(-2)
    assert_close(hl_gauss(there, bins, sigma), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ON_CIRCLES)
def test_what_is_no_number_has_no_place_on_a_circle(name):
    bad = torch.tensor([torch.nan, torch.inf])
    assert two_hot(bad, ON_CIRCLES[name]).isnan().all()
    assert hl_gauss(bad, ON_CIRCLES[name]).isnan().all()
    assert hl_gauss(bad[:0], ON_CIRCLES[name]).shape == (0, ON_CIRCLES[name].n_bins)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_even_bins_have_the_targets_of_any_bins(n, seed):
    """The bin is computed in one case and searched for in the other."""
    even = Bins.uniform(-3, 5, n)
    uneven = even.jitter(0, torch.Generator())
    object.__setattr__(uneven, "even", False)
    y = torch.from_numpy(np.random.default_rng(seed).uniform(-4, 6, 8))
    y = torch.cat([y, even.edges, even.centers, torch.tensor([torch.inf, -torch.inf])])
    for sigma in (None, 0.2):
        found, expected = (hl_gauss(y, bins, sigma) for bins in (even, uneven))
        assert_close(found, expected, rtol=1e-9, atol=1e-14)
    assert_close(two_hot(y, even), two_hot(y, uneven), rtol=1e-9, atol=1e-12)


def test_targets_have_slopes_in_the_numbers():
    y = torch.tensor([0.3, 1.9, 2.6], dtype=torch.float64, requires_grad=True)
    for bins in (Bins.uniform(0, 4, 5), Bins([0, 1, 1.5, 4]), ON_CIRCLES["even"]):
        for call in (
            lambda v, bins=bins: two_hot(v, bins),
            lambda v, bins=bins: hl_gauss(v, bins, 0.7),
        ):
            assert torch.autograd.gradcheck(call, y)
