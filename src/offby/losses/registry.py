"""The list of the losses: one record for each, and the parser of their short names.

The parser, `offby losses`, `settles_at`, sums in one kernel call and the tests of all
laws (tests/cases.py) read these records.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from offby import kernels, losses
from offby.losses import _labels
from offby.losses._labels import FunctionOnLabels, Labels, OnLabels, Takes

__all__ = ["LOSSES", "TABLE", "Labels", "Loss", "NamedLoss", "parse", "record_of"]

Minimizer = Literal[
    "frequencies", "cheapest class", "cheapest classes", "inverse costs"
]
GroundName = Literal["line", "circle", "tree", "costs"]
EVERY_GROUND: tuple[GroundName, ...] = ("line", "circle", "tree", "costs")


@dataclass(frozen=True)
class Loss:
    """Everything that offby says of a loss, and where its parts are."""

    name: str
    """Short name, as in `--losses`; else that of the function."""
    title: str
    formula: str
    feels_distance: bool
    """Whether wrong mass costs more the farther it lies from the truth."""
    proper: str
    """ "strictly", or "no" and where training ends instead."""
    also: str
    """Other names, for whoever searches for them."""
    rows: OnLabels
    """Loss of each row from logits and labels."""
    takes: Takes = "class"
    page: str = ""
    """Its page in docs/maths."""
    function: Callable[..., Tensor] | None = None
    """Its function in `offby.losses`, if the record is about one."""
    grounds: tuple[GroundName, ...] = ()
    """The grounds that its function is defined on."""
    minimizer: Minimizer | None = None
    """Where the expected loss is least, if a formula is known."""
    kernel: str | None = None
    """Its name in `offby.kernels`, if a kernel computes it."""
    on_command_line: bool = True

    @property
    def needs_bins(self) -> bool:
        """Whether it is defined for numbers only."""
        return self.takes == "number"


def _of(function: Callable[..., Tensor], takes: Takes, **fields) -> Loss:
    """The record of a function of `offby.losses`."""
    rows = FunctionOnLabels(function, takes)
    fields = {"rows": rows, "name": function.__name__, **fields}
    return Loss(takes=takes, function=function, **fields)


LOSSES = (
    _of(
        losses.cross_entropy,
        "class",
        name="ce",
        title="cross-entropy",
        formula="-log p[y]",
        feels_distance=False,
        proper="strictly",
        also="log loss, negative log-likelihood",
        page="cross-entropy",
        minimizer="frequencies",
        kernel="cross_entropy",
    ),
    _of(
        losses.wasserstein,
        "class on a ground",
        name="emd1",
        title="Wasserstein-1",
        formula="sum_j p[j] |x[j] - x[y]|",
        feels_distance=True,
        proper="no: ends on the median",
        also="earth mover's distance, expected absolute error",
        page="wasserstein",
        grounds=EVERY_GROUND,
        minimizer="cheapest class",
        kernel="wasserstein",
    ),
    _of(
        losses.squared_emd,
        "class on a ground",
        name="emd2",
        title="squared EMD",
        formula="sum_k w[k] (F[k] - 1[y <= k])^2",
        feels_distance=True,
        proper="strictly",
        also="ranked probability score, discrete CRPS, Cramér distance, OBD",
        page="squared-emd",
        grounds=EVERY_GROUND,
        minimizer="frequencies",
        kernel="squared_emd",
    ),
    _of(
        losses.cumulative_cross_entropy,
        "class on a ground",
        name="cce",
        title="cumulative cross-entropy",
        formula="-sum_k w[k] log(F[k] if y <= k else 1 - F[k])",
        feels_distance=True,
        proper="strictly",
        also="ranked logarithmic score, joint binary cross-entropy, CORAL, CONDOR",
        page="cumulative-cross-entropy",
        grounds=("line", "tree"),
        minimizer="frequencies",
        kernel="cumulative_cross_entropy",
    ),
    _of(
        losses.brier,
        "class",
        title="Brier score",
        formula="sum_k (p[k] - 1[y = k])^2",
        feels_distance=False,
        proper="strictly",
        also="quadratic score, mean squared error of the probabilities, MCE",
        page="brier",
        minimizer="frequencies",
    ),
    _of(
        losses.cdw_cross_entropy,
        "class on a ground",
        name="cdw-ce",
        title="distance-weighted cross-entropy",
        formula="-sum_j |x[j] - x[y]| log(1 - p[j])",
        feels_distance=True,
        proper="no: ends on the classes of least expected distance",
        also="class distance weighted cross-entropy, CDW-CE",
        page="cdw-cross-entropy",
        grounds=EVERY_GROUND,
        minimizer="cheapest classes",
    ),
    _of(
        losses.slace,
        "class on a ground",
        title="SLACE",
        formula="-sum_i s[i] log P(|x - x[y]| <= |x[i] - x[y]|), s soft label",
        feels_distance=True,
        proper="no: ends close to the frequencies",
        also="soft labels accumulating cross-entropy",
        page="slace",
        grounds=EVERY_GROUND,
    ),
    _of(
        losses.histogram_crps,
        "number",
        name="crps",
        title="CRPS of the histogram",
        formula="integral of (F(x) - 1[y <= x])^2",
        feels_distance=True,
        proper="strictly",
        also="continuous ranked probability score (numbers only)",
        rows=_labels.crps,
        page="histogram",
        kernel="histogram_crps",
    ),
    _of(
        losses.histogram_nll,
        "number",
        name="nll",
        title="log density of the histogram",
        formula="-log p[k] + log width[k]",
        feels_distance=False,
        proper="strictly",
        also="logarithmic score, ignorance (numbers only)",
        rows=_labels.nll,
        page="histogram",
    ),
    Loss(
        name="hl-gauss",
        title="HL-Gauss",
        formula="-sum_k q[k] log p[k], q normal around y",
        feels_distance=True,
        proper="no: ends blurred by 0.75 bins",
        also="histogram loss, Gaussian soft labels (numbers only)",
        rows=_labels.hl_gauss,
        takes="number",
        page="targets",
    ),
    Loss(
        name="two-hot",
        title="two-hot cross-entropy",
        formula="-sum_k q[k] log p[k], q on the two centers around y",
        feels_distance=False,
        proper="no: ends spread over neighbors, same mean",
        also="two-bin projection (numbers only)",
        rows=_labels.two_hot,
        takes="number",
        page="targets",
    ),
    _of(
        losses.histogram_wasserstein,
        "number",
        title="mean distance of the histogram",
        formula="integral of |F(x) - 1[y <= x]|",
        feels_distance=True,
        proper="no: ends on the median",
        also="Wasserstein-1 (numbers only)",
        page="histogram",
        on_command_line=False,
    ),
    _of(
        losses.sinkhorn,
        "class on a ground",
        title="Sinkhorn divergence",
        formula="T(p, q) - T(p, p)/2 - T(q, q)/2, T entropic transport",
        feels_distance=True,
        proper="no: ends sharpened",
        also="debiased entropic optimal transport",
        page="sinkhorn",
        grounds=EVERY_GROUND,
        on_command_line=False,
    ),
    _of(
        losses.squared_mass,
        "class on a ground",
        title="squared mass",
        formula="sum_i p[i]^2 (d(i, y)^power + offset)",
        feels_distance=True,
        proper="no: ends at masses in inverse proportion to their costs",
        also="regularizer of Hou et al. for classes without order",
        page="squared-mass",
        grounds=EVERY_GROUND,
        minimizer="inverse costs",
        on_command_line=False,
    ),
    _of(
        losses.weighted_kappa,
        "batch",
        title="weighted kappa",
        formula="sum p[j] |x[j] - x[y]|^2 over all rows, relative to labels by chance",
        feels_distance=True,
        proper="no: ends on one class, and is 1 for all forecasts without inputs",
        also="quadratic weighted kappa loss, QWK, WKLoss",
        page="weighted-kappa",
        on_command_line=False,
    ),
)
"""Every loss. To add one is to add its record here, its function and its page."""

TABLE = tuple(loss for loss in LOSSES if loss.on_command_line)
"""The losses with a short name, as `offby losses` prints them."""

_BY_NAME = {loss.name: loss for loss in TABLE}
_BY_FUNCTION = {loss.function: loss for loss in LOSSES if loss.function is not None}
_TERM = re.compile(r"(?:(?P<factor>\d+\.?\d*|\.\d+)\*)?(?P<name>[a-z][a-z0-9-]*)")


def record_of(function: Callable[..., Tensor]) -> Loss | None:
    """The record of a function of `offby.losses`; None for any other."""
    return _BY_FUNCTION.get(function)


@dataclass(frozen=True)
class NamedLoss:
    """A sum of losses with factors, as `ce+0.3*emd1`."""

    terms: tuple[tuple[float, Loss], ...]

    def __str__(self) -> str:
        return "+".join(
            loss.name if factor == 1 else f"{factor:g}*{loss.name}"
            for factor, loss in self.terms
        )

    @property
    def title(self) -> str:
        """The names in words."""
        return " + ".join(
            loss.title if factor == 1 else f"{factor:g} x {loss.title}"
            for factor, loss in self.terms
        )

    @property
    def needs_bins(self) -> bool:
        """Whether it is defined for numbers only."""
        return any(loss.needs_bins for _, loss in self.terms)

    def rows(self, logits: Tensor, labels: Labels) -> Tensor:
        """Loss of each row."""

        def plain(z: Tensor) -> Tensor:
            parts = [factor * loss.rows(z, labels) for factor, loss in self.terms]
            return sum(parts[1:], parts[0])

        # One kernel call for the whole sum. A single loss has its own way there; those
        # of numbers are scaled to the line, or clamped, first.
        terms = [
            kernels.Term(loss.kernel, labels.line, factor)
            for factor, loss in self.terms
            if loss.kernel and not loss.needs_bins
        ]
        if len(terms) < max(2, len(self.terms)):
            return plain(logits)
        kernel = kernels.choose("auto", logits, labels.index, *terms)
        return plain(logits) if kernel is None else kernel(plain)


def parse(text: str) -> NamedLoss:
    """The loss that a name stands for.

    Raises:
        ValueError: If a part of the sum is no loss; the message lists the names.

    >>> str(parse("ce + 0.3*emd1"))
    'ce+0.3*emd1'
    """
    terms = []
    for part in text.replace(" ", "").split("+"):
        match = _TERM.fullmatch(part)
        if match is None or match["name"] not in _BY_NAME:
            raise ValueError(
                f"a loss must be one of {', '.join(_BY_NAME)} or a sum such as "
                f"ce+0.3*emd1, got {text!r}"
            )
        terms.append((float(match["factor"] or 1), _BY_NAME[match["name"]]))
    return NamedLoss(tuple(terms))
