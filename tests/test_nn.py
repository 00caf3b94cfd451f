import copy
import functools
import inspect

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from offby import Bins, Costs, Line, losses, nn
from tests.cases import chord, circle, grid, line, points, tree

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
    ],
)
def test_settings_are_those_of_the_function(kind, function):
    theirs = dict(inspect.signature(function).parameters)
    for name, setting in inspect.signature(kind.__init__).parameters.items():
        if name in theirs:
            assert setting.default == theirs[name].default, name
    ours = set(inspect.signature(kind.__init__).parameters)
    assert set(theirs) - {"logits", "target", "ground", "impl"} <= ours


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
        (nn.SquaredEMDLoss(tree(5)), nn.SquaredEMDLoss(tree(5).normalized())),
        (nn.WassersteinLoss(circle(5)), nn.WassersteinLoss(circle(5).normalized())),
        (nn.HistogramCRPSLoss(grid(5)), nn.HistogramCRPSLoss(Bins.uniform(0, 1, 5))),
    ]


@pytest.mark.parametrize("which", [0, 2, 3, 4])
def test_state_holds_the_ground(which):
    criterion, other = holders()[which]
    other.load_state_dict(criterion.state_dict())
    assert criterion.state_dict()
    assert repr(other) == repr(criterion)


@pytest.mark.parametrize("which", [0, 1, 2, 3, 4])
def test_change_of_dtype_leaves_the_ground_alone(which):
    criterion, _ = holders()[which]
    before = {name: part.clone() for name, part in criterion.state_dict().items()}
    criterion = copy.deepcopy(criterion).to(torch.bfloat16)
    for name, part in criterion.state_dict().items():
        assert part.dtype == before[name].dtype
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


@pytest.mark.parametrize("ground", [line, circle, chord, tree, points, Costs.equal])
def test_a_held_ground_is_the_ground(ground):
    logits, target = batch(6)
    for kind, function in (
        (nn.SquaredEMDLoss, losses.squared_emd),
        (nn.WassersteinLoss, losses.wasserstein),
    ):
        criterion = kind(ground(5))
        assert criterion.ground is not None
        assert torch.equal(criterion.ground.cost, ground(5).cost)
        assert criterion.ground.negative_type == ground(5).negative_type
        assert repr(ground(5)) in repr(criterion)
        assert_close(
            criterion(logits, target), function(logits, target, ground(5)).mean()
        )


def test_a_criterion_takes_a_new_ground():
    logits, target = batch(6)
    criterion = nn.SquaredMassLoss(Costs.equal(5), power=2.0, offset=0.5)
    criterion.ground = line(5)
    rows = losses.squared_mass(logits, target, line(5), power=2.0, offset=0.5)
    assert_close(criterion(logits, target), rows.mean())
    assert [*criterion.state_dict()] == ["held.positions"]
    emd = nn.SquaredEMDLoss()
    emd.ground = tree(5)
    assert repr(emd.ground) == repr(tree(5))
    emd.ground = None
    assert_close(emd(logits, target), nn.SquaredEMDLoss()(logits, target))


def test_head_start_holds_back_the_later_terms():
    logits, target = batch(6)
    ce, emd = nn.CrossEntropyLoss(), nn.SquaredEMDLoss()
    mixed = nn.MixedLoss([(1.0, ce), (0.5, emd)], head_start=2)
    alone, both = ce(logits, target), ce(logits, target) + 0.5 * emd(logits, target)
    for expected in (alone, alone, both, both):
        assert_close(mixed(logits, target), expected)
    mixed.eval()
    assert_close(mixed(logits, target), both)
    assert mixed.batches == 4


def test_one_infinite_batch_does_not_spoil_the_ratio():
    logits, target = batch(6)
    terms = [(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss())]
    mixed = nn.MixedLoss(terms, balance="ratio")
    mixed(logits, target)
    impossible = logits.detach().clone()
    impossible[:, 0] = -torch.inf
    mixed(impossible, torch.zeros_like(target))
    assert mixed.means.isfinite().all()
    assert mixed(logits, target).isfinite()


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


def test_learned_costs_refuse_what_does_not_fit():
    learned = nn.LearnedCosts(5, 4)
    with pytest.raises(ValueError, match="4 wide"):
        learned(torch.ones(2, 3), torch.tensor([0, 1]))
    with pytest.raises(TypeError, match="integer"):
        learned(torch.ones(2, 4), torch.ones(2, 4))
    with pytest.raises(ValueError, match="target must hold one class index"):
        learned(torch.ones(2, 4), torch.tensor([0, 1, 2]))


@pytest.mark.parametrize("ground", [line, circle, chord, tree, points])
@pytest.mark.parametrize("soft", [False, True])
def test_a_ground_follows_its_criterion_to_another_device(ground, soft):
    # "meta" computes no values, but refuses to mix devices or to wait for a number.
    criteria = [nn.SquaredEMDLoss, nn.SquaredMassLoss]
    if not soft or ground in (line, circle, tree):
        criteria.append(nn.WassersteinLoss)
    if ground in (line, tree):
        criteria.append(nn.CumulativeCrossEntropyLoss)
    for kind in criteria:
        criterion = kind(ground(5), weight=WEIGHT).to("meta")
        logits = torch.randn(4, 5, device="meta", requires_grad=True)
        target = torch.zeros((4, 5) if soft else 4, device="meta")
        loss = criterion(logits, target if soft else target.long())
        loss.backward()
        assert loss.device.type == "meta"
        assert criterion.ground is not None
        assert criterion.ground.cost.device.type == "meta"


@pytest.mark.parametrize("tails", ["none", "half-normal"])
def test_a_grid_follows_its_criterion_to_another_device(tails):
    bins = Bins(grid(5).edges, tails=tails)
    for name in ("NLL", "CRPS", "Wasserstein"):
        criterion = getattr(nn, f"Histogram{name}Loss")(bins).to("meta")
        logits = torch.randn(4, 5, device="meta", requires_grad=True)
        criterion(logits, torch.zeros(4, device="meta")).backward()
