"""The pages keep their word: links lead somewhere, named tests and files exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"])
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LINK = re.compile(r"\]\(([^)\s]+)\)")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)


def names_of_tests() -> set[str]:
    found = set()
    for file in (ROOT / "tests").glob("test_*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(f"{file.name}::{node.name}")
    return found


@every_page
def test_relative_links_resolve(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("https://", "http://", "#")):
            continue
        path = page.parent / target.partition("#")[0]
        assert path.exists(), f"{page.name} links to {target}, which is not there"


@every_page
def test_named_tests_exist_in_the_file_they_are_said_to_be_in(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = names_of_tests()
    for name, file in re.findall(r"\[`(test_\w+)`\]\(\S*?(test_\w+\.py)\)", text):
        assert f"{file}::{name}" in known, f"{page.name} names {file}::{name}"
    anywhere = {name.partition("::")[2] for name in known}
    for name in re.findall(r"`(test_\w+)`", text):
        assert name in anywhere, f"{page.name} names {name}"


@pytest.mark.parametrize(
    "source", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "src"))
)
def test_pages_named_by_docstrings_exist(source: Path) -> None:
    for path in re.findall(r"docs/[\w./-]+\.md", source.read_text(encoding="utf-8")):
        assert (ROOT / path).is_file(), f"{source.name} names {path}"


@every_page
def test_formulas_are_closed(page: Path) -> None:
    """An odd dollar or fence turns the rest of a page on GitHub into a formula."""
    text = page.read_text(encoding="utf-8")
    assert text.count("```") % 2 == 0
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    for paragraph in prose.split("\n\n"):
        assert paragraph.count("$") % 2 == 0, f"{page.name}: {paragraph}"
