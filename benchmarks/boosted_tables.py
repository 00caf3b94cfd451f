"""The tables of docs/boosted.md, made of docs/boosted.json.

    python benchmarks/boosted.py table

A row compares its models on the same folds: those that offby's and LightGBM have run.
A model that has run fewer of them is compared on the first fold, in tables of its own.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from boosted import (
    ENSEMBLE,
    MODELS,
    NETWORK,
    OTHER_NETWORKS,
    OURS,
    TREES,
    known_folds,
    sets_of,
)
from boosted_coverage import coverage, verdict
from boosted_scores import Cells, common, mean
from ranks import Ranks, draw
from scipy.stats import gmean
from sections import between

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "boosted.md", DOCS / "ranks.svg"
MARKERS = (
    "<!-- results: benchmarks/boosted.py table -->",
    "<!-- end of results -->",
)
SCORES = {"classes": "RPS", "numbers": "CRPS"}
BASE = "LightGBM"


def rivals(kind: str) -> list[str]:
    """The models of other libraries that have run."""
    cells_of = known_folds().get(kind, {}).values()
    return [
        name
        for name in MODELS[kind]
        if name != ENSEMBLE and any(name in cells for cells in cells_of)
    ]


def boosting(kind: str) -> list[str]:
    """Of these, boosting that has run wherever LightGBM has."""
    every = known_folds().get(kind, {}).values()
    return [
        name
        for name in rivals(kind)
        if name not in OTHER_NETWORKS
        and all(set(cells.get(BASE, {})) <= set(cells.get(name, {})) for cells in every)
    ]


def table(
    kind: str, score: str, models: Sequence[str], folds_of: Callable[[Cells], list[str]]
) -> list[str]:
    """A score of every model on every set, in Markdown; the least is bold."""
    rows = {}
    for name in sets_of(kind):
        cells = known_folds().get(kind, {}).get(name, {})
        folds = folds_of(cells)
        if folds:
            rows[name, len(folds)] = [mean(cells, m, score, folds) for m in models]
    shown = [
        place
        for place in range(len(models))
        if any(row[place] is not None for row in rows.values())
    ]
    heads = " | ".join(models[place] for place in shown)
    lines = [f"| {score} | {heads} |", "|---" * (len(shown) + 1) + "|"]
    for (name, n_folds), row in rows.items():
        numbers = [value for value in row if value is not None]
        least = min(numbers, default=None) if score in {*SCORES.values()} else None
        texts = " | ".join(_cell(row[place], least) for place in shown)
        folds = "1 fold" if n_folds == 1 else f"{n_folds} folds"
        lines.append(f"| {name}, {folds} | {texts} |")
    return lines


def _cell(value: float | None, least: float | None) -> str:
    if value is None:
        return "–"
    return f"**{value:.4g}**" if value == least else f"{value:.4g}"


def ratios(
    kind: str, score: str, ours: str, others: Sequence[str]
) -> dict[tuple[str, int], float]:
    """Of each set and its number of folds: our score to the least of the others."""
    found = {}
    for name, cells in known_folds().get(kind, {}).items():
        folds = common(cells, [ours, *others])
        pairs = [mean(cells, model, score, folds) for model in (ours, *others)]
        if folds and None not in pairs:
            found[name, len(folds)] = pairs[0] / min(pairs[1:])
    return found


def goals(kind: str) -> list[str]:
    """How offby's trees and its mean of both stand beside the others."""
    score, lines = SCORES[kind], []
    questions = [
        (TREES, [BASE], BASE),
        (TREES, boosting(kind), "the best other boosting"),
        (NETWORK, boosting(kind), "the best boosting of other libraries"),
        (ENSEMBLE, [BASE], BASE),
        (ENSEMBLE, [NETWORK, TREES], "the better of the two"),
        (ENSEMBLE, [*boosting(kind), TREES, NETWORK], "the best of all these"),
        *(
            (ours, [name], name)
            for name in OTHER_NETWORKS
            if name in rivals(kind)
            for ours in (NETWORK, ENSEMBLE)
        ),
    ]
    for ours, others, named in questions:
        found = ratios(kind, score, ours, others)
        if found:
            values, n_folds = list(found.values()), [n for _, n in found]
            lines.append(
                f"- {score} of {ours} to {named}: {gmean(values):.3f} (geometric mean "
                f"over {len(values)} sets of {_range(n_folds)}, {min(values):.3f} to "
                f"{max(values):.3f}); lower on {sum(v < 1 for v in values)}."
            )
    for ours, other in [
        *((each, BASE) for each in OURS),
        *((NETWORK, each) for each in OTHER_NETWORKS),
    ]:
        found = list(ratios(kind, "CPU seconds", ours, [other]).values())
        if found:
            lines.append(f"- CPU seconds of {ours} to {other}'s: {gmean(found):.2g}.")
    return lines


def _range(n_folds: Sequence[int]) -> str:
    low, high = min(n_folds), max(n_folds)
    if low == high:
        return "1 fold" if low == 1 else f"{low} folds"
    return f"{low} to {high} folds"


def ranks(kind: str) -> Ranks | None:
    """Of all models that have run all folds of every set; None if these are few."""
    cells_of = list(known_folds().get(kind, {}).values())
    every = [*OURS, *rivals(kind)]
    rows = []
    for cells in cells_of:
        folds = common(cells, [ENSEMBLE, BASE])
        rows.append([mean(cells, model, SCORES[kind], folds) for model in every])
    complete = [place for place in range(len(every)) if all(r[place] for r in rows)]
    if len(complete) < 3 or len(rows) < 3:
        return None
    scores = np.array([[row[place] for place in complete] for row in rows])
    return Ranks.of([every[place] for place in complete], scores)


def parts(kind: str) -> list[str]:
    """All tables and sentences of a kind of target."""
    every = [*OURS, *rivals(kind)]

    def all_folds(cells: Cells) -> list[str]:
        return common(cells, [ENSEMBLE, BASE])

    def first_fold(cells: Cells) -> list[str]:
        return ["0"] if "0" in cells.get(ENSEMBLE, {}) else []

    score, lines = SCORES[kind], []
    for shown in (score, "log score", "CPU seconds", "coverage"):
        lines += [*table(kind, shown, every, all_folds), ""]
    cells_of = known_folds().get(kind, {}).values()
    slow = [
        model
        for model in rivals(kind)
        if any(set(cells.get(model, {})) < set(all_folds(cells)) for cells in cells_of)
    ]
    if slow:
        some = [*OURS, BASE, *(model for model in slow if model != BASE)]
        lines += [f"The first fold, beside {' and '.join(slow)}:", ""]
        for shown in (score, "CPU seconds"):
            lines += [*table(kind, shown, some, first_fold), ""]
    ranked = ranks(kind)
    said = [ranked.sentence(score)] if ranked else []
    return [*lines, *goals(kind), *said, "", *coverage(kind), ""]


def made(page: str) -> str:
    """The page with its tables made anew, between the markers."""
    made_with = known_folds().get("made with", {})
    lines = ["## Results", ""]
    for kind in SCORES:
        lines += parts(kind)
    lines += [*verdict(), ""]
    lines.append(
        "Made with " + ", ".join(f"{k} {v}" for k, v in made_with.items()) + "."
    )
    return between(page, *MARKERS, "\n" + "\n".join(lines) + "\n")


def write_tables() -> None:
    """Write them, and draw the ranks."""
    PAGE.write_text(made(PAGE.read_text()))
    found = {SCORES[kind]: ranks(kind) for kind in SCORES}
    PICTURE.write_text(draw({name: each for name, each in found.items() if each}))
