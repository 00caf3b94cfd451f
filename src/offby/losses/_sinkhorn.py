"""Sinkhorn divergence: smoothed transport. Theory: docs/maths/sinkhorn.md."""

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
from offby.losses._entropic import debiased_potentials, symmetric_potential


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
    settings = ground.cost.to(log_p), float(epsilon), max_iter, _TOLERANCE[p.dtype]
    if indices:
        # One class can be reached in one way only, however blurred.
        at = clamped(target, ground.n_classes)
        potential = ground.cost_to(at).to(log_p) - symmetric_potential(log_p, *settings)
        loss = _sum_with_slopes(p, potential)
        return loss.where(is_class(target, ground.n_classes), torch.nan)
    q = target.to(p.dtype)
    of_p, of_q = debiased_potentials(log_p, q.detach(), *settings)
    return _sum_with_slopes(p, of_p) + _sum_with_slopes(q, of_q)


def _sum_with_slopes(mass: Tensor, potential: Tensor) -> Tensor:
    """Sum of mass times potential, whose slope in the mass is the potential."""
    if torch.compiler.is_compiling():  # which has no second derivatives anyway
        return (mass * potential.to(mass)).sum(-1)
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


_TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-11}
