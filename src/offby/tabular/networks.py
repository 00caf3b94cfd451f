"""Networks for tables: an ensemble that shares its weights, on a smooth set of logits.

A network here maps inputs of shape (bags, rows, features) to logits of shape (bags,
members, rows, classes). Bags are trained on different rows and share nothing; the
members of a bag share its matrices.
"""

import copy
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Ensemble(nn.Module):
    r"""Perceptrons that share their matrices; each has scales and a last layer its own.

    Layer by layer, member m computes

    .. math:: h \leftarrow \mathrm{relu}((h \odot r_m) W \odot s_m + b_m)

    In the first layer the scale is one per column of the table, however many inputs
    spell the column out: what a column adds is computed once for all members.

    Its logits are a sum of cosines over the classes (`cosines`), on top of the logits
    of the class frequencies: so neighboring bins start and stay alike unless the rows
    say otherwise, and the number of bins hardly matters.

    Args:
        column_of: Column of the table that each input comes from.
        prior: Logits of the class frequencies.
        n_bags: Networks that share nothing.
        n_members: Networks in a bag.
        hidden_layer_sizes: Widths of the hidden layers.
        dropout: Share of hidden values dropped in training.
        generator: Where first weights and dropped values come from.

    References:
        Wen, Tran, Ba (2020), BatchEnsemble, arXiv:2002.06715; Gorishniy, Kotelnikov,
        Babenko (2024), TabM, arXiv:2410.24210. NOTE[DIFF]: cosines; scales of columns
        and not of their codes, which is quicker; dropped values differ between members.
    """

    def __init__(
        self,
        column_of: Int[Tensor, " features"],
        prior: Float[Tensor, " classes"],
        *,
        n_bags: int,
        n_members: int,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.generator: torch.Generator | None = generator
        self.n_bags, self.dropout = n_bags, dropout

        def uniform(*shape: int, width: int) -> nn.Parameter:
            draw = torch.rand(n_bags, *shape, generator=generator)
            return nn.Parameter((2 * draw - 1) / math.sqrt(max(width, 1)))

        places = _padded(column_of)
        n_features, (n_columns, n_places) = len(column_of), places.shape
        widths = [n_features, *hidden_layer_sizes]
        layers, k = list(pairwise(widths)), n_members
        self.matrices = nn.ParameterList(
            uniform(a, b, width=a)
            if layer
            else uniform(n_columns, n_places, b, width=a)
            for layer, (a, b) in enumerate(layers)
        )
        self.biases = nn.ParameterList(uniform(k, 1, b, width=a) for a, b in layers)
        self.after = nn.ParameterList(torch.ones(n_bags, k, 1, b) for _, b in layers)
        # Random signs on the columns are what makes the members differ.
        self.before = nn.ParameterList(
            torch.ones(n_bags, k, 1, a)
            if layer
            else _signs(n_bags, k, n_columns, generator=generator)
            for layer, (a, _) in enumerate(layers)
        )
        waves = cosines(len(prior))
        self.head = uniform(k, widths[-1], len(waves), width=widths[-1])
        self.offset = nn.Parameter(torch.zeros(n_bags, k, 1, len(waves)))
        self.register_buffer("prior", prior.float())
        self.register_buffer("waves", waves)
        self.register_buffer("places", places)

    def forward(
        self, inputs: Float[Tensor, "bags rows features"]
    ) -> Float[Tensor, "bags members rows classes"]:
        """Raw logits of every member."""
        hidden = inputs[:, None]
        layers = zip(self.before, self.matrices, self.after, self.biases, strict=True)
        for layer, (before, matrix, after, bias) in enumerate(layers):
            if layer:
                # One product for all members: they share the matrix.
                flat = (hidden * before).flatten(1, 2) @ matrix
                hidden = flat.unflatten(1, hidden.shape[1:3])
            else:
                hidden = self._first(inputs, before, matrix)
            hidden = (hidden * after + bias).relu()
            if self.training and self.dropout:
                hidden = hidden * self._kept(hidden)
        waves, prior = cast(Tensor, self.waves), cast(Tensor, self.prior)
        return (hidden @ self.head + self.offset) @ waves + prior

    def _first(
        self,
        inputs: Float[Tensor, "bags rows features"],
        before: Float[Tensor, "bags members columns"],
        matrix: Float[Tensor, "bags columns places hidden"],
    ) -> Float[Tensor, "bags members rows hidden"]:
        places = cast(Tensor, self.places)
        with_nothing = torch.nn.functional.pad(inputs, (0, 1))
        spelled = with_nothing[..., places.flatten()].unflatten(-1, places.shape)
        n_members, n_columns, width = before.shape[1], matrix.shape[1], matrix.shape[-1]
        if n_columns * width > 4 * n_members * inputs.shape[-1]:
            # Columns of hardly an input each: what each adds would be larger than the
            # inputs of all members.
            scaled = spelled[:, None] * before[:, :, None, :, None]
            flat = scaled.flatten(3).flatten(1, 2) @ matrix.flatten(1, 2)
            return flat.unflatten(1, scaled.shape[1:3])
        added = spelled.transpose(1, 2) @ matrix
        return (before @ added.flatten(2)).unflatten(-1, added.shape[2:])

    def _kept(self, hidden: Tensor) -> Tensor:
        # A byte for each value, eight to a draw: whole numbers are drawn slowly.
        n_values = hidden.numel()
        n_draws = -(-n_values // 8)
        draws = torch.empty(n_draws, dtype=torch.int64, device=hidden.device)
        draws.random_(-(2**63), None, generator=self.generator)
        byte = draws.view(torch.uint8)[:n_values].view(hidden.shape)
        least = round(256 * self.dropout)
        return (byte >= least) / (1 - least / 256)


class Alone(nn.Module):
    """Any module from features to logits, as a single member of a single bag."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.n_bags = 1

    def forward(
        self, inputs: Float[Tensor, "bags rows features"]
    ) -> Float[Tensor, "bags members rows classes"]:
        """Raw logits of the module."""
        return self.module(inputs[0])[None, None]


def own_module(
    module: nn.Module | Callable[[int, int], nn.Module],
    n_features: int,
    n_classes: int,
    seed: int,
) -> Alone:
    """A user's module, ready for training: a copy, or what their function builds.

    Raises:
        TypeError: If it is neither a module nor builds one.
        ValueError: If it does not give one logit per class.
    """
    if isinstance(module, nn.Module):
        built = copy.deepcopy(module)
    else:
        # PyTorch's own layers draw their first weights from the global generator.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            built = module(n_features, n_classes)
    if not isinstance(built, nn.Module):
        raise TypeError(
            "module must be a torch.nn.Module or a function of the numbers of features "
            f"and classes that builds one, got {type(built).__name__}"
        )
    with torch.no_grad():
        shape = tuple(built.eval()(torch.zeros(2, n_features)).shape)
    if shape != (2, n_classes):
        raise ValueError(
            f"module must map 2 rows of {n_features} features to logits of shape "
            f"(2, {n_classes}), got shape {shape}"
        )
    return Alone(built)


def cosines(n_classes: int, most: int = 40) -> Float[Tensor, "waves classes"]:
    r"""Cosines over the classes, the quicker ones the smaller.

    .. math:: \sqrt{2} \cos(\pi j (k + 1/2) / K) / (1 + j)^2, \qquad j = 1 \dots

    With all K - 1 of them any logits can be reached (a constant changes nothing), but
    smooth ones by smaller weights. Of many classes the quickest waves are left out.

    >>> cosines(3)
    tensor([[ 3.0619e-01, -1.5454e-08, -3.0619e-01],
            [ 7.8567e-02, -1.5713e-01,  7.8567e-02]])
    """
    j = torch.arange(1, max(2, min(n_classes, most + 1)))[:, None]
    place = (torch.arange(n_classes) + 0.5) / n_classes
    return math.sqrt(2) * torch.cos(math.pi * j * place) / (1 + j) ** 2


def _padded(column_of: Tensor, most: int = 33) -> Int[Tensor, "columns places"]:
    """The inputs of each column, filled up with a place past the last input.

    A column of more inputs than most, such as many categories, counts as several.
    """
    rows: list[Tensor] = []
    for column in column_of.unique():
        rows += (column_of == column).nonzero()[:, 0].split(most)
    if not rows:
        return column_of.new_zeros(0, 0)
    return nn.utils.rnn.pad_sequence(
        rows, batch_first=True, padding_value=len(column_of)
    )


def _signs(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=generator) * 2.0 - 1.0
