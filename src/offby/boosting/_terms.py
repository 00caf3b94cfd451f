"""The sum of losses of an objective as numbers: what its formulas multiply by."""

from dataclasses import dataclass

import numpy as np
import torch

from offby.bins import Bins
from offby.boosting._target import tail_square
from offby.distribution.half_normal import tails_of
from offby.grounds import Circle, Costs, Cuts, Ground, Line, Tree
from offby.losses.registry import NamedLoss

LOSSES = ("ce", "emd2", "cce", "crps", "nll")
"""What trees can be boosted on: proper losses with a positive curvature."""


@dataclass(frozen=True, eq=False)
class Terms:
    r"""A sum of losses over runs of classes (cuts), or over pairs of classes.

    With e the miss of mass in every run, p the masses and y the truth:

    .. math:: -a \log p_y + \sum_e d_e e^2 + 2 \sum_e o_e e e' + \text{crps}(y, e)
              - \sum_e c_e \log(\text{mass on the true side})
              - \tfrac12 (p - 1_y)' D (p - 1_y)
    """

    cross_entropy: float
    """Of `ce` and `nll`: a."""
    log_density: float
    """Of `nll`, which also reads how dense a bin is at the number."""
    order: np.ndarray
    """The classes in the order in which runs are runs."""
    start: np.ndarray
    end: np.ndarray
    squares: np.ndarray
    """d of each run."""
    between: np.ndarray
    """o of each run and the next; of a histogram only."""
    numbers: float
    """Of what the CRPS knows of the number beside its bin."""
    logs: np.ndarray
    """c of each run."""
    members: np.ndarray | None = None
    """Runs x classes, of a tree under `cce`: a difference of two sums would lose the
    mass of a small run, by which that loss divides."""
    distance: np.ndarray | None = None
    """D, where the ground has no runs: `Costs` and chords."""
    convex: np.ndarray | None = None
    """-D, centered, without its negative eigenvalues: a curvature that is positive."""

    @property
    def size(self) -> float:
        """How large the losses are, for what must not depend on their unit."""
        dense = 0.0 if self.distance is None else float(self.distance.max())
        return self.cross_entropy + self.squares.sum() + self.logs.sum() + dense


def terms_of(loss: NamedLoss, ground: Ground, bins: Bins | None) -> Terms:
    """The numbers of a sum of losses on a ground.

    Raises:
        ValueError: If a loss has no positive curvature, or is not defined there.
    """
    factor = dict.fromkeys(LOSSES, 0.0)
    for times, each in loss.terms:
        if each.name not in factor:
            raise ValueError(
                f"loss must be a sum of {', '.join(LOSSES)}, got {loss}: boosting "
                "needs a proper loss with a positive curvature"
            )
        factor[each.name] += times
    if bins is None and loss.needs_bins:
        raise ValueError(f"{loss} is a loss of numbers: give the bins they lie in")
    cuts = _cuts(ground)
    weights = np.zeros(0) if cuts is None else cuts.weights.cpu().numpy()
    n_runs = len(weights)
    if factor["cce"] and not isinstance(ground, Line | Tree):
        raise ValueError(
            f"cce needs cuts between classes, a Line or a Tree, got {ground}; use emd2"
        )
    squares, between = factor["emd2"] * weights, np.zeros(max(n_runs - 1, 0))
    numbers = 0.0
    if factor["crps"]:
        assert bins is not None
        numbers = factor["crps"] * _unit(ground, bins)
        own, beside = _histogram(bins)
        squares, between = squares + numbers * own, between + numbers * beside
    dense, convex = None, None
    if cuts is None and factor["emd2"]:
        dense = factor["emd2"] * ground.cost.cpu().numpy()
        convex = _convex(dense)
    order, start, end = _integers(cuts, ground.n_classes)
    members = None
    if factor["cce"] and isinstance(ground, Tree):
        rank = np.argsort(order)
        members = (start[:, None] <= rank) & (rank < end[:, None])
    return Terms(
        cross_entropy=factor["ce"] + factor["nll"],
        log_density=factor["nll"],
        order=order,
        start=start,
        end=end,
        squares=squares,
        between=between,
        numbers=numbers,
        logs=factor["cce"] * weights,
        members=members,
        distance=dense,
        convex=convex,
    )


def _cuts(ground: Ground) -> Cuts | None:
    """Runs of classes whose weights add up to the distance; None if there are none."""
    if isinstance(ground, Line):
        end = torch.arange(1, ground.n_classes)
        order = torch.arange(ground.n_classes)
        return Cuts(order, torch.zeros_like(end), end, ground.gaps)
    if isinstance(ground, Costs) and ground.asymmetric:
        raise ValueError(
            f"boosting needs symmetric costs, got {ground}; use the mean of the matrix "
            "and its transpose"
        )
    chord = isinstance(ground, Circle) and ground.distance == "chord"
    return None if isinstance(ground, Costs) or chord else ground.cuts  # pyright: ignore[reportAttributeAccessIssue]


def _integers(
    cuts: Cuts | None, n_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order, start and end of the cuts."""
    if cuts is None:
        return np.arange(n_classes), np.zeros(0, int), np.zeros(0, int)
    order, start, end = cuts.order, cuts.start, cuts.end
    return order.cpu().numpy(), start.cpu().numpy(), end.cpu().numpy()


def _histogram(bins: Bins) -> tuple[np.ndarray, np.ndarray]:
    """CRPS as a quadratic form of the misses at the inner edges: its two diagonals."""
    h = bins.widths.cpu().numpy() / 3
    between = h[1:-1] / 2
    for tail in tails_of(bins):
        h[tail.at] = tail_square(float(tail.scale))
    return h[:-1] + h[1:], between


def _unit(ground: Ground, bins: Bins) -> float:
    """Units of the ground in one of the target, so that terms of a sum weigh alike."""
    if bins.wraps or not isinstance(ground, Line):
        raise ValueError(f"crps needs bins on a line, got {bins}; use emd2")
    own, line = ground.positions, bins.centers
    return float((own[-1] - own[0]) / (line[-1] - line[0])) if len(own) > 1 else 1.0


def _convex(distance: np.ndarray) -> np.ndarray:
    centered = distance - distance.mean(0)
    centered -= centered.mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(-centered)
    return (vectors * np.maximum(values, 0)) @ vectors.T
