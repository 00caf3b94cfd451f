import copy

import pytest
import torch
from torch.testing import assert_close

from offby import Bins, Line, losses, nn
from tests.cases import grid, line, points

CRITERIA = [
    nn.CrossEntropyLoss,
    nn.WassersteinLoss,
    nn.SquaredEMDLoss,
    nn.CumulativeCrossEntropyLoss,
]
every_criterion = pytest.mark.parametrize("kind", CRITERIA)
every_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.0, 3.0])


def batch(*shape, n=5):
    torch.manual_seed(0)
    return torch.randn(*shape, n, requires_grad=True), torch.randint(n, shape)


@every_reduction
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("shape", [(12,), (2, 3, 4)], ids=["rows", "images"])
@pytest.mark.parametrize("ignored", [-100, 3])
def test_stands_where_torch_stood(reduction, weight, shape, ignored):
    logits, target = batch(*shape)
    target.view(-1)[::4] = ignored
    settings = {"weight": weight, "ignore_index": ignored, "reduction": reduction}
    images = logits.detach().movedim(-1, 1)
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    got = nn.CrossEntropyLoss(**settings, dim=1)(ours, target)
    expected = torch.nn.CrossEntropyLoss(**settings)(theirs, target)
    assert_close(got, expected)
    got.sum().backward()
    expected.sum().backward()
    assert_close(ours.grad, theirs.grad)


@every_criterion
@every_reduction
def test_is_its_function_reduced(kind, reduction):
    logits, target = batch(4, 3)
    function = {
        nn.CrossEntropyLoss: losses.cross_entropy,
        nn.WassersteinLoss: losses.wasserstein,
        nn.SquaredEMDLoss: losses.squared_emd,
        nn.CumulativeCrossEntropyLoss: losses.cumulative_cross_entropy,
    }[kind]
    rows = function(logits, target)
    expected = rows if reduction == "none" else getattr(rows, reduction)()
    criterion = kind(reduction=reduction)
    assert_close(criterion(logits, target), expected)
    assert_close(kind(reduction=reduction, dim=1)(logits.mT, target), expected)
    certain = torch.nn.functional.one_hot(target, 5).float()
    assert_close(criterion(logits, certain), expected)
    assert_close(kind(reduction=reduction, dim=1)(logits.mT, certain.mT), expected)


@every_criterion
@every_reduction
def test_all_ignored_gives_a_zero_with_a_graph(kind, reduction):
    logits, target = batch(6)
    loss = kind(reduction=reduction)(logits, torch.full_like(target, -100))
    loss.sum().backward()
    assert not loss.any()
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@every_criterion
def test_empty_batch_gives_a_zero_with_a_graph(kind):
    logits, target = batch(0)
    loss = kind()(logits, target)
    loss.backward()
    assert loss == 0


@every_criterion
def test_mask_equals_leaving_rows_out(kind):
    logits, target = batch(8)
    mask = torch.arange(8) % 3 == 0
    kept = kind()(logits[mask], target[mask])
    assert_close(kind()(logits, target, mask), kept)
    assert_close(kind(ignore_index=-1)(logits, target.where(mask, -1)), kept)


def test_row_without_weight_has_no_say_even_if_infinite():
    logits = torch.tensor([[0.0, -torch.inf], [0.0, 1.0]], requires_grad=True)
    target, weight = torch.tensor([1, 1]), torch.tensor([0.0, 1.0])
    loss = nn.CrossEntropyLoss()(logits, target, weight)
    loss.backward()
    assert_close(loss, losses.cross_entropy(logits[1], target[1]))
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@every_criterion
def test_label_that_is_no_class_is_not_ignored(kind):
    logits, _ = batch(2)
    for label in (-1, 5):
        assert kind(weight=WEIGHT)(logits, torch.tensor([0, label])).isnan()


@every_criterion
def test_small_integers_are_not_taken_for_the_ignored_index(kind):
    # 156 is what -100 wraps to in eight bits.
    logits, target = torch.zeros(1, 200), torch.tensor([156])
    assert_close(kind()(logits, target.byte()), kind()(logits, target))
    ignored = torch.tensor([255], dtype=torch.uint8)
    assert kind(ignore_index=255)(logits, ignored) == 0


@every_criterion
@pytest.mark.parametrize(
    "target", [torch.ones(4).bool(), torch.ones(3).long(), torch.ones(4)]
)
def test_refuses_a_target_it_cannot_mean(kind, target):
    with pytest.raises((TypeError, ValueError), match="target"):
        kind()(torch.zeros(4, 5), target)


def test_refuses_weights_that_do_not_fit():
    logits, target = batch(4)
    with pytest.raises(ValueError, match="weight must hold one number for each of"):
        nn.CrossEntropyLoss(weight=torch.ones(4))(logits, target)
    with pytest.raises(ValueError, match="sample_weight"):
        nn.CrossEntropyLoss()(logits, target, torch.ones(4, 1))


def test_refuses_another_reduction():
    for criterion in (nn.SquaredEMDLoss, lambda **s: nn.HistogramNLLLoss(grid(3), **s)):
        with pytest.raises(ValueError, match='"mean"'):
            criterion(reduction="batchmean")


@pytest.mark.parametrize("name", ["NLL", "CRPS", "Wasserstein"])
@every_reduction
def test_histogram_criterion_is_its_function_reduced(name, reduction):
    logits, _ = batch(6)
    value = torch.linspace(-1, 3, 6)
    rows = getattr(losses, f"histogram_{name.lower()}")(logits, value, grid(5))
    criterion = getattr(nn, f"Histogram{name}Loss")
    expected = rows if reduction == "none" else getattr(rows, reduction)()
    got = criterion(grid(5), reduction=reduction, dim=0)(logits.T, value)
    assert_close(got, expected)
    kept = criterion(grid(5))(logits, value, torch.arange(6) < 3)
    assert_close(kept, rows[:3].mean())


def holders():
    return [
        (nn.SquaredEMDLoss(line(5)), nn.SquaredEMDLoss(Line.regular(5))),
        (nn.WassersteinLoss(points(5)), nn.WassersteinLoss(points(6).normalized())),
        (nn.HistogramCRPSLoss(grid(5)), nn.HistogramCRPSLoss(Bins.uniform(0, 1, 5))),
    ]


@pytest.mark.parametrize("which", [0, 2])
def test_state_holds_the_ground(which):
    criterion, other = holders()[which]
    other.load_state_dict(criterion.state_dict())
    assert criterion.state_dict()
    assert repr(other) == repr(criterion)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_change_of_dtype_leaves_the_ground_alone(which):
    criterion, _ = holders()[which]
    before = {name: part.clone() for name, part in criterion.state_dict().items()}
    criterion = copy.deepcopy(criterion).to(torch.bfloat16)
    for name, part in criterion.state_dict().items():
        assert part.dtype == torch.float64
        assert torch.equal(part, before[name])


def test_class_weight_follows_the_device_and_stays_out_of_the_way():
    assert nn.CrossEntropyLoss(weight=WEIGHT).state_dict().keys() == {"weight"}
    assert not nn.SquaredEMDLoss().state_dict()
    assert nn.SquaredEMDLoss().ground is None


def test_mixed_loss_is_the_weighted_sum():
    logits, target = batch(6)
    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss())])
    expected = losses.cross_entropy(logits, target) + 0.5 * losses.squared_emd(
        logits, target
    )
    assert_close(mixed(logits, target), expected.mean())


def test_ratio_brings_every_term_to_the_size_of_the_first():
    logits, target = batch(6)
    terms = [(1.0, nn.CrossEntropyLoss()), (0.5, nn.WassersteinLoss(p=2))]
    mixed = nn.MixedLoss(terms, balance="ratio")
    first = losses.cross_entropy(logits, target).mean()
    assert_close(mixed(logits, target), 1.5 * first)
    means = mixed.means.clone()
    mixed.eval()
    mixed(3 * logits, target)
    assert torch.equal(mixed.means, means)


def test_mixed_loss_refuses_what_it_cannot_mix():
    with pytest.raises(ValueError, match="at least one"):
        nn.MixedLoss([])
    with pytest.raises(ValueError, match="ratio"):
        nn.MixedLoss([(1.0, nn.CrossEntropyLoss())], balance="sum")  # pyright: ignore[reportArgumentType]
