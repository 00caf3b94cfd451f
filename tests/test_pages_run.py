"""The Python of every page of docs/ runs, from the top of the page to its end."""

import ast
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
ELSEWHERE = {
    "heads.md": "test_heads.py",
    "own-loss.md": "test_own_loss.py",
    "pytorch.md": "test_pytorch_page.py",
    "verdict.md": "test_docs.py",
}
"""Pages whose blocks another test runs, with what comes out of them."""
READERS_DATA = ("boosted.md", "boosting.md", "estimators.md")
"""Pages whose blocks go on from data of the reader: of them the imports run."""
SMALLER = {"linear.md": ("32_000", "320")}
"""What a page has large for a reason, and a test need not have."""
PAGES = {
    page.relative_to(DOCS).as_posix(): BLOCK.findall(page.read_text(encoding="utf-8"))
    for page in sorted(DOCS.rglob("*.md"))
}
RUN = [name for name, blocks in PAGES.items() if blocks and name not in ELSEWHERE]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # Lightning's, of PyTorch
@pytest.mark.parametrize("name", RUN)
def test_the_python_of_a_page_runs(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # a page may save a model
    names: dict[str, object] = {"__name__": "page"}
    for block in PAGES[name]:
        code = ast.parse(block.replace(*SMALLER.get(name, ("", ""))), name)
        if name in READERS_DATA:
            code.body = [
                node
                for node in code.body
                if isinstance(node, ast.Import | ast.ImportFrom)
            ]
        try:
            exec(compile(code, name, "exec"), names)
        except ModuleNotFoundError as missing:
            if (missing.name or "").startswith("offby"):
                raise
            pytest.skip(f"{missing.name} is not installed")


def test_pages_that_run_elsewhere_are_named_there() -> None:
    for name, test in ELSEWHERE.items():
        assert PAGES[name]
        assert name in (DOCS.parent / "tests" / test).read_text(encoding="utf-8")
