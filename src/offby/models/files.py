"""Model files: an estimator and what is known of it, in one file without pickle."""

from pathlib import Path
from typing import Any

from offby.models.about import About, about_estimator
from offby.tabular import archive


def save(estimator: Any, path: str | Path, about: About | None = None) -> None:
    """Write a fitted estimator to a file, with what is known of it.

    Raises:
        TypeError: If it holds what only pickle could store, as a network of one's own.
    """
    archive.save(estimator, path, None if about is None else about.to_dict())


def load(path: str | Path) -> Any:
    """The fitted estimator in a file that `save` or `offby fit` wrote, of any kind.

    Nothing in the file is run: it holds JSON and arrays.

    Args:
        path: The file, as houses-price.offby.

    Returns:
        The estimator, as an `OrdinalClassifier` or a `BinnedRegressor`.

    Raises:
        ValueError: If the file is none of ours, of a newer format, or damaged.
        FileNotFoundError: If there is no such file.
    """
    return archive.load(path)


def describe(path: str | Path, estimator: Any | None = None) -> About:
    """What a model file says of its model.

    Args:
        path: The file.
        estimator: What `load` returned for it, if it is loaded already.
    """
    found = archive.about(path)
    if found is not None:
        return About.from_dict(found)
    return about_estimator(load(path) if estimator is None else estimator)
