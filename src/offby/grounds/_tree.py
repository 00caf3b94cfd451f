"""`Tree`: a hierarchy of classes. Theory: docs/maths/grounds.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import as_numbers, check_tensor
from offby.grounds import settings
from offby.grounds._cuts import Cuts
from offby.grounds._ground import NegativeType
from offby.grounds._names import checked_names, lengths_of, order_of, place_of
from offby.grounds._nodes import ROOT, check_tree, walk
from offby.grounds._paths import nodes_of


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
        names: A name for each node, all different; none by default. Trees of the same
            nodes under other names differ.

    Raises:
        ValueError: If parents are no tree, a length is negative or not finite, or two
            nodes have one name.
        TypeError: If parents are no integers, or names no strings.

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
    names: tuple[str, ...] | None = None  # files of earlier versions lack it

    def __init__(
        self,
        parents: Tensor | ArrayLike,
        lengths: Tensor | ArrayLike | None = None,
        names: Sequence[str] | None = None,
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
        check_tree(above, along)
        order, runs = walk(above.tolist())
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
        object.__setattr__(self, "names", checked_names(names, len(above)))

    @classmethod
    def from_paths(
        cls,
        paths: Sequence[str],
        *,
        separator: str | None = None,
        lengths: Sequence[float] | Mapping[str, float] | None = None,
    ) -> "Tree":
        """The tree of such names as "animal/dog"; class `i` is the `i`-th path.

        It keeps the names: a class is called by its path, a branch by the path that
        leads to it.

        Args:
            paths: One name per class, the branches it lies in first.
            separator: What parts the names of branches. By default "/", or "." if no
                path has a "/".
            lengths: Length of the edge above each class or branch, in any one unit. A
                list has one for each level, from the root down; a mapping one for each
                name, and 1 for names that it lacks. 1 by default: two classes of one
                branch are at distance 2.

        Raises:
            TypeError: If paths are not several strings.
            ValueError: If a path is also a branch, comes twice, or has an odd part: an
                empty one, blanks at its ends, or other capitals than elsewhere; if
                lengths name what is no class or branch, or are not one for each level.

        >>> paths = ["animal/dog", "animal/cat", "plant/tree/oak"]
        >>> Tree.from_paths(paths).cost
        tensor([[0., 2., 5.],
                [2., 0., 5.],
                [5., 5., 0.]], dtype=torch.float64)
        >>> Tree.from_paths(paths, lengths=[10, 1, 1]).cost[0]
        tensor([ 0.,  2., 23.], dtype=torch.float64)
        >>> Tree.from_paths(paths, lengths={"animal": 4, "animal/cat": 2}).cost[0]
        tensor([0., 3., 8.], dtype=torch.float64)
        """
        parents, names, depths = nodes_of(paths, separator)
        return cls(parents, lengths_of(lengths, names, depths), names)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Names of the classes, in their order; none if the nodes have no names.

        >>> Tree.from_paths(["animal/dog", "animal/cat", "oak"]).leaves
        ('animal/dog', 'animal/cat', 'oak')
        """
        inner = set(self.parents.tolist())
        named = enumerate(self.names or ())
        return tuple(name for node, name in named if node not in inner)

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the inner nodes but the root; none if the nodes have no names.

        >>> Tree.from_paths(["animal/dog", "animal/cat", "oak"]).branches
        ('animal',)
        """
        parents = self.parents.tolist()
        inner = set(parents) - {parents.index(ROOT)}
        named = enumerate(self.names or ())
        return tuple(name for node, name in named if node in inner)

    def classes_of(self, name: str) -> list[int]:
        """Numbers of the classes in a branch; of a class, its own.

        >>> Tree.from_paths(["animal/dog", "oak", "animal/cat"]).classes_of("animal")
        [0, 2]
        """
        first, last = walk(self.parents.tolist())[1][place_of(name, self.names)]
        return sorted(self.order[first:last].tolist())

    def mass(
        self, probs: Float[Tensor, "*batch classes"], name: str
    ) -> Float[Tensor, "*batch"]:
        """Probability of a branch: that of all its classes together.

        Args:
            probs: Probabilities, the classes on the last axis.
            name: Of a branch or a class, as in `branches` and `leaves`.

        Raises:
            ValueError: If no node has this name, the nodes have no names, or probs have
                another number of classes.

        >>> tree = Tree.from_paths(["animal/dog", "animal/cat", "plant/oak"])
        >>> tree.mass(torch.tensor([[0.25, 0.5, 0.25], [0.0, 0.0, 1.0]]), "animal")
        tensor([0.7500, 0.0000])
        """
        check_tensor("probs", probs)
        if probs.ndim == 0 or probs.shape[-1] != self.n_classes:
            raise ValueError(
                f"probs must have {self.n_classes} classes on the last axis, as the "
                f"tree has, got shape {tuple(probs.shape)}"
            )
        below = torch.tensor(self.classes_of(name), device=probs.device)
        return probs.index_select(-1, below).sum(-1)

    def ordered(self, names: Sequence[str]) -> "Tree":
        """The same tree, its classes numbered as these names are.

        The classes of a data set have their own order, that of the alphabet for one;
        a tree in another order would give each class the distances of another.

        Args:
            names: Name of every class, as in `leaves`, in the order of the codes.

        Raises:
            ValueError: If the names are not those of the classes.

        >>> tree = Tree.from_paths(["plant/oak", "animal/dog", "animal/cat"])
        >>> classes = ["animal/cat", "animal/dog", "plant/oak"]
        >>> tree.ordered(classes).leaves
        ('animal/cat', 'animal/dog', 'plant/oak')
        >>> tree.leaves == tuple(classes)
        False
        """
        if self.names is None:
            raise ValueError(
                "the tree must have names to be ordered by them, got a tree without; "
                "pass names=[...], or make it by Tree.from_paths"
            )
        own = self.leaves
        place = {name: node for node, name in enumerate(self.names)}
        wanted = [place[own[k]] for k in order_of(own, names)]
        parents = self.parents.tolist()
        nodes = [*wanted, *(node for node in range(len(parents)) if node in parents)]
        number = {node: k for k, node in enumerate(nodes)} | {ROOT: ROOT}
        return Tree(
            self.parents.new_tensor([number[parents[node]] for node in nodes]),
            self.lengths[nodes],
            [self.names[node] for node in nodes],
        )

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
            while parents[top] != ROOT and lengths[top] == 0:
                top = parents[top]
            tops.add(top)
        return "strict" if len(tops) == len(leaves) else "weak"

    def normalized(self) -> "Tree":
        """The same tree in units of the largest distance of two classes."""
        largest = self._largest()
        if largest == 0:
            return self
        return Tree(self.parents, self.lengths / largest, self.names)

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
