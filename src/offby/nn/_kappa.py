"""`WeightedKappaLoss`: the one criterion that is a number for a whole batch."""

import torch
from torch import Tensor

from offby import losses
from offby.bins import Bins
from offby.grounds import Ground
from offby.nn import _values
from offby.nn._criterion import GroundCriterion
from offby.nn._reduction import (
    ClassWeight,
    check_sample_weight,
    check_weight,
    class_weight,
)
from offby.nn._shapes import check_class_target, check_pair, last


class WeightedKappaLoss(GroundCriterion):
    """Module form of :func:`offby.losses.weighted_kappa`.

    It has no `reduction`, since it is a quotient of two sums over the batch, and cannot
    be a term of `MixedLoss`: add the two values instead.

    Args:
        ground: How far apart the classes are; `Line.regular(C)` by default. `Bins`
            stand for the line of their centers.
        power: Power of the distance, positive: 2 for quadratic weights, 1 for linear.
        frequencies: How often each class occurs among all training rows, (C,): a tensor
            or a list of numbers in any unit. By default those of the batch, which
            small batches estimate badly.
        weight: What a miss of each class costs, as a factor of its distance, (C,).
        ignore_index: Rows of this class index do not count.
        dim: Axis of the classes in logits and probabilities: 1, as in PyTorch, for
            (N, C) and (N, C, d1, ...), and the only one of a single example; -1 if the
            classes are last.

    >>> criterion = WeightedKappaLoss(frequencies=[3, 2, 1])
    >>> criterion(torch.tensor([[9.0, 0, 0]]), torch.tensor([0])) < 0.001
    tensor(True)
    """

    frequencies: Tensor | None

    def __init__(
        self,
        ground: Ground | Bins | None = None,
        *,
        power: float = 2.0,
        frequencies: ClassWeight = None,
        weight: ClassWeight = None,
        ignore_index: int = -100,
        dim: int = 1,
    ) -> None:
        super().__init__(ground, weight=weight, ignore_index=ignore_index, dim=dim)
        if not power > 0:
            raise ValueError(f"power must be positive, got {power:g}")
        self.power = power
        self.register_buffer("frequencies", class_weight(frequencies))

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Refused: there is no loss of a row."""
        raise TypeError(
            "the weighted kappa is one number for a batch and has no loss per row, so "
            "it can be no term of a MixedLoss; add the values of the two criteria"
        )

    def forward(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch, a single number.

        Args:
            input: Logits, the raw output of a network, with the classes on axis `dim`:
                (N, C), (N, C, d1, ...) or (C,).
            target: Class indices (N, d1, ...), or probabilities of the shape of
                `input`. Rows whose index is `ignore_index` do not count.
            sample_weight: One weight per row, shape (N, d1, ...); a mask (bool) will do
                too. A row of weight 0 does not count, whatever its target and logits.
        """
        axis = check_pair(input, target, self.dim)
        check_class_target(input, target, axis, self.dim)
        logits = last(input, axis)
        check_weight(self.weight, logits.shape[-1])
        check_weight(self.frequencies, logits.shape[-1])
        check_sample_weight(sample_weight, logits.shape[:-1])
        look = self.look(logits, sample_weight)
        weight = torch.ones_like(logits[..., 0], dtype=torch.float32)
        if sample_weight is not None:
            weight = sample_weight.to(torch.promote_types(weight.dtype, logits.dtype))
        if target.is_floating_point():
            target = last(target, axis)
            self.counted_probabilities(logits, target, sample_weight, look)
        else:
            target, kept = self.counted(logits, target, sample_weight)
            weight = weight if kept is None else weight.where(kept, 0.0)
            target = target.where(weight != 0, 0)
        # 0 * NaN is NaN in the backward pass.
        logits = logits.where(weight[..., None] != 0, 0.0)
        loss = losses.weighted_kappa(
            logits,
            target,
            self.ground,
            power=self.power,
            weight=self.weight,
            frequencies=self.frequencies,
            sample_weight=weight,
        )
        if _values.readable(weight) and not bool(weight.any()):
            return logits.sum() * 0.0
        return loss
