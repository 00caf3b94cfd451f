"""Grids: which number lies in which bin."""

from typing import TYPE_CHECKING, Any

from offby.bins.names import DEFAULT_STRATEGY, Bounds, Strategy, Tails, tails_at

if TYPE_CHECKING:
    from offby.bins.grid import Bins

__all__ = ["DEFAULT_STRATEGY", "Bins", "Bounds", "Strategy", "Tails", "tails_at"]


def __getattr__(name: str) -> Any:
    # On use: the command line reads the default strategy without loading PyTorch.
    if name != "Bins":
        raise AttributeError(f"module 'offby.bins' has no attribute {name!r}")
    from offby.bins.grid import Bins

    return Bins
