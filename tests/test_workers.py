"""Workers that start while the table is prepared."""

import os
import warnings
from typing import Any

import pytest
from joblib import Parallel, delayed
from joblib.externals.loky import reusable_executor

from offby.comparison.scheduler import workers_starting


def _workers() -> set[int]:
    """The processes that do the work of a pool of two."""
    pool: Any = Parallel(n_jobs=2, batch_size=1)  # pyright: ignore[reportArgumentType]
    return set(pool(delayed(os.getpid)() for _ in range(8)))


def _started() -> set[int]:
    """The processes that are there."""
    executor: Any = reusable_executor._executor
    return set(executor._processes)


def test_workers_that_were_started_early_do_the_work():
    with workers_starting(2):
        pass
    started = _started()
    assert len(started) == 2
    assert _workers() <= started


def test_one_process_starts_no_worker():
    with workers_starting(1):
        pass
    with workers_starting(None):
        pass


def test_after_an_error_nobody_waits_for_the_workers_and_new_ones_can_start():
    early = set()

    def fail():
        with workers_starting(2):
            early.update(_started())
            raise ValueError("of the table")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="of the table"):
            fail()
    assert len(early) == 2
    assert not early & _workers()
    assert _workers() <= _started()
