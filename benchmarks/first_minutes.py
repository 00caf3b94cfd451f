"""What a newcomer waits for: `--help`, the import, and the demo, with its memory.

    python benchmarks/first_minutes.py

prints a table; each command runs in a process of its own. Takes about 2 minutes.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

OFFBY = str(Path(sys.executable).with_name("offby"))
IMPORT = """
import time, torch
start = time.perf_counter()
import offby
assert offby.losses and offby.nn
print(time.perf_counter() - start)
"""


def seconds(command: list[str]) -> tuple[float, float]:
    """Wall time of a command, and the most memory it held, in MiB."""
    start = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    helps = median(seconds([OFFBY, "--help"])[0] for _ in range(9))
    imports = median(
        float(subprocess.check_output([sys.executable, "-c", IMPORT])) for _ in range(5)
    )
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        command = [OFFBY, "compare", "wine-red", "-t", "quality", "-o", str(report)]
        compare, memory = seconds(command)
        size = report.stat().st_size / 2**20
    for what, value, unit, limit in (
        ("offby --help", helps, "s", 0.5),
        ("import offby, after torch", imports, "s", 1.0),
        ("offby compare wine-red", compare, "s", 90.0),
        ("its memory", memory, "MiB", 1500.0),
        ("its report", size, "MiB", 2.0),
    ):
        print(f"{what:28s} {value:8.2f} {unit:4s} (limit {limit:g})")


if __name__ == "__main__":
    main()
