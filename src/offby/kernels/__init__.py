"""Fast kernels of the losses: C++ on the CPU, Triton on CUDA. See docs/kernels.md.

The plain PyTorch form in `offby.losses` is the specification of a loss. A kernel
computes the same numbers faster and in less memory. `choose` is the one place that
picks between them.
"""

from offby.kernels._dispatch import choose
from offby.kernels._doctor import Check, diagnosis
from offby.kernels._impl import Impl, using, wanted
from offby.kernels._last_layer import LastLayer, last_layer
from offby.kernels._linear import Fused
from offby.kernels._support import transformed, unsupported_reason
from offby.kernels._terms import ON_A_GROUND, Term

__all__ = [
    "ON_A_GROUND",
    "Check",
    "Fused",
    "Impl",
    "LastLayer",
    "Term",
    "choose",
    "diagnosis",
    "last_layer",
    "transformed",
    "unsupported_reason",
    "using",
    "wanted",
]
