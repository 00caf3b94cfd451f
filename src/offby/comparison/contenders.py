"""Which methods are compared, and the fits that they need."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from offby.comparison.config import MODELS, CompareConfig
from offby.comparison.fits import Fit
from offby.comparison.methods.boosted import (
    NEEDS,
    boosted_jobs,
    boosting_is_here,
    mean_of,
)
from offby.comparison.methods.jobs import (
    extra_jobs,
    loss_jobs,
    methods_of,
    reference_jobs,
)
from offby.comparison.networks import Design
from offby.comparison.noise import perturb
from offby.comparison.problem import Problem
from offby.comparison.scheduler import FitKey, Job
from offby.losses.registry import NamedLoss
from offby.results import Method

Fits = Mapping[FitKey, Fit]


@dataclass(frozen=True, eq=False)
class Contenders:
    """The losses, references and estimators of the user, with all their fits."""

    losses: Sequence[NamedLoss]
    methods: tuple[Method, ...]
    design: Design
    """Of the networks that learn by the losses."""
    perturbations: Sequence[perturb.Perturbation]
    jobs: Sequence[Job]
    """Of the methods, then of the losses under each perturbation."""

    def scored(self, fits: Fits) -> dict[FitKey, Fit]:
        """The fits of the methods, without those under perturbations."""
        keys = {method.key for method in self.methods}
        return {key: fit for key, fit in fits.items() if key[0] in keys}

    def without(self, skipped: Collection[str]) -> "Contenders":
        """Without the references for which there was no time, and means with them."""
        gone = {*skipped, *(mean_of(name) for name in skipped)}
        kept = tuple(method for method in self.methods if method.key not in gone)
        jobs = [job for job in self.jobs if job.method not in gone]
        return replace(self, methods=kept, jobs=jobs)

    def by_loss(self, fits: Fits) -> dict[str, list[Fit]]:
        """The fits of each loss."""
        names = [str(loss) for loss in self.losses]
        return {
            name: [fit for (method, *_), fit in fits.items() if method == name]
            for name in names
        }


def _models(config: CompareConfig) -> Sequence[str]:
    """The models that learn by each loss: networks, and boosting where it is here.

    Raises:
        ValueError: If boosting is asked for and LightGBM is missing.
    """
    here = boosting_is_here()
    if config.models == "auto":
        return MODELS if config.named_references and here else MODELS[:1]
    if "boosting" in config.models and not here:
        raise ValueError(NEEDS)
    return config.models


def without_boosting(config: CompareConfig) -> str:
    """What is said where boosting would be compared, were it installed; else empty."""
    if config.models != "auto" or not config.named_references or boosting_is_here():
        return ""
    return (
        "Boosted trees under each loss were not compared, because LightGBM is missing; "
        'pip install "offby[boosting]" brings it.'
    )


def contenders_of(
    problem: Problem,
    config: CompareConfig,
    design: Design,
    extra: Mapping[str, Any],
    *,
    keyed: bool,
) -> Contenders:
    """All methods on all folds and seeds.

    Args:
        problem: The data and their folds.
        config: The settings of the comparison.
        design: Which networks are trained, and how.
        extra: Estimators of the user by name.
        keyed: Whether fits are kept, so that each needs a hash of all it depends on.
    """
    losses, seeds = config.named_losses(), range(config.seeds)
    more = extra_jobs(problem, extra, losses, keyed=keyed)
    jobs = loss_jobs(problem, losses, seeds, design, config.stop_on, keyed=keyed)
    if "boosting" in _models(config):
        jobs += boosted_jobs(problem, losses)
    jobs += reference_jobs(problem, config.named_references, seeds, design)
    jobs += more
    changed = perturb.perturbations(problem) if config.noise else []
    refits = perturb.jobs(changed, losses, design, config.stop_on, keyed=keyed)
    methods = methods_of(losses, jobs)
    return Contenders(losses, methods, design, changed, [*jobs, *refits])
