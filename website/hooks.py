"""What MkDocs calls for each page, and when the site is made."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import formulas
import theme


def on_page_markdown(markdown: str, **_: object) -> str:
    """Turn the formulas of a page into MathML."""
    return formulas.in_page(markdown)


def on_post_page(output: str, **_: object) -> str:
    """Mend what the theme made."""
    return theme.mended_page(output)


def on_post_build(config: Any, **_: object) -> None:
    """Mend the script of the theme."""
    (bundle,) = Path(config["site_dir"]).glob("assets/javascripts/bundle.*.js")
    script = bundle.read_text(encoding="utf-8")
    bundle.write_text(theme.mended_script(script), encoding="utf-8")
