"""The comparison as one HTML file, readable without network and without script."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from offby.report.sections import answer as _board
from offby.report.sections import calibration as _calibration
from offby.report.sections import data as _data
from offby.report.sections import noise as _noise
from offby.report.sections import reliability as _reliability
from offby.report.sections import rows as _rows
from offby.report.sections import scores as _scores
from offby.report.sections import training as _training
from offby.report.style import Look
from offby.results import Comparison
from offby.results import phrases as words

__all__ = ["frame", "render"]

_LARGEST_JSON = 700_000
"""Bytes of JSON up to which the page carries it; beyond, the page would be too big."""


def render(comparison: Comparison, *, explainer: str | None = None) -> str:
    """The report on `comparison`, as the text of one HTML file.

    The same comparison gives the same bytes. Nothing is loaded from elsewhere.

    Args:
        comparison: What `offby.compare` found.
        explainer: Name of the page that `offby.explain.render(comparison)` gave, if it
            will lie beside the report; its rows then link to it.
    """
    look = Look(comparison)
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = _read("page.css"), _read("page.js")
    return environment.from_string(_read("page.html")).render(
        c=comparison,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; style-src {_hash(style)}; "
        f"script-src {_hash(script)}",
        size=_size(comparison),
        heads=_board.heads(comparison),
        losses=_board.lines(look, reference=False),
        references=_board.lines(look, reference=True),
        differences=_scores.differences(look),
        rows=[_rows.predicted(look, row) for row in comparison.rows],
        moved_by_hand=[
            _rows.link(look, place, explainer) if explainer else ""
            for place in range(len(comparison.rows))
        ],
        explainer=explainer,
        spans=look.has_edges,
        pushes=_training.pushes(look),
        calibration=_calibration.pit(look),
        reliability=_reliability.reliability(look),
        forecasts=_calibration.forecasts(look),
        scores=_scores.scores(look),
        training=_training.curves(look),
        noise=_noise.noise(look),
        share=_noise.share(look),
        refit_folds=min(3, comparison.run.folds),
        histogram=_data.histogram(look),
        json=_as_link(comparison),
        seconds=words.duration(comparison.timing.seconds),
        rope=f"{100 * comparison.run.rope:g} %",
    )


def frame(comparison: Comparison) -> str:
    """The report as an inline frame, for a notebook: neither's style meets the other's.

    The frame may run the script of the page and save its numbers, and nothing else.
    """
    # Else a link to a section would lead to the page around the frame.
    page = render(comparison).replace("<head>", '<head><base href="about:srcdoc">', 1)
    page = page.replace("&", "&amp;").replace('"', "&quot;")
    return (
        '<iframe title="Comparison of losses" width="100%" height="800" '
        f'sandbox="allow-scripts allow-downloads" srcdoc="{page}"></iframe>'
    )


def _read(name: str) -> str:
    return files(__name__).joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy knows a style or script of the page by."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _size(comparison: Comparison) -> str:
    data, run = comparison.data, comparison.run
    what = "classes" if data.kind == "classes" else "bins"
    return (
        f"{words.count(data.n_rows, 'row')}, "
        f"{words.count(data.n_features, 'feature')}, "
        f"{len(data.labels)} {what}. {words.count(run.folds, 'fold')}, "
        f"{words.count(run.seeds, 'seed')}"
    )


def _as_link(comparison: Comparison) -> str:
    """The JSON as the target of a link, or nothing where it is too long."""
    raw = comparison.to_json().encode()
    if len(raw) > _LARGEST_JSON:
        return ""
    return "data:application/json;base64," + base64.b64encode(raw).decode()
