"""The picture of the README: the top of the report on wine-red, docs/first-result.png.

    python website/first_result.py [COMPARISON.json]

takes the comparison that `offby compare wine-red --target quality` wrote beside its
report, or makes one, which takes a minute or two. Needs Playwright and Chromium.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from stage import DOCS

from offby.report import render
from offby.results import Comparison

WIDTH, HEIGHT = 1000, 502
PICTURE = DOCS / "first-result.png"


def compared(folder: Path) -> Path:
    """The comparison that the README's command makes."""
    command = ["-m", "offby", "compare", "wine-red", "--target", "quality"]
    # Without --out: the report shows its command, which is to be the README's.
    subprocess.run([sys.executable, *command], check=True, cwd=folder)
    page = folder / "wine-red-quality.html"
    return page.with_suffix(".json")


def picture(page: Path, to: Path) -> None:
    """What the browser shows of a page before anyone scrolls."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        view = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        view.goto(page.as_uri())
        view.screenshot(path=to)
        browser.close()


def main() -> None:
    """Draw it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = Path(sys.argv[1]) if sys.argv[1:] else compared(folder)
        found = Comparison.from_json(kept.read_text(encoding="utf-8"))
        page = folder / "shown.html"
        page.write_text(render(found), encoding="utf-8")
        picture(page, PICTURE)
    print(f"The picture lies in {PICTURE}")


if __name__ == "__main__":
    main()
