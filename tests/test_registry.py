"""The records of the losses, and their short names."""

import pickle

import numpy as np
import pytest
import torch

from offby import BinnedRegressor, Bins, OrdinalClassifier, kernels, losses
from offby.losses import cross_entropy, histogram_nll
from offby.losses.registry import LOSSES, TABLE, Labels, parse
from offby.targets import hl_gauss, two_hot

BINS = Bins([0, 1, 2, 4, 5, 7, 8, 10, 11])
SOFT = {"hl-gauss": hl_gauss, "two-hot": two_hot}


def labels_of(values: torch.Tensor) -> Labels:
    return Labels(BINS.index(values), BINS.line(), values, BINS)


@pytest.mark.parametrize("name", SOFT)
def test_soft_names_are_cross_entropies_with_soft_targets(name):
    y = torch.tensor([0.1, 3.0, 3.9, 10.9], dtype=torch.float64)
    logits = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    expected = cross_entropy(logits, SOFT[name](y, BINS))
    torch.testing.assert_close(parse(name).rows(logits, labels_of(y)), expected)


@pytest.mark.parametrize("name", SOFT)
def test_soft_names_stay_finite_outside_the_grid(name):
    y = torch.tensor([-50.0, 1e6])
    logits = torch.zeros(2, 8, requires_grad=True)
    parse(name).rows(logits, labels_of(y)).sum().backward()
    assert logits.grad is not None
    assert logits.grad.argmin(-1).tolist() == [0, 7]  # Pushed up most: the end bin.


def test_nll_beyond_the_edges_is_the_density_of_the_tail_where_there_is_one():
    y = torch.tensor([-3.0, 5.5, 20.0], dtype=torch.float64)
    logits = torch.randn(3, 8, generator=torch.Generator().manual_seed(0)).double()
    tailed = Bins(BINS.edges, tails="half-normal")
    labels = Labels(tailed.index(y), tailed.line(), y, tailed)
    expected = histogram_nll(logits, y, tailed)
    torch.testing.assert_close(parse("nll").rows(logits, labels), expected)
    # Without tails there is none, and the nearest edge stands in.
    nearest = histogram_nll(logits, y.clamp(0, 11), BINS)
    torch.testing.assert_close(parse("nll").rows(logits, labels_of(y)), nearest)


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.name)
def test_feels_distance_where_the_table_says_so(entry):
    """Wrong mass near the truth must cost less than at the far end, or as much."""
    y = torch.tensor([0.5], dtype=torch.float64)  # The center of the first bin.
    near = torch.full((1, 8), 0.01, dtype=torch.float64)
    near[0, 0] = 0.4
    far = near.clone()
    near[0, 2] = far[0, 7] = 0.54
    rows = [parse(entry.name).rows(p.log(), labels_of(y)) for p in (near, far)]
    if entry.feels_distance:
        assert rows[0] < rows[1]
    else:
        torch.testing.assert_close(rows[0], rows[1])


@pytest.mark.parametrize("name", SOFT)
def test_a_regressor_learns_with_soft_targets(name):
    X = np.random.default_rng(0).uniform(size=(200, 1))
    y = 10 * X[:, 0]
    model = BinnedRegressor(name, n_bins=10, max_iter=60, random_state=0).fit(X, y)
    assert np.abs(model.predict(X) - y).mean() < 1  # Without the inputs it is 2.5.


@pytest.mark.parametrize("name", [e.name for e in TABLE if e.needs_bins])
def test_classes_have_no_numbers(name):
    X, y = np.arange(20.0)[:, None], np.repeat([0, 1], 10)
    with pytest.raises(ValueError, match=rf"the loss '{name}' needs numbers"):
        OrdinalClassifier(name).fit(X, y)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_record_says_what_its_kernel_and_its_minimizer_are(loss):
    on_a_ground = loss.kernel in kernels.ON_A_GROUND
    assert on_a_ground == bool(loss.kernel and loss.grounds)
    if loss.kernel:
        assert loss.function is getattr(losses, loss.kernel)
    if loss.minimizer:
        assert (loss.minimizer == "frequencies") == (loss.proper == "strictly")
    assert bool(loss.grounds) == (loss.takes == "class on a ground")


def test_every_function_has_a_record():
    # Those of a linear layer are the same losses.
    names = [name for name in losses.__all__ if not name.startswith("linear_")]
    functions = {getattr(losses, name) for name in names}
    assert {loss.function for loss in LOSSES} - {None} == functions
    assert len({loss.name for loss in LOSSES}) == len(LOSSES)


def test_a_loss_can_be_sent_to_another_process():
    loss = parse("ce+0.3*emd2+crps")
    again = pickle.loads(pickle.dumps(loss))
    assert again == loss
    logits = torch.zeros(1, 8, dtype=torch.float64)
    labels = labels_of(torch.tensor([3.0], dtype=torch.float64))
    assert torch.equal(again.rows(logits, labels), loss.rows(logits, labels))
