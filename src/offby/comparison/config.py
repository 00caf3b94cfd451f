"""The settings of `compare`, each with its default, checked before any fit."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, get_args

from offby.bins.names import DEFAULT_STRATEGY, Bounds, Strategy

if TYPE_CHECKING:
    from offby.losses.registry import NamedLoss
    from offby.tabular.modules import Module

Kind = Literal["classes", "number"]
MODELS = ("network", "boosting")
"""What can learn by each loss."""
REFERENCES = ("frequencies", "linear", "boosting", "pinball")
"""What is judged beside the losses: class frequencies, the linear model of statistics,
scikit-learn's gradient boosting, and the network with 19 quantiles."""
Network = Literal["ensemble", "perceptron"]
StopOn = Literal["score", "own"]
TransformChoice = Literal["auto", "none", "log", "yeo-johnson", "quantile"]
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """How a comparison is made; `compare` documents each setting.

    Raises:
        ValueError: If a setting has a value that it cannot have.
        TypeError: If a setting has a value of a type that it cannot have.

    >>> CompareConfig(seeds=0)
    Traceback (most recent call last):
        ...
    ValueError: seeds must be a whole number of 1 or more, got 0; use 1 or more
    """

    losses: Sequence[Any] = ("ce", "emd1", "emd2", "cce", "ce+emd2")
    kind: Kind = "classes"
    bins: int = 50
    strategy: Strategy = DEFAULT_STRATEGY
    bounds: Bounds = "auto"
    transform: TransformChoice = "auto"
    folds: int = 5
    seeds: int = 3
    seed: int = 0
    network: "Network | Module" = "ensemble"
    stop_on: StopOn = "score"
    rope: float = 0.01
    metric: str | None = None
    noise: bool = False
    target_noise: float | None = None
    unseen_groups: bool = False
    references: bool | Sequence[str] = True
    models: Sequence[str] | Literal["auto"] = "auto"
    all_fits: bool = False
    time_budget: float | str | None = None
    refit: bool = False

    def __post_init__(self) -> None:
        """Check every setting."""
        _check_choice("kind", self.kind, get_args(Kind))
        _check_choice("strategy", self.strategy, get_args(Strategy))
        _check_choice("transform", self.transform, get_args(TransformChoice))
        if self.kind == "classes" and self.transform not in ("auto", "none"):
            raise ValueError(
                f"the scale {self.transform} needs a target of numbers, got classes; "
                "leave it out, or read the target as a number in bins"
            )
        if isinstance(self.network, str):
            _check_choice("network", self.network, get_args(Network))
        elif not callable(self.network):
            raise TypeError(
                "network must be a name, a torch.nn.Module or a function (n_features, "
                f"n_classes) that builds one, got {type(self.network).__name__}; use "
                "one of these"
            )
        _check_choice("stop_on", self.stop_on, get_args(StopOn))
        _check_bounds(self.bounds)
        _check_models(self.models)
        _check_references(self.references)
        _check_whole("bins", self.bins, 2)
        _check_whole("folds", self.folds, 2)
        _check_whole("seeds", self.seeds, 1)
        _check_whole("seed", self.seed, 0)
        _check_share("rope", self.rope)
        self.budget_seconds()
        if self.target_noise is not None:
            _check_deviation("target_noise", self.target_noise)
        for loss in self.named_losses():
            if self.kind == "classes" and loss.needs_bins:
                raise ValueError(
                    f"the loss {loss} needs numbers, and the target holds classes; "
                    "drop it, or read the target as a number in bins"
                )

    def budget_seconds(self) -> float | None:
        """The time budget in seconds.

        >>> CompareConfig(time_budget="2m").budget_seconds()
        120.0
        """
        given = self.time_budget
        if given is None:
            return None
        if isinstance(given, str):
            found = re.fullmatch(r"\s*([\d.]+)\s*([smh]?)\s*", given)
            try:
                seconds = float(found[1]) * _SECONDS[found[2]] if found else math.nan
            except ValueError:
                seconds = math.nan
        else:
            seconds = float(given) if _is_number(given) else math.nan
        if not 0 < seconds < math.inf:
            raise ValueError(
                "a time budget must be a number of seconds above 0, or a text such as "
                f"90s, 2m or 1h, got {given!r}; write it so, or leave it out"
            )
        return seconds

    @property
    def named_references(self) -> tuple[str, ...]:
        """The references by their names."""
        if isinstance(self.references, bool):
            return REFERENCES if self.references else ()
        return tuple(self.references)

    def named_losses(self) -> "list[NamedLoss]":
        """The losses by their names, each named once."""
        # The command line reads the defaults above without loading PyTorch.
        from offby.comparison.own_losses import own_loss
        from offby.losses.registry import parse

        if isinstance(self.losses, str):
            raise TypeError(
                "losses must be a list of names, got the text "
                f"{self.losses!r}; put it in a list"
            )
        named = [
            parse(given) if isinstance(given, str) else own_loss(given)
            for given in self.losses
        ]
        names = [str(loss) for loss in named]
        if not names:
            raise ValueError("a comparison needs a loss, got none; name one or more")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"each loss must be named once, got {repeated[0]} "
                f"{names.count(repeated[0])} times; remove the repeated one"
            )
        return named


def _check_models(models: Any) -> None:
    if models == "auto":
        return
    names = [models] if isinstance(models, str) else list(models)
    odd = [name for name in names if name not in MODELS]
    if odd or "network" not in names or isinstance(models, str):
        raise ValueError(
            f'models must be "auto" or a list with "network" and maybe "boosting", got '
            f"{models!r}; the losses are compared on the network"
        )


def _check_references(references: Any) -> None:
    if isinstance(references, bool):
        return
    if isinstance(references, str) or not set(references) <= set(REFERENCES):
        raise ValueError(
            f"references must be True, False or a list of {', '.join(REFERENCES)}, got "
            f"{references!r}; use one of these"
        )


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        quoted = " or ".join(f'"{choice}"' for choice in choices)
        raise ValueError(f"{name} must be {quoted}, got {value!r}; use one of these")


def _check_bounds(value: Any) -> None:
    # The command line reads the defaults above without loading NumPy.
    if value is not None and value != "auto":
        from offby.bins.support import checked_bounds

        checked_bounds(value)


def _check_whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name} must be a whole number of {least} or more, got {value!r}; use an "
            "int"
        )
    if value < least:
        raise ValueError(
            f"{name} must be a whole number of {least} or more, got {value}; use "
            f"{least} or more"
        )


def _check_share(name: str, value: Any) -> None:
    if not _is_number(value) or not 0 <= value < 1:
        raise ValueError(
            f"{name} must be a share from 0 to below 1, got {value!r}; 0.01 is 1 %"
        )


def _check_deviation(name: str, value: Any) -> None:
    if not _is_number(value) or not 0 <= value < math.inf:
        raise ValueError(
            f"{name} must be a standard deviation, 0 or more, got {value}; leave it "
            "out to estimate the noise from the data"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
