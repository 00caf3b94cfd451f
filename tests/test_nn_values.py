"""Values are looked at where that costs nothing; masked rows may hold anything."""

import math
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from offby import Bins, Line, losses, nn
from offby.nn import _values
from tests.cases import circle, grid, points, tree

CRITERIA = {
    "cross-entropy": nn.CrossEntropyLoss(),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.1),
    "weighted": nn.CrossEntropyLoss(weight=[1.0, 2.0, 0.5, 1.0, 3.0]),
    "wasserstein": nn.WassersteinLoss(),
    "wasserstein on a circle": nn.WassersteinLoss(circle(5)),
    "squared EMD": nn.SquaredEMDLoss(),
    "squared EMD on costs": nn.SquaredEMDLoss(points(5)),
    "squared EMD on a tree": nn.SquaredEMDLoss(tree(5)),
    "cumulative": nn.CumulativeCrossEntropyLoss(),
    "cumulative on a tree": nn.CumulativeCrossEntropyLoss(tree(5)),
    "brier": nn.BrierLoss(),
    "distance-weighted": nn.CDWCrossEntropyLoss(),
    "slace": nn.SLACELoss(),
    "squared mass": nn.SquaredMassLoss(Line.regular(5)),
    "sinkhorn": nn.SinkhornLoss(epsilon=1.0),
    "a mix": nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())]),
}
every_criterion = pytest.mark.parametrize("name", CRITERIA)
NUMBERS = {
    "nll": nn.HistogramNLLLoss,
    "crps": nn.HistogramCRPSLoss,
    "wasserstein": nn.HistogramWassersteinLoss,
}


def batch(*shape, n=5):
    torch.manual_seed(0)
    return torch.randn(*shape, n, requires_grad=True), torch.randint(n, shape)


@every_criterion
def test_an_index_that_is_no_class_is_refused_as_in_torch(name):
    logits, _ = batch(5)
    with pytest.raises(IndexError, match="class 5 of 5 classes 0 to 4, row 3"):
        CRITERIA[name](logits, torch.tensor([1, 2, 3, 5, 1]))
    with pytest.raises(IndexError, match="class -1 of 5 classes 0 to 4, row 1"):
        CRITERIA[name](logits, torch.tensor([1, -1, -100, 5, 1]))
    images = torch.randn(2, 5, 3)
    with pytest.raises(IndexError, match=r"class 7 of 5 classes 0 to 4, row \(1, 2\)"):
        CRITERIA[name](images, torch.tensor([[0, 1, 2], [3, 4, 7]]))
    with pytest.raises(IndexError, match="class 9 of 5"):
        CRITERIA[name](torch.randn(5), torch.tensor(9))


def test_functions_still_say_nan_where_the_target_is_no_class():
    logits, _ = batch(2)
    assert losses.squared_emd(logits, torch.tensor([5, 0])).isnan().tolist() == [1, 0]


@every_criterion
def test_what_does_not_count_has_no_gradient_whatever_its_logits(name):
    criterion = CRITERIA[name]
    for nonsense in (torch.nan, torch.inf, -torch.inf):
        logits, target = batch(6)
        target[2] = -100
        spoiled = logits.detach().clone()
        spoiled[2] = nonsense
        mask = torch.ones(6)
        for given in ((target,), (target.clamp(min=0), mask)):
            mask[2] = 0
            at = spoiled.clone().requires_grad_()
            loss = criterion(at, *given)
            loss.backward()
            clean = logits.detach().clone().requires_grad_()
            right = criterion(clean, *given)
            right.backward()
            assert_close(loss, right)
            assert at.grad is not None
            assert at.grad[2].eq(0).all()
            assert_close(at.grad, clean.grad)


@every_criterion
def test_masked_rows_of_probabilities_may_have_any_logits(name):
    if name == "wasserstein on a circle":
        pytest.importorskip("ot")
    logits, _ = batch(4)
    q = torch.randn(4, 5).softmax(1)
    spoiled = logits.detach().clone()
    spoiled[1] = torch.nan
    spoiled.requires_grad_()
    mask = torch.tensor([True, False, True, True])
    loss = CRITERIA[name](spoiled, q, mask)
    loss.backward()
    assert spoiled.grad is not None
    assert spoiled.grad.isfinite().all()
    assert_close(loss, CRITERIA[name](logits[mask], q[mask]))


@pytest.mark.parametrize("kind", NUMBERS.values(), ids=NUMBERS)
def test_missing_numbers_are_left_out_if_asked(kind):
    logits, _ = batch(6)
    value = torch.linspace(-1, 3, 6)
    value[1] = torch.nan
    kept = ~value.isnan()
    assert kind(grid(5))(logits, value).isnan()
    spoiled = logits.detach().clone()
    spoiled[1] = torch.nan
    spoiled.requires_grad_()
    loss = kind(grid(5), ignore_nan=True)(spoiled, value)
    loss.backward()
    assert spoiled.grad is not None
    assert not spoiled.grad[1].any()
    assert_close(loss, kind(grid(5))(logits[kept], value[kept]))
    weight = torch.arange(6.0)
    weighed = kind(grid(5), ignore_nan=True)(logits, value, weight)
    assert_close(weighed, kind(grid(5))(logits[kept], value[kept], weight[kept]))
    nothing = kind(grid(5), ignore_nan=True)(logits, torch.full((6,), torch.nan))
    nothing.backward()
    assert nothing == 0


def test_missing_numbers_have_one_index_everywhere():
    bins = Bins.uniform(0, 4, 5)
    value = torch.tensor([0.5, torch.nan, 3.0])
    logits, _ = batch(3)
    index, kept = bins.index(value), ~value.isnan()
    for criterion in (nn.SquaredEMDLoss(), torch.nn.CrossEntropyLoss()):
        assert_close(criterion(logits, index), criterion(logits[kept], index[kept]))
    assert losses.squared_emd(logits, index)[1].isnan()


def test_the_debug_switch_reads_values_in_every_batch(monkeypatch):
    logits, _ = batch(3)
    criterion = nn.SquaredEMDLoss()
    q = torch.tensor([[0.5, 0.5, 0, 0, 0], [0.9, 0.9, 0, 0, 0], [0, 0, 0, 0, 1.0]])
    criterion(logits, q.softmax(1))
    criterion(logits, q)  # the first batch was right
    monkeypatch.setenv("OFFBY_DEBUG", "1")
    with pytest.raises(ValueError, match=r"row 1 sums to 1\.8"):
        criterion(logits, q)


def test_values_are_left_alone_where_reading_them_would_stall(monkeypatch):
    on_device = torch.zeros(3, device="meta")
    assert not _values.readable(on_device)
    assert _values.readable(torch.zeros(3))

    class Far(torch.Tensor):
        pass

    assert not _values.readable(torch.zeros(3).as_subclass(Far))
    seen = []
    torch.func.vmap(lambda z: seen.append(_values.readable(z)) or z)(torch.zeros(3))
    assert seen == [False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_rounded_probabilities_are_probabilities(dtype):
    q = torch.randn(64, 1000, generator=torch.Generator().manual_seed(0)).softmax(1)
    assert nn.CrossEntropyLoss()(torch.zeros(64, 1000), q.to(dtype)).isfinite()


def test_a_batch_of_probabilities_as_logits_is_warned_of_once():
    p, target = torch.randn(8, 5).softmax(1), torch.randint(5, (8,))
    criterion = nn.SquaredEMDLoss()
    with pytest.warns(UserWarning, match="without a softmax at its end"):
        criterion(p, target)
    criterion(p, target)
    nn.SquaredEMDLoss()(p.log(), target)  # the logits of these probabilities
    nn.SquaredEMDLoss()(p - 1e-3, target)
    value = torch.zeros(8)
    with pytest.warns(UserWarning, match="without a softmax at its end"):
        nn.HistogramCRPSLoss(grid(5))(p, value)


def test_weights_that_weigh_nothing_are_refused():
    refused: list[tuple[Any, str]] = [
        ([1.0, -1.0], r"weight\[1\] = -1"),
        ([1.0, math.nan], r"weight\[1\] = nan"),
        ([0.0, 0.0], "all are 0"),
        ([[1.0, 2.0]], "one axis"),
    ]
    for weight, says in refused:
        with pytest.raises(ValueError, match=says):
            nn.SquaredEMDLoss(weight=weight)
    logits, target = batch(3)
    for weight in ([1.0, -1.0, 1.0], [1.0, math.nan, 1.0]):
        for criterion in (nn.SquaredEMDLoss(), nn.HistogramCRPSLoss(grid(5))):
            goal = target if isinstance(criterion, nn.SquaredEMDLoss) else target / 2
            with pytest.raises(ValueError, match="sample_weight must be numbers"):
                criterion(logits, goal, torch.tensor(weight))
