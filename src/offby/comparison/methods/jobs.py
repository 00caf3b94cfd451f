"""The fits that a comparison needs: of losses, of references, of the user's models."""

from collections.abc import Mapping, Sequence
from functools import partial
from pickle import PicklingError
from typing import Any

from joblib import hash as hash_of
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from offby.comparison.config import StopOn
from offby.comparison.fits import fit_loss
from offby.comparison.hashing import hash_of_rows
from offby.comparison.methods.boosted import boosted_methods
from offby.comparison.methods.references import BASELINES, each, user_estimator
from offby.comparison.networks import Design
from offby.comparison.own_losses import OwnRows
from offby.comparison.problem import Problem
from offby.comparison.scheduler import Fitter, Job
from offby.losses.registry import Loss, NamedLoss
from offby.results import Method

_TITLES = {baseline.name: baseline.title for baseline in BASELINES}


def loss_jobs(problem, named, seeds, design, stop_on, *, keyed: bool) -> list[Job]:
    """The networks of every loss."""
    jobs = []
    for loss in named:
        fit, recipe = fitter(loss, design, stop_on, keyed=keyed)
        jobs += _jobs(str(loss), problem, seeds, fit, recipe)
    return jobs


def fitter(
    loss: NamedLoss, design: Design, stop_on: StopOn, *, keyed: bool
) -> tuple[Fitter, str]:
    """What fits the networks of a loss, and all that it depends on as text."""
    terms = [(factor, _text_of(entry)) for factor, entry in loss.terms]
    recipe = f"{terms} {design.text()} {stop_on}" if keyed else ""
    return partial(fit_loss, loss=loss, design=design, stop_on=stop_on), recipe


def _text_of(entry: Loss) -> str:
    """The name of a loss; one of the user's own with what it does."""
    own = entry.rows
    return f"{entry.name} {own.text()}" if isinstance(own, OwnRows) else entry.name


def _jobs(
    method: str, problem: Problem, seeds, fit: Fitter, recipe: str, *, together=True
) -> list[Job]:
    return [
        Job(method, fold, seed, fit, recipe, together)
        for fold in problem.folds
        for seed in seeds
    ]


def reference_jobs(
    problem: Problem, names: Sequence[str], seeds, design: Design
) -> list[Job]:
    """The baselines of these names that know this kind of target."""
    jobs = []
    for baseline in BASELINES:
        if baseline.name not in names:
            continue
        makes = baseline.classes if problem.kind == "classes" else baseline.numbers
        if not baseline.suits(problem):
            continue
        if makes is not None and baseline.is_network:
            # A module of the user's own has the outputs that it has.
            if design.module is None:
                fit, recipe = partial(makes, design=design), design.text()
                jobs += _jobs(baseline.name, problem, seeds, fit, recipe)
        elif makes is not None:
            fit = partial(each, forecast=makes)
            jobs += _jobs(baseline.name, problem, [0], fit, "", together=False)
    return jobs


def extra_jobs(
    problem: Problem, extra: Mapping[str, Any], named, *, keyed: bool
) -> list[Job]:
    """The user's own estimators, on the rows as they came."""
    taken = {*_TITLES, *map(str, named)}
    jobs = []
    for name, estimator in extra.items():
        if name in taken:
            raise ValueError(
                f"an extra estimator needs a name of its own, got {name!r}, which is a "
                "loss or reference; call it otherwise"
            )
        if not hasattr(estimator, "fit") or not hasattr(estimator, "predict"):
            raise TypeError(
                f"an extra estimator must have fit and predict, got {name!r}, a "
                f"{type(estimator).__name__}; wrap it in a scikit-learn estimator"
            )
        weighs = problem.weight is not None
        if weighs and not has_fit_parameter(estimator, "sample_weight"):
            raise ValueError(
                f"with weights, an extra estimator must take sample_weight in fit, got "
                f"{name!r}, which does not; leave it out, or the weights"
            )
        recipe = _recipe(name, estimator, problem) if keyed else ""
        forecast = partial(user_estimator, name=name, estimator=estimator, X=problem.X)
        fit = partial(each, forecast=forecast)
        jobs += _jobs(name, problem, [0], fit, recipe, together=False)
    return jobs


def _recipe(name: str, estimator, problem: Problem) -> str:
    """What a fit of a user's estimator depends on."""
    try:
        itself = hash_of(clone(estimator))
    except PicklingError as error:
        raise ValueError(
            f"with a run directory, an extra estimator must be of a class that can be "
            f"pickled, got {name!r}: {error}; define the class in a module"
        ) from error
    # A fold knows its rows by their encoded form only, which may have lost what the
    # estimator uses.
    return f"{itself} {hash_of_rows(problem.X, problem.y)}"


def methods_of(named, jobs: Sequence[Job]) -> tuple[Method, ...]:
    """The methods of the jobs, losses before references."""
    titles = {str(loss): loss.title for loss in named}
    models = {method.key: method for method in boosted_methods(named)}
    keys = list(dict.fromkeys(job.method for job in jobs))
    # The mean of network and boosting has no job: it is made of their fits.
    if any(key in models for key in keys):
        keys += [key for key in models if key not in keys]
    return tuple(
        models.get(key)
        or Method(
            key,
            titles.get(key) or _TITLES.get(key, key),
            key not in titles,
            *(("network", key) if key in titles else ()),
        )
        for key in keys
    )
