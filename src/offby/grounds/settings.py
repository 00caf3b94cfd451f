"""Grounds and grids as settings: equal if their numbers are, and plain data if asked.

A model's configuration is saved as JSON or YAML; these functions turn a ground or a
grid into what such files hold, and back. They read the arguments of its constructor,
which are also the names of its fields.
"""

from dataclasses import fields
from inspect import signature
from typing import Any, TypeVar

import torch
from torch import Tensor

Setting = TypeVar("Setting")


def equal(one: Any, other: object) -> bool:
    """Whether two are of one kind and hold the same numbers, on whatever devices."""
    names = [field.name for field in fields(one)]
    if type(one) is not type(other):
        return False
    for name in names:
        here, there = getattr(one, name), getattr(other, name)
        if isinstance(here, Tensor) and isinstance(there, Tensor):
            if here is not there and not torch.equal(here.cpu(), there.cpu()):
                return False
        elif here != there:
            return False
    return True


def hashed(one: Any) -> int:
    """Equal ones have equal hashes."""
    parts = (getattr(one, field.name) for field in fields(one))
    plain = (tuple(p.flatten().tolist()) if isinstance(p, Tensor) else p for p in parts)
    return hash((type(one).__name__, *plain))


def to_dict(one: Any) -> dict[str, Any]:
    """Its kind and the arguments that make it anew, as lists, numbers and strings."""
    saved: dict[str, Any] = {"kind": type(one).__name__}
    for name in _arguments(type(one)):
        value = getattr(one, name)
        if isinstance(value, Tensor):
            value = value.tolist()
        saved[name] = list(value) if isinstance(value, tuple) else value
    return saved


def from_dict(kind: type[Setting], saved: dict[str, Any]) -> Setting:
    """What `to_dict` saved; refuses another kind and unknown entries."""
    rest = dict(saved)
    found = rest.pop("kind", None)
    if found != kind.__name__:
        raise ValueError(
            f'saved must have "kind": "{kind.__name__}", got {found!r}; '
            "`offby.grounds.from_dict` reads a ground of any kind"
        )
    unknown = sorted(set(rest) - set(_arguments(kind)))
    if unknown:
        raise ValueError(
            f"saved must hold the arguments of {kind.__name__}, "
            f"{', '.join(_arguments(kind))}, got {', '.join(unknown)} too"
        )
    return kind(**rest)


def _arguments(kind: type) -> list[str]:
    return list(signature(kind).parameters)
