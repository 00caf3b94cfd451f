"""What of the kernels runs on this machine, for `offby doctor`."""

from dataclasses import dataclass

import torch

from offby.kernels._dispatch import call_of
from offby.kernels._impl import Impl
from offby.kernels._support import triton_missing
from offby.kernels._terms import Term
from offby.kernels.cpp import _library


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
    """How far the C++ kernel and the plain form are apart on one batch."""
    logits = torch.linspace(-4, 4, 7 * 40).sin().view(40, 7)
    index = torch.arange(40) % 7
    fast = call_of("cpp", index, [Term("squared_emd")]).loss(logits)
    below = logits.double().softmax(-1).cumsum(-1)
    plain = (below - (torch.arange(7) >= index[:, None]).double()).square().sum(-1)
    apart = ((fast - plain).abs() / plain).max()
    return f"squared EMD within {apart:.0e} of float64"
