"""`choose`: the one place that picks how a sum of losses is computed."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from offby.bins import Bins
from offby.grounds import Cuts, Line, Tree
from offby.kernels import _compiled
from offby.kernels._autograd import LossCall, Reference, mean, per_row
from offby.kernels._impl import Impl, wanted
from offby.kernels._support import Kernel, unsupported_reason
from offby.kernels._terms import Term
from offby.kernels.cpp import _library

_INDEX = {name: index for index, name in enumerate(_library.TERMS)}


def choose(
    impl: Impl,
    logits: Tensor,
    target: Tensor | None,
    *terms: Term,
    reduction: Literal["mean", "none"] = "none",
) -> Callable[[Reference], Tensor] | None:
    """How to compute a sum of losses, or None for the plain form.

    Args:
        impl: What the caller wants. "auto" never fails, a named kernel never falls
            back to another.
        logits: Checked logits, classes last.
        target: Checked target, if a term has one.
        terms: What to add up.
        reduction: "mean" of the rows, or "none".

    Returns:
        A function of the plain form, reduced likewise, which serves where derivatives
        are differentiated.

    Raises:
        RuntimeError: If a named kernel cannot run; the message says why.
    """
    kernel = kernel_for(impl, logits, target, terms)
    if kernel is None:
        return None
    if torch.compiler.is_compiling():
        arguments = arguments_of(kernel, target, terms)
        if reduction == "mean":
            return lambda _: _compiled.per_row(arguments, logits).mean()
        return lambda _: _compiled.per_row(arguments, logits)
    call = call_of(kernel, target, terms)
    reduced = mean if reduction == "mean" else per_row
    return lambda reference: reduced(call, reference, logits)


def kernel_for(
    impl: Impl, logits: Tensor, target: Tensor | None, terms: Sequence[Term]
) -> Kernel | None:
    """The kernel that computes a sum of losses, or None for the plain form.

    Raises:
        RuntimeError: If a named kernel cannot run; the message says why.
    """
    compiling = torch.compiler.is_compiling()
    # A compiler can follow no context variable and no environment.
    form = impl if compiling else wanted(impl)
    if form == "torch":
        return None
    named = form != "auto"
    kernel: Kernel = "cpp" if logits.is_cpu else "triton"
    if form != "auto":
        kernel = form
    why = unsupported_reason(kernel, logits, target, terms, compiling=compiling)
    if why and named:
        where = "inside torch.compile" if compiling else "here"
        raise RuntimeError(
            f'impl="{kernel}" cannot run {where}: {why}; use impl="auto" or "torch"'
        )
    return None if why else kernel


def call_of(kernel: Kernel, target: Tensor | None, terms: Sequence[Term]) -> LossCall:
    """What a kernel is to compute, ready to be called with logits."""
    arguments = arguments_of(kernel, target, terms)
    if kernel == "cpp":
        return arguments
    from offby.kernels.triton import _rows as _triton

    return _triton.LossCall(
        arguments.factors,
        arguments.index,
        arguments.value,
        arguments.positions,
        arguments.edges,
        arguments.power,
    )


def arguments_of(
    kernel: Kernel, target: Tensor | None, terms: Sequence[Term]
) -> _library.LossCall:
    """The numbers that a kernel reads, on the device where it runs."""
    factors = [0.0] * len(_library.TERMS)
    power = 1.0
    positions: Any = None
    value: Any = None
    edges: Any = None
    cuts: Cuts | None = None
    for term in terms:
        ground, name = term.ground, term.loss
        if name == "wasserstein":
            power = float(term.power)
        if isinstance(ground, Line):
            positions = ground.positions
        elif isinstance(ground, Bins):
            edges, value = ground.edges, term.value
        elif isinstance(ground, Tree):
            name, cuts = "squared_emd on a tree", ground.cuts
        factors[_INDEX[name]] += term.factor
    index = None if target is None else target.long().contiguous()
    # A ground may lie on a device where the logits do not.
    device = torch.device("cpu") if kernel == "cpp" else None
    value, positions, edges = (
        None if each is None else _float64(each, device)
        for each in (value, positions, edges)
    )
    if cuts is not None:
        cuts = Cuts(*(each.cpu() for each in _library.cuts_of(cuts)))
    return _library.LossCall(
        tuple(factors), index, value, positions, edges, power, cuts
    )


def _float64(numbers: Tensor, device: torch.device | None) -> Tensor:
    return numbers.detach().to(device, torch.float64).contiguous()
