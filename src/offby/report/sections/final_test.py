"""How the best model forecasts a separate test table."""

from offby.report.parts import Block, Paragraph, Table
from offby.report.style import Look
from offby.results import test


def content(look: Look) -> list[Block]:
    """What the section shows; nothing without a test table."""
    c = look.comparison
    if c.test is None:
        return []
    head = ("metric", "score", "95 % interval", "in the comparison")
    return [
        Paragraph(f"{test.title(c)}."),
        Table("Scores on the test table", head, tuple(test.rows(c))),
        Paragraph(
            "The interval is for new rows like these, forecast by this very model. "
            "The last column is the mean over the folds of the comparison, whose "
            "models were trained on fewer rows.",
            soft=True,
        ),
    ]
