"""Entropic transport, solved in log space. Theory: docs/maths/sinkhorn.md."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offby.losses._masses import full_product
from offby.losses._solvers import run_on_examples

# Operators of PyTorch, for the solver stops when its numbers say so: a compiler,
# fake tensors and transforms see one step, and need not look into it.


@torch.library.custom_op("offby::sinkhorn_symmetric", mutates_args=())
def _symmetric(
    log_p: Tensor,
    cost: Tensor,
    epsilon: float,
    max_iter: int,
    tolerance: float,
) -> Tensor:
    problem = EntropicTransport(cost, epsilon, max_iter, tolerance)
    return problem.symmetric_potential(log_p)


@_symmetric.register_fake
def _(log_p, cost, epsilon, max_iter, tolerance):
    return torch.empty_like(log_p)


@torch.library.custom_op("offby::sinkhorn_debiased", mutates_args=())
def _debiased(
    log_p: Tensor,
    q: Tensor,
    cost: Tensor,
    epsilon: float,
    max_iter: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    problem = EntropicTransport(cost, epsilon, max_iter, tolerance)
    log_q = _checked(q).log()
    of_p, of_q = problem.potentials(log_p, log_q)
    return (
        of_p - problem.symmetric_potential(log_p),
        of_q - problem.symmetric_potential(log_q),
    )


@_debiased.register_fake
def _(log_p, q, cost, epsilon, max_iter, tolerance):
    return torch.empty_like(log_p), torch.empty_like(log_p)


run_on_examples(_symmetric, 1)
run_on_examples(_debiased, 2)


def symmetric_potential(
    log_p: Float[Tensor, "*batch classes"],
    cost: Float[Tensor, "classes classes"],
    epsilon: float,
    max_iter: int,
    tolerance: float,
) -> Float[Tensor, "*batch classes"]:
    """The potential of transport from p to p, which is the same on both sides.

    Args:
        log_p: Logarithms of masses, in float64.
        cost: Distances, in float64.
        epsilon: How far to blur.
        max_iter: Most iterations.
        tolerance: Mass that a plan may leave in the wrong place.
    """
    return _symmetric(log_p, cost, epsilon, max_iter, tolerance)


def debiased_potentials(
    log_p: Float[Tensor, "*batch classes"],
    q: Float[Tensor, "*batch classes"],
    cost: Float[Tensor, "classes classes"],
    epsilon: float,
    max_iter: int,
    tolerance: float,
) -> tuple[Float[Tensor, "*batch classes"], Float[Tensor, "*batch classes"]]:
    """Potentials of p and of q, less those of each with itself.

    Args:
        log_p: Logarithms of masses, in float64.
        q: Masses.
        cost: Distances, in float64.
        epsilon: How far to blur.
        max_iter: Most iterations.
        tolerance: Mass that a plan may leave in the wrong place.

    Raises:
        ValueError: If a row of q is no distribution.
    """
    return _debiased(log_p, q, cost, epsilon, max_iter, tolerance)


def _checked(q: Tensor) -> Tensor:
    """Rows that are distributions, in float64; even ones where a row has a NaN."""
    sums = q.double().sum(-1, keepdim=True)
    wrong = ((sums - 1).abs() > 1e-3) | (q < 0).any(-1, keepdim=True)
    if bool(wrong.any()):
        total, least = float(sums[wrong][0]), float(q[wrong.squeeze(-1)][0].min())
        got = f"a mass of {least:g}" if least < 0 else f"one that sums to {total:g}"
        raise ValueError(
            "each row of target must hold nonnegative masses that sum to 1 within "
            f"0.001, got {got}; divide by the sum if that is meant"
        )
    return q.double().where(~sums.isnan(), 1.0 / q.shape[-1])


@dataclass(frozen=True, eq=False)
class EntropicTransport:
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


_MOST_NUMBERS = 2**24
_MOST_NATS = 600.0
"""exp(-600) is a normal number in float64; the least is about exp(-708)."""
