from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch import Tensor

from offby import Bins, Costs, Line, debias, settles_at
from offby.losses import (
    cross_entropy,
    cumulative_cross_entropy,
    squared_emd,
    wasserstein,
)
from offby.losses.registry import Labels, parse
from offby.targets import hl_gauss, one_hot, smoothed
from tests.cases import line, points

Loss = Callable[..., Tensor]


def with_wasserstein(weight: float, ground=None, p: float = 1) -> Loss:
    return lambda z, y: cross_entropy(z, y) + weight * wasserstein(z, y, ground, p=p)


def on_soft_labels(ground, temperature: float) -> Loss:
    def loss(z: Tensor, y: Tensor) -> Tensor:
        exact = one_hot(y, ground.n_classes, dtype=torch.float64)
        return cross_entropy(z, smoothed(exact, ground, temperature))

    return loss


@st.composite
def frequencies(draw):
    """Frequencies of a few classes, some of them rare or absent."""
    k = draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    f = rng.dirichlet(np.full(k, draw(st.sampled_from([0.2, 1.0, 5.0]))))
    return np.where(f < 1e-6, 0, f) / f[f >= 1e-6].sum()


def settled(f: np.ndarray, cost: np.ndarray, weight: float) -> np.ndarray:
    """p = f / (v + weight c), with the v for which they sum to 1."""
    c = weight * cost @ f
    inside = f > 0

    def excess(v: float) -> float:
        return float((f[inside] / (v + c[inside])).sum() - 1)

    least = -c[inside].min()
    start = least + 1e-15 * (1 + abs(least))
    v = float(brentq(excess, start, least + 10.0, xtol=1e-15))  # pyright: ignore[reportArgumentType]
    return np.where(inside, f / (v + c), 0)


@given(frequencies(), st.sampled_from([0.05, 0.3, 2.0]), st.sampled_from([1.0, 2.0]))
def test_undoes_cross_entropy_plus_wasserstein(f, weight, power):
    ground = line(len(f))
    p = settled(f, ground.cost.numpy() ** power, weight)
    found = debias(p, with_wasserstein(weight, ground, power))
    np.testing.assert_allclose(found, f, atol=1e-8)


@given(frequencies(), st.sampled_from([0.2, 0.7, 1.5]))
def test_undoes_soft_labels(f, temperature):
    for ground in (Line.regular(len(f)), points(len(f)), Costs.equal(len(f))):
        p = smoothed(torch.from_numpy(f), ground, temperature).numpy()
        found = debias(p, on_soft_labels(ground, temperature))
        np.testing.assert_allclose(found, f, atol=1e-8)


@pytest.mark.parametrize(
    "loss",
    [
        cross_entropy,
        squared_emd,
        cumulative_cross_entropy,
        lambda z, y: cross_entropy(z, y) + squared_emd(z, y),
    ],
)
@given(frequencies())
def test_leaves_proper_losses_alone(loss, f):
    np.testing.assert_allclose(debias(f, loss), f, atol=1e-8)


@pytest.mark.parametrize(
    "loss",
    [
        with_wasserstein(0.3),
        with_wasserstein(1.0, p=2),
        on_soft_labels(Line.regular(4), 1.0),
        lambda z, y: on_soft_labels(Line.regular(4), 0.5)(z, y) + squared_emd(z, y),
        lambda z, y: parse("ce+0.3*emd1").rows(z, Labels(y, Line.regular(4))),
        lambda z, k: cross_entropy(z, hl_gauss(k.double() + 0.5, Bins(range(5)))),
    ],
    ids=["ce+0.3*W1", "ce+W2^2", "soft", "soft+emd2", "by name", "hl-gauss"],
)
def test_finds_back_from_where_a_network_settles(loss):
    drawn = np.random.default_rng(0).dirichlet(np.full(4, 2.0))
    end = settles_at(loss, drawn)
    assert np.abs(end - drawn).sum() > 0.03  # There is a bias to undo.
    np.testing.assert_allclose(debias(end, loss), drawn, atol=1e-4)


def test_soft_labels_settle_at_their_own_mean():
    f = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    ground = Line.regular(5)
    expected = smoothed(torch.from_numpy(f), ground, 0.7)
    found = settles_at(on_soft_labels(ground, 0.7), f)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_ground_reaches_the_loss():
    ground = Line([0.0, 1.0, 5.0])

    def loss(z: Tensor, y: Tensor, ground: Line) -> Tensor:
        return cross_entropy(z, y) + 0.2 * wasserstein(z, y, ground)

    f = np.array([0.5, 0.2, 0.3])
    p = settled(f, ground.cost.numpy(), 0.2)
    np.testing.assert_allclose(debias(p, loss, ground), f, atol=1e-10)


def test_a_row_sharper_than_any_label_gets_the_nearest_frequencies():
    ground = Line.regular(4)
    loss = on_soft_labels(ground, 1.0)
    sharp = np.array([[0.0, 1.0, 0.0, 0.0], [0.97, 0.01, 0.01, 0.01]])
    found = debias(sharp, loss)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(-1), 1)
    np.testing.assert_allclose(found, np.eye(4)[[1, 0]], atol=1e-9)
    # No other frequencies on a grid have smaller slopes.
    labels = smoothed(torch.eye(4, dtype=torch.float64), ground, 1.0).numpy()
    p = np.array([0.6, 0.3, 0.05, 0.05])
    best = debias(p, loss)

    def slopes(f: np.ndarray) -> np.ndarray:
        raw = p - labels  # label x logit
        return np.square(f @ (raw / np.abs(raw).max(0))).sum(-1)

    others = np.random.default_rng(0).dirichlet(np.full(4, 0.3), 2000)
    assert (slopes(others) >= slopes(best) - 1e-12).all()


def test_keeps_the_shape_of_a_batch():
    p = np.random.default_rng(0).dirichlet(np.ones(4), (2, 3))
    found = debias(p, with_wasserstein(0.3))
    assert found.shape == p.shape
    np.testing.assert_array_equal(found[1, 2], debias(p[1, 2], with_wasserstein(0.3)))
    assert debias(np.zeros((0, 4)), cross_entropy).shape == (0, 4)
    np.testing.assert_array_equal(debias([[1.0]], cross_entropy), [[1.0]])


@pytest.mark.parametrize(
    "loss",
    [
        wasserstein,
        lambda z, y: wasserstein(z, y, p=2),
        lambda z, y: 3 * wasserstein(z, y, points(5)),
        lambda z, y: z.softmax(-1)[..., 0] * 0,
    ],
)
def test_says_what_cannot_be_undone(loss):
    rows = np.array([[0.1, 0.2, 0.4, 0.2, 0.1], [0.0, 0.0, 1.0, 0.0, 0.0]])
    for p in (rows, rows[0], rows[1]):
        with pytest.raises(ValueError, match="add cross_entropy to it"):
            debias(p, loss)


def test_refuses_labels_that_are_all_alike():
    with pytest.raises(ValueError, match="does not tell them apart"):
        debias([0.3, 0.3, 0.4], on_soft_labels(Line.regular(3), 1e15))


def test_refuses_what_is_no_loss_and_no_prediction():
    with pytest.raises(ValueError, match="one value per row"):
        debias([0.5, 0.5], torch.nn.CrossEntropyLoss())
    with pytest.raises(ValueError, match="must sum to 1"):
        debias([0.5, 0.6], cross_entropy)
    with pytest.raises(ValueError, match="finite slopes"):
        debias([0.5, 0.5], lambda z, y: cross_entropy(z, y) + (0 * z[..., 0]).sqrt())
