"""The tables of docs/heads.md, made of docs/heads.json.

    python -m benchmarks.heads_page

writes them between the markers of the page.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.head_objectives import LEVEL_LOSSES, LOSSES
from benchmarks.heads import ANSWERS, HEADS
from benchmarks.sections import with_tables

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "heads.md"
PLAIN_HEAD, PLAIN_LOSS = "linear", "ce"
SCORES = {"rps": 1, "log_score": 3, "qwk": 3, "mae": 1}
"""Digits of a difference."""
COLUMNS = "RPS, % | log score | QWK | MAE, % | seconds"


def differences(found: dict, pair: str, base: str, score: str) -> np.ndarray:
    """Of each set: how much better or worse one pair of head and loss is than another.

    In percent of RPS and MAE; as they are for the log score and QWK.
    """
    here, there = (
        np.array([of_set["scores"][key][score] for of_set in found.values()])
        for key in (pair, base)
    )
    if score in ("rps", "mae"):
        return 100 * (here / there - 1)
    return here - there


def cell(values: np.ndarray, digits: int) -> str:
    """Mean over the sets and its 95 % interval by Student's t."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    if not half:
        return "0"
    settled = "**" if abs(values.mean()) > half else ""
    return f"{settled}{values.mean():+.{digits}f} ± {half:.{digits}f}{settled}"


def seconds(found: dict, pairs: Iterable[str]) -> str:
    """Mean CPU seconds of a fit."""
    took = [s["scores"][pair]["seconds"] for s in found.values() for pair in pairs]
    return f"{np.mean(took):.2f}"


def row(found: dict, name: str, pairs: dict[str, str]) -> str:
    """One row: pairs of head and loss beside their bases, averaged within each set."""
    cells = [
        cell(
            np.mean(
                [differences(found, p, b, score) for p, b in pairs.items()], axis=0
            ),
            digits,
        )
        for score, digits in SCORES.items()
    ]
    return f"| {name} | {' | '.join(cells)} | {seconds(found, pairs)} |"


def _table(first: str, found: dict, pairs_of: dict[str, dict[str, str]]) -> str:
    """A line for each name: its pairs of head and loss, each with its base."""
    head = f"| {first} | {COLUMNS} |"
    lines = [row(found, name, pairs) for name, pairs in pairs_of.items()]
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *lines])


def by_loss(found: dict) -> str:
    """Every loss beside cross-entropy under the same head, all heads together."""
    pairs_of = {
        loss: {f"{head} | {loss}": f"{head} | {PLAIN_LOSS}" for head in HEADS}
        for loss in LOSSES
    }
    return _table("loss", found, pairs_of)


def by_head(found: dict) -> str:
    """Every head beside the plain layer under the same loss, all losses together."""
    pairs_of = {
        head: {f"{head} | {loss}": f"{PLAIN_HEAD} | {loss}" for loss in LOSSES}
        for head in HEADS
    }
    return _table("head", found, pairs_of)


def every_pair(found: dict) -> str:
    """Every head under every loss beside the plain layer under cross-entropy."""
    names = [f"{head} | {loss}" for head in HEADS for loss in LOSSES]
    names += [f"{ANSWERS} | {loss}" for loss in LEVEL_LOSSES]
    base = f"{PLAIN_HEAD} | {PLAIN_LOSS}"
    return _table("head | loss", found, {name: {name: base} for name in names})


def by_set(found: dict) -> str:
    """RPS of each head under cross-entropy, set by set."""
    names = list(found)
    lines = [f"| head | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for head in HEADS:
        rps = [s["scores"][f"{head} | {PLAIN_LOSS}"]["rps"] for s in found.values()]
        lines.append(f"| {head} | {' | '.join(f'{each:.4f}' for each in rps)} |")
    return "\n".join(lines)


TABLES = {
    "by_loss": by_loss,
    "by_head": by_head,
    "by_set": by_set,
    "every_pair": every_pair,
}


def made(page: str) -> str:
    """The page with its tables as they were measured."""
    found = json.loads((DOCS / "heads.json").read_text(encoding="utf-8"))
    return with_tables(page, lambda name: f"\n{TABLES[name](found)}\n")


if __name__ == "__main__":
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
