"""Grounds: how far apart the classes are. Nothing else in offby knows distances."""

from offby.grounds._circle import Circle
from offby.grounds._costs import Costs
from offby.grounds._cuts import Cuts, mass_on_both_sides
from offby.grounds._ground import Ground, NegativeType, as_ground, n_classes_of
from offby.grounds._line import Line
from offby.grounds._neighbors import neighbors
from offby.grounds._saved import from_dict
from offby.grounds._tree import Tree

__all__ = [
    "Circle",
    "Costs",
    "Cuts",
    "Ground",
    "Line",
    "NegativeType",
    "Tree",
    "as_ground",
    "from_dict",
    "mass_on_both_sides",
    "n_classes_of",
    "neighbors",
]
