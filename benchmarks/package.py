"""Builds the package as a release does, installs it bare, and measures what users get.

    python benchmarks/package.py [--python PYTHON ...] [--constraints requirements.lock]

The source archive is built first, and the wheel from that archive alone. Each PYTHON
gets a new virtual environment with nothing but the wheel and what it needs, in which
`tests/smoke.py` runs with a PATH that holds no compiler. Needs hatchling. With
auditwheel and patchelf the wheel gets the tag of the oldest Linux that can load it.
Takes minutes: the kernels are compiled, and PyTorch is installed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from importlib.util import find_spec
from pathlib import Path
from shutil import which

ROOT = Path(__file__).resolve().parents[1]
IMPORT = """
import time
start = time.process_time()
import {first}
middle = time.process_time()
import offby
assert offby.losses and offby.nn
print(middle - start, time.process_time() - middle)
"""


def run(*command: str | Path, **settings) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, **settings
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def build(dist: Path) -> tuple[Path, Path]:
    """The source archive, and the wheel that it alone makes."""
    hatchling = (sys.executable, "-m", "hatchling", "build")
    run(*hatchling, "-t", "sdist", "-d", dist, cwd=ROOT)
    archive = newest(dist, "*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        (source,) = Path(folder).iterdir()
        run(*hatchling, "-t", "wheel", "-d", dist, cwd=source)
    return archive, repaired(newest(dist, "*.whl"))


def repaired(wheel: Path) -> Path:
    """The wheel with the tag of the oldest Linux that can load it."""
    if "-linux_" not in wheel.name:
        return wheel
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if find_spec("auditwheel") is None or which("patchelf", path=path) is None:
        print(
            "Without auditwheel and patchelf the wheel keeps the tag of this machine."
        )
        return wheel
    auditwheel = (sys.executable, "-m", "auditwheel", "repair", "--plat", "auto")
    run(*auditwheel, "-w", wheel.parent, wheel, env={**os.environ, "PATH": path})
    wheel.unlink()
    return newest(wheel.parent, "*manylinux*.whl")


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda file: file.stat().st_mtime)


def tried(python: str, wheel: Path, pip_settings: list[str]) -> dict:
    """What an environment with nothing but the wheel says of it."""
    with tempfile.TemporaryDirectory() as folder:
        bare, nothing = Path(folder) / "bare", Path(folder) / "nothing"
        nothing.mkdir()
        run(python, "-m", "venv", bare)
        inside = bare / ("Scripts" if os.name == "nt" else "bin") / "python"
        run(inside, "-m", "pip", "install", "-q", *pip_settings, wheel)
        env = {**os.environ, "PATH": str(nothing), "OMP_NUM_THREADS": "1"}
        env.pop("PYTHONPATH", None)
        kernels = [] if wheel.name.endswith("-none-any.whl") else ["--kernels"]
        smoke = ROOT / "tests" / "smoke.py"
        print(run(inside, "-I", smoke, *kernels, env=env, cwd=folder))
        times = [
            run(inside, "-I", "-c", IMPORT.format(first="torch"), env=env).split()
            for _ in range(5)
        ]
        versions = run(inside, "-m", "pip", "freeze").splitlines()
        return {
            "python": run(inside, "-V").split()[1],
            "import torch, CPU s": statistics.median(float(t[0]) for t in times),
            "import offby after it, CPU s": statistics.median(
                float(t[1]) for t in times
            ),
            "packages": [line for line in versions if "@" not in line],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="+", default=[sys.executable])
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    parser.add_argument("--wheel", type=Path, help="try this one, build nothing")
    parser.add_argument(
        "--constraints", type=Path, help="versions to install beside the wheel"
    )
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    asked.dist.mkdir(parents=True, exist_ok=True)
    found: dict = {}
    if asked.wheel:
        wheel = asked.wheel.resolve()
    else:
        archive, wheel = build(asked.dist.resolve())
        found["source archive, MiB"] = round(archive.stat().st_size / 2**20, 2)
    settings = ["-c", str(asked.constraints.resolve())] if asked.constraints else []
    found |= {
        "wheel": wheel.name,
        "wheel, MiB": round(wheel.stat().st_size / 2**20, 2),
        "tried": [tried(python, wheel, settings) for python in asked.python],
    }
    text = json.dumps(found, indent=1) + "\n"
    print(text)
    if asked.out:
        asked.out.write_text(text)


if __name__ == "__main__":
    main()
