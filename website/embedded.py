"""Pages in which the explainer and the reports are live, each in a frame."""

import re
from pathlib import Path

import stage

from offby import explain
from offby.losses.registry import Loss

STOPS = {
    "ce": {1: "ce,emd1,emd2", 2: "ce,emd1"},
    "emd1": {3: "ce,emd1", 5: "ce,emd1"},
    "emd2": {4: "ce,emd2,ce+emd2", 6: "ce,emd2,crps"},
    "cce": {4: "ce,cce,emd2", 5: "ce,cce,emd1"},
    "crps": {6: "ce,emd2,crps"},
    "nll": {6: "nll,crps"},
}
"""The stops of the explainer that show most of a loss, and what to show there."""
STATIC = "explainer/explain.html"
FIGURE = "<!-- atlas-figure.html is live here in the site -->"


def write(pages: Path) -> None:
    """Write explainer/, and a page for each report in docs/reports."""
    folder = pages / "explainer"
    folder.mkdir(parents=True)
    (folder / "explain.html").write_text(explain.render(), encoding="utf-8")
    (folder / "index.md").write_text(_explainer(), encoding="utf-8")
    (pages / "reports/read").mkdir(parents=True)
    for report in sorted((stage.DOCS / "reports").glob("*.html")):
        title = f"Report: {report.stem}"
        frame = _frame(f"../{report.name}", f"The report on {report.stem}")
        (pages / f"reports/read/{report.stem}.md").write_text(
            f"# {title}\n\n`offby compare` wrote this report; "
            "[Reports on public tables](../README.md) says with which settings. "
            f"[Open it alone](../{report.name}).\n\n{frame}\n",
            encoding="utf-8",
        )


def put_figure(pages: Path) -> None:
    """Make the figure of the atlas live on its page."""
    atlas = pages / "atlas.md"
    frame = _frame("atlas-figure.html", "The atlas: which loss, where")
    text = atlas.read_text(encoding="utf-8")
    atlas.write_text(text.replace(FIGURE, frame), encoding="utf-8")


def stops_of(loss: Loss) -> str:
    """The sentence on a loss's page that leads to its stops of the explainer."""
    links = [
        f'<a href="../{STATIC}#stop={number}&losses={losses.replace("+", "%2B")}">'
        f'stop {number}, "{stop_titles()[number - 1]}"</a>'
        for number, losses in STOPS.get(loss.name, {}).items()
    ]
    return f"It shows this loss at {' and at '.join(links)}." if links else ""


def stop_titles() -> list[str]:
    """The seven steps of the explainer, as docs/choosing.md lists them."""
    text = (stage.DOCS / "choosing.md").read_text(encoding="utf-8")
    return re.findall(r"^\d\. \*\*([^*]+?)\.?\*\*", _section(text), re.M)


def _section(text: str) -> str:
    return text.partition("## Seen by hand")[2].partition("\n## ")[0]


def _explainer() -> str:
    lines = [
        f'- <a href="explain.html#stop={number}">{title}</a>'
        for number, title in enumerate(stop_titles(), 1)
    ]
    return (
        "# The explainer\n\nMove the probability of a prediction from bin to bin, and "
        "see what each loss makes of it. Bars can be dragged, and arrow keys move them "
        'too. <a href="explain.html">Open it alone</a>: its address then holds what '
        "you see, so that you can send it to somebody. Its stops:\n\n"
        + "\n".join(lines)
        + "\n\n"
        + _frame("explain.html", "The explainer")
        + "\n"
    )


def _frame(address: str, title: str) -> str:
    return (
        f'<iframe class="live" src="{address}" title="{title}" loading="lazy"></iframe>'
    )
