"""Soft labels by family: peaks where they belong, and the values of others."""

import functools

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from offby import Line, targets

FAMILIES = {
    "triangular": targets.triangular,
    "triangular, widest": functools.partial(targets.triangular, spill=2 / 9),
    "exponential": targets.exponential,
    "bell": functools.partial(targets.exponential, power=2.0, temperature=3.0),
    "binomial": targets.binomial,
    "poisson": targets.poisson,
    "beta": targets.beta,
    "geometric": targets.geometric,
    "geometric, sides": functools.partial(targets.geometric, spill=0.3, left=0.4),
}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def table(family, n: int) -> torch.Tensor:
    return family(torch.arange(n), n).double()


@every_family
@pytest.mark.parametrize("n", [1, 2, 3, 5, 20, 101])
def test_d5_each_class_is_the_peak_of_its_own_label(family, n):
    rows = table(family, n)
    assert_close(rows.sum(-1), torch.ones(n).double(), rtol=0, atol=1e-5)
    assert (rows >= 0).all()
    # Not beside, and not shared with a neighbor.
    assert rows.argmax(-1).tolist() == list(range(n))
    if n > 1:
        largest = rows.topk(2, -1).values
        assert (largest[:, 0] > largest[:, 1]).all()


@every_family
@pytest.mark.parametrize("n", [5, 20])
def test_masses_fall_on_both_sides_of_the_peak(family, n):
    rows = table(family, n)
    for y in range(n):
        assert (rows[y].diff()[:y] >= -1e-9).all()
        assert (rows[y].diff()[y:] <= 1e-9).all()


@every_family
def test_shapes_and_what_is_no_class(family):
    y = torch.tensor([[0, 1, 7], [-1, 4, 2]])
    rows = family(y, 5)
    assert rows.shape == (2, 3, 5)
    assert rows.dtype == torch.float32
    assert rows.isnan().all(-1).tolist() == [[False, False, True], [True, False, False]]
    with pytest.raises(TypeError, match=r"\.long\(\)"):
        family(torch.zeros(3), 5)
    with pytest.raises(ValueError, match="at least 1"):
        family(torch.tensor([0]), 0)


def test_exponential_is_smoothed_on_a_regular_line():
    y = torch.arange(6)
    smooth = targets.smoothed(y, Line.regular(6), 0.7)
    assert_close(targets.exponential(y, 6, temperature=0.7), smooth)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda y: targets.triangular(y, 3, spill=0.3),
        lambda y: targets.triangular(y, 3, spill=[[0.1, 0.1], [0.1, 0.1]]),
        lambda y: targets.triangular(y, 2, spill=[[0.1, 0.1], [0.1, -0.1]]),
        lambda y: targets.exponential(y, 3, temperature=0.0),
        lambda y: targets.exponential(y, 3, power=-1.0),
        lambda y: targets.beta(y, 3, concentration=0.0),
        lambda y: targets.geometric(y, 3, spill=1.0),
        lambda y: targets.geometric(y, 3, spill=[0.1, 0.2]),
        lambda y: targets.geometric(y, 3, left=1.5),
        lambda y: targets.by_frequency(y, [1, 0, 2], 1.0),
        lambda y: targets.by_frequency(y, [1, 1, 2], 0.0),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        wrong(torch.tensor([0]))


# Published values: dlordinal 2.7.0, dlordinal/soft_labelling/tests and
# dlordinal/losses/tests/test_sord.py.


def test_published_values_of_the_triangle_in_the_middle():
    expected = [[0.01, 0.98, 0.01, 0, 0], [0, 0.01, 0.98, 0.01, 0]]
    found = targets.triangular(torch.tensor([1, 2]), 5, spill=0.01)
    assert_close(found, torch.tensor(expected))


def test_published_values_of_the_geometric_family():
    expected = [
        [4.73933649e-04, 4.73933649e-03, 4.73933649e-02, 0.9, 4.73933649e-02],
        [1.28205128e-03, 6.41025641e-03, 3.20512821e-02, 1.60256410e-01, 0.8],
    ]
    found = targets.geometric(torch.tensor([3, 4]), 5, spill=[0.1, 0.1, 0.1, 0.1, 0.2])
    assert_close(found, torch.tensor(expected), rtol=1e-6, atol=0)


def test_published_closeness_of_equal_classes():
    """-log of 1/6, 1/2 and 5/6; so the shares are as 6, 2 and 6/5."""
    closeness = np.array([1.791759, 0.693147, 0.182322])
    found = targets.by_frequency(torch.tensor([0]), [10, 10, 10], 2.0)[0]
    expected = np.exp(closeness / 2)
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-5)


def test_equal_to_dlordinal_where_it_is_installed():
    theirs = pytest.importorskip("dlordinal.soft_labelling")
    y = torch.arange(6)
    for ours, other in (
        (
            targets.exponential(y, 6, temperature=2.0, power=1.5),
            theirs.get_exponential_soft_labels(6, p=1.5, tau=2.0),
        ),
        (
            targets.geometric(y, 6, spill=0.3),
            theirs.get_geometric_soft_labels(6, 0.3),
        ),
        (
            targets.geometric(y, 6, spill=0.2, left=0.25),
            theirs.get_geometric_soft_labels(6, [(0.2, 0.25, 0.75)] * 6),
        ),
    ):
        # Its end classes keep all mass if the longer side has no share.
        np.testing.assert_allclose(ours[1:-1], other[1:-1], rtol=1e-5)
    sord = pytest.importorskip("dlordinal.losses.sord")
    counts = {0: 3, 1: 10, 2: 5, 3: 40}
    prox = sord.create_prox_mat(counts, inv=False)
    found = targets.by_frequency(torch.arange(4), list(counts.values()), 1.0)
    assert_close(found, prox.softmax(-1).float())
