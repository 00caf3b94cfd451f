"""`pytest examples/` runs every script in a small form; the tests say in which."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Scripts are run by the tests, and not imported to look for doctests."""
    if collection_path.suffix == ".py" and not collection_path.name.startswith("test_"):
        return True
    return None


@pytest.fixture(autouse=True)
def examples_find_each_other(monkeypatch):
    """As where Python starts one of them: its folder is searched for the others."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
