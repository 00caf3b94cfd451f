"""Losses of one's own on the command line, as my_module:my_loss."""

import importlib
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def with_own_losses(names: Sequence[str]) -> list[Any]:
    """The names of losses, with what stands in a module for each `module:name`.

    A module is looked for in the current folder first.

    Raises:
        ValueError: If a module cannot be imported, or has no such loss.
    """
    return [_loaded(name) if ":" in name else name for name in names]


def own_names(names: Sequence[str]) -> list[str]:
    """Those that name a loss in a module."""
    return [name for name in names if ":" in name]


def _loaded(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        raise ValueError(
            "a loss of your own must be written as module:function, as "
            f"my_losses:focal, got {name!r}"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        # It stays there: workers that make the fits import the module as well.
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise ValueError(_fails(name, module_name, error)) from error
        raise ValueError(
            f"the loss {name} must stand in a module that Python finds, got no module "
            f"{error.name!r}; run the command in the folder of {error.name}.py, or "
            "install it"
        ) from error
    except Exception as error:
        raise ValueError(_fails(name, module_name, error)) from error
    found = getattr(module, attribute, None)
    if found is None:
        others = [
            other
            for other, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module_name
        ]
        has = f"; it has {', '.join(others)}" if others else ""
        raise ValueError(
            f"the module {module_name} must hold the loss {attribute!r}, got none{has}"
        )
    if inspect.isclass(found) or not callable(found):
        kind = "a class" if inspect.isclass(found) else type(found).__name__
        raise ValueError(
            f"{name} must be a function (logits, target) that gives the loss of each "
            f"row, or a criterion of offby.nn, got {kind}; name "
            + (
                f"an object of it, as focal = {attribute}(...)"
                if inspect.isclass(found)
                else "a function"
            )
        )
    return found


def _fails(name: str, module: str, error: Exception) -> str:
    return (
        f"the loss {name} needs the module {module}, and its import fails with "
        f"{type(error).__name__}: {error}; mend it there"
    )
