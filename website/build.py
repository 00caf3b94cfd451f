"""Writes the pages of the site, from which MkDocs makes it: `make docs`.

    python website/build.py [build]

Pages go to build/pages and the settings of MkDocs to build/mkdocs.yml.
"""

import json
import shutil
import sys
from pathlib import Path

import catalog
import embedded
import gallery
import losses
import navigation
import stage


def main() -> None:
    """Write everything anew."""
    build = Path(sys.argv[1] if len(sys.argv) > 1 else stage.ROOT / "build").resolve()
    pages = build / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir(parents=True)
    losses.write(pages)
    catalog.write(pages)
    embedded.write(pages)
    gallery.write(pages)
    theory = sorted((stage.DOCS / "maths").glob("*.md"))
    titles = [
        (f.name, f.read_text(encoding="utf-8").splitlines()[0][2:]) for f in theory
    ]
    listed = "\n".join(f"- [{title}]({name})" for name, title in titles)
    (pages / "maths").mkdir()
    (pages / "maths/README.md").write_text(f"# Theory\n\n{listed}\n", encoding="utf-8")
    stage.copy(pages)
    embedded.put_figure(pages)
    settings = {
        "INHERIT": str(Path(__file__).with_name("mkdocs.yml")),
        "docs_dir": str(pages),
        "site_dir": str(build / "site"),
        "nav": navigation.navigation(pages),
    }
    # JSON is YAML.
    (build / "mkdocs.yml").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    print(f"{len(list(pages.rglob('*.md')))} pages in {pages}")


if __name__ == "__main__":
    main()
