"""What is installed beside offby: packages, extras, and what is missing for what."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

BRINGS = {
    "compare": "offby compare, fit, predict, evaluate and explain; reports; tables",
    "boosting": "boosted trees (BoostedBinnedRegressor, --model boosted)",
    "files": "tables in Excel, DuckDB, SPSS, Stata and SAS files",
    "text": "columns of free text in the estimators",
    "onnx": "serving without offby: model.export('model.onnx')",
    "ot": "exact transport to soft targets on any costs",
    "dask": "offby compare on several machines (--dask)",
    "lightning": "training with Lightning (offby.integrations.lightning)",
    "skpro": "forecasts and regressors for skpro (offby.integrations.skpro)",
    "torchmetrics": "metrics of training loops (offby.integrations.torchmetrics)",
    "transformers": "heads of language models (offby.integrations.transformers)",
}
"""The extras that a user may want, with what each of them brings."""

FOR_DEVELOPERS = ("bench", "rivals", "dev")
"""The extras that only work on offby itself needs; the doctor leaves them out."""

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?P<bounds>[^;]*)"
    r"(?:;.*extra\s*==\s*['\"](?P<extra>.+?)['\"])?"
)


@dataclass(frozen=True)
class Package:
    """A package that offby needs, always or for one extra."""

    name: str
    floor: str
    """Oldest version that will do; empty for any."""
    version: str
    """The installed one; empty if it is not installed."""

    @property
    def wrong(self) -> str:
        """What is wrong with it, in words; empty if nothing is."""
        if not self.version:
            return f"{self.name} is missing"
        if self.floor and _numbers(self.version) < _numbers(self.floor):
            return f"{self.name} {self.version} is older than {self.floor}"
        return ""


def packages(requirements: Iterable[str] | None = None) -> dict[str, list[Package]]:
    """The packages of each extra; those that offby always needs under an empty name.

    >>> packages(["nonesuch>=2.1", "click>=8; extra == 'compare'"])[""]
    [Package(name='nonesuch', floor='2.1', version='')]
    """
    found: dict[str, list[Package]] = {}
    for text in requires("offby") or [] if requirements is None else requirements:
        parts = _REQUIREMENT.match(text)
        if parts is None:
            continue
        floor = re.search(r">=\s*([\w.]+)", parts["bounds"])
        package = Package(
            parts["name"], floor[1] if floor else "", installed(parts["name"])
        )
        found.setdefault(parts["extra"] or "", []).append(package)
    return found


def installed(name: str) -> str:
    """The version of an installed package; empty if it is not installed.

    >>> installed("nonesuch")
    ''
    """
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version, as 2, 13 of 2.13.0+cpu; no zeros at the end."""
    head = re.match(r"\d+(\.\d+)*", text)
    numbers = [int(n) for n in head[0].split(".")] if head else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
