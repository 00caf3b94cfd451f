import functools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance
from torch.testing import assert_close

from offby import Bins, Costs, Line, Tree, kernels, losses
from tests import reference
from tests.cases import CASES, Case, grid, line, points

every_loss = pytest.mark.parametrize("case", CASES, ids=str)
with_a_reference = pytest.mark.parametrize(
    "case", [c for c in CASES if c.reference], ids=str
)
EPS = float(np.finfo(np.float64).eps)
BELL = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1], dtype=torch.float64)


@st.composite
def batches(draw):
    n, rows = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    scale = draw(st.sampled_from([1e-3, 1.0, 30.0, 1e4]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return torch.from_numpy(scale * rng.standard_normal((rows, n))), rng


def the_same(case: Case, got, expected, logits):
    # Logits are known to eps of their size, and so is the logarithm of a mass.
    rtol = case.rtol + 4 * EPS * logits.abs().max().item()
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=max(case.floor, 1e-290))


@with_a_reference
@given(batches())
def test_agrees_with_the_maths(case: Case, batch):
    logits, rng = batch
    target = case.targets(rng, *logits.shape)
    assert case.reference is not None
    rows = zip(logits, target.tolist(), strict=True)
    expected = [case.reference(z, y) for z, y in rows]
    the_same(case, case.loss(logits, target), expected, logits)


@pytest.mark.parametrize("case", [c for c in CASES if c.soft], ids=str)
@given(batches())
def test_agrees_with_the_maths_on_distributions(case: Case, batch):
    logits, rng = batch
    n = logits.shape[-1]
    target = torch.from_numpy(rng.dirichlet(np.ones(n), len(logits)))
    assert case.reference is not None
    expected = [case.reference(z, q) for z, q in zip(logits, target, strict=True)]
    # Masses near 1 are subtracted: the square of eps is what is left of a difference.
    rtol = case.rtol + 4 * EPS * logits.abs().max().item()
    atol = max(case.floor, 1e-14)
    np.testing.assert_allclose(
        case.loss(logits, target), expected, rtol=rtol, atol=atol
    )


@pytest.mark.parametrize("case", [c for c in CASES if not c.of_numbers], ids=str)
@given(batches())
def test_certain_distribution_equals_its_class(case: Case, batch):
    logits, rng = batch
    n = logits.shape[-1]
    target = case.targets(rng, *logits.shape)
    certain = torch.nn.functional.one_hot(target, n).double()
    # A network simplex adds the masses up in another order.
    assert_close(
        case.loss(logits, certain), case.loss(logits, target), rtol=1e-11, atol=1e-12
    )


@every_loss
@given(batches())
def test_ignores_how_the_batch_is_shaped(case: Case, batch):
    logits, rng = batch
    target = case.targets(rng, *logits.shape)
    flat = case.loss(logits, target)
    shaped = case.loss(logits[None, :, None], target[None, :, None])
    assert_close(shaped, flat[None, :, None], rtol=1e-14, atol=0)
    single = case.loss(logits[0], target[0])
    assert_close(single, flat[0], rtol=1e-14, atol=0)
    turned = case.loss(logits.T.contiguous().T, target)
    assert_close(turned, flat, rtol=1e-14, atol=0)


@every_loss
def test_takes_an_empty_batch(case: Case):
    logits = torch.zeros(0, 5, requires_grad=True)
    loss = case.loss(logits, case.targets(np.random.default_rng(0), 0, 5))
    assert loss.shape == (0,)
    loss.sum().backward()


@every_loss
def test_one_class_leaves_nothing_to_learn(case: Case):
    logits = torch.full((3, 1), 2.0, requires_grad=True)
    target = case.targets(np.random.default_rng(0), 3, 1)
    loss = case.loss(logits, target)
    loss.sum().backward()
    if not case.of_numbers:
        assert torch.equal(loss, torch.zeros(3))
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros(3, 1))


@every_loss
@given(batches())
def test_gradient_is_finite_at_any_scale(case: Case, batch):
    logits, rng = batch
    target = case.targets(rng, *logits.shape)
    logits = logits.float().requires_grad_()
    loss = case.loss(logits, target)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@every_loss
def test_gradient_matches_finite_differences(case: Case):
    torch.manual_seed(0)
    logits = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    target = case.targets(np.random.default_rng(0), 5, 6)
    assert torch.autograd.gradcheck(lambda z: case.loss(z, target), logits)
    if case.soft:
        q = torch.rand(5, 6, dtype=torch.float64).softmax(-1)
        assert torch.autograd.gradcheck(lambda z: case.loss(z, q), logits)


@every_loss
@pytest.mark.parametrize("banned", [[0], [2], [4], [0, 1], [3, 4], [1, 2, 3]], ids=str)
def test_impossible_classes_give_no_nan(case: Case, banned):
    logits = torch.zeros(5, 5)
    logits[:, banned] = -torch.inf
    logits.requires_grad_()
    target = case.outcomes(5)[0][:, 0]
    targets = [target]
    if case.soft:
        targets += [torch.eye(5), torch.full((5, 5), 0.2)]
    for one in targets:
        loss = case.loss(logits, one)
        (grad,) = torch.autograd.grad(loss.sum(), logits)
        assert not loss.isnan().any()
        assert not grad.isnan().any()
    kept = [k for k in range(5) if k not in banned]
    assert case.loss(logits, target)[kept].isfinite().all()


def expected_loss(case: Case, masses, truth):
    """Mean loss of each predicted distribution where outcomes follow the truth."""
    target, shares = case.outcomes(len(truth))
    z = masses.log()[:, None, None].expand(-1, *target.shape, -1)
    loss = case.loss(z, target.expand(len(masses), *target.shape))
    return (loss * shares).sum(-1) @ truth


@every_loss
@pytest.mark.parametrize(
    "truth",
    [BELL, torch.tensor([0.35, 0.1, 0.1, 0.1, 0.35]).double()],
    ids=["bell", "u"],
)
def test_truth_has_the_lowest_expected_loss_if_proper(case: Case, truth):
    torch.manual_seed(0)
    noise = torch.randn(64, 5, dtype=torch.float64)
    at_truth = expected_loss(case, truth[None], truth)
    if case.proper:
        for scale in (1e-2, 0.3, 3.0):
            other = (truth.log() + scale * noise).softmax(-1)
            assert (expected_loss(case, other, truth) > at_truth).all()
    else:
        # Whoever is at the truth is led away from it.
        z = truth.log().requires_grad_()
        expected = expected_loss(case, z.softmax(-1)[None], truth)
        (slope,) = torch.autograd.grad(expected.sum(), z)
        assert slope.abs().max() > 1e-3


@every_loss
def test_a_near_miss_costs_less_if_it_feels_distance(case: Case):
    here, there = case.near_and_far
    near = torch.full((5,), 0.05, dtype=torch.float64)
    near[1], near[here] = 0.5, 0.35
    near = near.log()
    far = near.clone()
    far[[here, there]] = far[[there, here]]
    target = case.outcomes(5)[0][1, 0]
    if case.feels_distance:
        assert case.loss(near, target) < case.loss(far, target) - 0.001
    else:
        assert_close(case.loss(near, target), case.loss(far, target))


@every_loss
def test_right_prediction_still_learns(case: Case):
    logits = torch.tensor([20.0, 0.0, 0.0]).requires_grad_()
    target = case.outcomes(3)[0][0, 0]
    case.loss(logits, target).backward()
    assert logits.grad is not None
    assert logits.grad[1] > 0


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_error_stays_near_that_of_rounding_the_input(case: Case, dtype):
    torch.manual_seed(0)
    exact = torch.randn(64, 33, dtype=torch.float64)
    target = case.targets(np.random.default_rng(0), 64, 33)
    rounded = exact.to(dtype)
    truth, loss = case.loss(exact, target), case.loss(rounded, target)
    assert loss.dtype == torch.float32
    unavoidable = (case.loss(rounded.double(), target) - truth).abs().max()
    slack = 33 * torch.finfo(torch.float32).eps + case.float32_rtol
    slack *= truth.abs().max()
    assert (loss.double() - truth).abs().max() < 2 * unavoidable + slack


@every_loss
def test_an_impossible_label_never_gives_a_plausible_number(case: Case):
    target = case.impossible(5)
    assert case.loss(torch.zeros(len(target), 5), target).isnan().all()


@every_loss
@pytest.mark.parametrize(
    "target",
    [
        torch.zeros(4, dtype=torch.bool),
        torch.zeros(4, dtype=torch.complex64),
        torch.zeros(3, dtype=torch.int64),
        torch.zeros(3),
        torch.zeros(4, 1),
        torch.zeros(4, 1, dtype=torch.int64),
        torch.zeros(4, 6),
    ],
    ids=lambda t: f"{t.dtype}{list(t.shape)}",
)
def test_refuses_a_target_it_cannot_mean(case: Case, target):
    with pytest.raises((TypeError, ValueError)):
        case.loss(torch.zeros(4, 5), target)


@every_loss
def test_refuses_logits_that_are_none(case: Case):
    target = case.targets(np.random.default_rng(0), 4, 5)
    with pytest.raises(TypeError, match="softmax"):
        case.loss(torch.zeros(4, 5, dtype=torch.int64), target)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z, y: losses.squared_emd(z, y, Costs.equal(4)),
        lambda z, y: losses.wasserstein(z, y, Line.regular(4)),
        lambda z, y: losses.cumulative_cross_entropy(z, y, Line.regular(4)),
        lambda z, y: losses.histogram_crps(z, y.float(), Bins.uniform(0, 1, 4)),
    ],
)
def test_refuses_another_number_of_classes(loss):
    with pytest.raises(ValueError, match="4"):
        loss(torch.zeros(2, 5), torch.tensor([0, 1]))


def test_refuses_what_no_formula_is_known_for():
    z, y = torch.zeros(1, 3), torch.tensor([0])
    with pytest.raises(NotImplementedError, match="squared_emd"):
        losses.cumulative_cross_entropy(z, y, Costs.equal(3))
    for p in (0.5, float("nan")):
        with pytest.raises(ValueError, match="at least 1"):
            losses.wasserstein(z, y, p=p)


# Values worked out by hand in docs/maths.

SEVEN = torch.tensor([0.02, 0.30, 0.10, 0.05, 0.08, 0.40, 0.05], dtype=torch.float64)


@pytest.mark.parametrize(
    ("loss", "value", "push"),
    [
        (losses.cross_entropy, 2.526, [-0.30, 0.92, -0.40]),
        (losses.wasserstein, 1.730, [-0.38, 0.14, 0.29]),
        (losses.squared_emd, 0.705, [-0.30, 0.11, 0.20]),
    ],
)
def test_class_five_of_seven(loss, value, push):
    logits = SEVEN.log().requires_grad_()
    got = loss(logits, torch.tensor(4))
    got.backward()
    assert got.item() == pytest.approx(value, abs=5e-4)
    assert logits.grad is not None
    assert (-logits.grad[[1, 4, 5]]).tolist() == pytest.approx(push, abs=5e-3)


EIGHT = Bins([-1000, -100, -10, -5, -1, 0, 1, 2, 3])


@pytest.mark.parametrize(
    ("loss", "sees"),
    [
        (lambda z: losses.cross_entropy(z, torch.tensor(6)), False),
        (lambda z: losses.histogram_nll(z, torch.tensor(1.5), EIGHT), False),
        (lambda z: losses.wasserstein(z, torch.tensor(6), EIGHT.line()), True),
        (lambda z: losses.squared_emd(z, torch.tensor(6), EIGHT.line()), True),
        (lambda z: losses.cumulative_cross_entropy(z, torch.tensor(6)), True),
        (lambda z: losses.histogram_crps(z, torch.tensor(1.5), EIGHT), True),
        (lambda z: losses.histogram_wasserstein(z, torch.tensor(1.5), EIGHT), True),
    ],
)
def test_only_losses_with_a_distance_tell_the_eight_bins_apart(loss, sees):
    far = torch.tensor([0.4, 0.09, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01]).log()
    near = far[[7, 1, 2, 3, 4, 5, 6, 0]]
    assert loss(near) < loss(far) if sees else loss(near) == loss(far)


def test_cross_entropy_takes_the_neighbors_for_the_far_end():
    neighbors = torch.tensor([0, 0, 0, 0, 0.5, 0, 0.5]).log()
    end = torch.tensor([1.0, 0, 0, 0, 0, 0, 0]).log()
    truth = torch.tensor(5)
    assert losses.cross_entropy(neighbors, truth) == torch.inf
    assert losses.cross_entropy(end, truth) == torch.inf
    assert losses.squared_emd(neighbors, truth) == 0.5
    assert losses.squared_emd(end, truth) == 5


@pytest.mark.parametrize(
    ("margin", "push"), [(0, 0.48), (5, 0.125), (10, 9e-4), (20, 4e-8)]
)
def test_confident_and_wrong_is_flat_for_squared_emd_alone(margin, push):
    def largest_push(loss):
        logits = torch.zeros(5, dtype=torch.float64)
        logits[0] = margin
        logits.requires_grad_()
        loss(logits, torch.tensor(4)).backward()
        assert logits.grad is not None
        return logits.grad.abs().max().item()

    assert largest_push(losses.squared_emd) == pytest.approx(push, rel=0.2)
    assert largest_push(losses.cross_entropy) > 0.79
    assert largest_push(losses.cumulative_cross_entropy) > 0.79


def test_squared_emd_of_equal_distances_is_half_the_brier_score():
    p = SEVEN.clone()
    loss = losses.squared_emd(p.log(), torch.tensor(4), Costs.equal(7))
    p[4] -= 1
    assert_close(loss, p.square().sum() / 2)


@given(batches())
def test_squared_emd_is_the_same_on_a_line_and_on_its_costs(batch):
    logits, rng = batch
    target = torch.from_numpy(rng.integers(0, logits.shape[-1], len(logits)))
    on = line(logits.shape[-1])
    assert_close(
        losses.squared_emd(logits, target, Costs(on.cost)),
        losses.squared_emd(logits, target, on),
        rtol=1e-11,
        atol=1e-290,
    )


# Distributions as target of the Wasserstein distance, against scipy.


@given(batches())
def test_wasserstein_agrees_with_scipy_on_distributions(batch):
    logits, rng = batch
    n = logits.shape[-1]
    q = torch.from_numpy(rng.dirichlet(np.ones(n), len(logits)))
    x, p = line(n).positions.numpy(), logits.softmax(-1).numpy()
    expected = [wasserstein_distance(x, x, *w) for w in zip(p, q.numpy(), strict=True)]
    np.testing.assert_allclose(
        losses.wasserstein(logits, q, line(n)), expected, rtol=1e-11, atol=1e-13
    )


@pytest.mark.parametrize("power", [1, 1.5, 2])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_wasserstein_agrees_with_linear_programming(n, power):
    rng = np.random.default_rng(n)
    logits, q = torch.from_numpy(rng.standard_normal(n)), rng.dirichlet(np.ones(n))
    rows, columns = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
    best = linprog(
        (line(n).cost.numpy() ** power).ravel(),
        A_eq=np.vstack([rows, columns]),
        b_eq=np.concatenate([logits.softmax(-1).numpy(), q]),
    )
    got = losses.wasserstein(logits, torch.from_numpy(q), line(n), p=power)
    assert got.item() == pytest.approx(best.fun, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_wasserstein_of_distributions_has_the_gradient_of_its_value(power):
    torch.manual_seed(0)
    logits = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    q = torch.randn(4, 6, dtype=torch.float64).softmax(-1)
    assert torch.autograd.gradcheck(
        lambda z: losses.wasserstein(z, q, line(6), p=power), logits
    )


# Numbers beyond the grid.


@pytest.mark.parametrize("name", ["nll", "crps", "wasserstein"])
@pytest.mark.parametrize("where", ["below", "above", "low edge", "inner", "high edge"])
def test_histograms_agree_with_the_maths_on_and_beyond_edges(name, where):
    edges = grid(5).edges
    value = {
        "below": edges[0] - 7,
        "above": edges[-1] + 7,
        "low edge": edges[0],
        "inner": edges[2],
        "high edge": edges[-1],
    }[where]
    z = torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    got = getattr(losses, f"histogram_{name}")(z, value, grid(5))
    expected = getattr(reference, f"histogram_{name}")(z, value.item(), edges)
    assert got.item() == pytest.approx(expected, rel=1e-12)


def test_a_certain_histogram_far_off_costs_the_distance():
    logits = torch.tensor([0.0, -1e4], requires_grad=True)
    value = torch.tensor(1e6)
    loss = losses.histogram_crps(logits, value, Bins([0, 1e-3, 2e-3]))
    assert loss.item() == pytest.approx(1e6)


def test_cumulative_cross_entropy_keeps_the_small_term_of_a_large_loss():
    logits = torch.tensor([20.5, 0.0], dtype=torch.float64)
    expected = reference.cumulative_cross_entropy(logits, 1, [1])
    got = losses.cumulative_cross_entropy(logits, torch.tensor(1))
    assert got.item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("inside", [True, False])
def test_an_impossible_side_of_a_tree_costs_infinitely_much(inside):
    # Classes 0 and 1 lie below one edge, 2 and 3 beside it; there is no other.
    on = Tree([4, 4, 5, 5, 5, -1], [0, 0, 0, 0, 1, 0])
    z = torch.tensor([0.0, 0.0, -torch.inf, -torch.inf], requires_grad=True)
    rows = (z if inside else z.flip(0)).expand(2, -1)
    impossible, possible = (3, 0) if inside else (0, 3)
    target = torch.tensor([impossible, possible])
    loss = losses.cumulative_cross_entropy(rows, target, on)
    assert loss.isposinf().tolist() == [True, False]
    (slope,) = torch.autograd.grad(loss[1], z)
    assert slope.isfinite().all()
    q = torch.tensor([0.25, 0.25, 0.25, 0.25])
    assert losses.cumulative_cross_entropy(rows[0], q, on).isposinf()
    assert losses.cumulative_cross_entropy(rows[0], rows[0].softmax(-1), on).isfinite()


def test_points_are_of_strict_negative_type():
    assert points(6).negative_type == "strict"  # or the table of cases claims too much


# What has no value, and what is refused.


@pytest.mark.parametrize("at", [0, 2, 4])
@pytest.mark.parametrize("case", [c for c in CASES if not c.of_numbers], ids=str)
def test_nan_in_a_distribution_never_gives_a_plausible_number(case: Case, at):
    target = torch.full((2, 5), 0.2, dtype=torch.float64)
    target[0, at] = torch.nan
    loss = case.loss(torch.zeros(2, 5, dtype=torch.float64), target)
    assert loss.isnan().tolist() == [True, False]


@pytest.mark.parametrize("impl", ["auto", "torch"])
@pytest.mark.parametrize(
    "loss",
    [losses.squared_emd, losses.wasserstein, losses.cumulative_cross_entropy],
)
def test_a_grid_is_taken_as_the_line_of_its_centers(loss, impl):
    bins = Bins([0, 1, 2, 50, 1000])
    z, y = torch.zeros(2, 4), torch.tensor([0, 3])
    got = loss(z, y, bins, impl=impl)
    assert torch.equal(got, loss(z, y, bins.line(), impl=impl))
    assert (got > 30).all()  # at 0, 1, 2, ... it would be less than 2
    with pytest.raises(TypeError, match="ground must be a Line"):
        loss(z, y, [0, 1, 2, 50], impl=impl)


def test_kernels_do_not_take_a_grid_for_no_ground_at_all():
    bins, z = Bins([0, 1, 2, 50, 1000]), torch.zeros(2, 4)
    for name in kernels.ON_A_GROUND:
        term = kernels.Term(name, bins)
        why = kernels.unsupported_reason("cpp", z, torch.tensor([0, 3]), [term])
        assert "must be a Line or a Tree, got Bins" in why


@pytest.mark.parametrize("row", [[0.2, 0.2, 0.2], [1.5, 0.0, 0.0], [1.5, -0.5, 0.0]])
def test_sinkhorn_says_at_once_that_a_target_is_no_distribution(row):
    with pytest.raises(ValueError, match="sum to 1"):
        losses.sinkhorn(torch.zeros(3), torch.tensor(row), epsilon=0.1)


# Derivatives.


# PyTorch's forward mode uses a part of PyTorch that is deprecated.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@every_loss
@pytest.mark.parametrize("soft", [False, True])
def test_second_derivatives_are_right_or_refused(case: Case, soft):
    """Reverse over reverse, and forward over reverse."""
    if soft and not case.soft:
        return
    torch.manual_seed(1)
    z = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    target = case.targets(np.random.default_rng(1), 2, 5)
    if soft:
        target = torch.rand(2, 5, dtype=torch.float64).softmax(-1)

    def total(z):
        return case.loss(z, target).sum()

    if "sinkhorn" in case.name:
        (slope,) = torch.autograd.grad(total(z), z, create_graph=True)
        with pytest.raises(RuntimeError, match="first derivatives only"):
            slope.sum().backward()
        assert torch.func.hessian(total)(z.detach()).isnan().all()
        return
    assert torch.autograd.gradgradcheck(total, z)
    assert_close(
        torch.autograd.functional.hessian(total, z.detach()),
        torch.func.hessian(total)(z.detach()),
    )


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("soft", [False, True])
def test_sinkhorn_has_first_derivatives_in_every_mode(soft):
    z = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 3])
    if soft:
        target = torch.rand(2, 5, dtype=torch.float64).softmax(-1)
    assert torch.autograd.gradcheck(
        lambda z: losses.sinkhorn(z, target, epsilon=1.0),
        z,
        check_forward_ad=True,
        check_batched_grad=True,
    )


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    "loss",
    [
        losses.squared_emd,
        losses.squared_mass,
        losses.sinkhorn,
        losses.cdw_cross_entropy,
    ],
)
def test_autocast_multiplies_with_costs_in_float32(loss, soft):
    torch.manual_seed(0)
    on = Costs.from_features(5 * torch.randn(20, 3))
    z, target = torch.randn(8, 20), torch.randint(20, (8,))
    if soft:
        target = torch.rand(8, 20).softmax(-1)
    if loss is losses.sinkhorn:
        loss = functools.partial(loss, epsilon=5.0)
    with torch.autocast("cpu", torch.bfloat16):
        got = loss(z, target, on)
    assert_close(got, loss(z, target, on), rtol=1e-6, atol=0)


# Costs that are not symmetric: rows are predictions, columns the truth.

ONE_WAY = Costs([[0, 1, 5], [2, 0, 1], [7, 3, 0]], asymmetric=True)


@pytest.mark.parametrize("loss", [losses.cdw_cross_entropy, losses.slace])
def test_on_asymmetric_costs_soft_labels_are_mixtures(loss):
    logits = torch.tensor([0.3, -1.0, 0.5], dtype=torch.float64).expand(3, 3)
    of_class = loss(logits, torch.arange(3), ONE_WAY)
    assert_close(loss(logits, torch.eye(3).double(), ONE_WAY), of_class)
    mixed = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    assert_close(loss(logits[0], mixed, ONE_WAY), of_class @ mixed)


@pytest.mark.parametrize("loss", [losses.squared_mass, losses.wasserstein])
def test_on_asymmetric_costs_a_certain_distribution_equals_its_class(loss):
    logits = torch.tensor([0.3, -1.0, 0.5], dtype=torch.float64).expand(3, 3)
    of_class = loss(logits, torch.arange(3), ONE_WAY)
    assert_close(loss(logits, torch.eye(3).double(), ONE_WAY), of_class)
    mass = logits[0].softmax(-1)
    weighed = mass.square() if loss is losses.squared_mass else mass
    assert_close(of_class, weighed @ ONE_WAY.cost)


@pytest.mark.parametrize("soft", [False, True])
def test_sinkhorn_in_float32_is_as_exact_as_float32(soft):
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(50, 6))).float()
    target = torch.from_numpy(rng.integers(0, 6, 50))
    if soft:
        target = torch.from_numpy(rng.dirichlet(np.ones(6), 50))
    got = losses.sinkhorn(z, target.float() if soft else target, epsilon=0.3)
    exact = losses.sinkhorn(z.double(), target, epsilon=0.3)
    assert_close(got.double(), exact, rtol=2e-5, atol=1e-6)
