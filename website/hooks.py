"""What MkDocs calls for each page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import formulas


def on_page_markdown(markdown: str, **_: object) -> str:
    """Turn the formulas of a page into MathML."""
    return formulas.in_page(markdown)
