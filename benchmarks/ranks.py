"""Ranks of the models of docs/boosted.md over all sets, and which ranks differ.

Friedman's test asks whether all models are level, Nemenyi's which two are not: those
whose mean ranks lie further apart than the critical difference. `boosted.py table` puts
the sentences into the page and draws docs/ranks.svg.

References:
    Demsar (2006), Statistical comparisons of classifiers over multiple data sets,
    Journal of Machine Learning Research 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import friedmanchisquare, rankdata, studentized_range

ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Ranks:
    """Mean ranks over sets, from the best to the worst; 1 is best."""

    models: tuple[str, ...]
    means: Float[np.ndarray, " models"]
    n_sets: int
    p: float
    """Of Friedman's test."""
    critical: float
    """Mean ranks that are further apart differ."""

    @classmethod
    def of(
        cls, models: Sequence[str], scores: Float[np.ndarray, "sets models"]
    ) -> "Ranks":
        """The ranks of scores of which the least is best."""
        n_sets, k = scores.shape
        means = rankdata(scores, axis=1).mean(0)
        order = np.argsort(means, kind="stable")
        spread = studentized_range.ppf(1 - ALPHA, k, np.inf) / np.sqrt(2)
        return cls(
            models=tuple(models[place] for place in order),
            means=means[order],
            n_sets=n_sets,
            p=float(friedmanchisquare(*scores.T).pvalue),
            critical=float(spread * np.sqrt(k * (k + 1) / (6 * n_sets))),
        )

    @property
    def level(self) -> list[tuple[int, int]]:
        """Runs of models that are not told apart, as first and last place."""
        found: list[tuple[int, int]] = []
        for first, mean in enumerate(self.means):
            last = int(np.flatnonzero(self.means - mean <= self.critical)[-1])
            if last > first and (not found or last > found[-1][1]):
                found.append((first, last))
        return found

    def sentence(self, score: str) -> str:
        """Ranks, and which of them differ."""
        ranks = ", ".join(
            f"{model} {mean:.2f}"
            for model, mean in zip(self.models, self.means, strict=True)
        )
        groups = "; ".join(
            f"from {self.models[first]} to {self.models[last]}"
            for first, last in self.level
        )
        return (
            f"- Mean ranks by {score} over {self.n_sets} sets (1 is best): {ranks}. "
            f"Friedman's test: p = {self.p:.1g}. Ranks that are more than "
            f"{self.critical:.2f} apart differ (Nemenyi, 5 %); not told apart: "
            f"{groups or 'none'}."
        )


def draw(panels: dict[str, Ranks]) -> str:
    """Critical differences as SVG: a bar joins what is not told apart."""
    import altair as alt
    import vl_convert

    charts = []
    for title, ranks in panels.items():
        places = range(len(ranks.models))
        points: list[dict[str, Any]] = [
            {"model": ranks.models[at], "rank": float(ranks.means[at])} for at in places
        ]
        bars = [
            {
                "model": ranks.models[first],
                "from": float(ranks.means[first]),
                "to": float(ranks.means[last]),
            }
            for first, last in ranks.level
        ]
        y = alt.Y("model:N", sort=list(ranks.models), title=None)
        scale = alt.Scale(domain=[1, len(ranks.models)])
        base = alt.Chart(alt.Data(values=points), width=420, title=title)
        dots = base.mark_point(size=70, filled=True).encode(
            x=alt.X("rank:Q", scale=scale, title="mean rank, 1 is best"), y=y
        )
        joined = (
            alt.Chart(alt.Data(values=bars))
            .mark_rule(size=4, opacity=0.45)
            .encode(x=alt.X("from:Q", scale=scale), x2="to:Q", y=y)
        )
        charts.append(joined + dots)
    chart = alt.vconcat(*charts).configure(background="white")
    return vl_convert.vegalite_to_svg(chart.to_dict())
