"""What a network learns from: encoded rows and what is known of each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from offby import losses
from offby.bins import Bins
from offby.grounds import Ground, Line
from offby.losses.registry import Labels


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The rows of one table, encoded, and their targets."""

    inputs: Tensor
    """Rows x features, float32."""
    index: Tensor
    """Class or bin of each row."""
    value: Tensor | None
    """The numbers themselves, if the classes are bins."""
    line: Ground
    """Where the classes lie; rarely on a circle, a tree, or at any costs."""
    bins: Bins | None
    sample_weight: Tensor | None = None
    groups: Tensor | None = None
    """Group id of each row; a group is never in both training and validation rows."""
    time: Tensor | None = None
    """When each row came; the latest rows are the validation rows."""
    column_of: Tensor | None = None
    """Column of the table that each input comes from, where a network asks for it."""
    around: Tensor | None = None
    """The numbers on a circle, whose losses see only bins."""

    def labels(self, rows: Tensor) -> Labels:
        """What these rows are judged against."""
        value = None if self.value is None else self.value[rows]
        return Labels(self.index[rows], self.line, value, self.bins)

    def row_weights(self) -> Tensor:
        """The weight of each row, float32; ones if there are none."""
        if self.sample_weight is None:
            return torch.ones(len(self.index), device=self.index.device)
        return self.sample_weight.float()

    def to(self, device: torch.device) -> "TrainingData":
        """The same data on a device."""
        names = ("inputs", "index", "value", "sample_weight")
        there = {name: getattr(self, name) for name in names}
        return replace(
            self, **{name: x.to(device) for name, x in there.items() if x is not None}
        )


@dataclass(frozen=True, eq=False)
class StackedRows:
    """The rows of several tables, one below the other, for a batch of networks."""

    inputs: Tensor
    index: Tensor
    value: Tensor | None
    weight: Tensor
    first: tuple[int, ...]
    """Where the table of each run begins."""
    grids: tuple[tuple[Ground, Bins | None], ...]
    grid_of: tuple[int, ...]
    """Grid of each run; runs of one grid share a call of the loss."""

    @classmethod
    def of(cls, tables: Sequence[TrainingData]) -> "StackedRows":
        """The table of each run; one that several runs share is stored once."""
        unique = list({id(table): table for table in tables}.values())
        starts, n_rows = {}, 0
        for table in unique:
            starts[id(table)] = n_rows
            n_rows += len(table.index)
        grids = {_grid(table): (table.line, table.bins) for table in tables}
        known = list(grids)
        values = [table.value for table in unique if table.value is not None]
        return cls(
            _joined([table.inputs for table in unique]),
            _joined([table.index for table in unique]),
            _joined(values) if values else None,
            _joined([table.row_weights() for table in unique]),
            tuple(starts[id(table)] for table in tables),
            tuple(grids.values()),
            tuple(known.index(_grid(table)) for table in tables),
        )

    def labels(
        self, rows: Tensor, runs: Sequence[int], n_members: int
    ) -> list[tuple[list[int], Labels]]:
        """Labels of runs x rows, repeated for each member: a part for each grid."""
        parts: dict[int, list[int]] = {}
        for place, run in enumerate(runs):
            parts.setdefault(self.grid_of[run], []).append(place)
        return [
            (places, self._labels(rows[places], grid, n_members))
            for grid, places in parts.items()
        ]

    def _labels(self, rows: Tensor, grid: int, n_members: int) -> Labels:
        shape = (len(rows), n_members, rows.shape[1])
        line, bins = self.grids[grid]
        index, value = self.index[rows], self.value
        if value is not None:
            value = value[rows][:, None].expand(shape)
        return Labels(index[:, None].expand(shape), line, value, bins)


def _grid(table: TrainingData) -> tuple:
    """What tables must share to be judged by one call of a loss."""
    line, bins = table.line, table.bins
    return line, None if bins is None else (tuple(bins.edges.tolist()), bins.tails)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def balanced_line(
    bins: Bins, index: Tensor, sample_weight: Tensor | None = None
) -> Line:
    """The bins as classes, in a unit in which the terms of a sum weigh the same.

    In it, forecasting the frequencies of the bins costs as much under the squared EMD
    as under cross-entropy; so `ce+emd2` means the same whatever the unit of the target.
    """
    counts = torch.bincount(index, sample_weight, minlength=bins.n_bins).double()
    share = counts / counts.sum()
    if int((share > 0).sum()) < 2:
        return bins.line()
    logits = share.log()
    ce = losses.cross_entropy(logits, share)
    each = torch.arange(bins.n_bins)
    emd2 = losses.squared_emd(logits.expand(len(each), -1), each, bins.line()) @ share
    return Line(bins.centers * float(ce / emd2))
