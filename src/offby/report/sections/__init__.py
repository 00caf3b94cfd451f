"""The sections of a report, in the order of the page; contents and page come from here.

To add one, write its file beside this one and add its line to SECTIONS. A section of
figures, tables, paragraphs and lists needs no template of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from offby.report.sections import (
    answer,
    calibration,
    columns,
    data,
    differences,
    final_test,
    method,
    noise,
    own_loop,
    pushes,
    regions,
    rows,
    scores,
    training,
    why,
)
from offby.report.style import Look


@dataclass(frozen=True)
class Section:
    """One section: what it is called, and how its content is found and shown."""

    id: str
    contents: str
    """Its name in the table of contents."""
    title: str
    content: Callable[[Look], Any]
    """What the template shows; a section without content is left out."""
    intro: str = ""
    template: str = "blocks.html"


SECTIONS = (
    Section("answer", "Answer", "The answer", answer.content, template="answer.html"),
    Section(
        "differences",
        "Differences",
        "Is the difference real?",
        differences.content,
        "Each loss is compared with the best one on the same rows, folds and seeds. "
        "The intervals hold for new rows and new training runs, for all losses at "
        "once, and they allow for a run that stops as soon as it knows.",
    ),
    Section("test", "Test", "On the test table", final_test.content),
    Section("why", "Why", "Why on your data", why.content),
    Section(
        "rows",
        "Rows",
        "What each loss predicts",
        rows.content,
        "These rows were held out, and were picked by a rule.",
    ),
    Section(
        "pushes",
        "Pushes",
        "How each loss pushes",
        pushes.content,
        "The push on a logit is the direction in which a training step moves it. The "
        "pictures show the mean push at the start, in the middle and at the end of "
        "training.",
    ),
    Section(
        "calibration",
        "Calibration",
        "Do the probabilities come true?",
        calibration.content,
    ),
    Section("errors", "Errors", "Where the errors lie", regions.content),
    Section("columns", "Columns", "What the forecasts rest on", columns.content),
    Section("scores", "Scores", "Scores in full", scores.content),
    Section("noise", "Noise", "What noise does", noise.content),
    Section("loop", "Own loop", "In your own training loop", own_loop.content),
    Section("training", "Training", "Learning curves", training.content),
    Section("data", "Your data", "Your data", data.content),
    Section(
        "method",
        "Method",
        "Method and reproduction",
        method.content,
        template="method.html",
    ),
)
