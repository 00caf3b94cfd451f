"""`Masses`: rows of masses on a grid, and how they are chosen, compared, worked on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import at_least_float32, normalized, on_host
from offby.bins import Bins
from offby.bins.intervals import check_bins
from offby.distribution._rows import Array, cached, in_chunks, within_bins
from offby.distribution.given import (
    Given,
    check_numbers,
    checked_row_index,
    chosen_row_index,
    given,
)
from offby.distribution.half_normal import moments


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Masses:
    """Rows of masses on a grid: what a forecast is stored as.

    `BinnedDistribution` explains the arguments.
    """

    probs: Float[np.ndarray, "*batch bins"]
    bins: Bins
    row_index: Any = None

    def __init__(
        self, probs: Tensor | ArrayLike, bins: Bins, *, row_index: Any = None
    ) -> None:
        check_bins(bins)
        masses = normalized(
            "probs",
            probs,
            bins.n_bins,
            "bins on their last axis, as the grid has",
            "raw network output goes through `BinnedDistribution.from_logits`",
        )
        self._set(masses, bins, checked_row_index(row_index, masses.shape[:-1]))

    def _set(self, probs: np.ndarray, bins: Bins, row_index: Any) -> None:
        object.__setattr__(self, "probs", probs)
        object.__setattr__(self, "bins", bins)
        object.__setattr__(self, "row_index", row_index)

    @classmethod
    def from_logits(
        cls, logits: Float[Tensor, "*batch bins"] | ArrayLike, bins: Bins
    ) -> Self:
        """The distribution whose masses are the softmax of a network's raw output.

        In the precision of the logits, float32 for half: for a million rows the masses
        are what takes the memory. The numbers that come of them are float64.

        >>> from offby import BinnedDistribution, Bins
        >>> BinnedDistribution.from_logits([0.0, 0.0], Bins([0, 1, 3])).probs
        array([0.5, 0.5])
        """
        check_bins(bins)
        if not isinstance(logits, Tensor):
            given = np.asarray(logits)
            if given.dtype != np.float32:
                given = given.astype(np.float64)
            logits = torch.tensor(given)
        probs = at_least_float32(logits.detach()).softmax(-1).cpu().numpy()
        if probs.ndim == 0 or probs.shape[-1] != bins.n_bins:
            raise ValueError(
                f"logits must have {bins.n_bins} bins on their last axis, as the grid "
                f"has, got shape {probs.shape}"
            )
        # A softmax is a distribution, or NaN in the whole row.
        if np.isnan(probs[..., 0]).any():
            at = tuple(int(i) for i in np.argwhere(np.isnan(probs[..., 0]))[0])
            raise ValueError(
                f"logits must hold numbers below infinity, but those of row {list(at)} "
                "have no softmax; look for NaN in the network's output"
            )
        return cls._of(probs, bins)

    @classmethod
    def _of(cls, probs: np.ndarray, bins: Bins, row_index: Any = None) -> Self:
        """Masses that are known to be right."""
        made = object.__new__(cls)
        made._set(probs, bins, row_index)
        return made

    def __getitem__(self, rows: Any) -> Self:
        """The forecasts of some rows.

        >>> from offby import BinnedDistribution, Bins
        >>> BinnedDistribution([[0.5, 0.5], [0.0, 1.0]], Bins([0, 1, 3]))[1].mean()
        np.float64(2.0)
        """
        if isinstance(rows, Tensor):
            rows = on_host(rows)
        # Of rows only: the bins stay together, or their masses would not sum to 1.
        places = np.arange(self._rows.shape[0]).reshape(self.probs.shape[:-1])
        if places.ndim == 0 and isinstance(rows, int | np.integer):
            raise IndexError("a single forecast has no rows to choose from")
        place = places[rows]
        kept = chosen_row_index(self.row_index, place)
        return self._of(self._rows[place], self.bins, kept)

    def __len__(self) -> int:
        """How many there are along the first axis."""
        if self.probs.ndim == 1:
            raise TypeError("a single forecast has no length")
        return len(self.probs)

    def __iter__(self) -> Iterator[Self]:
        """One forecast after the other, along the first axis."""
        return (self[row] for row in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Whether both have the same masses, to the last bit, on the same bins."""
        if not isinstance(other, Masses):
            return NotImplemented
        return self.bins == other.bins and np.array_equal(self.probs, other.probs)

    def __hash__(self) -> int:
        return hash((self.probs.shape, self.bins))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch {self.probs.shape[:-1]}, {self.bins})"

    def _given(self, name: str, numbers: Any, *, levels: bool = False) -> Given:
        """Numbers that a user gave, one for each forecast or broadcast against them."""
        batch = self.probs.shape[:-1]
        found = given(name, numbers, batch, self.row_index, levels=levels)
        check_numbers(name, found.values)
        return found

    @property
    def _rows(self) -> Float[np.ndarray, "rows bins"]:
        return self.probs.reshape(-1, self.bins.n_bins)

    def _each_row(self, function: Callable[[np.ndarray], Array]) -> Array:
        """A number of each row, from some rows at a time.

        So that a million rows need no memory beside their masses, and what is made of
        some of them stays in a processor's cache.
        """
        found = [function(p) for _, p in in_chunks(self._rows, cached(self.bins))]
        return np.concatenate(found or [np.empty(0)]).reshape(self.probs.shape[:-1])[()]

    @property
    def _edges(self) -> Array:
        return self.bins.edges.cpu().numpy()

    @property
    def _moments(self) -> tuple[Array, Array]:
        means, variances = moments(self.bins)
        return means.cpu().numpy(), variances.cpu().numpy()

    def _within(self, function: Callable[..., Tensor], numbers: Array, k: Any) -> Array:
        return within_bins(function, numbers, k, self.bins)

    def _locate(self, y: np.ndarray) -> tuple[Array, Any]:
        """The numbers, broadcast to the batch, and the bin that each is in or next to.

        On an inner edge it is the bin on the right, as in `Bins`.
        """
        numbers = y.astype(np.float64)
        if self.bins.wraps:
            low = self._edges[0]
            numbers = low + np.mod(numbers - low, float(self.bins.period))
        shape = np.broadcast_shapes(numbers.shape, self.probs.shape[:-1])
        found = np.broadcast_to(numbers, shape)
        return found, np.searchsorted(self._edges[1:-1], found, side="right")

    def _pick(self, rows: Array, at: Any) -> Array:
        """One entry of each row."""
        rows = np.broadcast_to(rows, (*np.shape(at), rows.shape[-1]))
        return np.take_along_axis(rows, np.asarray(at)[..., None], -1)[..., 0]
