"""The pictures and reasons beside the scores; one that fails costs no other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from offby.comparison import diagnostics, findings
from offby.comparison.config import CompareConfig
from offby.comparison.contenders import Contenders, Fits
from offby.comparison.fits import Fit
from offby.comparison.forecasts import forecasts
from offby.comparison.judgment import Judgment
from offby.comparison.noise.curves import curves
from offby.comparison.noise.estimate import noise_share
from offby.comparison.noise.takeovers import takeovers
from offby.comparison.problem import Problem
from offby.comparison.reliability import reliability
from offby.comparison.why import reasons
from offby.results import (
    Calibration,
    Column,
    Coverage,
    Forecasts,
    Importance,
    Noise,
    NoiseShare,
    Pushes,
    Reason,
    Region,
    Reliability,
    Row,
    Training,
)
from offby.tabular.forecasts import threads

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What the losses taught their networks, and what the data tell about that."""

    rows: tuple[Row, ...]
    pushes: tuple[Pushes, ...]
    calibration: tuple[Calibration, ...]
    reliability: tuple[Reliability, ...]
    training: tuple[Training, ...]
    forecasts: tuple[Forecasts, ...]
    noise: tuple[Noise, ...]
    noise_share: NoiseShare | None
    takeovers: tuple[str, ...]
    reasons: tuple[Reason, ...]
    importances: tuple[Importance, ...]
    regions: tuple[Region, ...]
    coverage: tuple[Coverage, ...]
    notes: tuple[str, ...]
    """A sentence for each part that could not be computed, or was left out."""


@dataclass(frozen=True)
class _Attempts:
    notes: list[str] = field(default_factory=list)

    def make(self, title: str, make: Callable[[], Made], otherwise: Made) -> Made:
        """The part; if it fails, `otherwise` and a note, for the scores must stay."""
        try:
            return make()
        except Exception as error:  # No fault in a picture may cost hours of fits.
            self.notes.append(
                f"{title} could not be computed ({type(error).__name__}: {error}). "
                "The scores do not depend on it. This is a fault of offby; please "
                "report it."
            )
            return otherwise


def diagnosed(
    problem: Problem,
    config: CompareConfig,
    contenders: Contenders,
    judgment: Judgment,
    labels: Sequence[str],
    columns: Sequence[Column],
    fits: Fits,
) -> Diagnosis:
    """Everything beside the scores; a part that fails becomes a note."""
    attempts, by_loss = _Attempts(), contenders.by_loss(fits)
    make = attempts.make
    best = _best(contenders, judgment)
    names = [column.name for column in columns if column.used]
    changed, share, taken = _noise(
        attempts, problem, config, contenders, judgment, fits
    )
    # What is below a class, and what our study of lines found, is known on a line only.
    cumulative = by_loss if problem.ground is None else {}
    return Diagnosis(
        rows=make(
            "The pictured rows",
            lambda: diagnostics.telling_rows(problem, by_loss, labels),
            (),
        ),
        pushes=make("Gradients", lambda: _pushes(problem, contenders, by_loss), ()),
        calibration=_of_each(
            attempts, "Calibration", problem, cumulative, _calibration
        ),
        reliability=_of_each(attempts, "Reliability", problem, cumulative, reliability),
        training=_of_each(attempts, "Training curves", problem, by_loss, _training),
        forecasts=_of_each(attempts, "Sharpness", problem, by_loss, _forecasts),
        noise=changed,
        noise_share=share,
        takeovers=taken,
        reasons=make(
            "The reasons",
            lambda: (
                reasons(problem, judgment.scores, cumulative, share)
                if cumulative
                else ()
            ),
            (),
        ),
        importances=make(
            "The importance of the columns",
            lambda: findings.importances(
                problem, contenders.design, best, by_loss[best], names
            ),
            (),
        ),
        regions=make(
            "The errors by parts of the target",
            lambda: findings.regions(problem, best, by_loss[best]),
            (),
        ),
        coverage=_of_each(attempts, "Coverage", problem, cumulative, findings.coverage),
        notes=(*attempts.notes, *findings.left_out(names)),
    )


def _best(contenders: Contenders, judgment: Judgment) -> str:
    """The best loss by the first metric that has one."""
    # No loss is best where the scores of all are infinite.
    best = next((answer.best for answer in judgment.verdicts if answer.best), "")
    return best or str(contenders.losses[0])


def _of_each(
    attempts: _Attempts,
    title: str,
    problem: Problem,
    by_loss: Mapping[str, list[Fit]],
    make: Callable[[Problem, str, list[Fit]], tuple[Made, ...]],
) -> tuple[Made, ...]:
    """A part of every loss, in one tuple."""
    return tuple(
        one
        for name, fits in by_loss.items()
        for one in attempts.make(
            f"{title} of {name}", lambda n=name, f=fits: make(problem, n, f), ()
        )
    )


def _noise(
    attempts: _Attempts,
    problem: Problem,
    config: CompareConfig,
    contenders: Contenders,
    judgment: Judgment,
    fits: Fits,
) -> tuple[tuple[Noise, ...], NoiseShare | None, tuple[str, ...]]:
    if not config.noise:
        return (), None, ()
    losses, metrics = contenders.losses, judgment.metrics
    first = next(metric for metric in metrics if metric.answers)
    by_loss = contenders.by_loss(fits)
    best = _best(contenders, judgment)
    found = attempts.make(
        "The effect of noise",
        lambda: curves(
            problem,
            losses,
            metrics,
            contenders.perturbations,
            contenders.design,
            fits,
        ),
        (),
    )
    taken = attempts.make(
        "The change of the best loss under noise",
        lambda: takeovers(found, first, config.rope),
        (),
    )
    if problem.ground is not None:  # A spread of the noise is of numbers.
        return found, None, taken
    share = attempts.make(
        "The noise of the target",
        lambda: noise_share(
            problem,
            [fit for fit in by_loss[best] if fit.seed == 0],
            contenders.design,
            config.target_noise,
        ),
        None,
    )
    return found, share, taken


def _pushes(
    problem: Problem, contenders: Contenders, by_loss: Mapping[str, list[Fit]]
) -> tuple[Pushes, ...]:
    with threads(None):
        return tuple(
            push
            for loss in contenders.losses
            for push in diagnostics.pushes(
                problem.folds[0], loss, by_loss[str(loss)][0], contenders.design
            )
        )


def _calibration(problem: Problem, name: str, fits: list[Fit]):
    return (diagnostics.calibration(problem, name, fits),)


def _forecasts(problem: Problem, name: str, fits: list[Fit]):
    return (forecasts(problem, name, fits),)


def _training(problem: Problem, name: str, fits: list[Fit]) -> tuple[Training, ...]:
    """The mean validation score of each epoch, over the networks that reached it."""
    scores = [fit.curve for fit in fits]
    longest = max(map(len, scores))
    alive = [[c[i] for c in scores if i < len(c)] for i in range(longest)]
    epochs = float(np.mean([fit.best_epoch for fit in fits]))
    return (Training(name, epochs, tuple(float(np.mean(now)) for now in alive)),)
