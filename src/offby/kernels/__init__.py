"""Fast twins of the losses: C++ on the CPU, Triton on CUDA. See docs/kernels.md.

The plain PyTorch form in `offby.losses` says what a loss is; a twin gives its numbers
sooner and in less memory. `choose` is the one place that picks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from offby.bins import Bins
from offby.grounds import Ground, Line
from offby.kernels import _library
from offby.kernels._autograd import Plain, rows
from offby.kernels._impl import Impl, using, wanted
from offby.kernels._library import Task

_ON_A_LINE = ("wasserstein", "squared_emd", "cumulative_cross_entropy")

__all__ = ["Impl", "Term", "choose", "cpp_cannot", "using", "wanted"]


@dataclass(frozen=True, eq=False)
class Term:
    """One loss of a sum, as the twins know it."""

    loss: str
    """Name of its function in `offby.losses`."""
    ground: Ground | Bins | None = None
    """None: classes at 0, 1, 2, ..., or a loss that feels no distance."""
    factor: float = 1.0
    power: float = 1.0
    """Of the distance, for `wasserstein`."""
    value: Tensor | None = None
    """True numbers, for `histogram_crps`."""


def choose(
    impl: Impl, logits: Tensor, target: Tensor | None, *terms: Term
) -> Callable[[Plain], Tensor] | None:
    """How to compute a sum of losses, or None for the plain form.

    Args:
        impl: What the caller wants. "auto" never fails, a named twin never falls back.
        logits: Checked logits, classes last.
        target: Checked target, if a term has one.
        terms: What to add up.

    Returns:
        A function of the plain form, which serves where derivatives are differentiated.

    Raises:
        RuntimeError: If a named twin cannot run; the message says why.
    """
    # A compiler that traces this cannot follow the environment or a context.
    compiling = torch.compiler.is_compiling()
    form = impl if compiling else wanted(impl)
    if form == "torch":
        return None
    why = cpp_cannot(logits, target, terms)
    if not why:
        task = _task(target, terms)
        return lambda plain: rows(task, plain, logits)
    if form != "auto":
        raise RuntimeError(
            f'impl="{form}" cannot run here: {why}; use impl="auto" or "torch"'
        )
    return None


def cpp_cannot(logits: Tensor, target: Tensor | None, terms: Sequence[Term]) -> str:
    """Why the C++ twins cannot compute this; empty if they can."""
    if torch.compiler.is_compiling():
        return "inside torch.compile the plain form is compiled"
    if torch._C._are_functorch_transforms_active():
        return "under torch.func the plain form is transformed"
    if forward_ad._current_level >= 0 or torch._C._len_torch_dispatch_stack():
        return "forward-mode derivatives and dispatch modes need the plain form"
    for tensor in (logits, target, *(term.value for term in terms)):
        if tensor is not None and (why := _out_of_reach(tensor)):
            return why
    if logits.dtype not in _library.DTYPES:
        return f"logits must be float32, bfloat16 or float64, got {logits.dtype}"
    if target is not None and target.is_floating_point():
        return "target must hold class indices, got probabilities"
    for term in terms:
        if not isinstance(term.ground, Line | Bins | None):
            return f"the ground must be a Line, got {term.ground}"
        if term.value is not None and term.value.requires_grad:
            return "value must not require grad"
    if not _agree(terms):
        return "all terms must have one ground and one power"
    library = _library.load()
    return library if isinstance(library, str) else ""


def _out_of_reach(tensor: Tensor) -> str:
    """Why the numbers of a tensor cannot be read through a pointer."""
    if type(tensor) is not Tensor and type(tensor) is not torch.nn.Parameter:
        return f"tensors must be plain, got {type(tensor).__name__}"
    if tensor.device.type != "cpu":
        return f"tensors must be on the CPU, got one on {tensor.device}"
    if tensor.layout is not torch.strided or tensor.is_neg():
        return "tensors must be dense in memory"
    return ""


def _agree(terms: Sequence[Term]) -> bool:
    """Whether one line, one grid and one power serve all terms."""
    far = [term for term in terms if term.loss in _ON_A_LINE]
    powers = {term.power for term in far if term.loss == "wasserstein"}
    numbers = [term for term in terms if term.value is not None]
    return (
        len(powers) <= 1
        and len(numbers) <= 1
        and all(_same(term.ground, far[0].ground) for term in far[1:])
    )


def _same(ground: Ground | Bins | None, other: Ground | Bins | None) -> bool:
    if isinstance(ground, Line) and isinstance(other, Line):
        here, there = ground.positions, other.positions
        return here is there or torch.equal(here, there)
    return ground is other


def _task(target: Tensor | None, terms: Sequence[Term]) -> Task:
    factors = dict.fromkeys(_library.TERMS, 0.0)
    power, positions, value, edges = 1.0, None, None, None
    for term in terms:
        factors[term.loss] += term.factor
        if term.loss == "wasserstein":
            power = term.power
        if isinstance(term.ground, Line):
            positions = _on_cpu(term.ground.positions)
        if isinstance(term.ground, Bins) and term.value is not None:
            edges = _on_cpu(term.ground.edges)
            value = _on_cpu(term.value)
    index = None if target is None else target.long().contiguous()
    return Task(tuple(factors.values()), index, value, positions, edges, power)


def _on_cpu(numbers: Tensor) -> Tensor:
    return numbers.detach().to("cpu", torch.float64).contiguous()
