"""Tries the C++ kernels as another compiler makes them, for this machine or another.

    pip install ziglang
    export CXX="python -m ziglang c++ -target aarch64-linux-musl"
    export OFFBY_PLATFORM=linux_aarch64
    python -m tests.native_elsewhere -static --run qemu-aarch64-static

builds tests/native_fuzz.cpp twice, with the compiler of this machine and with CXX, runs
both, the second one in an emulator if one is named, and compares what they computed.
All other words go to the second compiler, -march=x86-64-v2 for example.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import hatch_build

ROOT = Path(__file__).parents[1]
APART = 1e-4
"""Largest relative difference of the digests: of rounding, never of a formula."""


def numbers(
    folder: Path, name: str, flags: list[str], runner: list[str]
) -> list[float]:
    """Builds and runs; the runs, how many numbers were finite, and their digest."""
    made = folder / name
    source = str(ROOT / "tests" / "native_fuzz.cpp")
    flags = ["-O2", "-DOFFBY_FEW_LOOPS", *flags, f"-I{hatch_build.SOURCES}"]
    if why := hatch_build.build(made, *flags, program=source):
        raise SystemExit(why)
    done = subprocess.run([*runner, made], check=True, capture_output=True, text=True)
    print(f"{name}: {done.stdout.strip()}")  # noqa: T201
    return [float(found) for found in re.findall(r"-?\d+\.?\d*", done.stdout)]


def main(words: list[str]) -> None:
    """Compare, and end with an error if the numbers differ."""
    runner: list[str] = []
    if "--run" in words:
        at = words.index("--run")
        runner = shlex.split(words[at + 1])
        words = words[:at] + words[at + 2 :]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here = {
            k: v for k, v in os.environ.items() if k not in ("CXX", "OFFBY_PLATFORM")
        }
        with patch.dict(os.environ, here, clear=True):
            _, finite, digest = numbers(folder, "here", [], [])
        _, there_finite, there = numbers(folder, "elsewhere", words, runner)
    apart = max(abs(there / digest - 1), abs(there_finite / finite - 1))
    if apart > APART:
        raise SystemExit(f"the numbers differ by {apart:.2g}, more than {APART:g}")


if __name__ == "__main__":
    main(sys.argv[1:])
