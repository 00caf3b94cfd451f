"""Which form of a loss is asked for: by the call, by a context, by the environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, cast, get_args

Impl = Literal["auto", "torch", "cpp", "triton"]
"""Which form runs: the fastest that can, the plain one, or a kernel by name."""

_KNOWN = get_args(Impl)
_in_use: ContextVar[Impl | None] = ContextVar("offby_impl", default=None)


@contextmanager
def using(impl: Impl) -> Iterator[None]:
    """Losses inside run in this form, unless a call names another.

    >>> with using("torch"):
    ...     print(wanted())
    torch
    """
    token = _in_use.set(_known("impl", impl))
    try:
        yield
    finally:
        _in_use.reset(token)


def wanted(impl: Impl = "auto") -> Impl:
    """The form asked for: by the call, by `using`, or by OFFBY_KERNELS."""
    if _known("impl", impl) != "auto":
        return impl
    inside = _in_use.get()
    if inside is not None and inside != "auto":
        return inside
    return _known("OFFBY_KERNELS", os.environ.get("OFFBY_KERNELS", "auto"))


def _known(name: str, impl: str) -> Impl:
    if impl not in _KNOWN:
        raise ValueError(f"{name} must be one of {', '.join(_KNOWN)}, got {impl!r}")
    return cast(Impl, impl)
