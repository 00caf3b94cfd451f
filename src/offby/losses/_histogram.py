"""Losses of a histogram against a real number. Theory: docs/maths/histogram.md."""

import torch
from jaxtyping import Float
from torch import Tensor

from offby import kernels
from offby._checks import at_least_float32, bins_last, check_value, clamped
from offby.bins import Bins
from offby.bins.intervals import check_bins
from offby.distribution.circular import check_on_a_line
from offby.distribution.half_normal import log_density
from offby.distribution.sides import Sides


def histogram_nll(
    logits: Float[Tensor, "*batch bins"],
    value: Float[Tensor, "*batch"],
    bins: Bins,
    *,
    dim: int = -1,
) -> Float[Tensor, "*batch"]:
    r"""Minus the log density of the histogram at a number.

    .. math:: \ell(z, y) = -\log p_k + \log(b_{k+1} - b_k), \qquad b_k \le y < b_{k+1}

    Strictly proper among histograms on these bins. Infinite outside the edges, unless
    the bins have half-normal tails: there their density takes the place of 1 / width.

    Args:
        logits: Raw network output, bins on the last axis.
        value: The true numbers, in the units of the bins. NaN gives NaN.
        bins: The grid.
        dim: Axis of the bins in `logits`; the last by default.

    Returns:
        One loss per example, in nats (of a density per unit of the target).

    References:
        Good (1952), Rational decisions, J. R. Stat. Soc. B 14.

    >>> histogram_nll(torch.zeros(1, 4), torch.tensor([1.0]), Bins.uniform(0, 8, 4))
    tensor([2.0794])
    """
    logits = bins_last(logits, dim)
    check_bins(bins)
    check_value(logits, value, bins.n_bins)
    log_p = at_least_float32(logits).log_softmax(-1)
    at = clamped(bins.index(value), bins.n_bins)
    log_p_there = log_p.gather(-1, at[..., None]).squeeze(-1)
    within = log_density(value, at, bins).to(log_p.dtype)
    return (-within - log_p_there).masked_fill(value.isnan(), torch.nan)


def histogram_crps(
    logits: Float[Tensor, "*batch bins"],
    value: Float[Tensor, "*batch"],
    bins: Bins,
    *,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    r"""Continuous ranked probability score of the histogram, exact.

    .. math:: \ell(z, y) = \int (F(x) - \mathbf 1[y \le x])^2 \, dx

    with F linear inside each bin, or half-normal in the tails of bins that have them.
    Strictly proper among histograms on these bins. It knows where in its bin the number
    lies, and how far outside the edges.

    Args:
        logits: Raw network output, bins on the last axis.
        value: The true numbers, in the units of the bins. NaN gives NaN.
        bins: The grid.
        dim: Axis of the bins in `logits`; the last by default.
        impl: "torch" forces the plain form, "cpp" or "triton" a kernel; see
            `offby.kernels`.

    Returns:
        One loss per example, in the units of the target.

    References:
        Matheson, Winkler (1976), Scoring rules for continuous probability
        distributions, Management Science 22, doi:10.1287/mnsc.22.10.1087.

    >>> histogram_crps(torch.zeros(1, 4), torch.tensor([4.0]), Bins.uniform(0, 8, 4))
    tensor([0.6667])
    """
    logits = bins_last(logits, dim)
    check_bins(bins)
    check_value(logits, value, bins.n_bins)
    check_on_a_line("histogram_crps", bins)
    term = kernels.Term("histogram_crps", bins, value=value)
    kernel = kernels.choose(impl, logits, None, term)
    if kernel is not None:
        return kernel(lambda z: histogram_crps(z, value, bins, impl="torch"))
    p = at_least_float32(logits).softmax(-1)
    return Sides.of(p, value, bins).integral_of_squares()


def histogram_wasserstein(
    logits: Float[Tensor, "*batch bins"],
    value: Float[Tensor, "*batch"],
    bins: Bins,
    *,
    dim: int = -1,
) -> Float[Tensor, "*batch"]:
    r"""Mean distance of the histogram from a number, :math:`E|X - y|`.

    Not proper: trained on noisy numbers it ends as a spike on their median.

    Args:
        logits: Raw network output, bins on the last axis.
        value: The true numbers, in the units of the bins. NaN gives NaN.
        bins: The grid.
        dim: Axis of the bins in `logits`; the last by default.

    Returns:
        One loss per example, in the units of the target.

    References:
        Villani (2003), Topics in optimal transportation, section 2.2.

    >>> grid = Bins.uniform(0, 8, 4)
    >>> histogram_wasserstein(torch.zeros(1, 4), torch.tensor([4.0]), grid)
    tensor([2.])
    """
    logits = bins_last(logits, dim)
    check_bins(bins)
    check_value(logits, value, bins.n_bins)
    check_on_a_line("histogram_wasserstein", bins)
    p = at_least_float32(logits).softmax(-1)
    return Sides.of(p, value, bins).integral()
