"""`Tree`: a hierarchy of classes. Theory: docs/maths/grounds.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import as_numbers
from offby.grounds import settings
from offby.grounds._cuts import Cuts
from offby.grounds._ground import NegativeType
from offby.grounds._paths import parents_of

_ROOT = -1


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Tree:
    r"""A hierarchy of classes: the classes are the leaves.

    .. math:: d(i, j) = \sum_{e \text{ between } i \text{ and } j} w_e

    the length of the way from one leaf to the other. All classes under one root at
    length 1/2 are `Costs.equal`; a chain of nodes with one leaf each, at length 0, is a
    `Line`.

    Args:
        parents: For each node the number of its parent, -1 for the root. Nodes that are
            nobody's parent are the classes, numbered in the order of the nodes.
        lengths: Length of the edge from each node to its parent, in any one unit; 1 by
            default. The root has no such edge, its entry is ignored.

    Raises:
        ValueError: If parents are no tree or a length is negative or not finite.
        TypeError: If parents are no integers.

    >>> animals = Tree([4, 4, 5, 5, 5, -1], lengths=[1, 1, 3, 4, 2, 0])
    >>> animals
    Tree(4 classes, 2 inner nodes, largest distance 7)
    >>> animals.cost[0]
    tensor([0., 2., 6., 7.], dtype=torch.float64)
    """

    parents: Int[Tensor, " nodes"]
    lengths: Float[Tensor, " nodes"]
    # What follows is worked out of the two: losses must not walk a tree.
    order: Int[Tensor, " classes"]
    start: Int[Tensor, " cuts"]
    end: Int[Tensor, " cuts"]
    weights: Float[Tensor, " cuts"]

    def __init__(
        self, parents: Tensor | ArrayLike, lengths: Tensor | ArrayLike | None = None
    ) -> None:
        above = as_numbers("parents", parents, None)
        if above.is_floating_point() or above.is_complex() or above.dtype == torch.bool:
            raise TypeError(f"parents must be node numbers, got dtype {above.dtype}")
        above = above.long()
        along = (
            torch.ones(above.shape, dtype=torch.float64, device="cpu")
            if lengths is None
            else as_numbers("lengths", lengths)
        )
        _check_tree(above, along)
        order, runs = _walk(above.tolist())
        lengths_of_runs: dict[tuple[int, int], float] = {}
        for node, length in enumerate(along.tolist()):
            # The root's run holds every class: nothing lies on its other side. And runs
            # one above the other that hold the same classes are one cut.
            if length > 0 and runs[node] != (0, len(order)):
                known = lengths_of_runs.get(runs[node], 0.0)
                lengths_of_runs[runs[node]] = known + length
        cuts = sorted(lengths_of_runs.items())
        first, last = ([run[end] for run, _ in cuts] for end in (0, 1))
        weights = [length for _, length in cuts]
        for name, value in (
            ("parents", above),
            ("lengths", along),
            ("order", torch.tensor(order, device="cpu")),
            ("start", torch.tensor(first, dtype=torch.int64, device="cpu")),
            ("end", torch.tensor(last, dtype=torch.int64, device="cpu")),
            ("weights", torch.tensor(weights, dtype=torch.float64, device="cpu")),
        ):
            object.__setattr__(self, name, value.to(above.device))

    @classmethod
    def from_paths(
        cls, paths: Sequence[str], *, separator: str | None = None
    ) -> "Tree":
        """The tree of such names as "animal/dog"; class `i` is the `i`-th path.

        Every edge has length 1: two classes of one branch are at distance 2.

        Args:
            paths: One name per class, the branches it lies in first.
            separator: What parts the names of branches. By default "/", or "." if no
                path has a "/".

        Raises:
            TypeError: If paths are not several strings.
            ValueError: If a path is also a branch, comes twice, or has an odd part: an
                empty one, blanks at its ends, or other capitals than elsewhere.

        >>> animals = ["animal/dog", "animal/cat", "plant/tree/oak"]
        >>> Tree.from_paths(animals).cost
        tensor([[0., 2., 5.],
                [2., 0., 5.],
                [5., 5., 0.]], dtype=torch.float64)
        """
        return cls(parents_of(paths, separator))

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.order)

    @property
    def cuts(self) -> Cuts:
        """The edges: each parts the leaves below it from the others."""
        return Cuts(self.order, self.start, self.end, self.weights)

    @property
    def cost(self) -> Float[Tensor, "classes classes"]:
        """Distance between every two classes."""
        classes = torch.arange(self.n_classes, device=self.order.device)
        one_way = self.cuts.distance_from(classes)
        return (one_way + one_way.T) / 2  # sums in another order, to the last digit

    def cost_to(self, index: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch classes"]:
        """Distance of every class from one true class per row."""
        beside = torch.zeros((), dtype=torch.float64, device=index.device)
        return self.cuts.on(beside).distance_from(index)

    @property
    def negative_type(self) -> NegativeType:
        """Strict, unless two classes are at distance 0.

        References:
            Hjorth, Lisonek, Markvorsen, Thomassen (1998), Finite metric spaces of
            strictly negative type, Linear Algebra Appl. 270,
            doi:10.1016/S0024-3795(98)80021-9.
        """
        parents, lengths = self.parents.tolist(), self.lengths.tolist()
        leaves = set(range(len(parents))) - set(parents)
        tops = set()
        for node in leaves:
            top = node
            while parents[top] != _ROOT and lengths[top] == 0:
                top = parents[top]
            tops.add(top)
        return "strict" if len(tops) == len(leaves) else "weak"

    def normalized(self) -> "Tree":
        """The same tree in units of the largest distance of two classes."""
        largest = self._largest()
        return Tree(self.parents, self.lengths / largest) if largest > 0 else self

    def _largest(self) -> float:
        # From the class farthest from any one, the farthest is the farthest of all.
        somewhere = torch.zeros((), dtype=torch.int64, device=self.order.device)
        end = self.cost_to(somewhere).argmax()
        return float(self.cost_to(end).max())

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a configuration file; `from_dict` reads it.

        >>> tree = Tree([2, 2, -1])
        >>> Tree.from_dict(tree.to_dict()) == tree
        True
        """
        return settings.to_dict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Tree":
        """What `to_dict` gave."""
        return settings.from_dict(cls, saved)

    def __eq__(self, other: object) -> bool:
        return settings.equal(self, other)

    def __hash__(self) -> int:
        return settings.hashed(self)

    def __repr__(self) -> str:
        if self.n_classes == 1:
            return "Tree(1 class)"
        inner = len(self.parents) - self.n_classes
        return (
            f"Tree({self.n_classes} classes, {inner} inner node{'s' * (inner > 1)}, "
            f"largest distance {self._largest():g})"
        )


def _walk(parents: list[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """Classes in the order of a walk around the tree, and the run below each node."""
    children: list[list[int]] = [[] for _ in parents]
    for node, parent in enumerate(parents):
        if parent != _ROOT:
            children[parent].append(node)
    leaves = [node for node, below in enumerate(children) if not below]
    class_of = {node: k for k, node in enumerate(leaves)}
    order: list[int] = []
    first, last = [0] * len(parents), [0] * len(parents)
    todo = [(parents.index(_ROOT), False)]
    while todo:
        node, done = todo.pop()
        if done:
            last[node] = len(order)
            continue
        first[node] = len(order)
        if node in class_of:
            order.append(class_of[node])
        todo.append((node, True))
        todo += [(child, False) for child in reversed(children[node])]
    return order, list(zip(first, last, strict=True))


def _check_tree(parents: Tensor, lengths: Tensor) -> None:
    if parents.ndim != 1 or len(parents) < 1:
        raise ValueError(
            "parents must hold one number for each of at least one node, "
            f"got shape {tuple(parents.shape)}"
        )
    if lengths.shape != parents.shape:
        raise ValueError(
            f"lengths must hold one number for each of {len(parents)} nodes, the root "
            f"included, got shape {tuple(lengths.shape)}"
        )
    above = parents.tolist()
    roots = [node for node, parent in enumerate(above) if parent == _ROOT]
    if len(roots) != 1:
        raise ValueError(
            f"a tree must have one root, with parent -1, got {len(roots)} "
            f"({', '.join(map(str, roots[:5])) or 'none'})"
        )
    for node, parent in enumerate(above):
        if node != roots[0] and not 0 <= parent < len(above):
            raise ValueError(
                f"parents must be nodes, 0 to {len(above) - 1}, "
                f"but parents[{node}] = {parent}"
            )
    reached = [node == roots[0] for node in range(len(above))]
    for node in range(len(above)):
        way = []
        while not reached[node]:
            if len(way) > len(above):
                raise ValueError(
                    f"every node must lie below the root, but node {way[0]} comes back "
                    "to itself"
                )
            way.append(node)
            node = above[node]
        for passed in way:
            reached[passed] = True
    wrong = ~(lengths.isfinite() & (lengths >= 0))
    wrong[roots[0]] = False
    if bool(wrong.any()):
        at = int(wrong.nonzero()[0])
        raise ValueError(
            f"lengths must be finite and not negative, but lengths[{at}] = "
            f"{lengths[at]:g}"
        )
