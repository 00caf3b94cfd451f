"""Docstrings for the site: formulas become MathML, and examples become code."""

import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent))
import formulas


class Formulas(griffe.Extension):
    """Changes a docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of any object that has one."""
        if obj.docstring:
            text = formulas.in_docstring(obj.docstring.value)
            obj.docstring.value = formulas.in_fences(text)
