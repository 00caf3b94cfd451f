"""The nodes of a tree, each with the number of its parent: checked, and walked."""

from torch import Tensor

ROOT = -1


def walk(parents: list[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """Classes in the order of a walk around the tree, and the run below each node."""
    children: list[list[int]] = [[] for _ in parents]
    for node, parent in enumerate(parents):
        if parent != ROOT:
            children[parent].append(node)
    leaves = [node for node, below in enumerate(children) if not below]
    class_of = {node: k for k, node in enumerate(leaves)}
    order: list[int] = []
    first, last = [0] * len(parents), [0] * len(parents)
    todo = [(parents.index(ROOT), False)]
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


def check_tree(parents: Tensor, lengths: Tensor) -> None:
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
    roots = [node for node, parent in enumerate(above) if parent == ROOT]
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
