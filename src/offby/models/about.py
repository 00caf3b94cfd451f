"""What a model file says of its model: data, columns, scores, versions."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from offby.models.kinds import name_of
from offby.tables import Column
from offby.tabular.criteria import loss_name

_PACKAGES = ("offby", "torch", "scikit-learn", "numpy", "skrub")


@dataclass(frozen=True)
class About:
    """What a model was trained on, and how well it forecasts rows it had not seen."""

    kind: Literal["classes", "number"]
    model: str
    """Its name in `--model`."""
    loss: str
    columns: tuple[Column, ...]
    """The columns that new rows must have."""
    data: str = ""
    """Name of the table; empty if the model was trained in Python."""
    target: str = ""
    n_rows: int = 0
    labels: tuple[str, ...] = ()
    """The classes from the lowest to the highest; empty for numbers."""
    codes: Mapping[str, int] = field(default_factory=dict)
    """Class of each value of the target: several where classes were joined."""
    unused: tuple[str, ...] = ()
    """Columns of the table that the model does not see."""
    settings: Mapping[str, str | int | float] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Texts that the user said stand for a missing value."""
    dates: Literal["day-first", "month-first"] | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    """Score on held-out rows by its key in `offby.models.SCORES`."""
    scored_on: str = ""
    """Which rows these scores are of, as part of a sentence."""
    notes: tuple[str, ...] = ()
    """How the table was read, a sentence each."""
    command: str = ""
    created: str = ""
    """When it was trained, as 2026-01-31T12:00:00Z."""
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "About":
        """What `to_dict` wrote, without fields that a later version added.

        Raises:
            ValueError: If a part is missing.
        """
        known = {
            name: found[name] for name in cls.__dataclass_fields__ if name in found
        }
        for name in ("labels", "unused", "missing", "notes"):
            known[name] = tuple(known.get(name, ()))
        try:
            known["columns"] = tuple(
                Column(
                    **{
                        **column,
                        "words": None
                        if column["words"] is None
                        else tuple(column["words"]),
                    }
                )
                for column in found["columns"]
            )
            return cls(**known)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"what the file says of its model is damaged: {error}; save it again"
            ) from error


def today() -> str:
    """This moment, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a forecast depends on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # skrub need not be here
            continue
    return found


def about_estimator(estimator: Any) -> About:
    """What an estimator that was saved in Python says of itself."""
    is_regressor = hasattr(estimator, "bins_")
    labels = () if is_regressor else tuple(map(str, estimator.categories_.tolist()))
    return About(
        kind="number" if is_regressor else "classes",
        model=name_of(estimator),
        loss=loss_name(estimator.loss),
        columns=_columns(estimator),
        labels=labels,
        codes={label: code for code, label in enumerate(labels)},
    )


def _columns(estimator: Any) -> tuple[Column, ...]:
    """The columns of a frame that it was fitted on; none of an array."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return ()
    kinds: dict[int, str] = {}
    for kind, positions in estimator.encoder_.positions_.items():
        held = {"numbers": "number", "dates": "date"}.get(kind, "text")
        kinds |= dict.fromkeys(positions, held)
    found: list[Column] = []
    for position, name in enumerate(names):
        # A column that was empty in training has no kind: whatever it holds now is
        # ignored, as numbers are where they are wanted.
        kind: Any = kinds.get(position, "number")
        found.append(Column(str(name), kind, unit="us" if kind == "date" else ""))
    return tuple(found)
