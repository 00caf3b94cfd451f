"""Targets that are distributions over classes. Theory: docs/maths/targets.md."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby._checks import (
    check_floating,
    check_index,
    check_tensor,
    clamped,
    float_dtype,
    is_class,
)
from offby.bins import Bins
from offby.bins.intervals import check_bins
from offby.grounds import Ground, as_ground
from offby.kernels import targets as kernels

_WIDTHS = 0.75
"""Default of sigma, in widths of the bin that holds the number."""


def one_hot(
    target: Int[Tensor, "*batch"],
    n_classes: int,
    *,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "*batch classes"]:
    """All mass on the true class.

    Args:
        target: Class indices. An index that is no class gives a row of NaN.
        n_classes: How many classes there are.
        dtype: Of the result.

    Returns:
        Probabilities, classes on the last axis.

    >>> one_hot(torch.tensor([0, 2]), 3)
    tensor([[1., 0., 0.],
            [0., 0., 1.]])
    """
    check_index("target", target)
    each = torch.arange(n_classes, device=target.device)
    rows = (target[..., None] == each).to(dtype)
    return _nan_for_no_class(rows, target, n_classes)


def two_hot(
    values: Float[Tensor, "*batch"],
    bins: Bins,
    *,
    outside: Literal["clip", "raise"] = "clip",
) -> Float[Tensor, "*batch bins"]:
    r"""The number's mass, shared by the two bins whose centers lie around it.

    .. math:: q_i = \frac{x_{i+1} - y}{x_{i+1} - x_i}, \qquad q_{i+1} = 1 - q_i

    for a number y between the centers :math:`x_i` and :math:`x_{i+1}`. It keeps the
    mean: :math:`\sum_j q_j x_j = y`. Beyond the first or last center all mass lies on
    the end bin, and the mean is that center. On a circle (`Bins.periodic`) the last
    center and the first are neighbors.

    Args:
        values: The true numbers, in the units of the bins. NaN gives a row of NaN.
        bins: The grid.
        outside: Numbers beyond the edges count as if on the nearest edge ("clip"), or
            are refused ("raise").

    Returns:
        Probabilities, bins on the last axis; float32 for half-precision values.

    Raises:
        ValueError: For a number beyond the edges, if asked.

    References:
        Schrittwieser et al. (2020), Mastering Atari, Go, chess and shogi by planning
        with a learned model, arXiv:1911.08265, appendix F.
        Hafner et al. (2023), Mastering diverse domains through world models,
        arXiv:2301.04104.

    >>> two_hot(torch.tensor([2.5]), Bins([0, 2, 4, 6]))
    tensor([[0.2500, 0.7500, 0.0000]])
    """
    check_floating("values", values)
    check_bins(bins)
    if outside not in ("clip", "raise"):
        raise ValueError(f'outside must be "clip" or "raise", got {outside!r}')
    if outside == "raise":
        _refuse_outside(values, bins)
    fast = kernels.two_hot(values, bins)
    if fast is not None:
        return fast
    n = bins.n_bins
    before, after, share = _between_centers(bins.on_grid(values)[..., None], bins)
    share = share.to(float_dtype(values))
    nothing = (0 * share).expand(*values.shape, n)  # NaN where the number is
    rows = nothing.scatter(-1, before, 1 - share)
    if n > 1:
        return rows.scatter(-1, after, share)
    return rows.scatter_add(-1, after, share)  # the only bin gets both


def _between_centers(y: Tensor, bins: Bins) -> tuple[Tensor, Tensor, Tensor]:
    """The centers around each number, and the share of the way to the second.

    On a circle the last center also lies before the first, and the first after it.
    """
    n, edges = bins.n_bins, bins.edges.to(y.device)
    n_centers = n + 2 if bins.wraps else n
    if bins.even:
        low = edges[0]
        way = (y - low) * (n / (edges[-1] - low)) + (0.5 if bins.wraps else -0.5)
        way = way.clamp(0, n_centers - 1)
        place = way.detach().long().clamp(0, max(n_centers - 2, 0))
        share = way - place
    else:
        x = edges[:-1] + edges.diff() / 2
        if bins.wraps:
            turn = edges[-1] - edges[0]
            x = torch.cat([x[-1:] - turn, x, x[:1] + turn])
        place = torch.bucketize(y.contiguous(), x[1:-1], right=True)
        after = (place + 1).clamp(max=n_centers - 1)
        gap = (x[after] - x[place]).where(after > place, 1.0)
        share = ((y - x[place]) / gap).clamp(0, 1)
    if bins.wraps:
        return (place - 1).remainder(n), place.remainder(n), share
    return place, place + (n > 1), share


def hl_gauss(
    values: Float[Tensor, "*batch"],
    bins: Bins,
    sigma: float | Float[Tensor, "*batch"] | None = None,
    *,
    outside: Literal["clip", "raise", "spread"] = "clip",
) -> Float[Tensor, "*batch bins"]:
    r"""Mass of each bin under a normal distribution around the number.

    .. math:: q_k = \frac{\Phi(z_{k+1}) - \Phi(z_k)}{\Phi(z_K) - \Phi(z_0)}, \qquad
              z_k = \frac{b_k - y}{\sigma}

    Cross-entropy with it is HL-Gauss. A network so trained ends at the distribution of
    the numbers blurred by sigma, not at the distribution itself. Near an end of the
    grid the normal distribution is cut off, which moves its mean inward. Computed in
    log space: right where every difference above is zero in floating point.

    On a circle (`Bins.periodic`) the bell goes around it, as often as it reaches.

    NOTE[DIFF] the papers have bins of one width; here sigma defaults to 0.75 widths of
    the bin that holds the number.

    Args:
        values: The true numbers, in the units of the bins. NaN gives a row of NaN;
            infinity does if it is to be spread.
        bins: The grid.
        sigma: Standard deviation, in the units of the bins: one, or one per number.
        outside: Numbers beyond the edges count as if on the nearest edge ("clip"), are
            refused ("raise"), or spread their tail over the grid by the formula above
            ("spread"): the further outside, the more of it on the end bin.

    Returns:
        Probabilities, bins on the last axis; float32 for half-precision values.

    Raises:
        ValueError: If sigma is not positive, or a number lies beyond the edges and that
            is to be refused.

    References:
        Imani, White (2018), Improving regression performance with distributional
        losses, arXiv:1806.04613.
        Farebrother et al. (2024), Stop regressing: training value functions via
        classification for scalable deep RL, arXiv:2403.03950.

    >>> hl_gauss(torch.tensor([1.5]), Bins.uniform(0, 3, 3), sigma=1.0)
    tensor([[0.2790, 0.4420, 0.2790]])
    """
    check_floating("values", values)
    check_bins(bins)
    if outside not in ("clip", "raise", "spread"):
        raise ValueError(
            f'outside must be "clip", "raise" or "spread", got {outside!r}'
        )
    if sigma is not None and not isinstance(sigma, Tensor) and not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma:g}")
    if outside == "raise" and not bins.wraps:  # on a circle nothing is outside
        _refuse_outside(values, bins)
    if outside != "spread" or bins.wraps:
        fast = kernels.hl_gauss(values, bins, sigma, _WIDTHS)
        if fast is not None:
            return fast
    y = bins.on_grid(values)
    edges = bins.edges.to(y.device)
    if outside == "clip" and not bins.wraps:
        y = y.clamp(edges[0], edges[-1])
    if sigma is None:
        widths = edges.diff()
        sigma = _WIDTHS * (widths[0] if bins.even else widths[_bin_around(y, bins)])
    if isinstance(sigma, Tensor):
        sigma = sigma.to(y).where(sigma.to(y) > 0, torch.nan)
    if bins.wraps:
        spread = torch.as_tensor(sigma, dtype=y.dtype, device=y.device)
        return _wrapped(y, bins, spread, float_dtype(values))
    if outside == "spread":
        spread = torch.as_tensor(sigma, dtype=y.dtype, device=y.device)
        z = (edges - y[..., None]) / spread[..., None]
        log_mass = _log_mass_between(z[..., :-1], z[..., 1:])
        return log_mass.softmax(-1).to(float_dtype(values))
    z = _from_center(edges, y, sigma, float_dtype(values))
    return _mass_around_zero(z, _bin_around(y, bins)[..., None])


def _wrapped(y: Tensor, bins: Bins, spread: Tensor, dtype: torch.dtype) -> Tensor:
    """The masses on as many turns of the circle as the bell reaches, summed by bin."""
    edges, n = bins.edges.to(y.device), bins.n_bins
    turn = edges[-1] - edges[0]
    # From there on, the bell around the circle is flat to the last digit.
    spread = spread.clamp(max=1.5 * turn)
    # Nine deviations are all that float64 can tell from none.
    widest = (spread / turn).nan_to_num(0.0).max() if spread.numel() else turn * 0
    reach = max(1, math.ceil(9 * float(widest)))
    turns = torch.arange(-reach, reach + 1, device=y.device)
    unrolled = torch.cat([(edges[:-1] + turn * turns[:, None]).flatten(), edges[-1:]])
    unrolled[-1] += reach * turn
    z = _from_center(unrolled, y, spread, dtype)
    at = _bin_around(y, bins) + reach * n
    mass = _mass_around_zero(z, at[..., None])
    return mass.unflatten(-1, (len(turns), n)).sum(-2)


def _bin_around(y: Tensor, bins: Bins) -> Tensor:
    """The bin of each number on the grid, or by rounding the one beside; NaN's is 0."""
    if not bins.even:
        return bins.index(y).clamp(min=0)
    low = bins.edges[0].to(y.device)
    step = bins.period.to(y.device) / bins.n_bins
    return ((y.detach() - low) / step).long().clamp(0, bins.n_bins - 1)


def _from_center(
    edges: Tensor, y: Tensor, sigma: Tensor | float, dtype: torch.dtype
) -> Tensor:
    """How far the edges are from the numbers, in units of sqrt(2) sigma.

    Subtracted in float64: a float32 number of 1e6 is known to the width of many a bin.
    """
    unit = math.sqrt(2) * sigma
    if not isinstance(unit, Tensor) or unit.ndim == 0:
        # One for all: cheaper before the numbers meet the edges.
        return (edges / unit - (y / unit)[..., None]).to(dtype)
    return (edges - y[..., None]).to(dtype) * unit.reciprocal().to(dtype)[..., None]


def _mass_around_zero(z: Tensor, at: Tensor) -> Tensor:
    """Normalized mass between the z, in units of sqrt(2) sigma; bin `at` holds zero.

    Left and right of the center a mass is a difference of two tails, so that it has all
    its digits; that of the bin which holds the center is what both tails leave.
    """
    # Beyond, tails are subnormal numbers, which take a CPU ten times as long.
    tails = z.abs().clamp(max=26.0 if z.dtype == torch.float64 else 9.0).erfc()
    middle = 2 - tails.gather(-1, at) - tails.gather(-1, at + 1)
    share = (2 - tails[..., :1] - tails[..., -1:]).reciprocal()
    return tails.diff(dim=-1).abs().scatter(-1, at, middle) * share


def smoothed(
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground,
    temperature: float,
) -> Float[Tensor, "*batch classes"]:
    r"""Mass on every class, less of it the further from the true one.

    .. math:: S_{yj} = \frac{e^{-d(j, y) / \tau}}{\sum_i e^{-d(i, y) / \tau}}

    of a class y, :math:`S'q` of a distribution q. Label smoothing that knows the
    distance; with `Costs.equal` it is plain label smoothing. A network trained on it
    ends at S'q, not at q; `debias` undoes it.

    Args:
        target: Class indices, or probabilities with the classes on the last axis. An
            index that is no class gives a row of NaN.
        ground: How far apart the classes are.
        temperature: Distance at which mass falls to 1/e, in the units of the ground.

    Returns:
        Probabilities, classes on the last axis; float32 for indices.

    Raises:
        ValueError: If the temperature is not positive, or the classes do not fit.

    References:
        Diaz, Marathe (2019), Soft labels for ordinal regression, CVPR,
        doi:10.1109/CVPR.2019.00487.

    >>> from offby import Line
    >>> smoothed(torch.tensor([0]), Line.regular(3), temperature=1.0)
    tensor([[0.6652, 0.2447, 0.0900]])
    """
    ground = as_ground(ground)
    check_tensor("target", target)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be positive, got {temperature:g}")
    # The cost of predicting each class where y is true: costs may be asymmetric.
    rows = (-ground.cost.T / temperature).softmax(-1).to(target.device)
    if not target.is_floating_point():
        check_index("target", target)
        at = clamped(target, ground.n_classes)
        return _nan_for_no_class(rows[at].float(), target, ground.n_classes)
    if target.ndim == 0 or target.shape[-1] != ground.n_classes:
        raise ValueError(
            f"target must have {ground.n_classes} classes on its last axis, as the "
            f"ground has, got shape {tuple(target.shape)}; class indices must be "
            "integers (`.long()`)"
        )
    return (target.double() @ rows).to(float_dtype(target))


def _nan_for_no_class(rows: Tensor, index: Tensor, n_classes: int) -> Tensor:
    return rows.where(is_class(index, n_classes)[..., None], torch.nan)


def _refuse_outside(values: Tensor, bins: Bins) -> None:
    beyond = (values < bins.edges[0].item()) | (values > bins.edges[-1].item())
    if bool(beyond.any()):
        raise ValueError(
            f"values must lie within the bins, {bins.edges[0]:g} to "
            f"{bins.edges[-1]:g}, got {values[beyond][0]:g}; widen the grid, or pass "
            'outside="clip"'
        )


def _log_mass_between(low: Tensor, high: Tensor) -> Tensor:
    """log of Phi(high) - Phi(low), each difference taken in the tail it lies in.

    Right of the center both values of Phi are near 1, and their difference would have
    no digits left.
    """
    right = low > 0
    low, high = torch.where(right, -high, low), torch.where(right, -low, high)
    log_low, log_high = torch.special.log_ndtr(low), torch.special.log_ndtr(high)
    gap = log_high - log_low
    return log_high + torch.log(-torch.expm1(-gap))
