"""The models that can be trained from a table, by name: the one place to add one."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal


@dataclass(frozen=True)
class ModelKind:
    """A model by its name in `--model`: an estimator for each kind of target."""

    title: str
    module: str
    """Where its two classes are; imported on use."""
    classes: str
    """Of ordered classes: takes `loss`, `categories` and `random_state`."""
    numbers: str
    """Of numbers: takes `loss`, `n_bins`, `strategy` and `target_transform`."""
    takes: tuple[str, ...] = ()
    """Further settings of the command line that it takes."""

    def estimator(self, kind: Literal["classes", "number"]) -> type[Any]:
        """The class of the estimator for this kind of target."""
        name = self.classes if kind == "classes" else self.numbers
        return getattr(import_module(self.module), name)


MODELS = {
    "network": ModelKind(
        "network ensemble",
        "offby.tabular",
        "OrdinalClassifier",
        "BinnedRegressor",
        ("calibration", "max_time"),
    ),
}


def name_of(estimator: Any) -> str:
    """The name of the model that an estimator is, or that of its class."""
    held = type(estimator).__name__
    for name, model in MODELS.items():
        if held in (model.classes, model.numbers):
            return name
    return held
