"""The lowest level of noise at which another loss scores best."""

from collections.abc import Sequence

import numpy as np

from offby.comparison.noise.perturb import unchanged_level
from offby.results import Metric, Noise


def takeovers(noises: Sequence[Noise], metric: Metric, rope: float) -> tuple[str, ...]:
    """A sentence per kind of noise: from where on another loss is the better one."""
    sign = 1 if metric.lower_is_better else -1
    said = []
    for kind in dict.fromkeys(noise.kind for noise in noises):
        rivals = {n.method: n for n in noises if n.kind == kind}
        scores = {
            name: [np.inf if s is None else sign * s for s in noise.scores[metric.key]]
            for name, noise in rivals.items()
        }
        levels = next(iter(rivals.values())).levels
        start = levels.index(unchanged_level(kind))
        best = min(scores, key=lambda name: scores[name][start])
        said.append(_flip(kind, best, levels, scores, metric, rope, start))
    return tuple(said)


_WORDS = {
    "edges": "noise in the bin edges ({} of a bin width)",
    "counts": "another number of bins ({} of it)",
    "strategy": "bins by the other strategy",
    "inputs": "noise in the inputs ({} of their spread)",
    "neighbor": "training labels moved to a neighbor ({} of them)",
    "random": "training labels moved at random ({} of them)",
}


def _flip(kind, best, levels, scores, metric, rope, start) -> str:
    order = sorted(range(len(levels)), key=lambda i: abs(levels[i] - levels[start]))
    for i in order[1:]:
        now = min(scores, key=lambda name: scores[name][i])
        room = abs(scores[best][i]) if np.isfinite(scores[best][i]) else 1.0
        if scores[best][i] - scores[now][i] > rope * room:
            where = _WORDS[kind].format(f"{100 * levels[i]:g} %")
            return (
                f"By {metric.title}, {now} takes the place of {best} with {where}: "
                f"{abs(scores[now][i]):.4g} against {abs(scores[best][i]):.4g}."
            )
    most = _WORDS[kind].format(f"up to {100 * max(levels):g} %")
    return f"By {metric.title}, {best} stays best, or within {rope:.0%}, with {most}."
