"""Why a kernel cannot compute a sum of losses: the only place that decides it."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor
from torch.autograd import forward_ad

from offby.bins import Bins
from offby.grounds import Ground, Line, Tree
from offby.kernels._impl import wanted
from offby.kernels._memory import not_in_memory
from offby.kernels._terms import ON_A_GROUND, Term
from offby.kernels.cpp import _library

Kernel = Literal["cpp", "triton"]
_DEVICES = {"cpp": "cpu", "triton": "cuda"}


def unsupported_reason(
    kernel: Kernel,
    logits: Tensor,
    target: Tensor | None,
    terms: Sequence[Term],
    *,
    compiling: bool = False,
) -> str:
    """Why a kernel cannot compute this sum of losses; empty if it can.

    A compiler has tensors without numbers, and cannot compare two grounds: then types,
    dtypes and devices alone are asked.
    """
    if compiling:
        return (
            _wrong_kind(kernel, logits, target, terms)
            or ("" if _one_ground(terms) else "all terms must have one ground")
            or ("" if _is_ready(kernel) else "offby doctor says why")
        )
    return (
        _out_of_reach(logits, target, terms)
        or _wrong_kind(kernel, logits, target, terms)
        or _missing(kernel)
    )


def cpp_runs() -> bool:
    """Whether C++ is to be used for what is no loss, and is there.

    Raises:
        RuntimeError: If it is asked for by name and is not there.
    """
    form = wanted()
    if form not in ("auto", "cpp"):
        return False
    library = _library.load()
    if isinstance(library, str) and form == "cpp":
        raise RuntimeError(
            f'impl="cpp" cannot run here: {library}; use impl="auto" or "torch"'
        )
    return not isinstance(library, str)


def transformed() -> str:
    """What stands between a call and the numbers of its tensors; empty if nothing."""
    if torch._C._are_functorch_transforms_active():
        return "under torch.func the plain form is transformed"
    if torch._C._get_tracing_state() is not None:
        return "torch.jit.trace records the plain form"
    if forward_ad._current_level >= 0 or torch._C._len_torch_dispatch_stack():
        return "forward-mode derivatives and dispatch modes need the plain form"
    return ""


@cache
def triton_missing() -> str:
    """Why no Triton kernel runs on this machine; empty if they do."""
    if not torch.cuda.is_available():
        return "PyTorch finds no CUDA device"
    if find_spec("triton") is None:
        return "Triton is not installed"
    return ""


def _missing(kernel: Kernel) -> str:
    if kernel == "triton":
        return triton_missing()
    library = _library.load()
    return library if isinstance(library, str) else ""


def _is_ready(kernel: Kernel) -> bool:
    return not _missing(kernel)


# What `torch.compiler.assume_constant_result` would set, did it not import the compiler
# first: a second that nobody who does not compile should wait.
_is_ready._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


def _out_of_reach(logits: Tensor, target: Tensor | None, terms: Sequence[Term]) -> str:
    """Why no kernel can read the numbers of this."""
    if why := transformed():
        return why
    for tensor in _tensors(logits, target, terms):
        if why := not_in_memory(tensor):
            return why
    if len(terms) > 1 and not _agree(terms):
        return "all terms must have one ground and one power"
    return ""


def _wrong_kind(
    kernel: Kernel, logits: Tensor, target: Tensor | None, terms: Sequence[Term]
) -> str:
    """Why not, as far as types, dtypes and devices tell."""
    device = _DEVICES[kernel]
    if logits.dtype not in _library.DTYPES:
        return f"logits must be float32, bfloat16 or float64, got {logits.dtype}"
    if target is not None and target.is_floating_point():
        return "target must hold class indices, got probabilities"
    for tensor in _tensors(logits, target, terms):
        if not (tensor.is_cpu if device == "cpu" else tensor.is_cuda):
            return f"tensors must be on {device}, got one on {tensor.device}"
    for term in terms:
        if why := _wrong_term(term, logits.shape[-1], device):
            return why
    if kernel == "triton" and logits.dtype == torch.float64:
        return "logits must be float32 or bfloat16, got torch.float64"
    return ""


def _wrong_term(term: Term, n_classes: int, device: str) -> str:
    ground = term.ground
    if term.value is not None and term.value.requires_grad:
        return "value must not require grad"
    if not term.power >= 1:
        return f"power must be at least 1, got {term.power:g}"
    if ground is None:
        return ""
    if isinstance(ground, Bins) and term.loss in ON_A_GROUND:
        return f"the ground of {term.loss} must be a Line or a Tree, got Bins"
    # The plain form says it better; a kernel would read what is not there.
    if (n := _n_classes(ground)) != n_classes:
        return f"the ground must have {n_classes} classes as logits have, got {n}"
    if isinstance(ground, Bins):
        if ground.tails != "none":
            return "bins must end at their edges, got half-normal tails"
    elif isinstance(ground, Tree):
        if term.loss != "squared_emd" or device != "cpu":
            return f"on a tree there is squared_emd on the CPU, not {term.loss}"
    elif not isinstance(ground, Line):
        # The type alone: to write out a ground asks for its largest distance.
        return f"the ground must be a Line or a Tree, got a {type(ground).__name__}"
    return ""


def _n_classes(ground: Ground | Bins) -> int:
    return ground.n_bins if isinstance(ground, Bins) else ground.n_classes


def _tensors(
    logits: Tensor, target: Tensor | None, terms: Sequence[Term]
) -> list[Tensor]:
    given = [logits] if target is None else [logits, target]
    return given + [term.value for term in terms if term.value is not None]


def _one_ground(terms: Sequence[Term]) -> bool:
    return sum(term.loss in ON_A_GROUND for term in terms) <= 1


def _agree(terms: Sequence[Term]) -> bool:
    """Whether one line, one grid and one power serve all terms."""
    on_a_ground = [term for term in terms if term.loss in ON_A_GROUND]
    powers = {term.power for term in on_a_ground if term.loss == "wasserstein"}
    of_numbers = [term for term in terms if term.value is not None]
    return (
        len(powers) <= 1
        and len(of_numbers) <= 1
        and all(_same(term.ground, on_a_ground[0].ground) for term in on_a_ground[1:])
    )


def _same(ground: Ground | Bins | None, other: Ground | Bins | None) -> bool:
    if isinstance(ground, Line) and isinstance(other, Line):
        here, there = ground.positions, other.positions
        return here is there or torch.equal(here, there)
    return ground is other
