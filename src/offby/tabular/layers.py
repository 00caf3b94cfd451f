"""Layers of many networks at once: the first axis is the run, the second the member.

Runs share nothing, so that each may be trained on rows of its own. Members of a run may
share matrices. Each layer names in `decays` the parameters that weight decay pulls
towards zero: what multiplies does, offsets and scales do not.
"""

import math
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from offby.tabular.activation import Dropout, activation

Generators = Sequence[torch.Generator]
"""One for each run, so that no run depends on the others."""


class EnsembleLinear(nn.Module):
    """A linear layer for every member: shares nothing.

    **Shape**

    - Input: (runs, members, rows, n_in), or one member for all
    - Output: (runs, members, rows, n_out)
    """

    decays = ("weight",)

    def __init__(
        self, n_members: int, n_in: int, n_out: int, generators: Generators
    ) -> None:
        super().__init__()
        self.weight = _uniform(generators, n_members, n_in, n_out, n_in=n_in)
        self.bias = _uniform(generators, n_members, 1, n_out, n_in=n_in)

    def forward(
        self, hidden: Float[Tensor, "runs ... rows n_in"], scale: float = 1.0
    ) -> Float[Tensor, "runs members rows n_out"]:
        """The layer on scaled inputs, with one matrix product per member."""
        weight = self.weight if scale == 1 else self.weight * scale
        return hidden @ weight + self.bias


class SharedLinear(nn.Module):
    """A hidden layer whose members share the matrix and have biases of their own.

    NOTE[DIFF]: the BatchEnsemble of Wen, Tran, Ba (2020), arXiv:2002.06715, scales the
    inputs and outputs of each member in every layer (r and s); here only the first
    layer does, as in the "mini" form of TabM (arXiv:2410.24210): a step takes two
    thirds of the time, and scores on six development sets are .25 % worse.

    **Shape**

    - Input: (runs, members, rows, n_in)
    - Output: (runs, members, rows, n_out)
    """

    decays = ("weight",)

    def __init__(
        self, n_members: int, n_in: int, n_out: int, generators: Generators
    ) -> None:
        super().__init__()
        self.weight = _uniform(generators, n_in, n_out, n_in=n_in)
        self.bias = _uniform(generators, n_members, 1, n_out, n_in=n_in)

    def forward(
        self,
        hidden: Float[Tensor, "runs members rows n_in"],
        dropout: Dropout | None = None,
    ) -> Float[Tensor, "runs members rows n_out"]:
        """The layer and its relu, with one matrix product for all members."""
        weight = self.weight if dropout is None else self.weight * dropout.scale
        product = torch.bmm(hidden.flatten(1, 2), weight)
        return activation(product, self.bias, dropout)


class ColumnLinear(nn.Module):
    r"""A first layer whose members scale the columns, each in its own way.

    .. math:: h_m = \mathrm{relu}((x \odot r_m) W + b_m)

    with one value of r per column of the table, not one per input: what a column adds
    is then computed once for all members, however many inputs encode it. Random signs
    in r are what makes the members differ.

    Args:
        column_of: Column of the table that each input comes from.
        n_members: Members of a run.
        n_out: Width of the layer.
        generators: Where first weights come from.

    **Shape**

    - Input: (runs, rows, n_inputs)
    - Output: (runs, members, rows, n_out)
    """

    decays = ("weight",)

    def __init__(
        self,
        column_of: Int[Tensor, " inputs"],
        n_members: int,
        n_out: int,
        generators: Generators,
    ) -> None:
        super().__init__()
        n_in, column_inputs = len(column_of), _padded(column_of)
        self.r = nn.Parameter(_signs(generators, n_members, len(column_inputs)))
        self.weight = _uniform(generators, *column_inputs.shape, n_out, n_in=n_in)
        self.bias = _uniform(generators, n_members, 1, n_out, n_in=n_in)
        self.register_buffer("column_inputs", column_inputs)

    def forward(
        self,
        inputs: Float[Tensor, "_ rows inputs"],
        dropout: Dropout | None = None,
    ) -> Float[Tensor, "runs members rows n_out"]:
        """The layer and its relu; sums in the order that makes less of them."""
        column_inputs = cast(Tensor, self.column_inputs)
        padded = nn.functional.pad(inputs, (0, 1))
        by_column = padded[..., column_inputs.flatten()].unflatten(
            -1, column_inputs.shape
        )
        n_members, n_columns = self.r.shape[1:]
        n_out = self.weight.shape[-1]
        # Columns of hardly an input each add up to more numbers than the inputs of all
        # members; the 4 leaves the other order, which is quicker, up to that size.
        if n_columns * n_out > 4 * n_members * inputs.shape[-1]:
            scaled = by_column[:, None] * self.r[:, :, None, :, None]
            flat = scaled.flatten(3).flatten(1, 2)
            product = torch.bmm(flat, self.weight.flatten(1, 2))
        else:
            added = by_column.transpose(1, 2) @ self.weight
            product = torch.bmm(self.r, added.flatten(2))
        return activation(product, self.bias, dropout)


def _uniform(generators: Generators, *shape: int, n_in: int) -> nn.Parameter:
    """Evenly within 1 / sqrt(n_in), as `torch.nn.Linear` begins."""
    draws = [torch.rand(shape, generator=each) for each in generators]
    return nn.Parameter((2 * torch.stack(draws) - 1) / math.sqrt(max(n_in, 1)))


def _signs(generators: Generators, *shape: int) -> Tensor:
    draws = [torch.randint(0, 2, shape, generator=each) for each in generators]
    return torch.stack(draws) * 2.0 - 1.0


def _padded(column_of: Tensor, most: int = 33) -> Int[Tensor, "columns places"]:
    """The inputs of each column, filled up with an index past the last input.

    A column of more inputs than most (a number has 33), such as many categories, counts
    as several: or it would pad all others to its length.
    """
    rows: list[Tensor] = []
    for column in column_of.unique():
        rows += (column_of == column).nonzero()[:, 0].split(most)
    if not rows:
        return column_of.new_zeros(0, 0)
    return nn.utils.rnn.pad_sequence(
        rows, batch_first=True, padding_value=len(column_of)
    )
