"""`SubsetLoss`: a criterion on some of the classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from offby.nn import _values
from offby.nn._buffers import GroundBuffers
from offby.nn._criterion import ClassCriterion
from offby.nn._mixed import MixedLoss
from offby.nn._reduction import Reduction, check_sample_weight
from offby.nn._shapes import check_class_target, check_pair, last

Classes = Sequence[int | Sequence[int]]


@dataclass(frozen=True, eq=False)
class _Places:
    """Which class is which entry, and back."""

    place: Tensor
    """Of each class up to the largest chosen one: its entry, or -1."""
    members: Tensor
    """Entries x most classes of one: shorter entries repeat their last class."""
    repeated: Tensor
    """Where `members` does so."""

    @classmethod
    def of(cls, classes: list[tuple[int, ...]]) -> "_Places":
        width = max(map(len, classes))
        # On the host also where the default device is another, as all settings are.
        most = max(max(entry) for entry in classes)
        place = torch.full((most + 1,), -1, device="cpu")
        for k, entry in enumerate(classes):
            place[list(entry)] = k
        padded = [[*entry, *[entry[-1]] * (width - len(entry))] for entry in classes]
        repeated = [[j >= len(entry) for j in range(width)] for entry in classes]
        members = torch.tensor(padded, device="cpu")
        return cls(place, members, torch.tensor(repeated, device="cpu"))


class SubsetLoss(nn.Module):
    """A criterion on some of the classes, for the rows whose class is one of them.

    The digits among the tokens of a language model, the ages among the attributes of a
    face: only some classes have an order. Rows of other classes do not count. The
    criterion sees the logits of the chosen classes alone, so its probabilities are
    those under the condition that one of them is true. Only these rows and these logits
    are read, and copied: with 10 of 50,000 classes the loss itself costs next to
    nothing.

    Args:
        classes: Which classes, in the order of the criterion's ground. An entry with
            several classes stands for one that is written in several ways (the tokens
            "5" and " 5"): their probabilities are added.
        criterion: A criterion of classes of `offby.nn`, or a `MixedLoss` of them, whose
            ground and weights have one place for each entry. Reduction and ignored
            index are the criterion's; its mean is over the rows that count. Its `dim`
            has no effect here.
        dim: Axis of all classes in the logits: 1, as in PyTorch; -1 if they are last.

    Raises:
        TypeError: If the criterion is none of these.
        ValueError: If classes are negative or named twice.

    >>> from offby.nn import SquaredEMDLoss
    >>> digits = SubsetLoss([3, 4, 5], SquaredEMDLoss())
    >>> logits = torch.zeros(3, 6)
    >>> digits(logits, torch.tensor([3, 4, 0]))  # class 0 is none of them
    tensor(0.3889)
    >>> digits(logits, torch.tensor([0, 1, 2]))  # no row counts
    tensor(0.)
    """

    def __init__(self, classes: Classes, criterion: nn.Module, *, dim: int = 1) -> None:
        super().__init__()
        self.classes = _checked_classes(classes)
        self.criterion = _checked_criterion(criterion)
        self.dim = dim
        self.most = max(max(entry) for entry in self.classes)
        self._places = GroundBuffers(_Places.of(self.classes))

    @property
    def reduction(self) -> Reduction:
        """That of the criterion."""
        return _first(self.criterion).reduction

    @property
    def ignore_index(self) -> int:
        """That of the criterion."""
        return _first(self.criterion).ignore_index

    def index(self, target: Tensor) -> Tensor:
        """Place of each class among the chosen ones; -1 if it is none of them.

        >>> from offby.nn import SquaredEMDLoss
        >>> subset = SubsetLoss([3, [4, 5]], SquaredEMDLoss())
        >>> subset.index(torch.tensor([0, 3, 5, -100]))
        tensor([-1,  0,  1, -1])
        """
        target = target.long()
        # As in a criterion: an index that is ignored may also be that of a class.
        inside = (target >= 0) & (target <= self.most) & (target != self.ignore_index)
        return self._places().place[target.clamp(0, self.most)].where(inside, -1)

    def logits(self, logits: Tensor) -> Tensor:
        """Logits of the chosen classes, classes last: (..., C) to (..., entries).

        >>> from offby.nn import SquaredEMDLoss
        >>> subset = SubsetLoss([0, [1, 2]], SquaredEMDLoss())
        >>> subset.logits(torch.zeros(3)).softmax(-1)
        tensor([0.3333, 0.6667])
        """
        return self._merged(logits[..., self._places().members])

    def forward(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch, reduced as the criterion does.

        Args:
            input: Logits of all classes, which are on axis `dim`.
            target: Indices among all classes.
            sample_weight: One weight per row, or a mask.

        Raises:
            TypeError: If the target is probabilities.
            ValueError: If shapes do not fit, or a chosen class has no logit.
        """
        axis = check_pair(input, target, self.dim)
        if target.is_floating_point():
            raise TypeError(
                "target must hold class indices, got probabilities; give the criterion "
                "itself the logits and the probabilities of the chosen classes"
            )
        check_class_target(input, target, axis, self.dim)
        logits = last(input, axis)
        if logits.shape[-1] <= self.most:
            raise ValueError(
                f"logits must have every chosen class, up to {self.most}, got "
                f"{logits.shape[-1]} classes; classes are counted from 0"
            )
        check_sample_weight(sample_weight, logits.shape[:-1])
        index = self.index(target)
        if not self._can_gather(index):
            return self._of_all_rows(logits, index, sample_weight)
        # Indexed, not reshaped: the logits of a language model without their last
        # position are no whole block of memory, and would be copied.
        rows = (index >= 0).nonzero(as_tuple=True)
        at = [each[:, None, None] for each in rows]
        chosen = self._merged(logits[(*at, self._places().members)])
        weight = None if sample_weight is None else sample_weight[rows]
        return self.criterion(chosen, index[rows], weight)

    def _can_gather(self, index: Tensor) -> bool:
        """Whether the number of rows may depend on their values."""
        if self.reduction == "none" or index.ndim == 0:
            return False
        return not torch.compiler.is_compiling() and not _values.transforming()

    def _of_all_rows(
        self, logits: Tensor, index: Tensor, sample_weight: Tensor | None
    ) -> Tensor:
        """The same with other rows ignored by the criterion."""
        ignored = index.where(index >= 0, self.ignore_index)
        if self.ignore_index >= 0:
            # It may be a place among the chosen ones: other rows get no weight instead.
            ignored = index.clamp(min=0)
            counts = (index >= 0).to(logits.dtype)
            sample_weight = counts if sample_weight is None else counts * sample_weight
        chosen = self.logits(logits)
        rows = chosen.reshape(-1, chosen.shape[-1])
        weight = None if sample_weight is None else sample_weight.reshape(-1)
        loss = self.criterion(rows, ignored.reshape(-1), weight)
        return loss.reshape(index.shape) if self.reduction == "none" else loss

    def _merged(self, logits: Tensor) -> Tensor:
        """One logit for each entry: (..., entries, width) to (..., entries)."""
        if logits.shape[-1] == 1:
            return logits.squeeze(-1)
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return wide.masked_fill(self._places().repeated, -torch.inf).logsumexp(-1)

    def extra_repr(self) -> str:
        return f"{len(self.classes)} entries, dim={self.dim}"


def _first(criterion: nn.Module) -> ClassCriterion:
    while isinstance(criterion, MixedLoss):
        criterion = criterion.criteria[0]
    assert isinstance(criterion, ClassCriterion)
    return criterion


def _checked_criterion(criterion: nn.Module) -> nn.Module:
    parts = criterion.criteria if isinstance(criterion, MixedLoss) else [criterion]
    for part in parts:
        if not isinstance(part, ClassCriterion):
            raise TypeError(
                "criterion must be one of classes of offby.nn, such as "
                f"SquaredEMDLoss(ground), got {type(part).__name__}; criteria of "
                "numbers have no classes to choose from"
            )
        if part.dim not in (1, -1):
            raise ValueError(
                "the criterion's dim must be 1 or -1, since it sees rows x classes, "
                f"got {part.dim}; SubsetLoss(dim=...) says where all classes are"
            )
    return criterion


def _checked_classes(classes: Classes) -> list[tuple[int, ...]]:
    entries = []
    for entry in classes.tolist() if isinstance(classes, Tensor) else classes:
        several = isinstance(entry, Sequence | Tensor)
        entries.append(tuple(int(each) for each in (entry if several else [entry])))
    flat = [each for entry in entries for each in entry]
    if not entries or not all(entries):
        raise ValueError(
            "classes must name at least one class in each entry, got "
            f"{list(classes)!r:.80}; [3, 4, 5] is one class each"
        )
    if min(flat) < 0 or len(set(flat)) < len(flat):
        raise ValueError(
            "classes must be indices from 0, each named once, got "
            f"{list(classes)!r:.80}; the order of the entries is that of the ground"
        )
    return entries
