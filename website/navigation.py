"""The navigation of the site. A page of docs/ that no section names is a guide."""

from pathlib import Path

import scripts

SECTIONS: dict[str, list[str]] = {
    "Start": [
        "index.md",
        "install.md",
        "coming-from.md",
        "choosing.md",
        "explainer/index.md",
        "mistakes.md",
        "glossary.md",
    ],
    "Losses": ["losses/*.md"],
    "Guides": [
        "pytorch.md",
        "training-loops.md",
        "language-models.md",
        "foundation-models.md",
        "forecasting.md",
        "reproductions.md",
        "integrations.md",
        "forecasts.md",
        "models.md",
        "boosting.md",
        "heads.md",
        "own-loss.md",
    ],
    "Examples": [
        "examples/README.md",
        *(scripts.page_of(path) for path in scripts.listed()),
    ],
    "Evidence": [
        "verdict.md",
        "why.md",
        "atlas.md",
        "estimators.md",
        "boosted.md",
        "grids.md",
        "scale.md",
        "kernels.md",
        "evidence.md",
    ],
    "Reports": ["reports/README.md", "reports/read/*.md"],
    "Theory": ["maths/README.md", "maths/*.md"],
    "Grounds": ["grounds/*.md"],
    "Estimators": ["estimator/*.md"],
    "Metrics": ["metrics/*.md"],
    "Reference": ["reference/*.md"],
    "Project": [
        "architecture.md",
        "decisions.md",
        "mutants.md",
        "contributing.md",
        "changelog.md",
        "security.md",
        "code-of-conduct.md",
    ],
}
THE_REST = "Guides"


def navigation(pages: Path) -> list[dict[str, list[str]]]:
    """The sections with the pages that are there, as MkDocs reads them."""
    found = {
        section: [page for pattern in patterns for page in _matching(pages, pattern)]
        for section, patterns in SECTIONS.items()
    }
    named = {page for listed in found.values() for page in listed}
    rest = [page for page in _matching(pages, "*.md") if page not in named]
    found[THE_REST] += rest
    return [{section: list(dict.fromkeys(found[section]))} for section in found]


def _matching(pages: Path, pattern: str) -> list[str]:
    files = [file.relative_to(pages).as_posix() for file in pages.glob(pattern)]
    # The index of a section first.
    return sorted(
        files, key=lambda name: (Path(name).stem not in ("index", "README"), name)
    )
