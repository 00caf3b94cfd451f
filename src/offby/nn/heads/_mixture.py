"""A mixture of logistic distributions, cut into classes. Page: docs/heads.md."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from offby._checks import at_least_float32
from offby.grounds import Line
from offby.nn.heads._checks import check_sizes


class DiscretizedLogistics(nn.Module):
    r"""A few bells on the line of the classes, each cut at the borders between them.

    .. math:: p_k = \sum_m \pi_m \left[ \sigma\!\left(\tfrac{b_{k+1} - \mu_m}{s_m}
              \right) - \sigma\!\left(\tfrac{b_k - \mu_m}{s_m}\right) \right]

    with borders b halfway between the positions, and none beyond the first and the last
    class. 3 outputs for each bell, however many classes there are: made for hundreds of
    them, where a forecast has few peaks.

    Args:
        in_features: Numbers in a row of the input.
        num_classes: Classes, at least 2.
        n_components: Bells, at least 1.
        line: Where the classes lie; at 0, 1, 2, ... by default.

    References:
        Salimans, Karpathy, Chen, Kingma (2017), PixelCNN++, arXiv:1701.05517.
        NOTE[DIFF]: the logarithm of the width is held between -15 and 15 gaps, not
        above -7, and nothing is clamped to 1e-12.

    >>> head = DiscretizedLogistics(3, num_classes=256, n_components=5)
    >>> head(torch.randn(2, 3)).exp().sum(-1).allclose(torch.ones(2))
    True
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        n_components: int = 3,
        line: Line | None = None,
    ) -> None:
        super().__init__()
        check_sizes(in_features, num_classes)
        if n_components < 1:
            raise ValueError(f"n_components must be at least 1, got {n_components}")
        line = line or Line.regular(num_classes)
        if line.n_classes != num_classes:
            raise ValueError(
                f"line must have num_classes = {num_classes} classes, "
                f"got {line.n_classes}"
            )
        self.in_features, self.num_classes = in_features, num_classes
        self.n_components = n_components
        # In units of the mean gap, from the first class on.
        at = line.positions - line.positions[0]
        at = at / (at[-1] / (num_classes - 1))
        self.register_buffer("borders", ((at[1:] + at[:-1]) / 2).float(), False)
        self.linear = nn.Linear(in_features, 3 * n_components)
        places = torch.arange(n_components) + 0.5
        wide = torch.tensor(num_classes / (3.0 * n_components)).log()
        with torch.no_grad():
            self.linear.bias[:n_components] = 0.0
            self.linear.bias[n_components:-n_components] = (
                places / n_components * (num_classes - 1)
            )
            self.linear.bias[-n_components:] = wide

    def forward(
        self, input: Float[Tensor, "*batch features"]
    ) -> Float[Tensor, "*batch classes"]:
        """Log-probabilities of the classes, on the last axis."""
        found = at_least_float32(self.linear(input))
        weight, center, log_width = found.unflatten(-1, (3, -1))[..., None].unbind(-3)
        borders = self.get_buffer("borders").to(found.dtype)
        # Wider or narrower than any table can tell.
        narrow = (-log_width.clamp(-15.0, 15.0)).exp()
        z = (borders - center) * narrow
        below, above = logsigmoid(z), logsigmoid(-z)
        # F(b) - F(a) = F(b) (1 - F(a)) (1 - e^-(b - a)): nothing cancels.
        gaps = borders.diff() * narrow
        between = below[..., 1:] + above[..., :-1] + torch.log(-torch.expm1(-gaps))
        log_p = torch.cat([below[..., :1], between, above[..., -1:]], -1)
        return (weight.log_softmax(-2) + log_p).logsumexp(-2)

    def extra_repr(self) -> str:
        """Its settings, as `print` shows them."""
        return (
            f"{self.in_features}, num_classes={self.num_classes}, "
            f"n_components={self.n_components}"
        )
