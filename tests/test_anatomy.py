import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from offby import losses
from offby.grounds import Costs, Line
from offby.losses import (
    cdw_cross_entropy,
    cross_entropy,
    cumulative_cross_entropy,
    sinkhorn,
    slace,
    squared_emd,
    squared_mass,
    wasserstein,
)
from offby.theory.anatomy import anatomy
from offby.theory.minimizers import settles_at
from tests.cases import chord, circle, grid, line, points, tree

P = torch.tensor([0.02, 0.30, 0.10, 0.05, 0.08, 0.40, 0.05], dtype=torch.float64)
TRUE = torch.tensor(4)
PEAKED = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
TWO_ENDS = np.array([0.35, 0.1, 0.1, 0.1, 0.35])
# No half ends on a class: the median would be any of two.
SKEWED = np.array([0.48, 0.12, 0.05, 0.05, 0.3])


@pytest.mark.parametrize(
    ("loss", "value", "pushes"),
    [
        (cross_entropy, 2.526, (-0.30, 0.92, -0.40)),
        (wasserstein, 1.730, (-0.38, 0.14, 0.29)),
        (squared_emd, 0.705, (-0.30, 0.11, 0.20)),
    ],
)
def test_check_values(
    loss: Callable[..., Tensor], value: float, pushes: tuple[float, ...]
) -> None:
    found = anatomy(loss, P.log(), TRUE)
    assert found.value.item() == pytest.approx(value, abs=6e-4)
    np.testing.assert_allclose(found.pushes[[1, 4, 5]], pushes, atol=6e-3)


def test_cross_entropy_weighs_the_true_mass_alone() -> None:
    expected = torch.zeros(7, dtype=torch.float64)
    expected[4] = -1 / P[4]
    found = anatomy(cross_entropy, P.log(), TRUE).mass_weights
    torch.testing.assert_close(found, expected)


def test_wasserstein_weighs_mass_by_its_distance() -> None:
    line = Line(torch.tensor([0.0, 1, 3, 4, 6, 10, 11]))
    found = anatomy(lambda z, y: wasserstein(z, y, line), P.log(), TRUE)
    torch.testing.assert_close(found.mass_weights, line.cost[4])


def test_squared_emd_weighs_the_true_mass_by_nothing() -> None:
    found = anatomy(squared_emd, P.log(), TRUE).mass_weights
    assert found[4] == 0
    torch.testing.assert_close(found[5:], 2 * torch.tensor([0.45, 0.5]).double())


LOSSES = [
    cross_entropy,
    wasserstein,
    squared_emd,
    cumulative_cross_entropy,
    lambda z, y: squared_emd(z, y, Costs.equal(7)),
    lambda z, y: cross_entropy(z, y) + 0.3 * wasserstein(z, y),
    lambda z, y: -(z - z.logsumexp(-1, keepdim=True))[..., 4],
    functools.partial(torch.nn.functional.cross_entropy, reduction="none"),
]


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_explain_the_pushes(loss: Callable[..., Tensor]) -> None:
    logits = torch.stack([P.log() + 3, P.flip(0).log()])
    target = torch.tensor([4, 4])
    found = anatomy(loss, logits, target)
    p, g = logits.softmax(-1), found.mass_weights
    centered = g - (p * g).sum(-1, keepdim=True)
    torch.testing.assert_close(found.pushes, -p * centered)
    torch.testing.assert_close(found.pushes.sum(-1), torch.zeros(2).double())
    single = anatomy(loss, logits[1:], target[1:])
    torch.testing.assert_close(single.mass_weights[0], g[1])


def test_distributions_are_targets_too() -> None:
    found = anatomy(squared_emd, P.log(), P)
    torch.testing.assert_close(found.pushes, torch.zeros(7).double())


def test_refuses_a_reduced_loss() -> None:
    with pytest.raises(ValueError, match="one value per row"):
        anatomy(torch.nn.CrossEntropyLoss(), torch.zeros(2, 3), torch.tensor([0, 1]))


def variation(loss: Callable[..., Tensor], f: np.ndarray) -> float:
    return float(np.abs(settles_at(loss, f) - f).sum() / 2)


@pytest.mark.parametrize("f", [PEAKED, TWO_ENDS, SKEWED])
@pytest.mark.parametrize(
    "loss",
    [
        cross_entropy,
        squared_emd,
        cumulative_cross_entropy,
        lambda z, y: cross_entropy(z, y) + squared_emd(z, y),
    ],
)
def test_proper_losses_settle_at_the_frequencies(
    loss: Callable[..., Tensor], f: np.ndarray
) -> None:
    assert variation(loss, f) < 1e-4


def test_wasserstein_settles_on_the_median() -> None:
    for f, median in ((PEAKED, 2), (TWO_ENDS, 2), ([0.6, 0, 0.1, 0.3, 0], 0)):
        np.testing.assert_allclose(settles_at(wasserstein, f), np.eye(5)[median])


def test_squared_distance_settles_nearest_to_the_mean() -> None:
    loss = functools.partial(wasserstein, p=2)
    for f, nearest in ((PEAKED, 2), (TWO_ENDS, 2), ([0.6, 0, 0.1, 0.3, 0], 1)):
        np.testing.assert_allclose(settles_at(loss, f), np.eye(5)[nearest])


def test_number_token_loss_is_biased() -> None:
    def loss(z: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(z, y) + 0.3 * wasserstein(z, y)

    assert variation(loss, PEAKED) == pytest.approx(0.047, abs=6e-4)
    assert variation(loss, TWO_ENDS) == pytest.approx(0.022, abs=6e-4)


def test_root_of_the_squared_emd_is_improper() -> None:
    def loss(z: Tensor, y: Tensor) -> Tensor:
        return squared_emd(z, y).sqrt()

    np.testing.assert_allclose(settles_at(loss, PEAKED), np.eye(5)[2], atol=1e-6)
    assert variation(loss, TWO_ENDS) == pytest.approx(0.05, abs=6e-3)


def test_class_distance_weighting_is_improper() -> None:
    loss = cdw_cross_entropy
    expected = [0, 0.25, 0.5, 0.25, 0]
    np.testing.assert_allclose(settles_at(loss, PEAKED), expected, atol=1e-12)
    assert variation(loss, TWO_ENDS) == pytest.approx(0.48, abs=6e-3)
    for certain in ([0.0, 1.0, 0.0], [1.0]):
        np.testing.assert_allclose(settles_at(loss, certain), certain)


def test_slace_settles_close_to_the_frequencies() -> None:
    expected = [0.089, 0.202, 0.418, 0.202, 0.089]
    np.testing.assert_allclose(settles_at(slace, PEAKED), expected, atol=6e-4)
    assert variation(slace, TWO_ENDS) == pytest.approx(0.012, abs=6e-3)
    np.testing.assert_allclose(settles_at(slace, [0.3, 0.7]), [0.3, 0.7], atol=1e-6)


GROUNDS = [line, points, circle, chord, tree]
RESTS = [
    (squared_emd, GROUNDS),
    (wasserstein, GROUNDS),
    (functools.partial(wasserstein, p=2), GROUNDS),
    (cumulative_cross_entropy, [line, tree]),
    (squared_mass, GROUNDS),
    (functools.partial(squared_mass, power=2.0, offset=0.3), GROUNDS),
    (cdw_cross_entropy, GROUNDS),
    (functools.partial(cdw_cross_entropy, power=2.0), [line]),
]


def mean_loss(loss: Callable[..., Tensor], p: np.ndarray, f: np.ndarray) -> float:
    k = len(f)
    z = torch.from_numpy(p).log().expand(k, k)
    values = loss(z, torch.arange(k))
    return float((torch.from_numpy(f) * values)[torch.from_numpy(f) > 0].sum())


# Each loss meets both frequencies, and each ground: every pair of the two takes twice
# as long and goes no other way.
@pytest.mark.parametrize(
    ("loss", "ground", "f"),
    [
        (loss, ground, (SKEWED, PEAKED)[at % 2])
        for loss, on in RESTS
        for at, ground in enumerate(on)
    ],
)
def test_known_rest_is_the_least_that_a_search_finds(loss, ground, f) -> None:
    on = ground(5)
    known = settles_at(loss, f, on)

    def hidden(z: Tensor, y: Tensor) -> Tensor:  # so that no formula is known for it
        return loss(z, y, on)

    found = settles_at(hidden, f)
    least, searched = mean_loss(hidden, known, f), mean_loss(hidden, found, f)
    assert least <= searched + 1e-12
    assert least == pytest.approx(searched, abs=1e-6)
    np.testing.assert_allclose(found, known, atol=2e-3)


def test_rest_with_a_free_class_and_with_a_reward() -> None:
    certain = [0.0, 1.0, 0.0]
    np.testing.assert_allclose(settles_at(squared_mass, certain, line(3)), certain)
    rewarded = functools.partial(squared_mass, offset=-1.5)
    found = settles_at(rewarded, [0.1, 0.8, 0.1], Line.regular(3))
    np.testing.assert_allclose(found, [0, 1, 0], atol=1e-6)


def test_sinkhorn_ends_between_the_spike_and_the_frequencies() -> None:
    def spread(epsilon: float) -> float:
        loss = functools.partial(sinkhorn, epsilon=epsilon, max_iter=20_000)
        return float(settles_at(loss, PEAKED[1:4] / 0.8)[1])

    assert PEAKED[2] / 0.8 < spread(5.0) < spread(1.0) <= 1


@pytest.mark.parametrize("name", ["histogram_nll", "histogram_crps"])
@pytest.mark.parametrize("f", [PEAKED, SKEWED], ids=["peaked", "skewed"])
def test_histograms_settle_at_the_frequencies(name: str, f: np.ndarray) -> None:
    bins = grid(5)
    nodes, shares = map(torch.from_numpy, np.polynomial.legendre.leggauss(4))
    values = bins.centers[:, None] + bins.widths[:, None] / 2 * nodes

    def loss(z: Tensor, y: Tensor) -> Tensor:
        """Against numbers that lie evenly within their bin."""
        rows = getattr(losses, name)(z[..., None, :].expand(-1, 4, -1), values[y], bins)
        return (rows * shares).sum(-1) / 2

    np.testing.assert_allclose(settles_at(loss, f), f, atol=1e-3)


def test_the_ground_reaches_the_loss() -> None:
    line = Line(torch.tensor([0.0, 1.0, 10.0]))
    f = [0.4, 0.35, 0.25]
    nearest = functools.partial(wasserstein, p=2)
    np.testing.assert_allclose(settles_at(nearest, f, line), [0, 1, 0])


def test_refuses_what_are_no_frequencies() -> None:
    for wrong in ([[0.5, 0.5]], [0.5, -0.1], [0.0, 0.0], [np.nan, 1]):
        with pytest.raises(ValueError, match="frequencies must be"):
            settles_at(cross_entropy, wrong)
