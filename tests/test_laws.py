"""Laws of the losses on every ground, at random, and what others got wrong."""

import functools

import numpy as np
import pytest
import scoringrules
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from sklearn.metrics import brier_score_loss, log_loss
from torch.testing import assert_close

from offby import Bins, Circle, Costs, Line, Tree, losses, nn, settles_at
from tests.cases import CASES, chord, circle, grid, line, points, tree

SEEDS = st.integers(0, 2**32 - 1)
GROUNDS = [line, circle, chord, tree, points, Costs.equal]
every_ground = pytest.mark.parametrize("ground", GROUNDS, ids=lambda g: g.__name__)
on_two_distributions = pytest.mark.parametrize(
    "loss", [losses.squared_emd, losses.wasserstein], ids=lambda f: f.__name__
)


def two(n: int, seed: int):
    rng = np.random.default_rng(seed)
    a, b = torch.from_numpy(rng.dirichlet(np.full(n, 0.5), (2, 3)))
    return a.clamp(min=1e-9), b.clamp(min=1e-9)


@every_ground
@on_two_distributions
@given(st.integers(1, 8), SEEDS)
def test_symmetric_and_zero_at_the_truth(loss, ground, n, seed):
    (p, q), on = two(n, seed), ground(n)
    p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
    assert_close(loss(p.log(), q, on), loss(q.log(), p, on), rtol=1e-9, atol=1e-12)
    assert_close(loss(p.log(), p, on), torch.zeros(3).double(), rtol=0, atol=1e-13)
    assert (loss(p.log(), q, on) >= -1e-13).all()


def scaled(on, by: float):
    match on:
        case Line():
            return Line(on.positions * by)
        case Circle():
            return Circle(on.positions * by, on.period * by, on.distance)
        case Tree():
            return Tree(on.parents, on.lengths * by)
        case _:
            return Costs(on.cost * by)


@every_ground
@given(st.integers(1, 7), st.floats(1e-3, 1e3), SEEDS)
def test_losses_have_the_unit_of_the_ground(ground, n, by, seed):
    (p, q), on = two(n, seed), ground(n)
    q = q / q.sum(-1, keepdim=True)
    y = torch.from_numpy(np.random.default_rng(seed).integers(0, n, 3))
    for target in (y, q):
        for loss, power in (
            (losses.squared_emd, 1),
            (losses.wasserstein, 1),
            (functools.partial(losses.wasserstein, p=2), 2),
        ):
            plain = loss(p.log(), target, on)
            larger = loss(p.log(), target, scaled(on, by))
            assert_close(larger, plain * by**power, rtol=1e-8, atol=1e-13 * by**power)
    if isinstance(on, Line | Tree):
        plain = losses.cumulative_cross_entropy(p.log(), y, on)
        larger = losses.cumulative_cross_entropy(p.log(), y, scaled(on, by))
        assert_close(larger, plain * by, rtol=1e-10, atol=0)


def relabeled(on, by: np.ndarray):
    """The ground whose class k is class by[k] of the other."""
    if isinstance(on, Tree):
        parents, lengths = on.parents.tolist(), on.lengths.tolist()
        leaves = [k for k in range(len(parents)) if k not in parents]
        inner = [k for k in range(len(parents)) if k in parents]
        nodes = [*(leaves[k] for k in by), *inner]
        new = {node: k for k, node in enumerate(nodes)} | {-1: -1}
        return Tree([new[parents[k]] for k in nodes], [lengths[k] for k in nodes])
    return Costs(on.cost[by][:, by])


@pytest.mark.parametrize("ground", [line, circle, chord, tree, points])
@on_two_distributions
@given(st.integers(2, 7), SEEDS)
def test_names_of_the_classes_make_no_difference(loss, ground, n, seed):
    (p, q), on = two(n, seed), ground(n)
    q = q / q.sum(-1, keepdim=True)
    by = np.random.default_rng(seed).permutation(n)
    plain = loss(p.log(), q, on)
    again = loss(p[:, by].log(), q[:, by], relabeled(on, by))
    assert_close(again, plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("distance", ["arc", "chord"])
@given(st.integers(1, 7), SEEDS)
def test_a_circle_can_be_turned(distance, n, seed):
    (p, q), on = two(n, seed), circle(n)
    on = Circle(on.positions, on.period, distance)
    q = q / q.sum(-1, keepdim=True)
    x, by = ((on.positions + seed % 97) % on.period).sort()
    turned = Circle(x, on.period, distance)
    for loss in (losses.squared_emd, losses.wasserstein):
        plain = loss(p.log(), q, on)
        again = loss(p[:, by].log(), q[:, by], turned)
        assert_close(again, plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", [c for c in CASES if c.proper], ids=str)
@given(SEEDS)
def test_no_prediction_beats_the_frequencies(case, seed):
    rng = np.random.default_rng(seed)
    f = torch.from_numpy(rng.dirichlet(np.ones(5)))
    others = f * torch.from_numpy(rng.lognormal(0, rng.choice([0.01, 0.3, 2]), (32, 5)))
    target, shares = case.outcomes(5)

    def expected(masses):
        z = masses.log()[:, None, None].expand(-1, *target.shape, -1)
        loss = case.loss(z, target.expand(len(masses), *target.shape))
        return (loss * shares).sum(-1) @ f

    assert (expected(others) > expected(f[None]) - 1e-12).all()


def test_four_hours_on_the_arc_cannot_be_told_apart():
    """The known degeneracy: of negative type, but not strictly."""
    arc, chords = Circle.regular(4), Circle.regular(4, "chord")
    noon_and_six = torch.tensor([0.5, 0, 0.5, 0], dtype=torch.float64)
    three_and_nine = noon_and_six.roll(1)
    for p, q in ((noon_and_six, three_and_nine), (three_and_nine, noon_and_six)):
        assert losses.squared_emd(p.log(), q, arc) == 0
        assert losses.squared_emd(p.log(), q, chords) > 0.1
    # So a network trained on the one may end at the other; on chords it does not.
    f = noon_and_six.numpy()
    np.testing.assert_allclose(settles_at(losses.squared_emd, f, chords), f)
    labels = torch.arange(4)
    rows = [
        (losses.squared_emd(p.log().expand(4, -1), labels, arc).numpy() * f).sum()
        for p in (noon_and_six, three_and_nine)
    ]
    assert rows[0] == pytest.approx(rows[1])


# 10,000 random inputs.


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_ten_thousand_rows_at_any_scale(case, dtype):
    rng = np.random.default_rng(0)
    scale = 10 ** rng.uniform(-2, 4, (10_000, 1))
    logits = torch.from_numpy(scale * rng.standard_normal((10_000, 7))).to(dtype)
    target = case.targets(rng, 10_000, 7)
    logits.requires_grad_()
    loss = case.loss(logits, target)
    (slope,) = torch.autograd.grad(loss.sum(), logits)
    assert loss.isfinite().all()
    assert slope.isfinite().all()
    if case.of_numbers:
        return
    # True class up: a wrong prediction is never made more so.
    assert (slope.gather(-1, target[:, None]) <= 0).all()


# What others have right.


def test_agrees_with_scikit_learn_and_scoringrules():
    rng = np.random.default_rng(0)
    p, y = rng.dirichlet(np.ones(6), 50), rng.integers(0, 6, 50)
    z, target = torch.from_numpy(np.log(p)), torch.from_numpy(y)
    ce = losses.cross_entropy(z, target).mean().item()
    assert ce == pytest.approx(log_loss(y, p, labels=range(6)))
    brier = 2 * losses.squared_emd(z, target, Costs.equal(6)).mean().item()
    expected = brier_score_loss(y, p, labels=np.arange(6))  # of several classes: whole
    assert brier == pytest.approx(expected)
    rps = scoringrules.rps_score(y + 1, p)  # its classes begin at 1
    np.testing.assert_allclose(losses.squared_emd(z, target), rps)


# What others got wrong: numbers are those of PEERS.md.


def test_d2_certain_and_wrong_costs_the_distance_and_has_a_slope():
    z = torch.full((5,), -30.0)
    z[4] = 30.0
    z.requires_grad_()
    for target in (torch.tensor(0), torch.eye(5)[0]):
        loss = losses.sinkhorn(z, target, epsilon=0.05)
        (slope,) = torch.autograd.grad(loss, z)
        assert loss.item() == pytest.approx(4, abs=1e-3)
        assert slope.isfinite().all()


def test_d3_spacing_counts():
    z, on = torch.zeros(2), Line([0, 100])
    assert losses.squared_emd(z, torch.tensor(0), on) == 25
    assert losses.wasserstein(z, torch.tensor(0), on) == 50


@pytest.mark.parametrize("margin", [20.0, 40.0, 100.0, 1e4])
@pytest.mark.parametrize("ground", [Line.regular, tree])
def test_d4_d13_d14_confident_mistakes_keep_their_slope(margin, ground):
    z = torch.zeros(5)
    z[0] = margin
    z.requires_grad_()
    loss = losses.cumulative_cross_entropy(z, torch.tensor(4), ground(5))
    (slope,) = torch.autograd.grad(loss, z)
    # The mass is all on class 0: each cut in between pushes with its whole weight.
    between = ground(5).cost[0, 4].item()
    assert slope[0].item() == pytest.approx(between, rel=1e-5)
    assert loss.item() == pytest.approx(between * margin, rel=0.2)
    (slope,) = torch.autograd.grad(losses.cross_entropy(z, torch.tensor(4)), z)
    assert slope[4].item() == pytest.approx(-1, rel=1e-6)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_d8_a_row_does_not_depend_on_its_batch(case):
    rng = np.random.default_rng(0)
    z, target = torch.from_numpy(rng.standard_normal((6, 5))), case.targets(rng, 6, 5)
    whole = case.loss(z, target)
    alone = torch.stack([case.loss(z[k], target[k]) for k in range(6)])
    assert_close(whole, alone, rtol=1e-14, atol=1e-16)
    for dtype in (torch.float32, torch.float64):
        assert case.loss(z.to(dtype), target).dtype == dtype


def test_d10_uneven_bins_are_integrated_as_they_are():
    bins = Bins([0.0, 0.1, 3.0, 10.0])
    z, y = torch.tensor([0.2, 0.5, 0.3]).double().log(), torch.tensor(1.0).double()
    x = np.linspace(0, 10, 1_000_001)
    f = np.interp(x, bins.edges, [0, 0.2, 0.7, 1.0])
    expected = integrate.trapezoid((f - (x >= 1)) ** 2, x)
    assert losses.histogram_crps(z, y, bins).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_d15_first_and_last_class_have_finite_slopes(case):
    z = torch.zeros(2, 5, requires_grad=True)
    target = case.outcomes(5)[0][[0, -1], 0]
    (slope,) = torch.autograd.grad(case.loss(z, target).sum(), z)
    assert slope.isfinite().all()
    assert slope.any(-1).all()


def test_d19_sinkhorn_has_a_slope_and_the_value_it_claims():
    z = torch.zeros(6, requires_grad=True)
    q = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    assert losses.sinkhorn(z, q, epsilon=0.5).requires_grad


@pytest.mark.parametrize(
    "criterion",
    [
        nn.CrossEntropyLoss(ignore_index=-1),
        nn.SquaredEMDLoss(tree(5), ignore_index=-1),
        nn.WassersteinLoss(circle(5), ignore_index=-1),
        nn.SinkhornLoss(points(5), epsilon=1.0, ignore_index=-1),
        nn.SquaredMassLoss(points(5), ignore_index=-1),
    ],
    ids=lambda criterion: type(criterion).__name__,
)
def test_d22_d23_nothing_to_learn_from_still_has_a_graph(criterion):
    z = torch.zeros(3, 5, requires_grad=True)
    loss = criterion(z, torch.full((3,), -1))
    loss.backward()
    assert loss == 0
    assert z.grad is not None
    assert not z.grad.any()
    with pytest.raises(IndexError, match="class 99 of 5"):
        criterion(z, torch.tensor([99, 0, 0]))
    images = torch.randn(2, 5, 3, 4)
    labels = torch.randint(5, (2, 3, 4))
    criterion.dim = 1
    assert criterion(images, labels).isfinite()


def test_grids_with_tails_take_ten_thousand_rows_too():
    rng = np.random.default_rng(0)
    bins = Bins(grid(7).edges, tails="half-normal")
    z = torch.from_numpy(1e4 * rng.standard_normal((10_000, 7))).bfloat16()
    y = torch.from_numpy(100 * rng.standard_normal(10_000)).float()
    z.requires_grad_()
    for name in ("nll", "crps", "wasserstein"):
        loss = getattr(losses, f"histogram_{name}")(z, y, bins)
        (slope,) = torch.autograd.grad(loss.sum(), z)
        assert loss.isfinite().all()
        assert slope.isfinite().all()


@pytest.mark.parametrize("distance", ["arc", "chord"])
@pytest.mark.parametrize("y", [0, 3, 19_999])
def test_neighbors_among_many_on_a_circle_are_told_apart(distance, y):
    on = Circle.regular(20_000, distance)
    z = torch.full((20_000,), -torch.inf)
    z[[1, 2]] = 0.0
    few = torch.tensor([1, 2, y])
    extra = torch.tensor([0.5, 0.5, -1.0], dtype=torch.float64)
    exact = -(extra @ on.cost_to(few)[:, few] @ extra).item() / 2
    for target in (torch.tensor(y), torch.zeros(20_000).index_fill(0, few[2:], 1.0)):
        got = losses.squared_emd(z, target, on)
        assert got.item() == pytest.approx(exact, rel=1e-6)
