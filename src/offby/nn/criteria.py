"""Criteria as values: which modules are criteria, and their settings in and out."""

import inspect
from typing import Any

from torch import nn

from offby.bins import Bins
from offby.nn._criterion import ClassCriterion
from offby.nn._cross_entropy import CrossEntropyLoss
from offby.nn._distances import (
    CumulativeCrossEntropyLoss,
    SinkhornLoss,
    SquaredEMDLoss,
    SquaredMassLoss,
    WassersteinLoss,
)
from offby.nn._kappa import WeightedKappaLoss
from offby.nn._mixed import MixedLoss
from offby.nn._number_criterion import NumberCriterion
from offby.nn._numbers import (
    HistogramCRPSLoss,
    HistogramNLLLoss,
    HistogramWassersteinLoss,
)
from offby.nn._ordinal import BrierLoss, CDWCrossEntropyLoss, SLACELoss

_BY_NAME: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        CrossEntropyLoss,
        WassersteinLoss,
        SquaredEMDLoss,
        CumulativeCrossEntropyLoss,
        SinkhornLoss,
        SquaredMassLoss,
        BrierLoss,
        CDWCrossEntropyLoss,
        SLACELoss,
        HistogramNLLLoss,
        HistogramCRPSLoss,
        HistogramWassersteinLoss,
        MixedLoss,
    )
}


def is_criterion(module: nn.Module) -> bool:
    """Whether it is a criterion of `offby.nn` with a loss of each row, or inherits."""
    if isinstance(module, WeightedKappaLoss):
        return False
    return isinstance(module, ClassCriterion | NumberCriterion | MixedLoss)


def bins_of(criterion: nn.Module) -> Bins | None:
    """The grid of a criterion of numbers; None of one of classes."""
    if isinstance(criterion, NumberCriterion):
        return criterion.bins
    if isinstance(criterion, MixedLoss):
        grids = [each.bins for each in criterion.criteria if hasattr(each, "bins")]
        return grids[0] if grids else None  # pyright: ignore[reportReturnType]
    return None


def settings_of(criterion: nn.Module) -> tuple[str, dict[str, Any]]:
    """Name and arguments of a criterion: `made_of` makes the same one of them.

    Raises:
        TypeError: If it is a class of somebody else's, or has learned something.
    """
    name = type(criterion).__name__
    if _BY_NAME.get(name) is not type(criterion):
        raise TypeError(
            f"a saved criterion must be one of {', '.join(_BY_NAME)}, got a {name}; "
            "save the estimator with joblib.dump"
        )
    arguments: dict[str, Any] = {}
    for argument in inspect.signature(type(criterion)).parameters:
        if argument == "terms":
            assert isinstance(criterion, MixedLoss)
            pairs = zip(criterion.factors, criterion.criteria, strict=True)
            arguments["terms"] = [list(pair) for pair in pairs]
        else:
            arguments[argument] = getattr(criterion, argument)
    return name, arguments


def made_of(name: str, arguments: dict[str, Any]) -> nn.Module:
    """The criterion of this name with these arguments.

    Raises:
        KeyError: If there is none of this name.

    >>> made_of(*settings_of(SquaredEMDLoss(reduction="sum")))
    SquaredEMDLoss()
    """
    return _BY_NAME[name](**arguments)
