"""Sinkhorn divergence: smoothed transport. Theory: docs/maths/sinkhorn.md."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby._checks import (
    at_least_float32,
    check_target,
    clamped,
    classes_last,
    is_class,
)
from offby.grounds import Costs, Ground, Line, as_ground, n_classes_of
from offby.losses._masses import full_product


def sinkhorn(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    epsilon: float,
    max_iter: int = 1000,
    dim: int = -1,
) -> Float[Tensor, "*batch"]:
    r"""Debiased entropic transport cost: between Wasserstein and the squared EMD.

    .. math:: \ell(z, q) = T_\varepsilon(p, q) - \tfrac12 T_\varepsilon(p, p)
              - \tfrac12 T_\varepsilon(q, q), \qquad
              T_\varepsilon(p, q) = \min_\pi \sum_{ij} \pi_{ij} d(i, j)
              + \varepsilon \, \mathrm{KL}(\pi \,\|\, p \otimes q)

    over the plans that move p onto q. Zero at p = q; for epsilon to 0 it becomes
    `wasserstein`, for epsilon to infinity `squared_emd`. Not proper: trained on noisy
    classes it ends sharper than their frequencies, the more so the smaller epsilon.

    Solved in log space, all rows at once, O(K^2) per iteration. The gradient is that of
    the solution (envelope theorem), not of the iterations. There are no second
    derivatives: they are a RuntimeError, or NaN by forward over reverse.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            An index that is no class gives NaN.
        ground: How far apart the classes are; `Line.regular(K)` by default.
        epsilon: How far to blur, in units of the ground distance. A tenth of the
            largest distance is quick; iterations grow about as 1/epsilon.
        max_iter: Most iterations. Not to converge by then is a RuntimeWarning.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.

    Returns:
        One loss per example, in units of the ground distance.

    Raises:
        ValueError: On asymmetric costs, if epsilon is not positive, or if a row of
            masses does not sum to 1.

    References:
        Cuturi (2013), Sinkhorn distances, arXiv:1306.0895.
        Feydy et al. (2019), Interpolating between optimal transport and MMD using
        Sinkhorn divergences, arXiv:1810.08278.

    >>> sinkhorn(torch.zeros(2, 3), torch.tensor([0, 1]), epsilon=0.5)
    tensor([0.7691, 0.4357])
    """
    logits, target = classes_last(logits, target, dim)
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"epsilon must be a positive number, got {epsilon:g}")
    if max_iter < 1:
        raise ValueError(f"max_iter must be at least 1, got {max_iter}")
    ground = as_ground(ground)
    indices = check_target(logits, target, n_classes_of(ground))
    ground = ground or Line.regular(logits.shape[-1])
    if isinstance(ground, Costs) and ground.asymmetric:
        raise ValueError(
            f"sinkhorn needs symmetric costs, got {ground}; use wasserstein, or the "
            "mean of the matrix and its transpose"
        )
    p = at_least_float32(logits).softmax(-1)
    # In float64: potentials that nearly cancel are subtracted.
    log_p = logits.detach().double().log_softmax(-1)
    cost, tolerance = ground.cost.to(log_p), _TOLERANCE[p.dtype]
    problem = _EntropicTransport(cost, epsilon, max_iter, tolerance)
    if indices:
        # One class can be reached in one way only, however blurred.
        at = clamped(target, ground.n_classes)
        potential = ground.cost_to(at).to(log_p) - problem.symmetric_potential(log_p)
        loss = _sum_with_slopes(p, potential)
        return loss.where(is_class(target, ground.n_classes), torch.nan)
    q = target.to(p.dtype)
    defined = _refuse_other_sums(q.detach())
    uniform = 1.0 / ground.n_classes
    log_q = q.detach().double().where(defined, uniform).log()
    potential_p, potential_q = problem.potentials(log_p, log_q)
    potential_p = potential_p - problem.symmetric_potential(log_p)
    potential_q = potential_q - problem.symmetric_potential(log_q)
    return _sum_with_slopes(p, potential_p) + _sum_with_slopes(q, potential_q)


def _refuse_other_sums(q: Tensor) -> Tensor:
    """Where a row has no NaN; those that have must be distributions."""
    sums = q.double().sum(-1, keepdim=True)
    wrong = ((sums - 1).abs() > 1e-3) | (q < 0).any(-1, keepdim=True)
    if bool(wrong.any()):
        total, least = float(sums[wrong][0]), float(q[wrong.squeeze(-1)][0].min())
        got = f"a mass of {least:g}" if least < 0 else f"one that sums to {total:g}"
        raise ValueError(
            "each row of target must hold nonnegative masses that sum to 1 within "
            f"0.001, got {got}; divide by the sum if that is meant"
        )
    return ~sums.isnan()


def _sum_with_slopes(mass: Tensor, potential: Tensor) -> Tensor:
    """Sum of mass times potential, whose slope in the mass is the potential."""
    fixed = _FirstDerivativeOnly.apply(potential.to(mass), mass)
    return _Envelope.apply(mass, fixed)


class _Envelope(torch.autograd.Function):
    """The transport cost of masses: its slopes are the potentials (envelope theorem).

    That the potentials change with the masses does not enter the first derivative.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(mass: Tensor, potential: Tensor) -> Tensor:
        return (mass * potential).sum(-1)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.save_for_backward(inputs[1])
        ctx.save_for_forward(inputs[1])

    @staticmethod
    def backward(ctx, upstream: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        (potential,) = ctx.saved_tensors
        return upstream[..., None] * potential, None

    @staticmethod
    def jvp(ctx, mass: Tensor, potential: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        del potential
        (slopes,) = ctx.saved_tensors
        return (mass * slopes).sum(-1)


class _FirstDerivativeOnly(torch.autograd.Function):
    """Potentials as they were found. How they change with the masses is not known.

    A second derivative needs it: then an error, or NaN in forward mode, where a first
    derivative passes here too.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(potential: Tensor, mass: Tensor) -> Tensor:
        del mass
        return potential.clone()

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, upstream: Tensor | None):  # pyright: ignore[reportIncompatibleMethodOverride]
        if upstream is None:
            return None, None
        raise RuntimeError(
            "sinkhorn has first derivatives only, but a second one was asked for; use "
            "wasserstein or squared_emd, or differentiate its gradient numerically"
        )

    @staticmethod
    def jvp(ctx, potential: Tensor | None, mass: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        del potential
        return torch.full_like(mass, torch.nan)


@dataclass(frozen=True, eq=False)
class _EntropicTransport:
    """Entropic transport between rows of log masses, in float64 and without a graph.

    The potential of a class is the slope of the transport cost in its mass.
    """

    cost: Float[Tensor, "classes classes"]
    epsilon: float
    max_iter: int
    tolerance: float
    """Mass that a plan may leave in the wrong place."""

    @property
    def largest_cost(self) -> float:
        """The largest distance."""
        return float(self.cost.max())

    def potentials(self, log_p: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor]:
        """Potentials of p and of q."""
        f, g = self._by_rows(self._potentials, log_p, log_q)
        return f, g

    def symmetric_potential(self, log_p: Tensor) -> Tensor:
        """The potential of transport from p to p, which is the same on both sides."""
        return self._by_rows(lambda log_p: (self._symmetric_potential(log_p),), log_p)[
            0
        ]

    def _potentials(self, log_p: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor]:
        f, g = torch.zeros_like(log_p), torch.zeros_like(log_q)
        for epsilon in self._epsilon_schedule():
            # Both potentials are updated from the old ones, and averaged with them: so
            # they stay equal where p equals q, as the solution is.
            f, g = (
                (f + self._softmin(g, log_q, epsilon)) / 2,
                (g + self._softmin(f, log_p, epsilon)) / 2,
            )

        def step(f: Tensor) -> Tensor:
            g = self._softmin(f, log_p, self.epsilon)
            return self._softmin(g, log_q, self.epsilon)

        f = self._iterate(step, f, log_p)
        # With this g the plan has exactly the masses q; whatever error is left is in p.
        return f, self._softmin(f, log_p, self.epsilon)

    def _symmetric_potential(self, log_p: Tensor) -> Tensor:
        f = torch.zeros_like(log_p)
        for epsilon in self._epsilon_schedule():
            f = (f + self._softmin(f, log_p, epsilon)) / 2

        def step(f: Tensor) -> Tensor:
            # The mean of the old and the new potential: a full step would alternate
            # between two potentials for ever.
            return (f + self._softmin(f, log_p, self.epsilon)) / 2

        return self._iterate(step, f, log_p)

    def _epsilon_schedule(self) -> Iterator[float]:
        """Epsilon from the largest cost down to the one asked for, and 24 times that.

        At a large epsilon a few steps settle what mass has to go far.
        """
        epsilon = self.largest_cost
        while epsilon > self.epsilon:
            yield epsilon
            epsilon *= 0.7
        yield from [self.epsilon] * 24

    def _iterate(
        self, step: Callable[[Tensor], Tensor], f: Tensor, log_p: Tensor
    ) -> Tensor:
        """Repeat a step until the plan leaves no more than `tolerance` misplaced."""
        p = log_p.exp()
        change = error = torch.zeros_like(f)
        for done in range(1, self.max_iter + 1):
            last, before = change, f
            f = step(f)
            change = f - before
            if done % 16 and done != self.max_iter:
                continue
            error = (p * (change / self.epsilon).expm1().abs()).sum(-1, keepdim=True)
            open_rows = error > self.tolerance
            if not bool(open_rows.any()):
                return f
            if done < self.max_iter:
                # By now the change shrinks by about the same ratio in each step, so the
                # remaining steps are a geometric series: add its sum. The iteration
                # converges from any point, so a bad estimate only costs time.
                slower = (p * last.square()).sum(-1, keepdim=True)
                ratio = (p * change * last).sum(-1, keepdim=True) / slower
                ratio = ratio.nan_to_num().clamp(0.0, 0.98)
                f = f + torch.where(open_rows, change * ratio / (1 - ratio), 0.0)
        warnings.warn(
            f"sinkhorn did not converge on {int((error > self.tolerance).sum())} of "
            f"{len(error)} rows in {self.max_iter} iterations, up to "
            f"{float(error.max()):.1g} of the mass is misplaced; raise max_iter or "
            "epsilon",
            RuntimeWarning,
            stacklevel=2,
        )
        return f

    def _softmin(self, f: Tensor, log_p: Tensor, epsilon: float) -> Tensor:
        exponent = log_p + f / epsilon
        if self.largest_cost > _MOST_NATS * epsilon:
            blurred = (exponent[..., None, :] - self.cost / epsilon).logsumexp(-1)
        else:
            # The same sums as one product with a matrix. No cost is larger than 600
            # epsilon, so the largest term of each sum does not underflow.
            top = exponent.amax(-1, keepdim=True)
            kernel = (-self.cost / epsilon).exp()
            blurred = top + full_product((exponent - top).exp(), kernel).log()
        return -epsilon * blurred

    def _by_rows(
        self, solve: Callable[..., tuple[Tensor, ...]], *log_masses: Tensor
    ) -> list[Tensor]:
        """Solve some rows at a time, since each may take K x K numbers of memory."""
        k = len(self.cost)
        rows = max(1, _MOST_NUMBERS // k**2)
        parts = zip(*(m.reshape(-1, k).split(rows) for m in log_masses), strict=True)
        with torch.no_grad():
            solved = [solve(*part) for part in parts]
        shape = log_masses[0].shape
        return [
            torch.cat(column).reshape(shape) for column in zip(*solved, strict=True)
        ]


_TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-11}
_MOST_NUMBERS = 2**24
_MOST_NATS = 600.0
"""exp(-600) is a normal number in float64; the least is about exp(-708)."""
