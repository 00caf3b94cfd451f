"""Compiles what the Triton kernels launch, for an H100, on any machine.

Run, not imported: Triton must not have been told to interpret. Prints the bytes of
machine code of each kernel. Forward and backward must come to the same one.
"""

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from offby.kernels.triton import _rows as _triton

# Alone the terms run in the interpreter, in tests/test_kernels_triton.py: here the
# first one, the one without an index, and all together.
CASES = (
    ("ce", 10, torch.float32),
    ("crps", 10, torch.float32),
    ("all", 16, torch.bfloat16),
    ("all", 70, torch.float32),
)
TERMS = ("ce", "w1", "emd2", "cce", "crps", "a tree")


class Away:
    """An H100 that is not here."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


compiled = []
compile_and_run = JITFunction.run


def compile_only(self, *args, warmup, **settings) -> None:
    compiled.append(compile_and_run(self, *args, warmup=True, **settings))


def sizes(name: str, n: int, dtype: torch.dtype) -> str:
    """Bytes of the kernel without slopes, and of the one with slopes."""
    logits = torch.zeros(5, n, dtype=dtype)
    factors = tuple(float(name in (term, "all")) for term in TERMS[:5])
    index = None if name == "crps" else torch.zeros(5, dtype=torch.int64)
    value, edges = torch.zeros(5).double(), torch.arange(n + 1).double()
    power = 1.5 if name == "all" else 1.0
    task = _triton.LossCall((*factors, 0.0), index, value, None, edges, power)
    compiled.clear()
    task.loss(logits)
    _, gradient = task.loss_and_gradient(logits, 0.2)
    mean, sparse = torch.ones(()).expand(5), torch.zeros(16)[1::3]
    for upstream in (mean, sparse, torch.zeros(5)):
        task.gradient(logits, upstream)
        task.gradient(logits, upstream, (gradient, 0.2))
    loss_alone, *same = compiled
    assert all(kernel is same[0] for kernel in same), name
    return f"{len(loss_alone.asm['cubin'])} {len(same[0].asm['cubin'])}"


if __name__ == "__main__":
    driver.set_active(Away())  # pyright: ignore[reportArgumentType]
    JITFunction.run = compile_only
    _triton.LONGEST, _triton.CHUNK = 64, 32
    for case in CASES:
        print(sizes(*case))  # noqa: T201
