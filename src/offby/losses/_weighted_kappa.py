"""Weighted kappa of a batch, as a loss. Theory: docs/maths/weighted-kappa.md."""

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
from offby.grounds import Ground, Line, as_ground, n_classes_of
from offby.losses._masses import full_product


def weighted_kappa(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    power: float = 2.0,
    weight: Float[Tensor, " classes"] | None = None,
    frequencies: Float[Tensor, " classes"] | None = None,
    sample_weight: Float[Tensor, "*batch"] | None = None,
    dim: int = -1,
) -> Float[Tensor, ""]:
    r"""One minus the weighted kappa of a whole batch, of probabilities as predictions.

    .. math:: \ell = \frac{\sum_r \sum_i p_{ri} \, d(i, y_r)^{\text{power}}}
              {\sum_r \sum_i p_{ri} \, \sum_y f_y \, d(i, y)^{\text{power}}}

    The expected cost of the predictions, in units of what they would cost against
    labels that know nothing of the rows, of frequencies f. Between 0 and 2; 1 for every
    forecast that is the same for all rows, whatever it is. The only loss here whose
    value is one for the batch: it does not split into rows, and small batches estimate
    it badly. It ends with all mass on one class of each row.

    NOTE[DIFF] where all labels of a batch are one class, others give 1 and no slope.
    With `frequencies`, those of all training rows, such a batch is like any other.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            An index that is no class gives NaN.
        ground: How far apart the classes are; `Line.regular(K)` by default.
        power: Power of the distance, positive: 2 for quadratic weights, 1 for linear.
        weight: What a miss of each class costs, as a factor of its distance.
        frequencies: How often each class occurs; in the batch, by default.
        sample_weight: One weight per row; a row of weight 2 counts as two.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.

    Returns:
        A single number. It is NaN where no label costs anything by chance: a batch of
        one class that is predicted with certainty.

    References:
        de la Torre, Puig, Valls (2018), Weighted kappa loss function for multi-class
        classification of ordinal data in deep learning, Pattern Recognition Letters
        105, doi:10.1016/j.patrec.2017.05.018 (its logarithm).
        Vargas, Gutiérrez, Hervás-Martínez (2020), Cumulative link models for deep
        ordinal classification, Neurocomputing 401, doi:10.1016/j.neucom.2020.03.034.

    >>> weighted_kappa(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.)
    """
    logits, target = classes_last(logits, target, dim)
    if not power > 0:
        raise ValueError(f"power must be positive, got {power:g}")
    ground = as_ground(ground)
    indices = check_target(logits, target, n_classes_of(ground))
    ground = ground or Line.regular(logits.shape[-1])
    n_classes = ground.n_classes
    p = at_least_float32(logits).softmax(-1)
    costs = ground.cost.pow(power).to(p)
    if weight is not None:
        costs = costs * weight.to(p)
    if indices:
        q = torch.nn.functional.one_hot(clamped(target, n_classes), n_classes)
        known = is_class(target, n_classes)[..., None]
        q = q.to(p.dtype).where(known, torch.nan)
    else:
        q = target.to(p.dtype)
    counts = torch.ones_like(p[..., 0])
    if sample_weight is not None:
        if sample_weight.shape != p.shape[:-1]:
            raise ValueError(
                "sample_weight must hold one number for each row of logits, shape "
                f"{tuple(p.shape[:-1])}, got shape {tuple(sample_weight.shape)}"
            )
        counts = sample_weight.to(p.dtype)
    rows = p.flatten(0, -2) if p.ndim > 1 else p[None]
    labels = q.flatten(0, -2) if q.ndim > 1 else q[None]
    counts = counts.flatten()[:, None]
    # What does not count may be anything, and 0 * NaN is NaN.
    rows, labels = (each.where(counts != 0, 0.0) for each in (rows, labels))
    paid = (counts * rows * full_product(labels, costs.T)).sum()
    if frequencies is None:
        frequencies = (counts * labels).sum(0)
    share = frequencies.to(p) / frequencies.to(p).sum()
    by_chance = (counts * rows * full_product(share, costs.T)).sum()
    return paid / by_chance
