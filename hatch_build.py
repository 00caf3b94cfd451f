"""Builds the C++ kernels into the package. Without a compiler it is pure Python.

The library knows neither Python nor PyTorch: one wheel serves every version of both.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
SOURCES = HERE / "src" / "offby" / "kernels" / "cpp" / "native"
LIBRARY = HERE / "src" / "offby" / "kernels" / "cpp" / "offby_kernels.so"

FLAGS = [
    *("-O3", "-std=c++17", "-fPIC", "-fvisibility=hidden", "-pthread"),
    *("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"),
]
X86 = ("x86_64", "amd64")
AVX2 = ["-mavx2", "-mfma"]
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]


class CustomBuildHook(BuildHookInterface):
    """What hatchling calls before it packs a wheel, an editable one too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and tag the wheel with the platform if that worked."""
        del version
        why = build(LIBRARY)
        if why:
            self.app.display_warning(f"offby's C++ kernels are not built: {why}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"
        build_data["artifacts"].append("src/offby/kernels/cpp/*.so")


def build(made: Path, *flags: str, program: str = "") -> str:
    """Compile the library, or a program with it; say why if that failed."""
    made.unlink(missing_ok=True)
    command = compiler()
    if command is None:
        return "no C++ compiler found; set CXX to one"
    units = _units() | ({"program": (program, [])} if program else {})
    try:
        with tempfile.TemporaryDirectory() as folder:
            compiles = [
                [*command, *FLAGS, *flags, *extra, "-c", str(SOURCES / source)]
                for source, extra in units.values()
            ]
            objects = [str(Path(folder) / f"{name}.o") for name in units]
            with ThreadPoolExecutor() as pool:
                list(pool.map(_compile, compiles, objects))
            linked = Path(folder) / made.name
            shared = [] if program else ["-shared"]
            _run([*command, *shared, "-pthread", *objects, *flags, "-o", str(linked)])
            shutil.copy(linked, made)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        return said.strip().splitlines()[0]
    return ""


def compiler() -> list[str] | None:
    """The command of the C++ compiler, if there is one."""
    if named := os.environ.get("CXX"):
        return shlex.split(named)
    found = next(filter(shutil.which, ("c++", "g++", "clang++")), None)
    return [found] if found else None


def _units() -> dict[str, tuple[str, list[str]]]:
    """Every file to compile, once for each instruction set, with its flags."""

    def level(name: str, n_bytes: int, *flags: str) -> tuple[str, list[str]]:
        defines = {
            "LEVEL": name,
            "BYTES": n_bytes,
            "RUN": f"offby_run_{name}",
            "BOOST": f"offby_boost_{name}",
            "TARGETS": f"offby_targets_{name}",
        }
        named = [f"-DOFFBY_{key}={value}" for key, value in defines.items()]
        return "level.cpp", [*named, *flags]

    units = {"entry": ("entry.cpp", []), "base": level("base", 16)}
    if _platform().endswith(X86):
        wide = [*AVX2, *AVX512, "-mprefer-vector-width=512"]
        units |= {
            "avx2": level("avx2", 32, *AVX2),
            "avx512": level("avx512", 64, *wide),
        }
    return units


def _platform() -> str:
    """What is compiled for, as in the name of a wheel; OFFBY_PLATFORM is another."""
    platform = os.environ.get("OFFBY_PLATFORM") or sysconfig.get_platform()
    return platform.lower().replace("-", "_").replace(".", "_")


def _compile(command: list[str], made: str) -> None:
    _run([*command, "-o", made])


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(build(LIBRARY) or None)
