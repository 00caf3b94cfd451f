"""Fast twins of the losses: C++ on the CPU, Triton on CUDA. See docs/kernels.md.

The plain PyTorch form in `offby.losses` says what a loss is; a twin gives its numbers
sooner and in less memory. `choose` is the one place that picks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from offby.bins import Bins
from offby.grounds import Cuts, Ground, Line, Tree
from offby.kernels import _compiled
from offby.kernels._autograd import Plain, Task, mean, rows
from offby.kernels._impl import Impl, using, wanted
from offby.kernels.cpp import _library

_FEEL_DISTANCE = ("wasserstein", "squared_emd", "cumulative_cross_entropy")
_PLACE = {name: place for place, name in enumerate(_library.TERMS)}

__all__ = [
    "Check",
    "Impl",
    "Term",
    "choose",
    "cpp_cannot",
    "diagnosis",
    "transformed",
    "using",
    "wanted",
]


class Term(NamedTuple):
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
    impl: Impl,
    logits: Tensor,
    target: Tensor | None,
    *terms: Term,
    reduction: Literal["mean", "none"] = "none",
) -> Callable[[Plain], Tensor] | None:
    """How to compute a sum of losses, or None for the plain form.

    Args:
        impl: What the caller wants. "auto" never fails, a named twin never falls back.
        logits: Checked logits, classes last.
        target: Checked target, if a term has one.
        terms: What to add up.
        reduction: "mean" of the rows, or "none".

    Returns:
        A function of the plain form, reduced likewise, which serves where derivatives
        are differentiated.

    Raises:
        RuntimeError: If a named twin cannot run; the message says why.
    """
    if torch.compiler.is_compiling():
        return _choose_compiled(impl, logits, target, terms, reduction)
    form = wanted(impl)
    if form == "torch":
        return None
    named = form != "auto"
    if not named:
        form = "cpp" if logits.is_cpu else "triton"
    why = (cpp_cannot if form == "cpp" else triton_cannot)(logits, target, terms)
    if why and named:
        raise RuntimeError(
            f'impl="{form}" cannot run here: {why}; use impl="auto" or "torch"'
        )
    if why:
        return None
    task = _task(form, target, terms)
    reduced = mean if reduction == "mean" else rows
    return lambda plain: reduced(task, plain, logits)


def _choose_compiled(
    impl: Impl,
    logits: Tensor,
    target: Tensor | None,
    terms: Sequence[Term],
    reduction: Literal["mean", "none"],
) -> Callable[[Plain], Tensor] | None:
    """The same for a compiler, which can follow no environment and no numbers."""
    if impl == "torch":
        return None
    form = impl
    if impl == "auto":
        form = "cpp" if logits.is_cpu else "triton"
    kind_cannot, ready = {
        "cpp": (_kind_cannot, _compiled.ready),
        "triton": (_triton_kind_cannot, _triton_ready),
    }[form]
    why = (
        kind_cannot(logits, target, terms)
        or ("" if _one_ground(terms) else "all terms must have one ground")
        or ("" if ready() else "offby doctor says why")
    )
    if impl == "auto" and why:
        return None
    if why:
        raise RuntimeError(f'impl="{impl}" cannot run inside torch.compile: {why}')
    task = _parts(form, target, terms)
    if reduction == "mean":
        return lambda plain: _compiled.rows(task, logits).mean()
    return lambda plain: _compiled.rows(task, logits)


def _one_ground(terms: Sequence[Term]) -> bool:
    return sum(term.loss in _FEEL_DISTANCE for term in terms) <= 1


def cpp_cannot(logits: Tensor, target: Tensor | None, terms: Sequence[Term]) -> str:
    """Why the C++ twins cannot compute this; empty if they can."""
    if why := _cannot(logits, target, terms) or _kind_cannot(logits, target, terms):
        return why
    library = _library.load()
    return library if isinstance(library, str) else ""


def triton_cannot(logits: Tensor, target: Tensor | None, terms: Sequence[Term]) -> str:
    """Why the Triton twins cannot compute this; empty if they can."""
    if why := _cannot(logits, target, terms):
        return why
    return _triton_kind_cannot(logits, target, terms) or triton_missing()


def _triton_kind_cannot(
    logits: Tensor, target: Tensor | None, terms: Sequence[Term]
) -> str:
    if why := _kind_cannot(logits, target, terms, "cuda"):
        return why
    if logits.dtype == torch.float64:
        return "logits must be float32 or bfloat16, got torch.float64"
    return ""


@cache
def triton_missing() -> str:
    """Why no Triton twin runs on this machine; empty if they do."""
    if not torch.cuda.is_available():
        return "PyTorch finds no CUDA device"
    if find_spec("triton") is None:
        return "Triton is not installed"
    return ""


def _triton_ready() -> bool:
    """Whether Triton runs here."""
    return not triton_missing()


_triton_ready._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess] # as `_compiled.ready`


def _cannot(logits: Tensor, target: Tensor | None, terms: Sequence[Term]) -> str:
    """Why no twin can see the numbers of this."""
    if why := transformed():
        return why
    for tensor in _tensors(logits, target, terms):
        if why := _out_of_reach(tensor):
            return why
    if len(terms) > 1 and not _agree(terms):
        return "all terms must have one ground and one power"
    return ""


def transformed() -> str:
    """What stands between a call and the numbers of its tensors; empty if nothing."""
    if torch._C._are_functorch_transforms_active():
        return "under torch.func the plain form is transformed"
    if forward_ad._current_level >= 0 or torch._C._len_torch_dispatch_stack():
        return "forward-mode derivatives and dispatch modes need the plain form"
    return ""


def _tensors(
    logits: Tensor, target: Tensor | None, terms: Sequence[Term]
) -> list[Tensor]:
    given = [logits] if target is None else [logits, target]
    return given + [term.value for term in terms if term.value is not None]


def _kind_cannot(
    logits: Tensor,
    target: Tensor | None,
    terms: Sequence[Term],
    device: str = "cpu",
) -> str:
    """Why not, as far as types, dtypes and devices tell."""
    if logits.dtype not in _library.DTYPES:
        return f"logits must be float32, bfloat16 or float64, got {logits.dtype}"
    if target is not None and target.is_floating_point():
        return "target must hold class indices, got probabilities"
    for tensor in _tensors(logits, target, terms):
        if not (tensor.is_cpu if device == "cpu" else tensor.is_cuda):
            return f"tensors must be on {device}, got one on {tensor.device}"
    for term in terms:
        if why := _term_cannot(term, logits.shape[-1], device):
            return why
    return ""


def _term_cannot(term: Term, n_classes: int, device: str) -> str:
    ground = term.ground
    # The plain form says it better; a twin would read what is not there.
    if ground is not None and (n := _n_classes(ground)) != n_classes:
        return f"the ground must have {n_classes} classes as logits have, got {n}"
    if not term.power >= 1:
        return f"power must be at least 1, got {term.power:g}"
    if isinstance(ground, Bins):
        if ground.tails != "none":
            return "bins must end at their edges, got half-normal tails"
    elif isinstance(ground, Tree):
        if term.loss != "squared_emd" or device != "cpu":
            return f"on a tree there is squared_emd on the CPU, not {term.loss}"
    elif ground is not None and not isinstance(ground, Line):
        return f"the ground must be a Line or a Tree, got {ground}"
    if term.value is not None and term.value.requires_grad:
        return "value must not require grad"
    return ""


def _n_classes(ground: Ground | Bins) -> int:
    return ground.n_bins if isinstance(ground, Bins) else ground.n_classes


def _out_of_reach(tensor: Tensor) -> str:
    """Why the numbers of a tensor cannot be read through a pointer."""
    if type(tensor) is not Tensor and type(tensor) is not torch.nn.Parameter:
        return f"tensors must be plain, got {type(tensor).__name__}"
    if tensor.layout is not torch.strided or tensor.is_neg():
        return "tensors must be dense in memory"
    return ""


def _agree(terms: Sequence[Term]) -> bool:
    """Whether one line, one grid and one power serve all terms."""
    far = [term for term in terms if term.loss in _FEEL_DISTANCE]
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


def _task(form: Impl, target: Tensor | None, terms: Sequence[Term]) -> Task:
    parts = _parts(form, target, terms)
    if form == "cpp":
        return parts
    from offby.kernels.triton import _rows as _triton

    line = parts.positions
    return _triton.Task(
        parts.factors, parts.index, parts.value, line, parts.edges, parts.power
    )


def _parts(form: Impl, target: Tensor | None, terms: Sequence[Term]) -> _library.Task:
    """What is to be computed, on the device where it is."""
    factors = [0.0] * len(_library.TERMS)
    power, positions, value, edges, cuts = 1.0, None, None, None, None
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
        factors[_PLACE[name]] += term.factor
    index = None if target is None else target.long().contiguous()
    sums = tuple(factors)
    # A ground may lie on a device where the logits do not.
    device = torch.device("cpu") if form == "cpp" else None
    value, positions, edges = (
        None if each is None else _numbers(each, device)
        for each in (value, positions, edges)
    )
    if cuts is not None:
        cuts = Cuts(*(each.cpu() for each in _library.cuts_of(cuts)))
    return _library.Task(sums, index, value, positions, edges, power, cuts)


def _numbers(numbers: Tensor, device: torch.device | None) -> Tensor:
    return numbers.detach().to(device, torch.float64).contiguous()


@dataclass(frozen=True)
class Check:
    """Whether one form of the losses runs here."""

    form: Impl
    runs: bool
    says: str


def diagnosis() -> tuple[Check, ...]:
    """What runs here and what does not, each with a sentence."""
    library = _library.load()
    if isinstance(library, str):
        cpp = Check("cpp", False, library)
    else:
        names = ", ".join(name for name in library.levels if name)
        in_use = library.levels[library.level]
        threads = f"{library.threads} ({torch.get_num_threads()})"
        says = f"C++ on the CPU, {in_use} (of {names}), {threads}; {_agreement()}"
        cpp = Check("cpp", True, says)
    plain = Check("torch", True, "plain PyTorch, the specification, on every device")
    why = triton_missing()
    triton = Check("triton", not why, why or "Triton on CUDA")
    return plain, cpp, triton


def _agreement() -> str:
    """How far the C++ twin and the plain form are apart on one batch."""
    logits = torch.linspace(-4, 4, 7 * 40).sin().view(40, 7)
    index = torch.arange(40) % 7
    twin = _task("cpp", index, [Term("squared_emd")]).loss(logits)
    below = logits.double().softmax(-1).cumsum(-1)
    plain = (below - (torch.arange(7) >= index[:, None]).double()).square().sum(-1)
    apart = ((twin - plain).abs() / plain).max()
    return f"squared EMD within {apart:.0e} of float64"
