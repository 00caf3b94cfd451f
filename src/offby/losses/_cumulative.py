"""Cross-entropy of every cut. Theory: docs/maths/cumulative-cross-entropy.md."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from offby import kernels
from offby._checks import (
    at_least_float32,
    check_target,
    clamped,
    classes_last,
    is_class,
)
from offby.grounds import (
    Cuts,
    Ground,
    Line,
    Tree,
    as_ground,
    mass_on_both_sides,
    n_classes_of,
)


def cumulative_cross_entropy(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy of "at most k, or above?", summed over the cuts of the line.

    .. math:: \ell(z, q) = -\sum_k w_k \left[ G_k \log F_k
              + (1 - G_k) \log(1 - F_k) \right]

    On a tree the question is "below this edge, or not?", with w the length of the edge
    and F and G the masses below it.

    Strictly proper, feels distance, and does not go flat where the network is
    confident and wrong: every cut between the two classes still pushes with full force.
    Also known as the ranked (or continuous ranked) logarithmic score. Infinite where
    all mass on one side of a cut is impossible and the truth lies there.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            An index that is no class gives NaN.
        ground: A `Line` (O(K)) or a `Tree` (O(K log K)); `Line.regular(K)` by default.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.
        impl: "torch" forces the plain form, "cpp" or "triton" a kernel; see
            `offby.kernels`.

    Returns:
        One loss per example, in nats times the unit of the ground distance.

    Raises:
        NotImplementedError: On another ground.

    References:
        Tödter, Ahrens (2012), Generalization of the ignorance score, Mon. Weather Rev.
        140, doi:10.1175/MWR-D-11-00266.1.
        Li, Bondell, Reich (2019), Deep distribution regression, arXiv:1903.06023.

    >>> cumulative_cross_entropy(torch.zeros(1, 3), torch.tensor([0]))
    tensor([1.5041])
    """
    logits, target = classes_last(logits, target, dim)
    ground = as_ground(ground)
    indices = check_target(logits, target, n_classes_of(ground))
    term = kernels.Term("cumulative_cross_entropy", ground)
    kernel = kernels.choose(impl, logits, target, term)
    if kernel is not None:
        return kernel(
            lambda z: cumulative_cross_entropy(z, target, ground, impl="torch")
        )
    ground = ground or Line.regular(logits.shape[-1])
    z = at_least_float32(logits)
    match ground:
        case Line():
            loss = _over_cuts(z, target, ground)
        case Tree():
            loss = _over_edges(z, target, ground.cuts.on(z))
        case _:
            raise NotImplementedError(
                "cumulative_cross_entropy needs the cuts of a Line or a Tree, got "
                f"{ground}; use squared_emd"
            )
    if indices:
        return loss.where(is_class(target, ground.n_classes), torch.nan)
    return loss


def _over_cuts(logits: Tensor, target: Tensor, line: Line) -> Tensor:
    odds, gaps = log_odds_of_cuts(logits), line.gaps.to(logits)
    if target.is_floating_point():
        return (gaps * _miss(odds, *mass_on_both_sides(target.to(odds.dtype)))).sum(-1)
    cut = torch.arange(1, line.n_classes, device=odds.device)
    wrong_way = torch.where(target[..., None] < cut, -odds, odds)
    return (gaps * _softplus(wrong_way)).sum(-1)


def _over_edges(logits: Tensor, target: Tensor, cuts: Cuts) -> Tensor:
    odds = _log_odds_of_runs(logits, cuts)
    if target.is_floating_point():
        q = target.to(odds.dtype)
        miss = _miss(odds, cuts.inside(q).clamp(min=0.0), cuts.outside(q))
        return (cuts.weights * miss).sum(-1)
    holds = cuts.hold(clamped(target, logits.shape[-1]))
    wrong_way = torch.where(holds, -odds, odds)
    return (cuts.weights * _softplus(wrong_way)).sum(-1)


def _miss(odds: Tensor, q_inside: Tensor, q_outside: Tensor) -> Tensor:
    """Binary cross-entropy of predicted log odds against the masses of both sides."""
    # A side without target mass costs nothing, though 0 * inf is NaN.
    miss_inside = _softplus(-odds.where(q_inside != 0, 0.0)) * q_inside
    miss_outside = _softplus(odds.where(q_outside != 0, 0.0)) * q_outside
    return miss_inside + miss_outside


def log_odds_of_cuts(logits: Tensor) -> Tensor:
    """log F_k - log(1 - F_k) at every cut, each side summed in log space.

    So small a tail is exact on either side; log(1 - F) would end at log(eps).
    """
    impossible = logits.isneginf()
    logits = logits - logits.amax(-1, keepdim=True).detach()
    # The backward pass of logcumsumexp subtracts its results: -inf would give NaN. So
    # impossible classes stay finite inside, and a side of only such is set right after.
    logits = logits.clamp(min=torch.finfo(logits.dtype).min / 4)
    below = logits.logcumsumexp(-1).masked_fill(_all_so_far(impossible), -torch.inf)
    logits, impossible = logits.flip(-1), impossible.flip(-1)
    above = logits.logcumsumexp(-1).masked_fill(_all_so_far(impossible), -torch.inf)
    return below[..., :-1] - above.flip(-1)[..., 1:]


def _log_odds_of_runs(logits: Tensor, cuts: Cuts) -> Tensor:
    """log S_e - log(1 - S_e) of every run, each side summed in log space.

    Before and after a run the sums begin at the ends of the row. Inside they begin at
    the middle of the smallest aligned block of 2^k classes that holds the run: so every
    run is two sums, and K log K steps give them all. Differences of sums from one end,
    as of masses, would lose a run of small mass altogether.
    """
    logits = logits[..., cuts.order]
    possible = torch.nn.functional.pad((~logits.isneginf()).cumsum(-1), (1, 0))
    # As on the line: finite inside, so that the backward pass is.
    logits = logits - logits.amax(-1, keepdim=True).detach()
    lowest = torch.finfo(logits.dtype).min / 4
    logits = logits.clamp(min=lowest)

    inside, from_first, to_last = _log_sums(logits, cuts.start, cuts.end - 1, lowest)
    nothing = torch.full_like(logits[..., :1], lowest)
    before = torch.cat([nothing, from_first], -1)[..., cuts.start]
    after = torch.cat([to_last, nothing], -1)[..., cuts.end]
    outside = _log_add(before, after)

    held = possible[..., cuts.end] - possible[..., cuts.start]
    inside = inside.masked_fill(held == 0, -torch.inf)
    return inside - outside.masked_fill(held == possible[..., -1:], -torch.inf)


def _log_sums(
    logits: Tensor, first: Tensor, last: Tensor, lowest: float
) -> tuple[Tensor, Tensor, Tensor]:
    """log of the summed exponentials: of each run, up to each class, from each on.

    Sums of blocks of 1, 2, 4, ... classes, each from two of the size before. Not by
    `logcumsumexp`: its second derivative drops classes that no sum reads (PyTorch 2.13
    takes the logarithm of their slope, which is 0).
    """
    n = logits.shape[-1]
    size = 1 << int(n - 1).bit_length()  # a tensor, while torch.jit traces
    up_to = from_on = torch.nn.functional.pad(logits, (0, size - n), value=lowest)
    runs = logits[..., first]  # of one class
    half = 1
    while half < size:
        up_left, up_right = up_to.unflatten(-1, (-1, 2, half)).unbind(-2)
        on_left, on_right = from_on.unflatten(-1, (-1, 2, half)).unbind(-2)
        from_middle = torch.stack([on_left, up_right], -2).flatten(-3)
        both = _log_add(from_middle[..., first], from_middle[..., last])
        # The run lies in one block of this size, on both sides of its middle.
        here = (first // (2 * half) == last // (2 * half)) & (
            first // half != last // half
        )
        runs = torch.where(here, both, runs)
        beyond = _log_add(up_left[..., -1:], up_right)
        up_to = torch.stack([up_left, beyond], -2).flatten(-3)
        beyond = _log_add(on_left, on_right[..., :1])
        from_on = torch.stack([beyond, on_right], -2).flatten(-3)
        half *= 2
    return runs, up_to[..., :n], from_on[..., :n]


def _log_add(a: Tensor, b: Tensor) -> Tensor:
    """log(e^a + e^b), twice differentiable also where a and b are far apart.

    The second derivative of `torch.logaddexp` overflows to NaN there.
    """
    return torch.where(a > b, a + _softplus(b - a), b + _softplus(a - b))


def _all_so_far(flags: Tensor) -> Tensor:
    return flags.cummin(-1).values


def _softplus(x: Tensor) -> Tensor:
    """log(1 + e^x) to the last digit; torch's own drops the e^-x of x above 20."""
    return -logsigmoid(-x)
