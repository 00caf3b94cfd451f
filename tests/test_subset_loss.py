"""A criterion on some of the classes."""

import pytest
import torch
from torch.testing import assert_close

from offby import Costs, Line, nn

LINE = Line([0.0, 1.0, 5.0])
CRITERIA = {
    "emd1": nn.WassersteinLoss(LINE),
    "emd2": nn.SquaredEMDLoss(LINE, weight=[1.0, 2.0, 0.5]),
    "cce": nn.CumulativeCrossEntropyLoss(LINE),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.1),
    "mix": nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss())]),
    "costs": nn.SquaredEMDLoss(Costs.equal(3), reduction="sum"),
}


def batch(*shape: int, classes: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(*shape, classes, generator=generator, dtype=torch.float64)
    target = torch.randint(-1, classes, shape, generator=generator)
    return logits.requires_grad_(), target.where(target >= 0, -100)


def by_hand(logits, target, criterion, classes):
    """Rows one by one."""
    logits, target = logits.reshape(-1, logits.shape[-1]), target.reshape(-1)
    kept = [i for i, k in enumerate(target.tolist()) if k in classes]
    index = torch.tensor([classes.index(int(target[i])) for i in kept])
    return criterion(logits[kept][:, classes], index)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("shape", [(12,), (4, 6)])
def test_it_is_the_criterion_on_rows_and_logits_chosen_by_hand(name, shape):
    criterion, classes = CRITERIA[name], [6, 1, 3]
    logits, target = batch(*shape)
    subset = nn.SubsetLoss(classes, criterion, dim=-1)
    found, wanted = (
        subset(logits, target),
        by_hand(logits, target, criterion, classes),
    )
    assert_close(found, wanted)
    (slope,) = torch.autograd.grad(found, logits)
    (right,) = torch.autograd.grad(wanted, logits)
    assert_close(slope, right)


def test_classes_on_axis_1_rows_without_reduction_and_sample_weights():
    logits, target = batch(4, 6)
    rowwise = nn.SquaredEMDLoss(LINE, reduction="none")
    last = nn.SubsetLoss([6, 1, 3], rowwise, dim=-1)
    first = nn.SubsetLoss([6, 1, 3], rowwise)
    rows = last(logits, target)
    assert_close(first(logits.movedim(-1, 1), target), rows)
    kept = torch.isin(target, torch.tensor([6, 1, 3]))
    assert rows.shape == (4, 6)
    assert bool((rows[~kept] == 0).all())
    assert bool((rows[kept] > 0).all())
    weight = torch.rand(4, 6, dtype=torch.float64)
    mean = nn.SubsetLoss([6, 1, 3], nn.SquaredEMDLoss(LINE), dim=-1)
    by_weight = (rows * weight).sum() / weight[kept].sum()
    assert_close(mean(logits, target, weight), by_weight)


def test_several_spellings_of_one_class_add_their_probabilities():
    logits, target = batch(20)
    merged = nn.SubsetLoss([[0, 7], 3, [2, 4, 5]], nn.SquaredEMDLoss(LINE))
    p = logits.softmax(-1)
    sums = torch.stack([p[:, [0, 7]].sum(-1), p[:, 3], p[:, [2, 4, 5]].sum(-1)], -1)
    place = {0: 0, 7: 0, 3: 1, 2: 2, 4: 2, 5: 2}
    index = torch.tensor([place.get(int(k), -100) for k in target])
    assert_close(merged(logits, target), nn.SquaredEMDLoss(LINE)(sums.log(), index))


def test_a_batch_without_any_chosen_class_is_a_zero_with_a_graph():
    logits, _ = batch(5)
    for reduction in ("mean", "sum", "none"):
        subset = nn.SubsetLoss([1, 2], nn.SquaredEMDLoss(reduction=reduction))
        loss = subset(logits, torch.tensor([0, 3, 4, -100, 7])).sum()
        assert loss.item() == 0
        (slope,) = torch.autograd.grad(loss, logits)
        assert bool((slope == 0).all())


def test_rows_of_other_classes_may_hold_anything():
    logits, target = batch(12)
    other = ~torch.isin(target, torch.tensor([6, 1, 3]))
    broken = logits.detach().masked_fill(other[:, None], torch.nan).requires_grad_()
    for reduction in ("mean", "none"):
        subset = nn.SubsetLoss([6, 1, 3], nn.SquaredEMDLoss(LINE, reduction=reduction))
        assert_close(subset(broken, target), subset(logits, target))
        (slope,) = torch.autograd.grad(subset(broken, target).sum(), broken)
        assert bool(slope.isfinite().all())


@pytest.mark.parametrize("ignore_index", [-100, 1, 6])
def test_compiled_and_transformed_it_is_the_same(ignore_index):
    """There the number of rows must not depend on their values."""
    logits, target = batch(12)
    target = target.where(target >= 0, ignore_index)
    criterion = nn.SquaredEMDLoss(LINE, ignore_index=ignore_index)
    subset = nn.SubsetLoss([6, 1, 3], criterion)
    compiled = torch.compile(subset, backend="eager", fullgraph=True)
    assert_close(compiled(logits, target), subset(logits, target))
    one_by_one = nn.SubsetLoss(
        [6, 1, 3],
        nn.SquaredEMDLoss(LINE, ignore_index=ignore_index, reduction="sum"),
    )
    rows = torch.func.vmap(one_by_one)(logits, target)
    assert_close(rows.sum(), one_by_one(logits, target))


def test_it_follows_its_module_and_leaves_no_trace_in_a_checkpoint():
    with torch.device("meta"):
        subset = nn.SubsetLoss([6, [1, 3]], nn.SquaredEMDLoss())
    logits, target = batch(12)
    assert subset.half().state_dict() == {}
    assert subset(logits, target) > 0
    assert "2 entries" in repr(subset)


@pytest.mark.parametrize(
    ("classes", "criterion", "error", "text"),
    [
        ([], nn.SquaredEMDLoss(), ValueError, "at least one class"),
        ([1, []], nn.SquaredEMDLoss(), ValueError, "at least one class"),
        ([1, [2, 1]], nn.SquaredEMDLoss(), ValueError, "each named once"),
        ([-1, 2], nn.SquaredEMDLoss(), ValueError, "indices from 0"),
        ([1, 2], torch.nn.CrossEntropyLoss(), TypeError, "one of classes of offby.nn"),
        ([1, 2], nn.SquaredEMDLoss(dim=2), ValueError, "dim must be 1 or -1"),
    ],
)
def test_what_is_no_subset_is_refused(classes, criterion, error, text):
    with pytest.raises(error, match=text):
        nn.SubsetLoss(classes, criterion)


def test_what_does_not_fit_the_subset_is_refused():
    subset = nn.SubsetLoss([1, 9], nn.SquaredEMDLoss())
    logits, target = batch(5)
    with pytest.raises(ValueError, match="up to 9, got 8 classes"):
        subset(logits, target)
    with pytest.raises(TypeError, match="must hold class indices"):
        subset(logits, logits.softmax(-1))
    with pytest.raises(ValueError, match="sample_weight must hold one number"):
        nn.SubsetLoss([1, 2], nn.SquaredEMDLoss())(logits, target, torch.ones(5, 1))
