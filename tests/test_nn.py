import functools
import inspect
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from offby import Costs, losses, nn
from tests.cases import grid

CRITERIA = [
    nn.CrossEntropyLoss,
    nn.WassersteinLoss,
    nn.SquaredEMDLoss,
    nn.CumulativeCrossEntropyLoss,
    functools.partial(nn.SinkhornLoss, epsilon=1.0),
]
FUNCTIONS = [
    losses.cross_entropy,
    losses.wasserstein,
    losses.squared_emd,
    losses.cumulative_cross_entropy,
    functools.partial(losses.sinkhorn, epsilon=1.0),
]
every_criterion = pytest.mark.parametrize("kind", CRITERIA)
every_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
UNTYPED: Any = nn  # to pass what its signatures do not allow
EQUAL = Costs.equal(5)
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


@every_reduction
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("shape", [(12,), (2, 3, 4)], ids=["rows", "images"])
def test_stands_where_torch_stood_for_probabilities(reduction, weight, shape):
    logits, _ = batch(*shape)
    q = torch.randn(*shape, 5).softmax(-1).movedim(-1, 1)
    images = logits.detach().movedim(-1, 1)
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    settings = {"weight": weight, "reduction": reduction}
    got = nn.CrossEntropyLoss(**settings, dim=1)(ours, q)
    expected = torch.nn.CrossEntropyLoss(**settings)(theirs, q)
    assert_close(got, expected)
    got.sum().backward()
    expected.sum().backward()
    assert_close(ours.grad, theirs.grad)


def test_probabilities_on_classes_without_weight_cost_nothing():
    logits = torch.tensor([[0.0, -torch.inf, 1.0, 2.0, 0.0]], requires_grad=True)
    q = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]])
    for kind in CRITERIA:
        loss = kind(weight=WEIGHT)(logits, q)
        (slope,) = torch.autograd.grad(loss, logits)
        assert loss == 0
        assert not slope.any()


@every_criterion
def test_weight_of_a_row_of_probabilities_is_the_mean_of_its_classes(kind):
    logits, _ = batch(6)
    q = torch.randn(6, 5).softmax(-1)
    rows = kind(reduction="none")(logits, q)
    if kind is not nn.CrossEntropyLoss:
        expected = (rows * (q @ WEIGHT)).mean()
        assert_close(kind(weight=WEIGHT)(logits, q), expected)


@pytest.mark.parametrize(
    ("kind", "function"), list(zip(CRITERIA, FUNCTIONS, strict=True))
)
@every_reduction
def test_is_its_function_reduced(kind, function, reduction):
    logits, target = batch(4, 3)
    rows = function(logits, target)
    expected = rows if reduction == "none" else getattr(rows, reduction)()
    criterion = kind(reduction=reduction)
    assert_close(criterion(logits.mT, target), expected)
    assert_close(kind(reduction=reduction, dim=-1)(logits, target), expected)
    certain = torch.nn.functional.one_hot(target, 5).float()
    assert_close(criterion(logits.mT, certain.mT), expected)
    assert_close(kind(reduction=reduction, dim=-1)(logits, certain), expected)


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
def test_masked_rows_may_hold_anything(kind):
    logits, target = batch(4)
    mask = torch.tensor([True, False, True, True])
    kept = kind()(logits[mask], target[mask])
    wrong = target.where(mask, 77)
    nonsense = torch.nn.functional.one_hot(target, 5).float()
    nonsense[1] = torch.nan
    for one in (wrong, nonsense):
        loss = kind()(logits, one, mask)
        (slope,) = torch.autograd.grad(loss, logits)
        assert_close(loss, kept)
        assert slope.isfinite().all()
        assert not slope[1].any()


@pytest.mark.parametrize("name", ["NLL", "CRPS", "Wasserstein"])
def test_missing_numbers_can_be_masked(name):
    logits, _ = batch(4)
    value = torch.tensor([0.1, torch.nan, 0.4, torch.inf])
    mask = torch.tensor([1.0, 0.0, 2.0, 0.0])
    criterion = getattr(nn, f"Histogram{name}Loss")(grid(5))
    loss = criterion(logits, value, mask)
    (slope,) = torch.autograd.grad(loss, logits)
    rows = getattr(losses, f"histogram_{name.lower()}")(logits, value, grid(5))
    assert_close(loss, (rows[0] + 2 * rows[2]) / 3)
    assert slope.isfinite().all()


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        (nn.CrossEntropyLoss, losses.cross_entropy),
        (nn.WassersteinLoss, losses.wasserstein),
        (nn.SquaredEMDLoss, losses.squared_emd),
        (nn.CumulativeCrossEntropyLoss, losses.cumulative_cross_entropy),
        (nn.SinkhornLoss, losses.sinkhorn),
        (nn.SquaredMassLoss, losses.squared_mass),
        (nn.BrierLoss, losses.brier),
        (nn.CDWCrossEntropyLoss, losses.cdw_cross_entropy),
        (nn.SLACELoss, losses.slace),
    ],
)
def test_settings_are_those_of_the_function(kind, function):
    theirs = dict(inspect.signature(function).parameters)
    for name, setting in inspect.signature(kind.__init__).parameters.items():
        # A function has the classes last, a criterion where PyTorch has them.
        if name in theirs and name != "dim":
            assert setting.default == theirs[name].default, name
    ours = set(inspect.signature(kind.__init__).parameters)
    assert set(theirs) - {"logits", "target", "ground", "impl"} <= ours


EVERY_CRITERION = [
    each
    for name in nn.__all__
    if name.endswith("Loss") and isinstance(each := getattr(nn, name), type)
]


@pytest.mark.parametrize("kind", EVERY_CRITERION)
def test_every_argument_is_in_the_signature_and_documented(kind):
    assert len(EVERY_CRITERION) == 16
    page = str(inspect.getdoc(kind))
    arguments = page.split("Args:")[1].split(">>>")[0]
    for name, setting in inspect.signature(kind).parameters.items():
        assert setting.kind in (setting.POSITIONAL_OR_KEYWORD, setting.KEYWORD_ONLY)
        assert f"    {name}: " in arguments, name
        assert setting.annotation is not setting.empty, name
    assert ">>>" in page
    given = inspect.signature(kind.forward).parameters
    assert list(given) == ["self", "input", "target", "sample_weight"]
    whole = str(inspect.getdoc(kind.forward))
    for name in ("input", "target", "sample_weight"):
        assert f"    {name}: " in whole, name


@pytest.mark.parametrize("name", ["NLL", "CRPS", "Wasserstein"])
def test_settings_of_a_histogram_criterion_are_those_of_its_function(name):
    theirs = inspect.signature(getattr(losses, f"histogram_{name.lower()}")).parameters
    ours = inspect.signature(getattr(nn, f"Histogram{name}Loss")).parameters
    assert set(theirs) - {"logits", "value", "impl"} <= set(ours)
    assert ours["dim"].default == 1
    assert theirs["dim"].default == -1


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


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: nn.WassersteinLoss(p=0.5), "p must be at least 1, got 0.5"),
        (lambda: nn.SinkhornLoss(epsilon=0.0), "epsilon must be positive, got 0"),
        (lambda: nn.SinkhornLoss(epsilon=1.0, max_iter=0), "max_iter must be at least"),
        (
            lambda: nn.SquaredMassLoss(Costs.equal(5), power=0.0),
            "power must be positive",
        ),
        (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), "between 0 and 1, got 1.5"),
        (lambda: UNTYPED.SquaredEMDLoss(ignore_index=None), "integer, got None"),
        (lambda: UNTYPED.SquaredEMDLoss(dim=None), "number of an axis, got None"),
    ],
)
def test_settings_are_refused_at_construction(make, says):
    with pytest.raises((TypeError, ValueError), match=re.escape(says)):
        make()


def test_refuses_another_reduction():
    for criterion in (
        UNTYPED.SquaredEMDLoss,
        lambda **s: nn.HistogramNLLLoss(grid(3), **s),
    ):
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


def test_class_weight_follows_the_device_and_stays_out_of_the_way():
    assert nn.CrossEntropyLoss(weight=WEIGHT).state_dict().keys() == {"weight"}
    assert not nn.SquaredEMDLoss().state_dict()
    assert nn.SquaredEMDLoss().ground is None


def ranks(apart: np.ndarray) -> np.ndarray:
    """Rank of each distance in its row, in loops."""
    k = len(apart)
    r = np.array(
        [
            [sum(apart[i, m] < apart[i, j] for m in range(k)) for j in range(k)]
            for i in range(k)
        ]
    )
    return (r + r.T) / (2 * (k - 1))


def test_learned_costs_rank_the_distances_of_centroids():
    rng = np.random.default_rng(0)
    features, target = rng.standard_normal((60, 4)), np.arange(60) % 5
    learned = nn.LearnedCosts(5, 4)
    for part in range(0, 60, 12):
        rows = torch.from_numpy(features[part : part + 12])
        learned(rows, torch.from_numpy(target[part : part + 12]))
    shares = features / np.abs(features).sum(1, keepdims=True)
    means = np.stack([shares[target == c].mean(0) for c in range(5)])
    apart = np.linalg.norm(means[:, None] - means[None], axis=-1)
    np.testing.assert_allclose(learned.costs().cost, ranks(apart))
    learned(torch.ones(2, 4), torch.tensor([-100, 7]))  # no classes
    np.testing.assert_allclose(learned.costs().cost, ranks(apart))
    learned.to(torch.bfloat16)
    np.testing.assert_allclose(learned.costs().cost, ranks(apart))
    learned.reset()
    with pytest.raises(ValueError, match="there are none of 0, 1, 2, 3, 4"):
        learned.costs()


@pytest.mark.parametrize("twins", [(0, 1), (0, 4), (2, 3)])
def test_learned_costs_keep_each_class_nearest_to_itself(twins):
    """Also where two classes have the same mean features: their distance is a tie."""
    one, other = twins
    features = torch.eye(5, 4, dtype=torch.float64) + 0.01 * torch.arange(5.0)[:, None]
    features[other] = features[one]
    learned = nn.LearnedCosts(5, 4)
    learned(features, torch.arange(5))
    cost = learned.costs().cost
    assert_close(cost.diagonal(), torch.zeros(5, dtype=torch.float64))
    assert (cost + torch.eye(5) > 0).all()
    assert cost[one, other] == cost[one].sort().values[1] == 0.25


def test_learned_costs_refuse_what_does_not_fit():
    learned = nn.LearnedCosts(5, 4)
    with pytest.raises(ValueError, match="4 wide"):
        learned(torch.ones(2, 3), torch.tensor([0, 1]))
    with pytest.raises(TypeError, match="integer"):
        learned(torch.ones(2, 4), torch.ones(2, 4))
    with pytest.raises(ValueError, match="target must hold one class index"):
        learned(torch.ones(2, 4), torch.tensor([0, 1, 2]))
