"""Names of the nodes of a tree, and what is said by them."""

from collections.abc import Mapping, Sequence


def checked_names(names: Sequence[str] | None, n_nodes: int) -> tuple[str, ...] | None:
    """One name for each node, all different."""
    if names is None:
        return None
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(
            "names must be a list of strings, one for each node, got "
            f"{type(names).__name__} {names!r:.60}"
        )
    if len(names) != n_nodes:
        raise ValueError(
            f"names must hold one for each of {n_nodes} nodes, the root included, got "
            f"{len(names)}"
        )
    twice = [name for k, name in enumerate(names) if name in set(names[:k])]
    if twice:
        raise ValueError(f"names must differ, but {twice[0]!r} comes twice")
    return tuple(names)


def place_of(name: str, names: tuple[str, ...] | None) -> int:
    """The node of this name."""
    if names is None:
        raise ValueError(
            "the nodes of this tree have no names; pass names=[...], or make it by "
            "Tree.from_paths"
        )
    if name not in names:
        raise ValueError(
            f"name must be that of a class or branch of the tree, got {name!r}; "
            f"there are {_some(names)}"
        )
    return names.index(name)


def lengths_of(
    given: Sequence[float] | Mapping[str, float] | None,
    names: Sequence[str],
    depths: Sequence[int],
) -> list[float] | None:
    """Length of the edge above each node, from those by level or by name."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        for name in given:
            if name not in names or name == "":
                raise ValueError(
                    "lengths must be given for classes or branches of the tree, got "
                    f"one for {name!r}; there are {_some(names)}"
                )
        return [float(given.get(name, 1.0)) for name in names]
    if len(given) != max(depths):
        raise ValueError(
            f"lengths must hold one number for each of {max(depths)} levels, from the "
            f"root down, got {len(given)}; to give them by name, pass a mapping"
        )
    return [float(given[depth - 1]) if depth else 0.0 for depth in depths]


def order_of(own: Sequence[str], names: Sequence[str]) -> list[int]:
    """Which of the tree's classes each name is."""
    if isinstance(names, str) or sorted(map(str, names)) != sorted(own):
        lacking = [name for name in own if name not in names]
        unknown = [name for name in names if name not in own]
        what = f"but there is no {lacking[0]!r}" if lacking else "each of them once"
        what += f", and {unknown[0]!r} is no class of the tree" if unknown else ""
        raise ValueError(f"names must be those of the {len(own)} classes, {what}")
    place = {name: k for k, name in enumerate(own)}
    return [place[name] for name in names]


def _some(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names if name]
    return ", ".join(shown[:6]) + (", ..." if len(shown) > 6 else "")
