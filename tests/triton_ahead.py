"""Compiles the Triton kernels for an H100, on any machine.

Run, not imported: Triton must not have been told to interpret.
"""

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from offby.kernels import _triton

TERMS = ("CE", "W1", "EMD2", "CCE", "CRPS", "LINE", "POWER", "SLOPES")
TYPES = {
    **dict.fromkeys(("index", "bin_of"), "*i64"),
    **dict.fromkeys(("share", "outside", "gap", "place", "width", "loss"), "*fp32"),
    **dict.fromkeys(("ce", "w1", "emd2", "cce", "crps", "power"), "fp32"),
}


def compiled(kernel, dtype: str, **shape: int) -> int:
    """Bytes of machine code, every loss included."""
    constants = dict.fromkeys(TERMS, True) | shape
    types = TYPES | {"logits": dtype, "gradient": dtype}
    types |= dict.fromkeys(constants, "constexpr")
    signature = {name: types.get(name, "i32") for name in kernel.arg_names}
    source = ASTSource(kernel, signature, constexprs=constants)
    return len(triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["cubin"])


if __name__ == "__main__":
    print(compiled(_triton._rows, "*fp32", ROWS=4, WIDE=32))  # noqa: T201
    print(compiled(_triton._long_rows, "*bf16", MOST=4, WIDE=32))  # noqa: T201
