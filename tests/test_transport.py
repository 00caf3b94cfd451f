"""Transport between distributions, against solvers: linear programs and POT."""

import builtins
import warnings
from typing import Any

import numpy as np
import ot
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close

from offby import Circle, Costs, Line, losses
from tests.cases import chord, circle, line, points, tree
from tests.test_grounds import circles, trees

pot: Any = ot  # its types are unions of every backend's
SEEDS = st.integers(0, 2**32 - 1)


def best_plan(p, q, cost) -> float:
    """The linear program as it is written down."""
    n = len(p)
    rows, columns = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
    found = linprog(
        np.asarray(cost).ravel(),
        A_eq=np.vstack([rows, columns]),
        b_eq=np.concatenate([p, q]),
        options={"primal_feasibility_tolerance": 1e-10},
    )
    return found.fun


def pair(n: int, seed: int):
    """Logits and a distribution, some of its classes without mass."""
    rng = np.random.default_rng(seed)
    q = rng.dirichlet(np.ones(n)) * (rng.random(n) < 0.7)
    q[rng.integers(n)] += 0.1
    logits = rng.choice([0.3, 1.0, 5.0]) * rng.standard_normal(n)
    return torch.from_numpy(logits), torch.from_numpy(q / q.sum())


@given(st.one_of(trees(), circles()), SEEDS)
def test_closed_forms_are_the_optimum_of_the_linear_program(on, seed):
    z, q = pair(on.n_classes, seed)
    best = best_plan(z.softmax(-1).numpy(), q.numpy(), on.cost.numpy())
    got = losses.wasserstein(z, q, on)
    assert got.item() == pytest.approx(best, rel=1e-8, abs=1e-10)


@given(
    st.sampled_from([line, circle, chord, tree, points]),
    st.integers(1, 9),
    st.sampled_from([1.0, 1.5, 2.0, 3.0]),
    SEEDS,
)
def test_every_ground_and_power_agrees_with_pot(ground, n, p, seed):
    on, (z, q) = ground(n), pair(n, seed)
    expected = pot.emd2(z.softmax(-1).numpy(), q.numpy(), on.cost.pow(p).numpy())
    got = losses.wasserstein(z, q, on, p=p)
    assert got.item() == pytest.approx(expected, rel=1e-9, abs=1e-11)


@given(st.integers(1, 9), st.sampled_from([1, 2]), SEEDS)
def test_line_agrees_with_pots_own_closed_form(n, p, seed):
    z, q = pair(n, seed)
    x = line(n).positions.numpy()
    expected = pot.wasserstein_1d(x, x, z.softmax(-1).numpy(), q.numpy(), p=p)
    got = losses.wasserstein(z, q, line(n), p=p)
    assert got.item() == pytest.approx(float(expected), rel=1e-9, abs=1e-12)


@given(st.integers(1, 9), SEEDS)
def test_circle_agrees_with_pots_own_closed_form(n, seed):
    z, q = pair(n, seed)
    on = circle(n)
    u = (on.positions / on.period).numpy()
    p = z.softmax(-1).numpy()
    expected = pot.wasserstein_circle(
        u[:, None], u[:, None], u_weights=p[:, None], v_weights=q[:, None].numpy(), p=1
    )
    got = losses.wasserstein(z, q, on) / on.period
    assert got.item() == pytest.approx(float(expected.squeeze()), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("ground", [line, circle, chord, tree, points])
@pytest.mark.parametrize("p", [1, 2])
def test_gradient_is_that_of_the_value(ground, p):
    torch.manual_seed(1)
    z = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    q = torch.randn(3, 6, dtype=torch.float64).softmax(-1)
    on = ground(6)
    assert torch.autograd.gradcheck(
        lambda z: losses.wasserstein(z, q, on, p=p), z, atol=1e-6
    )


@given(circles(), SEEDS)
def test_slope_on_a_circle_is_a_subgradient(on, seed):
    """No prediction costs less than the tangent says, also where the cost has kinks."""
    z, _ = pair(on.n_classes, seed)
    log_p = z.log_softmax(-1).requires_grad_()
    p = log_p.detach().exp()
    # Some mass is moved from one class to another: the flow is equal on either way
    # between them, and many medians are as good.
    rng = np.random.default_rng(seed)
    one, other = (int(k) for k in rng.integers(0, on.n_classes, 2))
    moved = p[one] / 2
    q = p.clone()
    q[one] -= moved
    q[other] += moved
    at = losses.wasserstein(log_p, q, on)
    (slope,) = torch.autograd.grad(at, log_p)
    worth = slope / p  # up to a constant, which no difference of masses sees
    assert at.item() == pytest.approx(moved.item() * on.cost[one, other].item())
    # Potentials of transport: nowhere steeper than the way is long.
    assert ((worth[:, None] - worth).abs() <= on.cost + 1e-6).all()
    for there in torch.eye(on.n_classes, dtype=torch.float64):
        cost = losses.wasserstein(there.log(), q, on)
        assert cost >= at + (worth * (there - p)).sum() - 1e-8


def test_a_mistake_may_cost_more_than_its_converse():
    prices = Costs([[0, 1, 9], [2, 0, 1], [9, 2, 0]], asymmetric=True)
    z = torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64).log()
    q = torch.tensor([[0.6, 0.1, 0.3]], dtype=torch.float64)
    # 0.4 goes from class 1 to class 0, predicted 1 where 0 is true.
    assert losses.wasserstein(z, q, prices).item() == pytest.approx(0.8)
    assert losses.wasserstein(z, torch.tensor([0]), prices).item() == pytest.approx(
        0.5 * 2 + 0.3 * 9
    )
    with pytest.raises(ValueError, match="symmetric"):
        losses.squared_emd(z, q, prices)
    with pytest.raises(ValueError, match="symmetric"):
        losses.sinkhorn(z, q, prices, epsilon=1.0)


def test_solver_gives_nan_for_rows_that_are_no_distributions():
    z = torch.zeros(4, 3)
    z[3, 0] = torch.nan
    q = torch.tensor([[0.5, 0.5, 0.5], [0.5, 0.5, 0.0], [1.5, -0.5, 0.0], [1, 0, 0]])
    got = losses.wasserstein(z, q, points(3))
    assert got.isnan().tolist() == [True, False, True, True]


def test_solver_evens_out_what_rounding_left_and_no_more():
    z, q = torch.zeros(1, 3).double(), torch.tensor([[0.5, 0.5, 0.0]]).double()
    right = losses.wasserstein(z, q, points(3))
    assert losses.wasserstein(z, 1.0012 * q, points(3)).isnan()
    operator: Any = torch.ops.offby.transport_worth
    p, cost = z.softmax(-1), points(3).cost
    for sums in (1.0008, 0.9992):
        of_p, of_q = operator(sums * p, q, cost)
        assert_close((p * of_p + q * of_q).sum(-1), right)
        of_p, of_q = operator(p, sums * q, cost)
        assert_close((p * of_p + q * of_q).sum(-1), right)
    assert operator(1.0012 * p, q, cost)[0].isnan().all()


def test_absent_pot_is_named(monkeypatch):
    original = builtins.__import__

    def refuse(name, *rest, **more):
        if name.split(".")[0] == "ot":
            raise ImportError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    z = torch.zeros(1, 3)
    with pytest.raises(RuntimeError, match=r"offby\[ot\]"):
        losses.wasserstein(z, z.softmax(-1), points(3))
    # One class needs no solver.
    assert losses.wasserstein(z, torch.tensor([0]), points(3)).isfinite()


# Sinkhorn


def entropic(p, q, cost, epsilon) -> float:
    """The definition, at POT's plan."""
    plan = pot.bregman.sinkhorn_log(
        p, q, cost, epsilon, numItermax=100_000, stopThr=1e-11
    )
    return (plan * cost).sum() + epsilon * (
        plan * np.log(plan / (p[:, None] * q))
    ).sum()


@pytest.mark.parametrize("ground", [line, circle, chord, tree, points])
@pytest.mark.parametrize("epsilon", [0.3, 1.0])
def test_sinkhorn_agrees_with_its_definition(ground, epsilon):
    rng = np.random.default_rng(0)
    on = ground(5).normalized()
    z, q = torch.from_numpy(rng.standard_normal(5)), rng.dirichlet(np.ones(5))
    p, cost = z.softmax(-1).numpy(), on.cost.numpy()
    expected = entropic(p, q, cost, epsilon) - 0.5 * (
        entropic(p, p, cost, epsilon) + entropic(q, q, cost, epsilon)
    )
    got = losses.sinkhorn(z, torch.from_numpy(q), on, epsilon=epsilon, max_iter=20_000)
    assert got.item() == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_sinkhorn_is_wasserstein_at_one_end_and_squared_emd_at_the_other():
    torch.manual_seed(0)
    z, q = torch.randn(2, 5).double(), torch.randn(2, 5).double().softmax(-1)
    near = losses.sinkhorn(z, q, line(5), epsilon=2e-3, max_iter=100_000)
    far = losses.sinkhorn(z, q, line(5), epsilon=1e5)
    assert_close(near, losses.wasserstein(z, q, line(5)), rtol=0.01, atol=0)
    assert_close(far, losses.squared_emd(z, q, line(5)), rtol=1e-3, atol=0)


@given(st.sampled_from([line, circle, tree, points]), SEEDS)
def test_sinkhorn_is_zero_at_the_truth_symmetric_and_nonnegative(ground, seed):
    rng = np.random.default_rng(seed)
    on = ground(5)
    z = torch.from_numpy(rng.standard_normal((2, 5)))
    p = z.softmax(-1)

    def divergence(z, q):
        return losses.sinkhorn(z, q, on, epsilon=2.0, max_iter=20_000)

    assert_close(divergence(z, p), torch.zeros(2).double(), rtol=0, atol=1e-9)
    there, back = divergence(z[0], p[1]), divergence(z[1], p[0])
    assert_close(there, back, rtol=1e-7, atol=1e-9)
    assert there > 0


def test_sinkhorn_of_a_class_is_that_of_its_certain_distribution():
    z, y = torch.randn(4, 5).double(), torch.tensor([0, 1, 4, 2])
    certain = torch.nn.functional.one_hot(y, 5).double()
    settings = {"epsilon": 1.0, "max_iter": 10_000}
    assert_close(
        losses.sinkhorn(z, y, line(5), **settings),
        losses.sinkhorn(z, certain, line(5), **settings),
        rtol=1e-9,
        atol=1e-9,
    )
    assert losses.sinkhorn(z[0], torch.tensor(-1), line(5), epsilon=1.0).isnan()


@pytest.mark.parametrize("soft", [False, True])
def test_sinkhorn_has_the_gradient_of_its_value(soft):
    torch.manual_seed(0)
    z = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randn(3, 5).double().softmax(-1) if soft else torch.arange(3)
    for epsilon in (0.3, 3.0):
        assert torch.autograd.gradcheck(
            lambda z, e=epsilon: losses.sinkhorn(
                z, target, line(5), epsilon=e, max_iter=20_000
            ),
            z,
        )


def test_sinkhorn_says_that_it_did_not_converge():
    torch.manual_seed(0)
    z, q = torch.randn(3, 8), torch.randn(3, 8).softmax(-1)
    with pytest.warns(RuntimeWarning, match=r"did not converge on 3 of 3 rows in 2"):
        losses.sinkhorn(z, q, epsilon=0.05, max_iter=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses.sinkhorn(z, q, epsilon=0.7)


def test_sinkhorn_takes_tiny_epsilon_and_impossible_classes():
    z = torch.tensor([0.0, -torch.inf, 1.0, -1e4], requires_grad=True)
    far = Line([0.0, 1.0, 2.0, 1e4])
    for target in (torch.tensor(2), torch.tensor([0.0, 0.5, 0.5, 0.0])):
        loss = losses.sinkhorn(z, target, far, epsilon=1.0, max_iter=5000)
        (slope,) = torch.autograd.grad(loss, z)
        assert loss.isfinite()
        assert slope.isfinite().all()


def test_rows_are_solved_in_parts_that_fit_into_memory(monkeypatch):
    torch.manual_seed(0)
    z, q = torch.randn(7, 5), torch.randn(7, 5).softmax(-1)
    whole = losses.sinkhorn(z, q, epsilon=1.0)
    monkeypatch.setattr("offby.losses._entropic._MOST_NUMBERS", 50)
    assert_close(losses.sinkhorn(z, q, epsilon=1.0), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be a positive number, got 0"),
        ({"epsilon": float("nan")}, "got nan"),
        ({"epsilon": 1.0, "max_iter": 0}, "max_iter must be at least 1"),
    ],
)
def test_sinkhorn_refuses_settings_it_cannot_mean(settings, message):
    with pytest.raises(ValueError, match=message):
        losses.sinkhorn(torch.zeros(2, 3), torch.tensor([0, 1]), **settings)


def test_regular_hours_around_midnight():
    hours = Circle.regular(24)
    z = torch.full((24,), -torch.inf, dtype=torch.float64)
    z[23] = 0.0
    q = torch.zeros(24, dtype=torch.float64)
    q[1] = 1.0
    assert losses.wasserstein(z, q, hours) == 2
    assert losses.wasserstein(z, torch.tensor(1), hours) == 2


ON = points(4)
SOLVED = {
    "transport": lambda z, q: losses.wasserstein(z, q, ON),
    "sinkhorn": lambda z, q: losses.sinkhorn(z, q, ON, epsilon=1.0),
    "sinkhorn of classes": lambda z, q: losses.sinkhorn(
        z, q.argmax(-1), ON, epsilon=1.0
    ),
}
every_solver = pytest.mark.parametrize("name", SOLVED)
TRANSFORMS: dict[str, Any] = {
    "functionalize": lambda f, z, q: torch.func.functionalize(f)(z, q),
    "vmap": lambda f, z, q: torch.func.vmap(f)(z, q),
    "vmap of other axes": lambda f, z, q: torch.func.vmap(f, (1, 0))(
        z.movedim(0, 1), q
    ),
    "vmap of logits": lambda f, z, q: torch.func.vmap(
        lambda a: torch.func.vmap(f, (0, None))(a, q[0, 0])
    )(z),
    "jvp": lambda f, z, q: torch.func.jvp(lambda a: f(a, q), (z,), (z.cos(),))[1],
    "vmap of jvp": lambda f, z, q: torch.func.vmap(
        lambda a, b: torch.func.jvp(lambda c: f(c, b), (a,), (a.cos(),))[1]
    )(z, q),
    "gradients of single rows": lambda f, z, q: torch.func.vmap(
        torch.func.vmap(torch.func.grad(f))
    )(z, q),
    "make_fx": lambda f, z, q: make_fx(f)(z, q)(z, q),
}


@every_solver
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # of torch's jvp
def test_a_solver_is_transformed_as_all_else_is(name, transform):
    """Under functionalize it once read the memory of a wrapper, and gave NaN."""
    if transform == "functionalize" and "sinkhorn" in name:
        pytest.skip("PyTorch has no such rule for functions with derivatives of theirs")
    torch.manual_seed(0)
    z = torch.randn(2, 3, 4, dtype=torch.float64)
    q = torch.randn_like(z).softmax(-1)
    if transform == "vmap of logits":
        q = q[:1, :1].expand_as(z)
    solve = SOLVED[name]
    got = TRANSFORMS[transform](solve, z, q)
    at = z.clone().requires_grad_()
    loss = solve(at, q)
    (slope,) = torch.autograd.grad(loss.sum(), at)
    right = loss.detach()
    if "single" in transform:
        right = slope
    elif "jvp" in transform:
        right = (slope * z.cos()).sum(-1)
    assert_close(got, right, rtol=1e-7, atol=1e-9)


@every_solver
def test_a_solver_is_one_step_for_compilers_and_tensors_without_numbers(name):
    z = torch.randn(3, 4, requires_grad=True)
    q = torch.randn(3, 4).softmax(-1)
    solve = SOLVED[name]
    right = solve(z, q)
    run = torch.compile(solve, backend="aot_eager", fullgraph=True)
    assert_close(run(z, q), right)
    slopes = [torch.autograd.grad(loss.sum(), z)[0] for loss in (run(z, q), right)]
    assert_close(*slopes)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = solve(mode.from_tensor(z), mode.from_tensor(q))
    assert (fake.shape, fake.dtype) == (right.shape, right.dtype)
    assert solve(z.to("meta"), q.to("meta")).shape == right.shape


@every_solver
def test_every_example_may_have_costs_of_its_own(name):
    p, q = torch.randn(2, 2, 3, 4).double().softmax(-1)
    costs = torch.stack([ON.cost, circle(4).cost], dim=-1)
    operator: Any = torch.ops.offby
    solve, masses = {
        "transport": (operator.transport_worth, (p, q)),
        "sinkhorn": (
            lambda *of: operator.sinkhorn_debiased(*of, 1.0, 1000, 1e-6),
            (p.log(), q),
        ),
        "sinkhorn of classes": (
            lambda *of: operator.sinkhorn_symmetric(*of, 1.0, 1000, 1e-6),
            (p.log(),),
        ),
    }[name]
    every = torch.func.vmap(solve, (0,) * len(masses) + (2,))
    got = every(*masses, costs)
    only = every(*(part[:1] for part in masses), costs[..., :1])
    first = tuple(x[:1] for x in got) if isinstance(got, tuple) else got[:1]
    assert_close(only, first)
    for example in range(2):
        right = solve(*(part[example] for part in masses), costs[..., example])
        both = zip(
            *(x if isinstance(x, tuple) else (x,) for x in (got, right)), strict=True
        )
        for of_all, alone in both:
            assert_close(of_all[example], alone)


@every_solver
def test_an_operator_keeps_the_rules_of_operators(name):
    """Schema, fake form and dispatch, as PyTorch itself checks them."""
    log_p = torch.randn(3, 4).double().log_softmax(-1)
    q, cost = torch.randn(3, 4).double().softmax(-1), ON.cost
    settings = (1.0, 1000, 1e-6)
    operator: Any = torch.ops.offby
    match name:
        case "transport":
            torch.library.opcheck(operator.transport_worth, (log_p.exp(), q, cost))
        case "sinkhorn":
            given = (log_p, q, cost, *settings)
            torch.library.opcheck(operator.sinkhorn_debiased, given)
        case _:
            given = (log_p, cost, *settings)
            torch.library.opcheck(operator.sinkhorn_symmetric, given)
