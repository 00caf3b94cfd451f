"""The comparison as one HTML file, readable without network and without script."""

import base64
import hashlib
import shlex
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from altair.utils.schemapi import debug_mode
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from offby.report.pictures import Picture, picture
from offby.report.sections import SECTIONS, Section
from offby.report.style import Look
from offby.results import Comparison, phrases

__all__ = ["Picture", "frame", "picture", "render"]


@dataclass(frozen=True)
class _Filled:
    """A section as the page shows it."""

    id: str
    contents: str
    title: str
    html: Markup


def render(
    comparison: Comparison, *, explainer: str | None = None, model: str | None = None
) -> str:
    """The report on `comparison`, as the text of one HTML file.

    The same comparison gives the same bytes. Nothing is loaded from elsewhere. A
    section that cannot be drawn says so in its place, with a warning; the rest of the
    page is there.

    Args:
        comparison: What `offby.compare` found.
        explainer: Name of the page that `offby.explain.render(comparison)` gave, if it
            will lie beside the report; its rows then link to it.
        model: The file that the best model was saved to, if it was.
    """
    look = Look(comparison, explainer or "")
    style, script = _read("page.css"), _read("page.js")
    # Checking each part of a chart against the schema takes a fifth of the time, and
    # could find nothing that the drawing itself would not.
    with debug_mode(False):
        filled = [_filled(section, look) for section in SECTIONS]
    return (
        _environment()
        .get_template("page.html")
        .render(
            c=comparison,
            style=Markup(style),
            script=Markup(script),
            policy=f"default-src 'none'; style-src {_hash(style)}; "
            f"script-src {_hash(script)}",
            size=_size(comparison),
            model=model and shlex.quote(model),
            sections=[section for section in filled if section is not None],
        )
    )


def _filled(section: Section, look: Look) -> _Filled | None:
    """The section with its content; None if there is nothing to show."""
    try:
        content = section.content(look)
        if not content:
            return None
        template = _environment().get_template(section.template)
        html = template.render(c=look.comparison, content=content)
        if section.intro:
            html = Markup("<p>{}</p>\n").format(section.intro) + Markup(html)
    except Exception as error:  # One picture that fails must not lose the others.
        says = (
            f"This section could not be drawn ({type(error).__name__}: {error}). Its "
            "numbers are in the JSON file of this comparison. This is a fault of "
            "offby; please report it."
        )
        warnings.warn(
            f"the section “{section.title}” of the report could not be drawn "
            f"({type(error).__name__}: {error})",
            RuntimeWarning,
            stacklevel=3,
        )
        html = Markup('<p class="failed">{}</p>\n').format(says)
    return _Filled(section.id, section.contents, section.title, Markup(html))


def frame(comparison: Comparison) -> str:
    """The report as an inline frame, for a notebook: neither's style meets the other's.

    The frame may run the script of the page and save its numbers, and nothing else.
    """
    # Without it a link to a section would lead to the page around the frame.
    page = render(comparison).replace("<head>", '<head><base href="about:srcdoc">', 1)
    page = page.replace("&", "&amp;").replace('"', "&quot;")
    return (
        '<iframe title="Comparison of losses" width="100%" height="800" '
        f'sandbox="allow-scripts allow-downloads" srcdoc="{page}"></iframe>'
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_read),
        autoescape=True,  # Names of columns and classes are foreign text.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
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
        f"{phrases.count(data.n_rows, 'row')}, "
        f"{phrases.count(data.n_features, 'feature')}, "
        f"{len(data.labels)} {what}. {phrases.count(run.folds, 'fold')}, "
        f"{phrases.count(run.seeds, 'seed')}"
    )
