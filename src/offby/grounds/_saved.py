"""A ground of any kind from plain data."""

from typing import Any

from offby.grounds._circle import Circle
from offby.grounds._costs import Costs
from offby.grounds._line import Line
from offby.grounds._tree import Tree

_KINDS = {kind.__name__: kind for kind in (Line, Circle, Tree, Costs)}


def from_dict(saved: dict[str, Any]) -> Line | Circle | Tree | Costs:
    """The ground that `to_dict` saved.

    >>> from_dict({"kind": "Line", "positions": [0, 1, 5]})
    Line(3 classes from 0 to 5, gaps 1 to 4)
    """
    kind = saved.get("kind")
    if kind not in _KINDS:
        raise ValueError(
            f'saved must have a "kind" of {", ".join(_KINDS)}, got {kind!r}; '
            "`ground.to_dict()` writes it"
        )
    return _KINDS[kind].from_dict(saved)
