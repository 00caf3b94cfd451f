"""What the doctests of the package need not read."""

from pathlib import Path

SOURCE = Path(__file__).parent / "src"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Modules without an example: their import would cost each worker seconds."""
    if collection_path.suffix != ".py" or SOURCE not in collection_path.parents:
        return None
    return ">>>" not in collection_path.read_text(encoding="utf-8") or None
