"""Batches of networks for tables: from rows to logits, many runs side by side.

A batch maps inputs of shape (runs, rows, features) to logits of shape (runs, members,
rows, classes). Runs are trained on different rows and share nothing; the members of a
run forecast together.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from offby.tabular.activation import Dropout
from offby.tabular.layers import (
    ColumnLinear,
    EnsembleLinear,
    Generators,
    SharedLinear,
)


class NetworkBatch(nn.Module):
    """Several runs in one module: all its parameters have the run for first axis."""

    run_buffers: tuple[str, ...] = ()
    """Buffers that do, too."""

    def __init__(self, n_runs: int) -> None:
        super().__init__()
        self.n_runs = n_runs

    def run_tensors(self) -> dict[str, Tensor]:
        """All that belongs to single runs, with the run for first axis."""
        buffers = {name: self.get_buffer(name) for name in self.run_buffers}
        return {**dict(self.named_parameters()), **buffers}

    def set_runs(self, tensors: dict[str, Tensor]) -> None:
        """Take over the runs that these tensors describe, however many."""
        for name, own in self.run_tensors().items():
            own.data = tensors[name]
            self.n_runs = len(tensors[name])

    def logits_of(self, tensors: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """Logits of other runs than its own, which it leaves as they are."""
        return functional_call(self, tensors, (inputs,))


class Ensemble(NetworkBatch):
    r"""Perceptrons that share matrices within a run, and differ in what they see.

    The first layer (`ColumnLinear`) scales the columns for each member, the hidden ones
    (`SharedLinear`) have biases of each, and each has a last layer of its own.

    Its logits are a sum of cosines over the classes (`cosines`), on top of the logits
    of the class frequencies: so neighboring bins start and stay alike unless the rows
    say otherwise, and the number of bins hardly matters.

    Args:
        column_of: Column of the table that each input comes from.
        prior: Logits of the class frequencies of each run.
        n_members: Perceptrons in a run.
        hidden_layer_sizes: Widths of the hidden layers.
        dropout: Share of hidden values dropped in training.
        generators: Where the first weights of each run come from.
        basis: Another basis than cosines, for outputs that are no classes.

    References:
        Gorishniy, Kotelnikov, Babenko (2024), TabM, arXiv:2410.24210. NOTE[DIFF]:
        cosines; scales of columns and not of their inputs, and in the first layer
        only, which is quicker; dropped values differ between members.
    """

    run_buffers = ("prior",)

    def __init__(
        self,
        column_of: Int[Tensor, " features"],
        prior: Float[Tensor, "runs classes"],
        *,
        n_members: int,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        generators: Generators,
        basis: Float[Tensor, "waves classes"] | None = None,
    ) -> None:
        super().__init__(len(generators))
        if (
            n_members < 1
            or not 0 <= dropout < 1
            or min(hidden_layer_sizes, default=1) < 1
        ):
            raise ValueError(
                "n_members and all hidden_layer_sizes must be at least 1 and dropout "
                f"from 0 to below 1, got {n_members}, {tuple(hidden_layer_sizes)} and "
                f"{dropout}"
            )
        self.dropout = dropout
        widths = [len(column_of), *hidden_layer_sizes]
        self.layers = nn.ModuleList(
            SharedLinear(n_members, n_in, n_out, generators)
            if number
            else ColumnLinear(column_of, n_members, n_out, generators)
            for number, (n_in, n_out) in enumerate(pairwise(widths))
        )
        if basis is None:
            basis = cosines(prior.shape[-1])
        self.head = EnsembleLinear(n_members, widths[-1], len(basis), generators)
        # A training begins at the frequencies of the classes.
        nn.init.zeros_(self.head.bias)
        self.register_buffer("prior", prior.float()[:, None, None])
        self.register_buffer("basis", basis)

    def forward(
        self,
        inputs: Float[Tensor, "runs rows features"],
        generators: Generators | None = None,
    ) -> Float[Tensor, "runs members rows classes"]:
        """Raw logits of every member; with generators, as in training."""
        dropped = self.dropout and generators is not None and len(self.layers)
        dropout = Dropout(self.dropout, generators or ()) if dropped else None
        hidden = inputs if len(self.layers) else inputs[:, None]
        for layer in self.layers:
            hidden = layer(hidden, dropout)
        waves = self.head(hidden, dropout.scale if dropout else 1.0)
        prior, basis = cast(Tensor, self.prior), cast(Tensor, self.basis)
        # The product and the sum in one pass.
        bases = basis.expand(len(waves), *basis.shape)
        logits = torch.baddbmm(prior[:, 0], waves.flatten(1, 2), bases)
        return logits.unflatten(1, waves.shape[1:3])


class MLP(NetworkBatch):
    """Plain multilayer perceptrons: one member, one logit for each class.

    Args:
        widths: Number of features, widths of the hidden layers, number of classes.
        generators: Where the first weights of each run come from.
    """

    def __init__(self, widths: Sequence[int], generators: Generators) -> None:
        super().__init__(len(generators))
        self.layers = nn.ModuleList(
            EnsembleLinear(1, n_in, n_out, generators)
            for n_in, n_out in pairwise(widths)
        )

    def forward(
        self,
        inputs: Float[Tensor, "runs rows features"],
        generators: Generators | None = None,
    ) -> Float[Tensor, "runs members rows classes"]:
        """Raw logits."""
        hidden = inputs[:, None]
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden.relu() if number else hidden)
        return hidden


def cosines(n_classes: int, most: int = 40) -> Float[Tensor, "waves classes"]:
    r"""Cosine basis over the classes; amplitudes fall with the square of the frequency.

    .. math:: \sqrt{2} \cos(\pi j (k + 1/2) / K) / (1 + j)^2, \qquad j = 1 \dots

    With all K - 1 of them any logits can be reached (a constant changes nothing), but
    smooth ones by smaller weights. Of many classes the highest frequencies go.

    >>> cosines(3)
    tensor([[ 3.0619e-01, -1.5454e-08, -3.0619e-01],
            [ 7.8567e-02, -1.5713e-01,  7.8567e-02]])
    """
    j = torch.arange(1, max(2, min(n_classes, most + 1)))[:, None]
    position = (torch.arange(n_classes) + 0.5) / n_classes
    return math.sqrt(2) * torch.cos(math.pi * j * position) / (1 + j) ** 2
