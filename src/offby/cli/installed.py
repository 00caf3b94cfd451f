"""What is installed beside offby: packages, extras, and what is missing for what."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.version import Version

BRINGS = {
    "compare": "offby compare, fit, predict, evaluate and explain; reports; tables",
    "boosting": "boosted trees (BoostedBinnedRegressor, --model boosting)",
    "files": "tables in Excel, DuckDB, SPSS, Stata and SAS files",
    "text": "columns of free text in the estimators",
    "onnx": "serving without offby: model.export('model.onnx')",
    "ot": "exact transport to soft targets on any costs",
    "dask": "offby compare on several machines (--dask)",
    "widget": "the explainer in notebooks (offby.integrations.widget)",
    "arviz": "draws of forecasts for ArviZ (offby.integrations.arviz)",
    "gluonts": "bins as an output of GluonTS (offby.integrations.gluonts)",
    "lightning": "training with Lightning (offby.integrations.lightning)",
    "mlflow": "comparisons and models in MLflow (offby.integrations.mlflow)",
    "skpro": "forecasts and regressors for skpro (offby.integrations.skpro)",
    "tabicl": "forecasts of TabICL (offby.integrations.tabicl)",
    "tabpfn": "forecasts of TabPFN (offby.integrations.tabpfn)",
    "torchmetrics": "metrics of training loops (offby.integrations.torchmetrics)",
    "transformers": "language models on numbers (offby.integrations.transformers)",
}
"""The extras that a user may want, with what each of them brings."""

ADAPTERS = (
    "arviz",
    "gluonts",
    "lightning",
    "mlflow",
    "skpro",
    "tabicl",
    "tabpfn",
    "torchmetrics",
    "transformers",
)
"""The extras for other libraries: whoever does not use the library lacks nothing."""

FOR_DEVELOPERS = ("bench", "examples", "rivals", "dev")
"""The extras that only work on offby itself needs; the doctor leaves them out."""


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
        if self.floor and Version(self.version) < Version(self.floor):
            return f"{self.name} {self.version} is older than {self.floor}"
        return ""


def packages(requirements: Iterable[str] | None = None) -> dict[str, list[Package]]:
    """The packages of each extra; those that offby always needs under an empty name.

    >>> packages(["nonesuch>=2.1", "click>=8; extra == 'compare'"])[""]
    [Package(name='nonesuch', floor='2.1', version='')]
    """
    found: dict[str, list[Package]] = {}
    for text in requires("offby") or [] if requirements is None else requirements:
        needed = Requirement(text)
        floors = [bound.version for bound in needed.specifier if bound.operator == ">="]
        package = Package(needed.name, next(iter(floors), ""), installed(needed.name))
        extra = re.search(r"extra == \"(.+?)\"", str(needed.marker or ""))
        found.setdefault(extra[1] if extra else "", []).append(package)
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
