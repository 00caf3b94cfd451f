"""The best loss as lines of `offby.nn`, for a training loop of one's own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from offby.results.comparison import Comparison
from offby.results.records import Grid, Measure

_TERM = re.compile(r"(?:(\d+\.?\d*|\.\d+)\*)?([a-z][a-z0-9-]*)")
_OF_CLASSES = {"ce": "CrossEntropyLoss", "brier": "BrierLoss"}
_ON_A_GROUND = {
    "emd1": "WassersteinLoss",
    "emd2": "SquaredEMDLoss",
    "cce": "CumulativeCrossEntropyLoss",
    "cdw-ce": "CDWCrossEntropyLoss",
    "slace": "SLACELoss",
}
_OF_NUMBERS = {"crps": "HistogramCRPSLoss", "nll": "HistogramNLLLoss"}


@dataclass(frozen=True)
class OwnLoop:
    """Lines of Python that equal a loss as `compare` trained it."""

    loss: str
    imports: str
    lines: tuple[str, ...]
    takes_numbers: bool
    """Whether `target` is numbers; else it is the index of a class or bin."""
    scale: str
    """Scale of the numbers, as log; none for the target's own."""

    @property
    def code(self) -> str:
        """All of it, ready to run; `logits` and `target` are those of a batch."""
        return "\n".join((self.imports, *self.lines))


def own_loop(comparison: Comparison) -> OwnLoop | None:
    """The best loss on the network by the first use; None if it is none of `offby.nn`.

    Also None for a comparison of an earlier offby, which did not keep how training
    measured distances.
    """
    best, data = comparison.best_loss(), comparison.data
    measure = comparison.rows[0].grid.measure if comparison.rows else None
    if best is None or measure is None:
        return None
    scale = data.scales[0] if data.scales else "none"
    return lines_of(best, comparison.rows[0].grid, measure, data.ground, scale)


def lines_of(
    loss: str, grid: Grid, measure: Measure, ground: dict[str, Any] | None, scale: str
) -> OwnLoop | None:
    """A loss by its short name, on bins or classes as training measured them."""
    terms = []
    for part in loss.split("+"):
        match = _TERM.fullmatch(part)
        if match is None or match[2] not in _OF_CLASSES | _ON_A_GROUND | _OF_NUMBERS:
            return None
        terms.append((float(match[1] or 1), match[2]))
    bins = bool(measure.edges)
    setup, where, names = [], "", {"MixedLoss"} if len(terms) > 1 else set()
    if bins:
        tails = "" if grid.tails == "none" else f", tails={grid.tails!r}"
        setup.append(f"bins = Bins({_listed(measure.edges)}{tails})")
    if any(name in _ON_A_GROUND for _, name in terms):
        made, where = _ground(grid, measure, ground)
        setup += [made] if made else []
    parts = []
    for factor, name in terms:
        kind = (_OF_CLASSES | _ON_A_GROUND | _OF_NUMBERS)[name]
        names.add(kind)
        given = where if name in _ON_A_GROUND else "bins" if name in _OF_NUMBERS else ""
        # The CRPS of bins is in the unit of their scale, as `Bins` has it.
        unit = measure.unit if name == "crps" else 1.0
        parts.append((factor * unit, f"{kind}({given})"))
    if parts[0][0] != 1 and len(parts) == 1:
        names.add("MixedLoss")
    criterion = parts[0][1]
    if "MixedLoss" in names:
        listed = ", ".join(f"({_number(factor)}, {made})" for factor, made in parts)
        criterion = f"MixedLoss([{listed}])"
    numbers = any(name in _OF_NUMBERS for _, name in terms)
    target = "bins.index(target)" if bins and not numbers else "target"
    top = [name for name in ("Bins", "Line", "grounds") if _uses(setup, name)]
    imports = [f"from offby import {', '.join(top)}"] if top else []
    imports.append(f"from offby.nn import {', '.join(sorted(names))}")
    lines = (*setup, f"criterion = {criterion}", f"loss = criterion(logits, {target})")
    return OwnLoop(loss, "\n".join(imports), lines, bins, scale if bins else "none")


def _uses(lines: Sequence[str], name: str) -> bool:
    return any(re.search(rf"(?<![\w.]){name}[(.]", line) for line in lines)


def _ground(
    grid: Grid, measure: Measure, ground: dict[str, Any] | None
) -> tuple[str, str]:
    """A line that makes the ground, if it needs one, and how the line calls it."""
    unit = measure.unit
    if measure.edges:
        return f"line = Line(bins.centers * {_number(unit)})", "line"
    if ground is not None:
        return f"ground = grounds.from_dict({_scaled(ground, unit)!r})", "ground"
    first = grid.positions[0]
    places = [(place - first) * unit for place in grid.positions]
    regular = all(abs(place - k) < 1e-9 for k, place in enumerate(places))
    listed = ", ".join(f"{place:.12g}" for place in places)
    return ("", "") if regular else (f"line = Line([{listed}])", "line")


def _scaled(ground: dict[str, Any], unit: float) -> dict[str, Any]:
    """A saved ground, its distances times the unit."""

    def times(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [times(one) for one in value]
        # Distances that are equal must stay equal: SLACE asks for that.
        return float(f"{value * unit:.12g}")

    lengths = ("positions", "period", "lengths", "matrix")
    return {k: times(v) if k in lengths else v for k, v in ground.items()}


def _listed(numbers: Sequence[float]) -> str:
    return f"[{', '.join(map(_number, numbers))}]"


def _number(x: float) -> str:
    """Eight digits: more than a network in float32 can tell apart."""
    return f"{x:.8g}"
