"""The losses by their short names: one table, one parser."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from offby import kernels, losses, targets
from offby.bins import Bins
from offby.grounds import Line


@dataclass(frozen=True, eq=False)
class Labels:
    """What a batch of rows is judged against."""

    index: Tensor
    """Class or bin of each row."""
    line: Line
    """Where the classes lie."""
    value: Tensor | None = None
    """The number itself, if the classes are bins."""
    bins: Bins | None = None


@dataclass(frozen=True)
class Entry:
    """One loss, as people look for it."""

    name: str
    title: str
    formula: str
    feels_distance: bool
    proper: str
    also: str
    rows: Callable[[Tensor, Labels], Tensor]
    """Loss of each row from logits and labels."""
    needs_bins: bool = False


def _ce(logits: Tensor, labels: Labels) -> Tensor:
    return losses.cross_entropy(logits, labels.index)


def _emd1(logits: Tensor, labels: Labels) -> Tensor:
    return losses.wasserstein(logits, labels.index, labels.line)


def _emd2(logits: Tensor, labels: Labels) -> Tensor:
    return losses.squared_emd(logits, labels.index, labels.line)


def _cce(logits: Tensor, labels: Labels) -> Tensor:
    return losses.cumulative_cross_entropy(logits, labels.index, labels.line)


def _crps(logits: Tensor, labels: Labels) -> Tensor:
    assert labels.value is not None
    assert labels.bins is not None
    # In the unit of the line, as the squared EMD is; so a sum weighs its terms alike.
    crps = losses.histogram_crps(logits, labels.value, labels.bins)
    return crps * (_length(labels.line) / _length(labels.bins.line()))


def _length(line: Line) -> float:
    return float(line.positions[-1] - line.positions[0]) or 1.0


def _nll(logits: Tensor, labels: Labels) -> Tensor:
    assert labels.value is not None
    assert labels.bins is not None
    value, edges = labels.value, labels.bins.edges
    if labels.bins.tails == "none":
        # A number beyond the edges has no density, and would end the training with
        # infinity: it counts as if it lay on the nearest edge.
        value = value.clamp(float(edges[0]), float(edges[-1]))
    return losses.histogram_nll(logits, value, labels.bins)


def _hl_gauss(logits: Tensor, labels: Labels) -> Tensor:
    assert labels.value is not None
    assert labels.bins is not None
    return losses.cross_entropy(logits, targets.hl_gauss(labels.value, labels.bins))


def _two_hot(logits: Tensor, labels: Labels) -> Tensor:
    assert labels.value is not None
    assert labels.bins is not None
    return losses.cross_entropy(logits, targets.two_hot(labels.value, labels.bins))


TABLE = (
    Entry(
        "ce",
        "cross-entropy",
        "-log p[y]",
        False,
        "strictly",
        "log loss, negative log-likelihood",
        _ce,
    ),
    Entry(
        "emd1",
        "Wasserstein-1",
        "sum_j p[j] |x[j] - x[y]|",
        True,
        "no: ends on the median",
        "earth mover's distance, expected absolute error",
        _emd1,
    ),
    Entry(
        "emd2",
        "squared EMD",
        "sum_k w[k] (F[k] - 1[y <= k])^2",
        True,
        "strictly",
        "ranked probability score, discrete CRPS, Cramér distance",
        _emd2,
    ),
    Entry(
        "cce",
        "cumulative cross-entropy",
        "-sum_k w[k] log(F[k] if y <= k else 1 - F[k])",
        True,
        "strictly",
        "ranked logarithmic score, joint binary cross-entropy",
        _cce,
    ),
    Entry(
        "crps",
        "CRPS of the histogram",
        "integral of (F(x) - 1[y <= x])^2",
        True,
        "strictly",
        "continuous ranked probability score (numbers only)",
        _crps,
        needs_bins=True,
    ),
    Entry(
        "nll",
        "log density of the histogram",
        "-log p[k] + log width[k]",
        False,
        "strictly",
        "logarithmic score, ignorance (numbers only)",
        _nll,
        needs_bins=True,
    ),
    Entry(
        "hl-gauss",
        "HL-Gauss",
        "-sum_k q[k] log p[k], q normal around y",
        True,
        "no: ends blurred by 0.75 bins",
        "histogram loss, Gaussian soft labels (numbers only)",
        _hl_gauss,
        needs_bins=True,
    ),
    Entry(
        "two-hot",
        "two-hot cross-entropy",
        "-sum_k q[k] log p[k], q on the two centers around y",
        False,
        "no: ends spread over neighbors, same mean",
        "two-bin projection (numbers only)",
        _two_hot,
        needs_bins=True,
    ),
)

# Losses of class and line whose sums are computed in one pass over the logits.
_ONE_PASS = {
    "ce": "cross_entropy",
    "emd1": "wasserstein",
    "emd2": "squared_emd",
    "cce": "cumulative_cross_entropy",
}
_BY_NAME = {entry.name: entry for entry in TABLE}
_TERM = re.compile(r"(?:(?P<factor>\d+\.?\d*|\.\d+)\*)?(?P<name>[a-z][a-z0-9-]*)")


@dataclass(frozen=True)
class NamedLoss:
    """A sum of losses with factors, as `ce+0.3*emd1`."""

    terms: tuple[tuple[float, Entry], ...]

    def __str__(self) -> str:
        return "+".join(
            entry.name if factor == 1 else f"{factor:g}*{entry.name}"
            for factor, entry in self.terms
        )

    @property
    def title(self) -> str:
        """The names in words."""
        return " + ".join(
            entry.title if factor == 1 else f"{factor:g} x {entry.title}"
            for factor, entry in self.terms
        )

    @property
    def needs_bins(self) -> bool:
        """Whether it is defined for numbers only."""
        return any(entry.needs_bins for _, entry in self.terms)

    def rows(self, logits: Tensor, labels: Labels) -> Tensor:
        """Loss of each row."""

        def plain(z: Tensor) -> Tensor:
            parts = [factor * entry.rows(z, labels) for factor, entry in self.terms]
            return sum(parts[1:], parts[0])

        parts = [_ONE_PASS.get(entry.name) for _, entry in self.terms]
        if len(parts) == 1 or None in parts:
            return plain(logits)
        terms = [
            kernels.Term(part, labels.line, factor)
            for part, (factor, _) in zip(parts, self.terms, strict=True)
            if part is not None
        ]
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
