"""Data sets that come with offby; `PROVENANCE.md` beside them says whence."""

from pathlib import Path

_HERE = Path(__file__).parent


def names() -> list[str]:
    """Names of the packaged data sets.

    >>> names()
    ['wine-red']
    """
    return sorted(path.name.removesuffix(".csv.gz") for path in _HERE.glob("*.csv.gz"))


def load(name: str) -> Path:
    """Path of a packaged data set: a gzipped CSV file with a header.

    >>> load("wine-red").name
    'wine-red.csv.gz'
    """
    if name not in names():
        raise ValueError(
            f"no packaged data set is called {name!r}; there is {', '.join(names())}"
        )
    return _HERE / f"{name}.csv.gz"
