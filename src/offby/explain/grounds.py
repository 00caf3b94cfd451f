"""A tree or a matrix of costs, as the page draws it: in an order, with distances."""

from dataclasses import dataclass
from itertools import count
from typing import Any

_ROOT = -1


@dataclass(frozen=True)
class Drawn:
    """What the page gets of a ground that is no line and no circle."""

    order: tuple[int, ...]
    """Classes from left to right, by their numbers in the comparison."""
    labels: tuple[str, ...]
    """Names in that order."""
    cost: tuple[tuple[float, ...], ...]
    """Distances in that order."""
    paths: tuple[tuple[str, ...], ...] = ()
    """Of a tree: names from the root's child down to each class."""
    cuts: tuple[tuple[float, int, int], ...] = ()
    """Of a tree: length of each edge, and the run of classes below it."""

    def as_dict(self) -> dict[str, Any]:
        """For the page."""
        return {"cost": self.cost, "paths": self.paths, "cuts": self.cuts}


def drawn(saved: dict[str, Any], labels: tuple[str, ...]) -> Drawn | None:
    """The ground that `to_dict` saved; None for a line or a circle.

    Classes of a tree stand in the order of its branches, those of costs as they are.

    Raises:
        ValueError: If it is of another kind.
    """
    match saved["kind"]:
        case "Line" | "Circle":
            return None
        case "Costs":
            cost = tuple(tuple(row) for row in saved["matrix"])
            return Drawn(tuple(range(len(labels))), labels, cost)
        case "Tree":
            return _tree(saved["parents"], saved["lengths"], saved["names"], labels)
    raise ValueError(
        "the page draws classes on a line, a circle, a tree or at costs, the classes "
        f"of this comparison lie on {saved['kind']}; update offby"
    )


def _tree(
    parents: list[int],
    lengths: list[float],
    names: list[str] | None,
    labels: tuple[str, ...],
) -> Drawn:
    inner = set(parents)
    leaves = [node for node in range(len(parents)) if node not in inner]
    above = [_way_up(node, parents) for node in leaves]
    # Nodes of one branch stand together, where its first class stands.
    first = {node: k for k, way in reversed([*enumerate(above)]) for node in way}
    order = sorted(range(len(leaves)), key=lambda k: [first[x] for x in above[k]])
    ways = [above[k] for k in order]
    parts = _parts(names, {node: labels[k] for k, node in enumerate(leaves)}, parents)
    runs = {
        node: [k for k, way in enumerate(ways) if node in way]
        for way in ways
        for node in way[1:]
    }
    cost = tuple(
        tuple(float(sum(lengths[node] for node in {*a} ^ {*b})) for b in ways)
        for a in ways
    )
    last = [parts[way[-1]] for way in ways]
    full = tuple(labels[k] for k in order)
    return Drawn(
        tuple(order),
        tuple(last) if len(set(last)) == len(last) else full,
        cost,
        tuple(tuple(parts[node] for node in way[1:]) for way in ways),
        tuple(
            (float(lengths[node]), run[0], run[-1] + 1) for node, run in runs.items()
        ),
    )


def _way_up(node: int, parents: list[int]) -> list[int]:
    """The nodes from the root to this one."""
    way = [node]
    while parents[way[-1]] != _ROOT:
        way.append(parents[way[-1]])
    return way[::-1]


def _parts(
    names: list[str] | None, of_leaves: dict[int, str], parents: list[int]
) -> dict[int, str]:
    """A short name for each node: what its name adds to that of the branch it is in."""
    known = {**dict(enumerate(names or ())), **of_leaves}
    number = count(1)
    found = {parents.index(_ROOT): ""}
    for node, parent in enumerate(parents):
        if parent == _ROOT:
            continue
        name = known.get(node) or f"branch {next(number)}"
        branch = known.get(parent, "") if parents[parent] != _ROOT else ""
        inside = branch and name.startswith(branch) and len(name) > len(branch) + 1
        found[node] = name[len(branch) + 1 :] if inside else name
    return found
