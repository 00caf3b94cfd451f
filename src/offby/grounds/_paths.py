"""Names of classes with the branches they lie in, as the nodes of a tree."""

from collections.abc import Sequence


def nodes_of(
    paths: Sequence[str], separator: str | None
) -> tuple[list[int], list[str], list[int]]:
    """Parent, name and level of each node.

    The classes in their order, then the branches, and the root, which has no name.
    """
    if isinstance(paths, str) or not all(isinstance(path, str) for path in paths):
        raise TypeError(
            "paths must be a list of strings, one for each class, got "
            f"{type(paths).__name__}; write ['animal/dog', 'animal/cat', 'plant/oak']"
        )
    if hasattr(paths, "keys"):
        raise TypeError(
            "paths must be a list of strings, got a mapping, whose values would not be "
            "read; write each class with its branches, as 'animal/dog'"
        )
    if not paths:
        raise ValueError("a tree needs at least one path, got none")
    if separator is None:
        separator = "/" if any("/" in path for path in paths) else "."
    steps = [tuple(path.split(separator)) for path in paths]
    _check_parts(paths, steps, separator)
    branches = {path[:k] for path in steps for k in range(1, len(path))}
    first = {path: k for k, path in reversed(list(enumerate(steps)))}
    for k, path in enumerate(steps):
        if path in branches:
            raise ValueError(
                f"classes must be the leaves, but {paths[k]!r} also is a branch; "
                f'name the rest of it, as "{paths[k]}{separator}other"'
            )
        if first[path] != k:
            raise ValueError(f"paths must differ, but {paths[k]!r} comes twice")
    # Leaves first, so that they are numbered as they came; then the branches.
    nodes = [*steps, *sorted(branches)]
    number = {path: k for k, path in enumerate(nodes)} | {(): len(nodes)}
    parents = [*(number[path[:-1]] for path in nodes), -1]
    names = [*(separator.join(path) for path in nodes), ""]
    return parents, names, [*map(len, nodes), 0]


def _check_parts(
    paths: Sequence[str], steps: Sequence[tuple[str, ...]], separator: str
) -> None:
    """Refuse parts that would make a branch of their own by a slip of the pen."""
    spelled: dict[tuple[str, ...], tuple[str, ...]] = {}
    for path, parts in zip(paths, steps, strict=True):
        for part in parts:
            if not part or part != part.strip():
                what = "has blanks at its ends" if part else "is empty"
                raise ValueError(
                    f"every part of a path must have a name, but in {path!r} the part "
                    f"{part!r} {what}; take out the extra {separator!r} or blank, or "
                    "say separator=..."
                )
        for k in range(1, len(parts) + 1):
            folded = tuple(part.casefold() for part in parts[:k])
            other = spelled.setdefault(folded, parts[:k])
            if other != parts[:k]:
                raise ValueError(
                    "paths must be spelled alike, but there are both "
                    f"{separator.join(other)!r} and {separator.join(parts[:k])!r}"
                )
