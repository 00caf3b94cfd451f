"""`LearnedCosts`: how far apart the classes are, by a network's own features."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from offby._checks import check_target
from offby.grounds import Costs


class LearnedCosts(nn.Module):
    r"""Ground distance learned from a network's own features, for unordered classes.

    .. math:: m_c = \operatorname*{mean}_{y = c} \frac{f}{\|f\|_1}, \qquad
              r_{ij} = \frac{\text{rank of } \|m_i - m_j\|_2 \text{ among } j}{K - 1},
              \qquad d(i, j) = \frac{r_{ij} + r_{ji}}2

    Call it with the features of each batch; at the end of the epoch `costs()` is the
    ground for the next one, its distances between 0 and 1. Then `reset()`.

    Args:
        n_classes: Number of classes.
        n_features: Width of the features, as a rule of the layer before the last.

    References:
        Hou, Yu, Samaras (2016), Squared earth mover's distance-based loss for training
        deep neural networks, arXiv:1611.05916, section 3.3.

    >>> learned = LearnedCosts(n_classes=3, n_features=2)
    >>> features = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 5.0]])
    >>> learned(features, torch.tensor([0, 1, 2]))
    >>> learned.costs().cost
    tensor([[0.0000, 0.5000, 1.0000],
            [0.5000, 0.0000, 0.7500],
            [1.0000, 0.7500, 0.0000]], dtype=torch.float64)
    """

    sums: Tensor
    counts: Tensor

    def __init__(self, n_classes: int, n_features: int) -> None:
        super().__init__()
        # float64, as the many rows of an epoch are added up one by one.
        zeros = torch.zeros(n_classes, n_features, dtype=torch.float64)
        self.register_buffer("sums", zeros)
        self.register_buffer("counts", torch.zeros(n_classes, dtype=torch.int64))

    @torch.no_grad()
    def forward(
        self, features: Float[Tensor, "*batch features"], target: Int[Tensor, "*batch"]
    ) -> None:
        """Take in the features of a batch. Rows of an index that is no class are left.

        Args:
            features: Output of a hidden layer.
            target: True class of each row.
        """
        width = self.sums.shape[-1]
        if features.shape[-1:] != (width,):
            raise ValueError(
                f"features must be {width} wide, got shape {tuple(features.shape)}"
            )
        if not check_target(features, target):
            raise TypeError(
                f"target must hold integer class indices, got dtype {target.dtype}"
            )
        rows, index = features.reshape(-1, width).double(), target.reshape(-1).long()
        known = (index >= 0) & (index < len(self.counts))
        shares = nn.functional.normalize(rows, p=1.0, dim=-1)[known]
        self.sums.index_add_(0, index[known], shares)
        self.counts.index_add_(0, index[known], torch.ones_like(index[known]))

    def costs(self) -> Costs:
        """Distances of the classes by all features taken in since the last `reset`."""
        from scipy.stats import rankdata

        missing = (self.counts == 0).nonzero()[:, 0].tolist()
        if missing:
            raise ValueError(
                "every class must have features, but there are none of "
                f"{', '.join(map(str, missing[:5]))}; call this after a whole epoch"
            )
        apart = Costs.from_features(self.sums / self.counts[:, None]).cost
        # No class is nearer to a class than itself, even if two are at one place.
        apart = apart.fill_diagonal_(-1.0).cpu().numpy()
        ranks = (rankdata(apart, axis=1) - 1) / max(len(apart) - 1, 1)
        return Costs(torch.from_numpy(ranks + ranks.T).to(self.sums.device) / 2)

    def reset(self) -> None:
        """Forget the features taken in so far."""
        self.sums.zero_()
        self.counts.zero_()

    def _apply(self, fn, recurse=True):
        # A change of dtype is for weights: sums of an epoch in bfloat16 lose its end.
        for name in ("sums", "counts"):
            buffer = getattr(self, name)
            setattr(self, name, buffer.to(fn(buffer).device))
        return self
