"""Is the atlas the same if others measure it, and one of them is killed meanwhile?

    python benchmarks/atlas_workers.py DATA [--sets NAME ...] ...

answers the problems that the words ask for (benchmarks/atlas.py) here, one by one, and
then by a scheduler of Dask and two hosts of two workers each, which know it by its
address only. After the first answer one host is killed (`kill -9`). Says whether all
values but the seconds are the same.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from atlas import Task, answers, asked_for, tasks

HOSTS, WORKERS = 2, 2
Rows = list[dict[str, object]]


@contextmanager
def cluster() -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """Address of a scheduler, and the hosts that work for it."""
    from distributed.utils import open_port

    address = f"tcp://127.0.0.1:{open_port()}"
    place = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    dask = [sys.executable, "-m", "dask"]
    port = address.rpartition(":")[2]
    host = [*dask, "worker", address, "--nthreads", "1", "--nworkers", str(WORKERS)]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", port]
    started = [
        # Each in a session of its own, which a kill ends whole.
        subprocess.Popen(
            command, env=place, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for command in (scheduler, *[host] * HOSTS)
    ]
    try:
        yield address, started[1:]
    finally:
        for process in reversed(started):
            kill(process)


def kill(process: subprocess.Popen) -> None:
    """A process and those that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def by_workers(wanted: Sequence[Task]) -> dict[Task, Rows]:
    """Answers of a cluster that loses a host after the first of them."""
    found = {}
    with cluster() as (address, hosts):
        for task, rows in answers(wanted, address):
            found[task] = rows
            kill(hosts[0])
    return found


def compared(rows: Rows) -> Rows:
    """What must be the same."""
    return [{k: v for k, v in row.items() if k != "cpu_seconds"} for row in rows]


def main(words: Sequence[str]) -> None:
    """Answer twice, and compare."""
    wanted = list(tasks(asked_for(words), set()))
    begun = time.monotonic()
    alone = dict(answers(wanted, None))
    middle = time.monotonic()
    shared = by_workers(wanted)
    ended = time.monotonic()
    same = sum(compared(alone[t]) == compared(shared[t]) for t in wanted)
    print(
        f"{len(wanted)} tasks: {middle - begun:.0f} s alone, {ended - middle:.0f} s by "
        f"{HOSTS} hosts of {WORKERS} workers, of which one was killed after the first "
        f"answer; the answers of {same} are the same in every bit."
    )
    if same < len(wanted):
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
