"""The fits of a comparison as units of work: anywhere, in any order, each once."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from joblib import Parallel, delayed, effective_n_jobs
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import (
    BrokenProcessPool,
    ShutdownExecutorError,
)

from offby.comparison.fits import Fit
from offby.comparison.problem import Fold
from offby.comparison.store import Store
from offby.tabular.forecasts import threads

FitKey = tuple[str, int, int]
"""Method, fold and seed of a fit."""
Fitter = Callable[[Sequence[tuple[Fold, int]]], list[Fit]]
Progress = Callable[[int, int, str], None]

_ROWS = 30_000
"""Most rows, over all its networks, of a unit of work: some ten seconds of training."""
_TRIES = 3
"""Deaths of workers in a row, with nothing finished between them, that end a run."""


@dataclass(frozen=True, eq=False)
class Job:
    """One fit to make: a pure function of what its key is a hash of."""

    method: str
    fold: Fold
    seed: int
    fit: Fitter
    recipe: str
    """All that the fit depends on beside method, fold and seed, as text."""
    together: bool = True
    """Whether fits of the method are quicker as one batch, as networks are."""

    @property
    def key_of_fit(self) -> FitKey:
        """Where its fit belongs."""
        return self.method, self.fold.number, self.seed

    @cached_property
    def key(self) -> str:
        """A hash of all that the fit depends on."""
        seed = str(self.seed)
        parts = (self.method, self.fold.digest, seed, self.recipe, _versions())
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@cache
def _versions() -> str:
    names = ("offby", "torch", "numpy", "scikit-learn")
    return " ".join(f"{name} {version(name)}" for name in names)


class Watching(Protocol):
    """What follows a run and says how it goes."""

    def see(self, jobs: Sequence[Job], fits: Sequence[Fit]) -> None:
        """Note what was just finished."""

    def says(self, left: Sequence[Job], later: int) -> str:
        """What there is to say of the fits that are left."""
        ...


Maker = Callable[[Sequence[Job], int], dict[FitKey, Fit]]
"""From jobs, and how many more may follow them, to their fits."""


@contextmanager
def maker(
    run_dir: str | Path | None,
    data: str,
    n_jobs: int | None,
    progress: Progress | None,
    watch: "Watching | None" = None,
) -> Iterator[Maker]:
    """What makes the fits of a round, and keeps them in a directory if one is named.

    What `watch` says of the run is said beside the method that was just finished.
    """
    say = progress or (lambda done, total, text: None)
    store = None if run_dir is None else Store(run_dir, data)
    before = 0

    def make(jobs: Sequence[Job], later: int) -> dict[FitKey, Fit]:
        nonlocal before
        start, total = before, before + len(jobs) + later

        def say_of_all(done: int, _: int, text: str) -> None:
            say(start + done, total, text)

        def watched(batch: Sequence[Job], fits: list[Fit], left: list[Job]) -> str:
            if watch is None or progress is None:
                return batch[0].method
            watch.see(batch, fits)
            return f"{batch[0].method}  {watch.says(left, later)}".rstrip()

        fits = finish(jobs, store, n_jobs=n_jobs, say=say_of_all, name=watched)
        before += len(jobs)
        return fits

    with nullcontext() if store is None else closing(store):
        if store and (others := store.others()):
            say(0, 0, f"{others} fits of other data in {run_dir} are left alone")
        yield make


def finish(
    jobs: Sequence[Job],
    store: Store | None,
    *,
    n_jobs: int | None,
    say: Progress,
    name: Callable[[Sequence[Job], list[Fit], list[Job]], str] | None = None,
) -> dict[FitKey, Fit]:
    """The fits of all jobs: from the store where they are there, else made and kept.

    Args:
        jobs: What to make.
        store: Where finished fits are kept, if anywhere.
        n_jobs: Fits made at the same time.
        say: Called with fits done, fits in all, and a word on the current ones.
        name: That word, from the jobs just done, their fits and the jobs left; by
            default the method.

    Raises:
        RuntimeError: If workers die over and over, or the store cannot be written.
    """
    done: dict[FitKey, Fit] = {}
    for job in jobs if store else ():
        fit = store.get(job.key) if store else None
        if fit is not None:
            done[job.key_of_fit] = fit
    if done:
        say(len(done), len(jobs), f"{len(done)} fits were there already")
    deaths = 0
    while left := [job for job in jobs if job.key_of_fit not in done]:
        before = len(done)
        try:
            for batch, fits in _parallel(left, n_jobs):
                if store:
                    store.put([job.key for job in batch], fits)
                done |= {
                    job.key_of_fit: fit for job, fit in zip(batch, fits, strict=True)
                }
                rest = [job for job in jobs if job.key_of_fit not in done]
                word = batch[0].method if name is None else name(batch, fits, rest)
                say(len(done), len(jobs), word)
        except BrokenProcessPool as error:
            deaths = 1 if len(done) > before else deaths + 1
            if deaths == _TRIES:
                raise RuntimeError(
                    f"a fit must leave its worker alive, got {_TRIES} dead workers in "
                    "a row (out of memory, as a rule); use fewer jobs or fewer rows"
                ) from error
    return {job.key_of_fit: done[job.key_of_fit] for job in jobs}


def batches(jobs: Sequence[Job], at_least: int) -> list[list[Job]]:
    """The jobs in units of work: what is lost at most when a worker dies.

    Networks of one loss train as one batch. Larger ones are quicker per network (15 of
    them take 7.1 s, in batches of 3 they take 9.5 s, alone 16.2 s), but more is lost,
    and there must be work for every core. What gains nothing from company comes last,
    one by one, so that the cores end together. How jobs are batched changes no bit.
    """
    alike: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        alike[job.method].append(job)
    even = -(-len([job for job in jobs if job.together]) // at_least)
    found = []
    for same in alike.values():
        batch: list[Job] = []
        for job in same:
            rows = sum(len(each.fold.train.y) for each in (*batch, job))
            full = not job.together or len(batch) == even or rows > _ROWS
            if batch and full:
                found.append(batch)
                batch = []
            batch.append(job)
        found.append(batch)
    return sorted(found, key=lambda batch: not batch[0].together)


def _parallel(
    jobs: Sequence[Job], n_jobs: int | None
) -> Iterator[tuple[list[Job], list[Fit]]]:
    # Joblib must not batch once more: it would hand out several quick units as one
    # task, and a death would cost them all.
    pool: Any = Parallel(
        n_jobs=n_jobs,
        batch_size=1,  # pyright: ignore[reportArgumentType]
        return_as="generator_unordered",
    )
    cores: Any = effective_n_jobs
    units = batches(jobs, at_least=2 * cores(n_jobs))
    work = (
        delayed(_run)(number, unit[0].fit, [(job.fold, job.seed) for job in unit])
        for number, unit in enumerate(units)
    )
    # Small matrices: a second thread costs more than it brings.
    with threads(None):
        for number, fits in pool(work):
            yield units[number], fits


@contextmanager
def workers_starting(n_jobs: int | None) -> Iterator[None]:
    """Workers start and load what they need while the caller goes on by itself.

    A worker takes seconds to load PyTorch. It does so while the table is prepared,
    which takes one core. An error of the caller ends them at once.
    """
    cores: Any = effective_n_jobs
    count = cores(n_jobs)
    if count < 2:
        yield
        return
    pool: Any = Parallel(
        n_jobs=n_jobs,
        batch_size=1,  # pyright: ignore[reportArgumentType]
        return_as="generator_unordered",
    )
    ready = pool(delayed(_loaded)() for _ in range(count))
    try:
        yield
    except BaseException:
        # What is wrong with the table is said at once: nobody waits for workers.
        get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise
    finally:
        # An answer that nobody takes would end the workers, with complaints. If one
        # has died, the fits will say so.
        with suppress(BrokenProcessPool, ShutdownExecutorError):
            for _ in ready:
                pass


def _loaded() -> None:
    """Nothing to do: whoever calls it has loaded this module."""


def _run(
    number: int, fit: Fitter, places: Sequence[tuple[Fold, int]]
) -> tuple[int, list[Fit]]:
    # Small matrices: a second thread costs more than it brings.
    with threads(None):
        return number, fit(places)
