"""Formulas of pages and docstrings as MathML, which browsers draw without a script."""

import re

_FENCE = re.compile(r"^```(?!math)[^\n]*\n.*?^```[ \t]*$|`[^`\n]+`", re.M | re.S)
_DISPLAY = re.compile(
    r"^(?P<indent>[ ]*)```math\n(?P<tex>.*?)^[ ]*```[ \t]*$", re.M | re.S
)
_INLINE = re.compile(r"(?<![\\$\w])\$(?P<tex>[^$\n]+?)\$(?![\w$])")
_RST_DISPLAY = re.compile(
    r"^(?P<indent>[ ]*)\.\. math::[ ]*(?P<tex>.*(?:\n(?P=indent)[ ]+\S.*)*)", re.M
)
_EXAMPLE = re.compile(r"^(?P<indent>[ ]*)>>> .*(?:\n(?P=indent)\S.*)*", re.M)
_RST_ROLE = re.compile(r":(?:func|class|meth|attr|mod|data):(?=`)")
_RST_INLINE = re.compile(r":math:`(?P<tex>[^`]+)`")


def in_page(markdown: str) -> str:
    """A page with its formulas, ```math and $...$, as MathML; code stays as it is."""
    markdown = _DISPLAY.sub(_display, markdown)
    parts, end = [], 0
    for code in _FENCE.finditer(markdown):
        parts += [_INLINE.sub(_inline, markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, _INLINE.sub(_inline, markdown[end:])])


def in_docstring(text: str) -> str:
    """A docstring with its formulas, in Sphinx's notation, as MathML; roles go."""
    text = _RST_INLINE.sub(_inline, _RST_DISPLAY.sub(_display, text))
    return _RST_ROLE.sub("", text)


def in_fences(text: str) -> str:
    """A docstring with its examples, lines of `>>>` and what follows, as code."""
    return _EXAMPLE.sub(r"\g<indent>```pycon\n\g<0>\n\g<indent>```", text)


def _display(found: re.Match[str]) -> str:
    formula = _mathml(" ".join(found["tex"].split()), "block")
    return f'{found["indent"]}<div class="formula" tabindex="0">{formula}</div>'


def _inline(found: re.Match[str]) -> str:
    return _mathml(found["tex"], "inline")


def _mathml(tex: str, display: str) -> str:
    # In the environment of the site only; the rest of this file is tested elsewhere.
    from latex2mathml.converter import convert

    return convert(tex, display=display)
