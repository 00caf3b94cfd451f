"""How the comparison was made, and how to make it again."""

import base64
from typing import Any

from offby.report.style import Look
from offby.results import Comparison, Ended, phrases

_LARGEST_JSON = 700_000
"""Bytes of JSON up to which the page carries it; beyond, the page would be too big."""
_ENDED: dict[Ended, str] = {
    "all": "when all seeds were trained",
    "settled": "when every difference was settled",
    "no gain": "when more of the planned seeds were not likely to settle anything",
    "time": "when its time budget left no room for another seed",
}


def content(look: Look) -> dict[str, Any]:
    """What method.html shows beside the comparison itself."""
    c = look.comparison
    return {
        "json": _as_link(c),
        "seconds": phrases.duration(c.timing.seconds),
        "rope": f"{100 * c.run.rope:g} %, of log scores {c.run.rope:g} nats",
        "network": _network(c),
        "ended": _ENDED[c.run.ended],
    }


def _network(comparison: Comparison) -> str:
    """What every loss trained."""
    model = (
        "OrdinalClassifier"
        if comparison.data.kind == "classes"
        else ("BinnedRegressor")
    )
    match comparison.run.network:
        case "ensemble":
            return (
                f"the ensemble of {model}; one of them for each fold and seed, where "
                "the estimator averages up to five (n_bags)"
            )
        case "perceptron":
            return "a plain perceptron for each fold and seed"
        case other:
            return f"{other}, one for each fold and seed"


def _as_link(comparison: Comparison) -> str:
    """The JSON as the target of a link, or nothing where it is too long."""
    raw = comparison.to_json().encode()
    if len(raw) > _LARGEST_JSON:
        return ""
    return "data:application/json;base64," + base64.b64encode(raw).decode()
