"""The stages of a comparison, put together as its result."""

import platform
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import sklearn
import torch

from offby.comparison.config import CompareConfig
from offby.comparison.contenders import Contenders, Fits
from offby.comparison.describe import not_tested, split_of
from offby.comparison.diagnosis import Diagnosis
from offby.comparison.judgment import Judgment
from offby.comparison.networks import title_of
from offby.comparison.problem import Problem
from offby.comparison.rounds import Finished
from offby.results import Column, Comparison, Data, Ended, Run, Timing


def comparison_of(
    problem: Problem,
    config: CompareConfig,
    command: str,
    data: Data,
    columns: tuple[Column, ...],
    contenders: Contenders,
    judgment: Judgment,
    diagnosis: Diagnosis,
    found: Finished,
    seconds: float,
) -> Comparison:
    """The result as plain data."""
    made = Comparison(
        data=replace(data, notes=(*data.notes, *diagnosis.notes)),
        methods=contenders.methods,
        metrics=judgment.metrics,
        scores=judgment.scores,
        differences=judgment.differences,
        verdicts=judgment.verdicts,
        why=_why(diagnosis, judgment),
        reasons=diagnosis.reasons,
        rows=diagnosis.rows,
        pushes=diagnosis.pushes,
        calibration=diagnosis.calibration,
        reliability=diagnosis.reliability,
        training=diagnosis.training,
        run=_run(problem, config, command, found.ended),
        forecasts=diagnosis.forecasts,
        noise_share=diagnosis.noise_share,
        noise=diagnosis.noise,
        takeovers=diagnosis.takeovers,
        references=judgment.references,
        contenders=judgment.contenders,
        columns=columns,
        importances=diagnosis.importances,
        regions=diagnosis.regions,
        coverage=diagnosis.coverage,
        timing=_timing(contenders, found.fits, seconds),
    )
    return replace(made, methods=made.ranked)


def _why(diagnosis: Diagnosis, judgment: Judgment) -> tuple[str, ...]:
    """The reasons that tell something; those that do not are in `reasons` only."""
    if not diagnosis.reasons:
        return ()
    telling = [each for each in diagnosis.reasons if each.favors]
    if not telling:
        return (
            "Nothing that our study looked at tells on these data which loss does "
            "better.",
        )
    favored = {each.favors for each in telling}
    here = seen_here(favored, judgment) if len(favored) == 1 else ""
    return (*(each.sentence for each in telling), *filter(None, [here]))


def seen_here(favored: set[str], judgment: Judgment) -> str:
    """What the scores say of the loss that the study favors, where another is best."""
    (loss,) = favored
    for answer in judgment.verdicts:
        if answer.metric not in ("rps", "crps") or answer.best in ("", loss):
            continue
        title = next(m.title for m in judgment.metrics if m.key == answer.metric)
        begin = f"That was on other tables. On this one, {answer.best} scored best by "
        if loss in answer.ties:
            return f"{begin}{title}, and {loss} is practically equal to it."
        if loss in answer.unsure:
            return f"{begin}{title}; whether {loss} is as good is not settled."
        return f"{begin}{title}, and {loss} is worse."
    return ""


def _run(problem: Problem, config: CompareConfig, command: str, ended: Ended) -> Run:
    return Run(
        command=command,
        folds=config.folds,
        seeds=config.seeds,
        seed=config.seed,
        stop_on=config.stop_on,
        network=title_of(config.network),
        rope=config.rope,
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "offby": version("offby"),
        },
        not_tested=not_tested(problem, config),
        split=split_of(problem),
        ended=ended,
    )


def _timing(contenders: Contenders, fits: Fits, seconds: float) -> Timing:
    return Timing(
        seconds=seconds,
        fits={
            method.key: sum(
                fit.seconds for (key, *_), fit in fits.items() if key == method.key
            )
            for method in contenders.methods
        },
    )
