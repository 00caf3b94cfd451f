"""`NumberCriterion`: what a criterion of real numbers does around its formula."""

from torch import Tensor, nn

from offby import kernels
from offby._checks import check_value
from offby.bins import Bins
from offby.nn import _values
from offby.nn._buffers import GroundBuffers
from offby.nn._reduction import Reduction, check_reduction, check_sample_weight, reduce
from offby.nn._shapes import DIM_HINT, check_dim, check_pair, last, rows_of


class NumberCriterion(nn.Module):
    """A criterion whose targets are numbers: it has a grid. NaN gives NaN."""

    def __init__(
        self,
        bins: Bins,
        *,
        ignore_nan: bool = False,
        reduction: Reduction = "mean",
        dim: int = 1,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        check_dim(dim)
        if not isinstance(bins, Bins):
            raise TypeError(
                f"bins must be offby.Bins, got {type(bins).__name__}; Bins(edges) "
                "makes them of edges"
            )
        self._bins = GroundBuffers(bins)
        self.ignore_nan = ignore_nan
        self.reduction: Reduction = reduction
        self.dim = dim
        self._seen_a_batch = False

    @property
    def bins(self) -> Bins:
        """The grid, on the device the criterion is on."""
        return self._bins()

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        raise NotImplementedError

    def term(self, factor: float) -> kernels.Term | None:
        """None: a term of numbers is computed by itself."""
        del factor
        return None

    def term_of(self, target: Tensor, factor: float) -> kernels.Term | None:
        """The formula against these numbers as the kernels know it; None if not."""
        del target, factor
        return None

    def counted(self, target: Tensor, sample_weight: Tensor | None) -> Tensor | None:
        """Which rows count; None if all do."""
        kept = None if sample_weight is None else sample_weight != 0
        if self.ignore_nan:
            there = ~target.isnan()
            kept = there if kept is None else kept & there
        return kept

    def forward(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch, reduced as asked at construction.

        Args:
            input: Logits, the raw output of a network, with the bins on axis `dim`:
                (N, K), (N, K, d1, ...) or (K,).
            target: The true numbers, in the units of the bins, shape (N, d1, ...).
            sample_weight: One weight per row, shape (N, d1, ...); a mask (bool) will do
                too. A row of weight 0 does not count, whatever its number and logits.
        """
        axis = check_pair(input, target, self.dim)
        rows = rows_of(input, axis)
        if target.shape != rows:
            hint = DIM_HINT if target.shape == input.shape[:-1] else "look at both"
            raise ValueError(
                f"target must hold one number for each row of logits, shape "
                f"{tuple(rows)} for logits of shape {tuple(input.shape)} with the bins "
                f"on axis {axis} (dim={self.dim}), got shape {tuple(target.shape)}; "
                f"{hint}"
            )
        logits = last(input, axis)
        check_value(logits, target, self._bins().n_bins)
        check_sample_weight(sample_weight, target.shape)
        if _values.readable(logits):
            if not self._seen_a_batch or _values.debugging():
                _values.warn_of_probabilities(logits)
            self._seen_a_batch = True
        if sample_weight is not None and _values.readable(sample_weight):
            _values.check_row_weights(sample_weight)
        kept = self.counted(target, sample_weight)
        if kept is not None:
            # 0 * NaN is NaN in the backward pass.
            target = target.where(kept, self.bins.edges[0].to(target))
            logits = logits.where(kept[..., None], 0.0)
        loss = self.per_row(logits, target)
        return reduce(
            loss, self.reduction, kept=kept, weight=sample_weight, share=sample_weight
        )
