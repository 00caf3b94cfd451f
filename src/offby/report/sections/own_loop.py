"""The best loss in a training loop of one's own."""

from offby.report.parts import Block, Code, Paragraph
from offby.report.style import Look
from offby.results.own_loop import own_loop


def content(look: Look) -> list[Block]:
    """What the section shows: the lines, and what they take."""
    found = own_loop(look.comparison)
    if found is None:
        return []
    data = look.comparison.data
    what = "the index of its class, from 0"
    if found.takes_numbers:
        what = f"its {data.target}"
        if found.scale == "quantile":
            what = f"the normal score of its {data.target}"
        elif found.scale != "none":
            what = f"the {found.scale} of its {data.target}"
    n_logits = len(look.comparison.rows[0].grid.labels)
    says = (
        f"These lines of offby.nn are {found.loss} as it was trained here. The network "
        f"gives {n_logits} logits for each row, and the target of a row is {what}."
    )
    if found.takes_numbers:
        says += (
            " The bins are those of the first fold, and so is the unit in which the "
            "terms of a sum weigh alike. Bins.around(y, n) makes bins of other targets."
        )
    return [Paragraph(says), Code(found.code)]
